// Every row of the instruction table that a user program may execute, and those that it may not, with random
// operands and state: our interpreter against the host's own processor, in 64-bit, 32-bit and 16-bit code.
// What is left out says why (generate.cpp, left_out), and all else must have its full number of executions.
//
// MYNAH_LONG=1 runs 1,000 executions a row and mode, MYNAH_LONG=n n times as many; MYNAH_SEED=n other ones;
// MYNAH_ROW=mnemonic only those.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

#include "base/bits.h"
#include "diff/compare.h"
#include "diff/generate.h"
#include "diff/guest.h"
#include "diff/host_limits.h"
#include "diff/native.h"

namespace mynah::test {
namespace {

unsigned executions_per_row() {
    const char* text = std::getenv("MYNAH_LONG");
    return text == nullptr ? 60 : 1000 * std::max(1u, static_cast<unsigned>(std::atoi(text)));
}

u64 seed() {
    const char* text = std::getenv("MYNAH_SEED");
    return text == nullptr ? 0 : std::strtoull(text, nullptr, 0) << 32;
}

void poke(u64 at, std::span<const u8> bytes, std::span<u8> native, std::span<u8> guest) {
    if (at < kData || at + bytes.size() > kData + kDataSize) return;
    std::memcpy(&native[at - kData], bytes.data(), bytes.size());
    std::memcpy(&guest[at - kData], bytes.data(), bytes.size());
}

// What the instruction will read where random bytes would not do.
void prepare_memory(const Case& c, std::span<u8> native, std::span<u8> guest) {
    if (!c.image.empty()) poke(c.image_at, c.image, native, guest);
    if (c.insn.op == Op::POPF) {
        // AC would trap the signal handler, TF and IF are the stepping's.
        const u64 at = c.state.data_base() + c.state.gpr[rsp];
        if (at < kData || at + 4 > kData + kDataSize) return;
        const u8 bytes[] = {static_cast<u8>(native[at - kData + 1] & ~1),
                            static_cast<u8>(native[at - kData + 2] & ~4)};
        poke(at + 1, bytes, native, guest);
    }
}

// Takes out of the host's memory what stepping put there, and of both what a processor may fill as it likes.
void level_images(const Case& c, const Outcome& host, std::span<u8> native, std::span<u8> guest) {
    // Processors may push before they check a call's target; AMD does so with far calls, Intel with all. Of
    // FST and its kin Intel stores the part that is in a page before it faults at the next.
    const bool far_call = c.insn.op == Op::CALL_FAR || c.insn.op == Op::CALL_FAR_IND;
    const bool intel = NativeCpu::is_intel();
    const bool call = far_call || (intel && (c.insn.op == Op::CALL || c.insn.op == Op::CALL_IND));
    if (host.vector >= 0 && (call || (intel && c.insn.op == Op::FPU)))
        std::memcpy(native.data(), guest.data(), native.size());
    if (host.vector >= 0) return;
    // Of the 4 bytes of a selector, Intel writes two (SDM vol. 2B PUSH), AMD all.
    if ((c.insn.op == Op::PUSH_SREG || far_call) && c.insn.osize == 4 && !NativeCpu::is_intel()) {
        const u64 stack =
            c.state.code_size == 2 ? static_cast<u16>(host.state.gpr[rsp]) : host.state.gpr[rsp];
        const u64 at = c.state.data_base() + stack + (far_call ? 6 : 2) - kData;
        if (at + 2 <= kDataSize) std::memcpy(&native[at], &guest[at], 2);
    }
    if (c.insn.op == Op::PUSHF) {
        const u64 at = c.state.data_base() + static_cast<u32>(host.state.gpr[rsp]) - kData;
        if (at + 2 <= kDataSize) native[at + 1] &= ~1;
    }
    if (!stores_image(c.insn)) return;
    // AMD stores the last instruction's addresses only when an exception is pending, and its own mask of
    // MXCSR.
    auto take = [&](unsigned from, unsigned to) {
        const u64 at = c.image_at + from - kData;
        if (at + (to - from) <= kDataSize) std::memcpy(&guest[at], &native[at], to - from);
    };
    if (c.insn.op == Op::FPU) {
        const unsigned word = c.insn.osize == 2 ? 2 : 4;
        take(3 * word, 7 * word);
    } else {
        take(6, 24);
        take(28, 32);
    }
    // A processor need not notice that a component is as it was initially (SDM vol. 1 13.6).
    constexpr unsigned kXstateBv = 512;
    const u64 at = c.image_at + kXstateBv - kData;
    if (c.insn.op == Op::XSAVE && at < kDataSize && (guest[at] & ~native[at]) == 0)
        take(kXstateBv, kXstateBv + 1);
}

void run_family(Family family, Mode mode) {
    const u8 code_size = code_size_of(mode);
    NativeCpu native;
    if (!native.usable()) GTEST_SKIP() << "the windows' addresses are taken";
    const HostLimits limits(native);
    if (!limits.runs(mode)) GTEST_SKIP() << "not on this host:" << limits.describe();
    GuestCpu guest;
    const char* only = std::getenv("MYNAH_ROW");
    const unsigned wanted = executions_per_row();
    u64 executed = 0, failed_rows = 0, failed = 0, rows = 0, faults = 0;
    std::string absent;
    for (const InsnRow& row : insn_table()) {
        if (family_of(row) != family || !comparable(row) || !exists_in(row, code_size)) continue;
        if (only != nullptr && row.mnemonic.find(only) == std::string_view::npos) continue;
        if (!NativeCpu::has(row.feature) || !limits.shows(row)) {
            absent += fmt::format(" {}", row.mnemonic);
            continue;
        }
        Random random(seed() + static_cast<u64>(&row - insn_table().data()) * 1000 + static_cast<u64>(mode));
        fill(native.data(), random);
        std::memcpy(guest.data().data(), native.data().data(), kDataSize);
        unsigned done = 0, wrong = 0;
        for (unsigned tries = 0; done < wanted && tries < 20 * wanted && wrong < 3; ++tries) {
            Case c;
            if (!generate(row, mode, random, c) || !limits.enters(c.state)) continue;
            std::memcpy(reinterpret_cast<void*>(c.state.code_address()), c.encoding.bytes.data(),
                        c.encoding.length);
            guest.write_code(c.state.code_address(), c.encoding.span());
            if (c.insn.op == Op::MOV_SREG_RM || c.insn.op == Op::POP_SREG) {
                // A load of SS takes the next instruction with it: a NOP.
                const u8 nop[] = {0x90};
                const u64 next = c.state.code_address() + c.encoding.length;
                *reinterpret_cast<u8*>(next) = nop[0];
                guest.write_code(next, nop);
            }
            prepare_memory(c, native.data(), guest.data());
            ++done;
            const Outcome host = native.run(c.state);
            const Outcome ours = guest.run(c.state);
            faults += host.vector >= 0;
            level_images(c, host, native.data(), guest.data());
            std::string difference = compare(c, host, ours, family);
            if (std::memcmp(guest.data().data(), native.data().data(), kDataSize) != 0 &&
                host.vector == ours.vector) {
                size_t at = 0;
                while (guest.data()[at] == native.data()[at]) ++at;
                if (difference.empty())
                    difference = fmt::format("[{:x}] is {:02x}, host {:02x}", kData + at, guest.data()[at],
                                             native.data()[at]);
                std::memcpy(guest.data().data(), native.data().data(), kDataSize);
            }
            if (host.vector != ours.vector) std::memcpy(guest.data().data(), native.data().data(), kDataSize);
            if (difference.empty()) continue;
            ++wrong;
            ++failed;
            std::string bytes;
            for (const u8 b : c.encoding.span()) bytes += fmt::format("{:02x} ", b);
            ADD_FAILURE() << fmt::format("{} ({}, {} bit): {}at {:x}: {}", row.mnemonic, row.encoding,
                                         code_size * 8, bytes, c.state.code_address(), difference);
        }
        if (wrong == 0) {
            EXPECT_EQ(done, wanted) << row.mnemonic << " (" << row.encoding << ") has too few executions";
        }
        failed_rows += wrong != 0;
        executed += done;
        ++rows;
    }
    fmt::print("{} executions of {} rows, {} of each; {} ended in a fault; {} differences in {} rows\n",
               executed, rows, wanted, faults, failed, failed_rows);
    if (!absent.empty()) fmt::print("executions left out, not on this host:{}\n", absent);
    const std::string missing = limits.describe();
    if (!missing.empty()) fmt::print("this host does not have:{}\n", missing);
}

// What the other tests here do not execute, and why.
TEST(Diff, RowsLeftOut) {
    std::map<std::string, std::string> reasons;
    unsigned out = 0, compared = 0;
    for (const InsnRow& row : insn_table()) {
        const char* reason = left_out(row);
        if (reason == nullptr) {
            ++compared;
            EXPECT_TRUE(exists_in(row, 2) || exists_in(row, 4) || exists_in(row, 8)) << row.encoding;
            continue;
        }
        ++out;
        std::string& names = reasons[reason];
        const std::string name(row.mnemonic);
        if (!names.ends_with(" " + name)) names += " " + name;
    }
    fmt::print("executions of {} rows, {} left out\n", compared, out);
    for (const auto& [reason, names] : reasons) fmt::print("executions left out:{}: {}\n", names, reason);
    EXPECT_LE(out, 30u);
}

TEST(Diff, Integer64) {
    run_family(Family::integer, Mode::bits64);
}
TEST(Diff, Integer32) {
    run_family(Family::integer, Mode::bits32);
}
TEST(Diff, IntegerWith16BitAddresses) {
    run_family(Family::integer, Mode::addresses16);
}
TEST(Diff, Integer16) {
    run_family(Family::integer, Mode::bits16);
}
TEST(Diff, Sse64) {
    run_family(Family::sse, Mode::bits64);
}
TEST(Diff, Sse32) {
    run_family(Family::sse, Mode::bits32);
}
TEST(Diff, Sse16) {
    run_family(Family::sse, Mode::bits16);
}
TEST(Diff, X87In64) {
    run_family(Family::x87, Mode::bits64);
}
TEST(Diff, X87In32) {
    run_family(Family::x87, Mode::bits32);
}
TEST(Diff, X87In16) {
    run_family(Family::x87, Mode::bits16);
}

}  // namespace
}  // namespace mynah::test
