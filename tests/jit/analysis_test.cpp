// Regions of small programs: which blocks there are, where the budget is looked at, which flags are dead.
#include "jit/analysis.h"

#include <gtest/gtest.h>

#include <vector>

namespace mynah::test {
namespace {

constexpr u64 kPageRip = 0x401000;

class AnalysisTest : public testing::Test {
  protected:
    AnalysisTest() : page_(kPageSize, 0x90) {}

    void put(u32 at, std::initializer_list<u8> code) { std::ranges::copy(code, page_.begin() + at); }

    bool find(u32 entry, u8 code_size = 8, u64 page_rip = kPageRip) {
        region_ = {};
        region_.key = {page_.data() + entry, page_rip + entry, 0};
        region_.page_rip = page_rip;
        ModeBits mode;
        mode.code_size = mode.stack_size = code_size;
        mode.descriptors = mode.flat = mode.flat_cs = mode.supervisor = true;
        return finder_.find(region_, page_.data(), entry, {.code_size = code_size, .descriptors = true},
                            mode);
    }
    const RegionBlock& block(u32 n) const { return region_.blocks.at(n); }
    bool dead_behind(u32 index) { return flags_dead_behind(region_, block(0), index); }

    std::vector<u8> page_;
    RegionFinder finder_;
    Region region_;
};

TEST_F(AnalysisTest, StraightLine) {
    put(0x10, {0x01, 0xD8, 0x29, 0xC8, 0xC3});  // add eax, ebx; sub eax, ecx; ret
    ASSERT_TRUE(find(0x10));
    ASSERT_EQ(region_.blocks.size(), 1u);
    EXPECT_EQ(block(0).count, 3u);
    EXPECT_EQ(block(0).begin, 0x10);
    EXPECT_EQ(block(0).end, 0x15);
    EXPECT_EQ(block(0).next, kNoBlock);
    EXPECT_EQ(block(0).taken, kNoBlock);
    EXPECT_TRUE(block(0).external);
    EXPECT_FALSE(block(0).poll);
    EXPECT_FALSE(block(0).truncated);
    EXPECT_EQ(block(0).need, 3u);
}

TEST_F(AnalysisTest, Diamond) {
    // 10: je 15; 12: inc eax; nop; 15: ret
    put(0x10, {0x74, 0x03, 0xFF, 0xC0, 0x90, 0xC3});
    ASSERT_TRUE(find(0x10));
    ASSERT_EQ(region_.blocks.size(), 3u);
    EXPECT_EQ(block(0).next, 1u);
    EXPECT_EQ(block(0).taken, 2u);
    EXPECT_EQ(block(1).next, 2u);
    EXPECT_EQ(block(1).taken, kNoBlock);
    EXPECT_FALSE(block(1).external);
    // The longest way: je, inc, nop, ret.
    EXPECT_EQ(block(0).need, 4u);
    EXPECT_EQ(block(1).need, 3u);
    EXPECT_EQ(block(2).need, 1u);
    for (u32 n = 0; n < 3; ++n) EXPECT_FALSE(block(n).poll) << n;
}

TEST_F(AnalysisTest, LoopPollsAtItsHead) {
    // 10: nop; 11: dec ecx; jne 11; 15: ret
    put(0x10, {0x90, 0xFF, 0xC9, 0x75, 0xFC, 0xC3});
    ASSERT_TRUE(find(0x10));
    ASSERT_EQ(region_.blocks.size(), 3u);
    EXPECT_FALSE(block(0).poll);
    EXPECT_TRUE(block(1).poll);
    EXPECT_EQ(block(1).taken, 1u);
    EXPECT_FALSE(block(2).poll);
    // To the next poll, which is the loop's.
    EXPECT_EQ(block(0).need, 1u);
    EXPECT_EQ(block(1).need, 3u);
}

TEST_F(AnalysisTest, EveryCyclePolls) {
    // Two nested loops and one entered in its middle: jmp 14; 12: dec eax; 14: dec ecx; jne 12; dec edx; jne
    // 10
    put(0x10, {0xEB, 0x02, 0xFF, 0xC8, 0xFF, 0xC9, 0x75, 0xFA, 0xFF, 0xCA, 0x75, 0xF4, 0xC3});
    ASSERT_TRUE(find(0x10));
    // Without the blocks that poll nothing leads back.
    const auto& blocks = region_.blocks;
    for (u32 start = 0; start < blocks.size(); ++start) {
        std::vector<u32> work{start};
        std::vector<bool> seen(blocks.size());
        while (!work.empty()) {
            const u32 n = work.back();
            work.pop_back();
            for (const u32 to : {blocks[n].next, blocks[n].taken}) {
                if (to == kNoBlock || blocks[to].poll) continue;
                EXPECT_NE(to, start);
                if (!seen[to]) work.push_back(to);
                seen[to] = true;
            }
        }
    }
}

TEST_F(AnalysisTest, PollBehindRepeat) {
    put(0x10, {0xF3, 0xA4, 0x90, 0xC3});  // rep movsb; nop; ret
    ASSERT_TRUE(find(0x10));
    ASSERT_EQ(region_.blocks.size(), 2u);
    EXPECT_TRUE(block(1).poll);
}

TEST_F(AnalysisTest, CallsComeBackFromOutside) {
    put(0x10, {0xE8, 0xEB, 0x00, 0x00, 0x00, 0x90, 0xC3});  // call 100h; nop; ret
    put(0x100, {0xC3});
    ASSERT_TRUE(find(0x10));
    // What is called is a region of its own.
    ASSERT_EQ(region_.blocks.size(), 2u);
    EXPECT_EQ(block(0).taken, kNoBlock);
    EXPECT_EQ(block(0).next, 1u);
    EXPECT_TRUE(block(1).external);
}

TEST_F(AnalysisTest, TargetsOutsideThePage) {
    put(0x10, {0x0F, 0x84, 0x00, 0x20, 0x00, 0x00, 0xC3});  // je behind the page; ret
    ASSERT_TRUE(find(0x10));
    EXPECT_EQ(block(0).taken, kNoBlock);
    EXPECT_EQ(block(0).next, 1u);
}

TEST_F(AnalysisTest, EndsBeforeThePageDoes) {
    // mov eax, imm32 whose last byte is in the next page.
    put(0xFFA, {0x01, 0xD8, 0xB8, 0x01, 0x02, 0x03});
    ASSERT_TRUE(find(0xFFA));
    ASSERT_EQ(region_.insns.size(), 1u);
    EXPECT_TRUE(block(0).truncated);
    EXPECT_EQ(block(0).next, kNoBlock);
    EXPECT_FALSE(find(0xFFC));
}

TEST_F(AnalysisTest, StraddlingInstruction) {
    const ModeBits mode{.code_size = 8, .stack_size = 8, .descriptors = true};
    const DecodeMode decode_mode{.code_size = 8, .descriptors = true};
    const std::vector<u8> code{0xB8, 0x01, 0x02, 0x03, 0x04, 0x90};  // mov eax, imm32
    region_.page_rip = kPageRip;
    ASSERT_TRUE(straddling_region(region_, code, 0xFFD, decode_mode, mode));
    ASSERT_EQ(region_.insns.size(), 1u);
    EXPECT_EQ(region_.straddles, 2u);
    EXPECT_TRUE(block(0).external);
    EXPECT_TRUE(block(0).poll);
    EXPECT_EQ(block(0).need, 1u);
    // One that ends with the page does not.
    EXPECT_FALSE(straddling_region(region_, code, 0xFFB, decode_mode, mode));
}

TEST_F(AnalysisTest, AtMostSoManyInstructions) {
    ASSERT_TRUE(find(0));  // 4,096 times nop
    EXPECT_EQ(region_.insns.size(), kMaxRegionInstructions);
    EXPECT_TRUE(block(0).truncated);
}

TEST_F(AnalysisTest, OverlappingInstructions) {
    // 10: je 13; 12: mov eax, 90909090h, into whose immediate the jump leads; ret at 17
    put(0x10, {0x74, 0x01, 0xB8, 0x90, 0x90, 0x90, 0x90, 0xC3});
    ASSERT_TRUE(find(0x10));
    u32 instructions = 0;
    for (const RegionBlock& b : region_.blocks) instructions += b.count;
    EXPECT_EQ(instructions, region_.insns.size());
    EXPECT_EQ(instructions, 1u + 1u + 4u + 1u);
}

TEST_F(AnalysisTest, WrapOfIp) {
    // A page whose IPs wrap at its offset 800h: nothing is decoded across.
    put(0x7FE, {0x90, 0x90, 0x90});
    ASSERT_TRUE(find(0x7FE, 2, 0xF800));
    EXPECT_EQ(region_.insns.size(), 2u);
    EXPECT_TRUE(block(0).truncated);
}

TEST_F(AnalysisTest, InvalidOnesEndABlock) {
    put(0x10, {0x01, 0xD8, 0x06, 0x90});  // add; push es, which 64-bit code has not
    ASSERT_TRUE(find(0x10));
    ASSERT_EQ(region_.insns.size(), 2u);
    EXPECT_EQ(region_.insns[1].insn.op, Op::INVALID);
    EXPECT_FALSE(block(0).truncated && block(0).next != kNoBlock);
}

TEST_F(AnalysisTest, FlagsDeadWhenOverwritten) {
    put(0x10, {0x01, 0xD8, 0x29, 0xC8, 0xC3});  // add; sub; ret
    ASSERT_TRUE(find(0x10));
    EXPECT_TRUE(dead_behind(0));
    EXPECT_FALSE(dead_behind(1));  // ret can leave
}

TEST_F(AnalysisTest, FlagsLiveWhenRead) {
    put(0x10, {0x01, 0xD8, 0x11, 0xCA, 0x31, 0xC0, 0xC3});  // add; adc; xor; ret
    ASSERT_TRUE(find(0x10));
    EXPECT_FALSE(dead_behind(0));
    EXPECT_TRUE(dead_behind(1));
}

TEST_F(AnalysisTest, FlagsLiveWhereOneCanLeave) {
    put(0x10, {0x01, 0xD8, 0x8B, 0x03, 0x31, 0xC0, 0xC3});  // add; mov eax, [rbx]; xor; ret
    ASSERT_TRUE(find(0x10));
    EXPECT_FALSE(dead_behind(0));
    EXPECT_TRUE(dead_behind(1));
}

TEST_F(AnalysisTest, FlagsKeptInPart) {
    put(0x10, {0x01, 0xD8, 0xFF, 0xC0, 0xC3});  // add; inc, which keeps CF; ret
    ASSERT_TRUE(find(0x10));
    EXPECT_FALSE(dead_behind(0));
    put(0x10, {0x01, 0xD8, 0xD3, 0xE0, 0x31, 0xC0, 0xC3});  // add; shl by CL may keep all; xor; ret
    ASSERT_TRUE(find(0x10));
    EXPECT_TRUE(dead_behind(0));
    put(0x10, {0x01, 0xD8, 0xD3, 0xE0, 0x8B, 0x03, 0xC3});  // the same and a load
    ASSERT_TRUE(find(0x10));
    EXPECT_FALSE(dead_behind(0));
}

TEST_F(AnalysisTest, WhatFollowsStiIsOfItsBlockToo) {
    // je 14h; nop; sti; 14h: inc eax; dec ebx; ret
    put(0x10, {0x74, 0x02, 0x90, 0xFB, 0xFF, 0xC0, 0xFF, 0xCB, 0xC3});
    ASSERT_TRUE(find(0x10));
    ASSERT_EQ(region_.blocks.size(), 4u);
    EXPECT_EQ(block(1).count, 3u);  // nop; sti; inc
    EXPECT_EQ(block(1).next, 3u);
    EXPECT_EQ(block(2).begin, 0x14);
    EXPECT_EQ(block(2).count, 1u);
    EXPECT_EQ(block(2).next, 3u);
    EXPECT_EQ(block(3).count, 2u);
    EXPECT_EQ(region_.insns[block(1).first + 2].offset, 0x14);
    // The same where the target was found first: 20h: inc eax; dec ebx; jne 20h; ret
    put(0x20, {0xFF, 0xC0, 0xFF, 0xCB, 0x75, 0xFA, 0xC3});
    put(0x1D, {0x74, 0x01, 0xFB});  // je 20h; sti
    ASSERT_TRUE(find(0x1D));
    const RegionBlock& sti = block(1);
    EXPECT_EQ(sti.begin, 0x1F);
    EXPECT_EQ(sti.count, 2u);  // sti; inc
    EXPECT_EQ(block(sti.next).begin, 0x22);
}

TEST_F(AnalysisTest, FlagUseOfConditions) {
    put(0x10, {0x0F, 0x44, 0xC3, 0x0F, 0x92, 0xC0, 0x74, 0x00, 0xC3});  // cmove; setb; je
    ASSERT_TRUE(find(0x10));
    EXPECT_EQ(flag_use(region_.insns[0].insn).read, eflags::zf);
    EXPECT_EQ(flag_use(region_.insns[1].insn).read, eflags::cf);
    EXPECT_EQ(flag_use(region_.insns[2].insn).read, eflags::zf);
    EXPECT_EQ(flag_use(region_.insns[0].insn).written, 0u);
}

}  // namespace
}  // namespace mynah::test
