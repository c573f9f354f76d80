// What decode() promises beyond what Zydis can judge: features, LOCK, lengths, modes, the Insn fields
// themselves.

#include <gtest/gtest.h>

#include <initializer_list>
#include <set>
#include <vector>

#include "cpu/decoder.h"
#include "cpu/flags.h"
#include "cpu/insn_table.h"
#include "support/encode.h"

namespace mynah {
namespace {

struct Decoded {
    DecodeStatus status;
    Insn insn;
};

Decoded decode_bytes(u8 code_size, std::initializer_list<int> bytes, bool descriptors = true,
                     u64 features = ~u64{0}) {
    std::vector<u8> v(bytes.begin(), bytes.end());
    Decoded d;
    d.status = decode(v, {code_size, descriptors, features}, d.insn);
    return d;
}

TEST(Decoder, FillsTheFieldsOfAMemoryOperand) {
    const Insn i = decode_bytes(8, {0x4B, 0x03, 0x44, 0xC5, 0xF0}).insn;  // add rax, [r13 + r8*8 - 16]
    EXPECT_EQ(i.op, Op::ADD);
    EXPECT_EQ(i.length, 5);
    EXPECT_EQ(i.osize, 8);
    EXPECT_EQ(i.asize, 8);
    EXPECT_EQ(i.base, 13);
    EXPECT_EQ(i.index, 8);
    EXPECT_EQ(i.scale, 3);
    EXPECT_EQ(i.disp, -16);
    EXPECT_EQ(i.seg, Seg::ds);
    EXPECT_EQ(i.reg, rax);
    EXPECT_TRUE(i.memory());
}

TEST(Decoder, StackBasesGoThroughSs) {
    EXPECT_EQ(decode_bytes(4, {0x8B, 0x45, 0x08}).insn.seg, Seg::ss);              // [ebp + 8]
    EXPECT_EQ(decode_bytes(4, {0x8B, 0x04, 0x24}).insn.seg, Seg::ss);              // [esp]
    EXPECT_EQ(decode_bytes(4, {0x8B, 0x04, 0x28}).insn.seg, Seg::ds);              // [eax + ebp]
    EXPECT_EQ(decode_bytes(4, {0x8B, 0x04, 0x2D, 0, 0, 0, 0}).insn.seg, Seg::ds);  // [ebp * 1 + disp32]
    EXPECT_EQ(decode_bytes(8, {0x41, 0x8B, 0x45, 0x08}).insn.seg, Seg::ds);        // [r13 + 8]
    EXPECT_EQ(decode_bytes(2, {0x8B, 0x02}).insn.seg, Seg::ss);                    // [bp + si]
    EXPECT_EQ(decode_bytes(4, {0x3E, 0x8B, 0x45, 0x08}).insn.seg, Seg::ds);
    EXPECT_EQ(decode_bytes(8, {0x3E, 0x8B, 0x45, 0x08}).insn.seg,
              Seg::ss);  // DS means nothing in 64-bit code
    EXPECT_EQ(decode_bytes(8, {0x64, 0x3E, 0x8B, 0x45, 0x08}).insn.seg, Seg::fs);
}

TEST(Decoder, ByteRegisters) {
    EXPECT_EQ(decode_bytes(4, {0x88, 0xE0}).insn.reg, kHighByte);       // mov al, ah
    EXPECT_EQ(decode_bytes(8, {0x40, 0x88, 0xE0}).insn.reg, rsp);       // mov al, spl
    EXPECT_EQ(decode_bytes(8, {0xB7, 1}).insn.reg, kHighByte + 3);      // mov bh, 1
    EXPECT_EQ(decode_bytes(4, {0x0F, 0xB6, 0xC4}).insn.rm, kHighByte);  // movzx eax, ah
    EXPECT_EQ(decode_bytes(4, {0x0F, 0xB7, 0xC4}).insn.rm, rsp);        // movzx eax, sp
}

TEST(Decoder, ImmediatesAreExtendedAsTheOperationWants) {
    EXPECT_EQ(decode_bytes(8, {0x48, 0x83, 0xC0, 0xFF}).insn.imm, ~u64{0});                // add rax, -1
    EXPECT_EQ(decode_bytes(8, {0x48, 0x05, 0, 0, 0, 0x80}).insn.imm, 0xFFFFFFFF80000000);  // add rax, imm32
    EXPECT_EQ(decode_bytes(8, {0x48, 0xB8, 1, 2, 3, 4, 5, 6, 7, 8}).insn.imm, 0x0807060504030201u);
    EXPECT_EQ(decode_bytes(8, {0x6A, 0x80}).insn.imm, 0xFFFFFFFFFFFFFF80);  // push -128
    EXPECT_EQ(decode_bytes(8, {0xC2, 0xFF, 0xFF}).insn.imm, 0xFFFFu);       // ret 65535
    EXPECT_EQ(decode_bytes(4, {0xCD, 0x80}).insn.imm, 0x80u);
    EXPECT_EQ(decode_bytes(4, {0xEB, 0xFE}).insn.imm, ~u64{1});
    const Insn far = decode_bytes(2, {0xEA, 0x5B, 0xE0, 0x00, 0xF0}).insn;
    EXPECT_EQ(far.imm, 0xE05Bu);
    EXPECT_EQ(far.disp, 0xF000);
    const Insn enter = decode_bytes(4, {0xC8, 0x10, 0x00, 0x02}).insn;
    EXPECT_EQ(enter.imm, 0x10u);
    EXPECT_EQ(enter.disp, 2);
}

TEST(Decoder, LongModeSizes) {
    EXPECT_EQ(decode_bytes(8, {0x50}).insn.osize, 8);
    EXPECT_EQ(decode_bytes(8, {0x66, 0x50}).insn.osize, 2);
    EXPECT_EQ(decode_bytes(8, {0x66, 0xE8, 1, 2, 3, 4}).insn.length, 6);  // Intel ignores 66 on near branches
    EXPECT_EQ(decode_bytes(4, {0x66, 0xE8, 1, 2}).insn.length, 4);
    EXPECT_EQ(decode_bytes(8, {0x48, 0x66, 0x90}).insn.flags & insn_flag::rex_w,
              0);  // a REX that is not last is lost
    EXPECT_EQ(decode_bytes(8, {0x0F, 0x22, 0xD8}).insn.osize, 8);
}

TEST(Decoder, LengthLimit) {
    std::vector<u8> v(15, 0x66);
    Insn i;
    EXPECT_EQ(decode(v, {8, true}, i), DecodeStatus::too_long);
    v.assign(14, 0x66);
    v.push_back(0x90);
    EXPECT_EQ(decode(v, {8, true}, i), DecodeStatus::ok);
    EXPECT_EQ(i.length, 15);
    v.insert(v.begin(), 0x66);
    EXPECT_EQ(decode(v, {8, true}, i), DecodeStatus::too_long);
    EXPECT_EQ(decode_bytes(8, {0x48, 0x8B}).status, DecodeStatus::truncated);
    EXPECT_EQ(decode_bytes(8, {0x0F}).status, DecodeStatus::truncated);
    EXPECT_EQ(decode(std::span<const u8>{}, {8, true}, i), DecodeStatus::truncated);
}

// Who keeps what was decoded must notice when one of these bytes changes.
TEST(Decoder, InvalidInstructionsCountWhatWasLookedAt) {
    const auto length = [](u8 code_size, std::initializer_list<int> bytes) {
        const auto d = decode_bytes(code_size, bytes);
        EXPECT_EQ(d.status, DecodeStatus::invalid);
        return unsigned{d.insn.length};
    };
    EXPECT_EQ(length(4, {0x8D, 0xD9, 0x00, 0x00}), 2u);        // LEA of a register
    EXPECT_EQ(length(4, {0x0F, 0xC7, 0xC0, 0x00}), 3u);        // no such member of group 9
    EXPECT_EQ(length(4, {0x66, 0xC5, 0xF8, 0x77, 0x00}), 3u);  // VEX behind 66h
    EXPECT_EQ(length(8, {0x06, 0xC5}), 1u);                    // PUSH ES
}

TEST(Decoder, LockNeedsAMemoryDestination) {
    EXPECT_EQ(decode_bytes(4, {0xF0, 0x01, 0x00}).status, DecodeStatus::ok);       // lock add [eax], eax
    EXPECT_EQ(decode_bytes(4, {0xF0, 0x01, 0xC0}).status, DecodeStatus::invalid);  // lock add eax, eax
    EXPECT_EQ(decode_bytes(4, {0xF0, 0x03, 0x00}).status, DecodeStatus::invalid);  // lock add eax, [eax]
    EXPECT_EQ(decode_bytes(4, {0xF0, 0x39, 0x00}).status, DecodeStatus::invalid);  // lock cmp
    EXPECT_EQ(decode_bytes(4, {0xF0, 0x90}).status, DecodeStatus::invalid);
}

TEST(Decoder, FeaturesGateRows) {
    const u64 none = FeatureSet().gating();
    EXPECT_EQ(decode_bytes(4, {0x01, 0xC0}, true, none).status, DecodeStatus::ok);
    EXPECT_EQ(decode_bytes(4, {0x0F, 0xA2}, true, none).status, DecodeStatus::invalid);
    EXPECT_EQ(decode_bytes(4, {0x0F, 0xA2}, true, FeatureSet(Feature::cpuid).gating()).status,
              DecodeStatus::ok);
    EXPECT_EQ(decode_bytes(4, {0x0F, 0x58, 0xC0}, true, none).status, DecodeStatus::invalid);
    // Without their feature TZCNT and LZCNT are BSF and BSR with a meaningless prefix.
    EXPECT_EQ(decode_bytes(4, {0xF3, 0x0F, 0xBC, 0xC0}, true, none).insn.op, Op::BSF);
    EXPECT_EQ(decode_bytes(4, {0xF3, 0x0F, 0xBD, 0xC0}, true, none).insn.op, Op::BSR);
    EXPECT_EQ(decode_bytes(4, {0xF3, 0x0F, 0xBD, 0xC0}).insn.op, Op::LZCNT);
    EXPECT_EQ(decode_bytes(4, {0xF3, 0x90}, true, none).insn.op, Op::PAUSE);
    EXPECT_EQ(decode_bytes(4, {0x9E}, true, none).status, DecodeStatus::ok);
    EXPECT_EQ(decode_bytes(8, {0x9E}, true, none).status, DecodeStatus::invalid);
}

TEST(Decoder, RowsThatNeedDescriptors) {
    for (const int modrm : {0xC0, 0xC8, 0xD0, 0xD8, 0xE0, 0xE8}) {
        EXPECT_EQ(decode_bytes(2, {0x0F, 0x00, modrm}, false).status, DecodeStatus::invalid);
        EXPECT_EQ(decode_bytes(2, {0x0F, 0x00, modrm}, true).status, DecodeStatus::ok);
    }
    EXPECT_EQ(decode_bytes(2, {0x63, 0xC0}, false).status, DecodeStatus::invalid);
}

TEST(Decoder, Vex) {
    const auto status = [](u8 code_size, std::vector<int> bytes, bool descriptors = true) {
        const std::vector<u8> code(bytes.begin(), bytes.end());
        Insn i;
        return decode(code, {code_size, descriptors}, i);
    };
    const std::vector<int> vzeroupper{0xC5, 0xF8, 0x77};
    for (const u8 code_size : {u8{2}, u8{4}, u8{8}})
        EXPECT_EQ(status(code_size, vzeroupper), DecodeStatus::ok);
    EXPECT_EQ(status(2, vzeroupper, false), DecodeStatus::invalid);
    EXPECT_EQ(status(8, {0xC5, 0xF0, 0x77}), DecodeStatus::invalid);  // vvvv
    for (const int prefix : {0x66, 0xF2, 0xF3, 0xF0, 0x48})
        EXPECT_EQ(status(8, {prefix, 0xC5, 0xF8, 0x77}), DecodeStatus::invalid) << prefix;
    EXPECT_EQ(status(8, {0x67, 0x64, 0xC5, 0xF8, 0x77}), DecodeStatus::ok);
    EXPECT_EQ(status(8, {0xC4, 0xE0, 0x78, 0x77}), DecodeStatus::invalid);           // no map 0
    EXPECT_EQ(status(8, {0xC4, 0xE2, 0xFD, 0x0C, 0xC0}), DecodeStatus::invalid);     // VPERMILPS with W
    EXPECT_EQ(status(8, {0xC4, 0xE3, 0x79, 0x06, 0xC0, 0}), DecodeStatus::invalid);  // VPERM2F128 without L
    EXPECT_EQ(status(8, {0xC4, 0xE2, 0x71, 0x90, 0x04, 0x10}),
              DecodeStatus::ok);  // VPGATHERDD xmm0, [rax+xmm2]
    EXPECT_EQ(status(8, {0xC4, 0xE2, 0x71, 0x90, 0x04, 0x08}), DecodeStatus::invalid);  // index is the mask
    EXPECT_EQ(status(8, {0xC4, 0xE2, 0x71, 0x90, 0x00}), DecodeStatus::invalid);        // no SIB
    EXPECT_EQ(status(2, {0xC4, 0xE2, 0x71, 0x90, 0x04, 0x10}), DecodeStatus::invalid);  // 16-bit address
    EXPECT_EQ(decode_bytes(8, {0xC5, 0xF4, 0x58, 0xC2}, true, ~FeatureSet(Feature::avx).gating()).status,
              DecodeStatus::invalid);
    const Insn add = decode_bytes(8, {0xC4, 0x41, 0x2C, 0x58, 0xC3}).insn;  // vaddps ymm8, ymm10, ymm11
    EXPECT_TRUE(add.has(insn_flag::vex) && add.has(insn_flag::vex_l) && add.op == Op::ADDPS);
    EXPECT_EQ(add.reg, 8);
    EXPECT_EQ(add.vvvv, 10);
    EXPECT_EQ(add.rm, 11);
    EXPECT_EQ(decode_bytes(4, {0xC5, 0x00}).insn.op, Op::LDS);
    EXPECT_EQ(decode_bytes(4, {0x62, 0x00}).insn.op, Op::BOUND);
    EXPECT_EQ(decode_bytes(8, {0x62, 0xF1, 0x7C, 0x48, 0x28, 0xC0}).status, DecodeStatus::invalid);
}

TEST(Decoder, RepIsNotTheMandatoryPrefix) {
    EXPECT_TRUE(decode_bytes(4, {0xF3, 0xA4}).insn.has(insn_flag::rep));
    EXPECT_TRUE(decode_bytes(4, {0xF2, 0xA6}).insn.has(insn_flag::repne));
    EXPECT_FALSE(decode_bytes(4, {0xF3, 0x0F, 0x10, 0x00}).insn.has(insn_flag::rep));
}

TEST(InsnTable, EveryOperationHasARow) {
    std::set<Op> seen;
    for (const InsnRow& row : insn_table()) seen.insert(row.op);
    for (unsigned op = 1; op <= static_cast<unsigned>(Op::VFNMSUBSD); ++op) {
        EXPECT_TRUE(seen.contains(static_cast<Op>(op))) << op_name(static_cast<Op>(op));
    }
}

TEST(InsnTable, MnemonicsFollowSizeAndCondition) {
    EXPECT_EQ(mnemonic(decode_bytes(8, {0x48, 0x98}).insn), "cdqe");
    EXPECT_EQ(mnemonic(decode_bytes(8, {0x67, 0xE3, 0}).insn), "jecxz");
    EXPECT_EQ(mnemonic(decode_bytes(8, {0x0F, 0x4F, 0xC0}).insn), "cmovnle");
    EXPECT_EQ(mnemonic(decode_bytes(2, {0x60}).insn), "pusha");
}

// Without an oracle for foreign hosts: every generated encoding comes back as its own row, in full length.
TEST(InsnTable, GeneratedEncodingsComeBack) {
    for (const u8 mode : {u8{2}, u8{4}, u8{8}}) {
        test::Random random(mode);
        for (const InsnRow& row : insn_table()) {
            if (!test::exists_in(row, mode)) continue;
            for (unsigned n = 0; n < 20; ++n) {
                const test::Encoding e = test::encode_random(row, mode, random);
                if (!e) continue;
                Insn i;
                ASSERT_EQ(decode(e.span(), {mode, true}, i), DecodeStatus::ok) << row.encoding;
                EXPECT_EQ(i.length, e.length) << row.encoding;
                EXPECT_EQ(row_of(i).encoding, row.encoding);
            }
        }
    }
}

}  // namespace
}  // namespace mynah
