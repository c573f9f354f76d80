// Every row of the instruction table that a user program may execute, with random operands and state: our
// interpreter against the host's own processor, in 64-bit and in 32-bit code.
//
// MYNAH_LONG=1 runs 1,000 executions a row and mode, MYNAH_LONG=n n times as many; MYNAH_ROW=mnemonic only
// those.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

#include "base/bits.h"
#include "diff/generate.h"
#include "diff/guest.h"
#include "diff/native.h"

namespace mynah::test {
namespace {

unsigned executions_per_row() {
    const char* text = std::getenv("MYNAH_LONG");
    return text == nullptr ? 60 : 1000 * std::max(1u, static_cast<unsigned>(std::atoi(text)));
}

bool stores_image(const Insn& i) {
    const std::string_view name = row_of(i).mnemonic;
    return i.op == Op::FXSAVE || i.op == Op::XSAVE || name == "fnsave" || name == "fnstenv";
}

// The first difference; empty if there is none.
std::string compare(const Case& c, const Outcome& host, const Outcome& ours, Family family) {
    // AMD lets a branch go to an address that is not canonical and faults there; Intel faults at the branch.
    const bool indirect = c.insn.op == Op::JMP_IND || c.insn.op == Op::CALL_IND || c.insn.op == Op::RET;
    if (indirect && host.vector < 0 && ours.vector == 13 && sign_extend(host.state.rip, 48) != host.state.rip)
        return {};
    // Bit 17 of MXCSR is AMD's MM.
    const u32 host_mxcsr = load_le<u32>(&host.state.fx[24]);
    if (c.insn.op == Op::LDMXCSR && host.vector < 0 && ours.vector == 13 && (host_mxcsr & 0x20000)) return {};
    // An operand in SS beyond the limit and badly aligned: either fault may come first.
    const bool both = (host.vector == 13 && ours.vector == 12) || (host.vector == 12 && ours.vector == 13);
    if (both && c.insn.seg == Seg::ss &&
        (row_of(c.insn).has(row_attr::align) || c.insn.op == Op::XRSTOR || c.insn.op == Op::XSAVE ||
         c.insn.op == Op::FXSAVE || c.insn.op == Op::FXRSTOR))
        return {};
    if (host.vector != ours.vector)
        return fmt::format("fault {} (error {:x} cr2 {:x}), host {} (error {:x} cr2 {:x}) rip {:x}",
                           ours.vector, ours.error_code, ours.cr2, host.vector, host.error_code, host.cr2,
                           host.state.rip);
    const bool wide = c.state.code_size == 8;
    const u64 mask = wide ? ~u64{0} : 0xFFFFFFFF;
    static constexpr const char* kNames[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                             "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
    for (unsigned n = 0; n < (wide ? 16u : 8u); ++n)
        if ((host.state.gpr[n] ^ ours.state.gpr[n]) & mask)
            return fmt::format("{} is {:x}, host {:x} (was {:x})", kNames[n], ours.state.gpr[n],
                               host.state.gpr[n], c.state.gpr[n]);
    if ((host.state.rip ^ ours.state.rip) & mask)
        return fmt::format("rip is {:x}, host {:x}", ours.state.rip, host.state.rip);
    if (host.vector >= 0) {
        // In which order FLDENV and its kin access their parts, and so which address faults first, is the
        // processor's affair.
        const bool parts = stores_image(c.insn) || c.insn.op == Op::FXRSTOR || c.insn.op == Op::XRSTOR ||
                           row_of(c.insn).mnemonic == "fldenv" || row_of(c.insn).mnemonic == "frstor";
        if (host.vector == 14 && ((!parts && host.cr2 != ours.cr2) || host.error_code != ours.error_code))
            return fmt::format("#PF error {:x} at {:x}, host {:x} at {:x}", ours.error_code, ours.cr2,
                               host.error_code, host.cr2);
        return {};
    }
    const u32 flags = defined_flags(c);
    if ((host.state.eflags ^ ours.state.eflags) & flags)
        return fmt::format("flags are {:x}, host {:x} (was {:x}, defined {:x})", ours.state.eflags & flags,
                           host.state.eflags & flags, c.state.eflags, flags);
    if (family == Family::integer) return {};
    auto word = [](const Outcome& o, unsigned at) { return load_le<u16>(&o.state.fx[at]); };
    if (word(host, 0) != word(ours, 0))
        return fmt::format("FCW is {:x}, host {:x}", word(ours, 0), word(host, 0));
    // FCOMI and its kin clear C1 (SDM vol. 2A); AMD leaves it.
    const bool clears_c1 =
        row_of(c.insn).mnemonic.find("comi") != std::string_view::npos && family == Family::x87;
    const u16 status = clears_c1 ? 0xFDFF : 0xFFFF;
    if ((word(host, 2) ^ word(ours, 2)) & status)
        return fmt::format("FSW is {:x}, host {:x}", word(ours, 2), word(host, 2));
    if (host.state.fx[4] != ours.state.fx[4])
        return fmt::format("tags are {:x}, host {:x}", ours.state.fx[4], host.state.fx[4]);
    for (unsigned n = 0; n < 8; ++n)
        if (std::memcmp(&host.state.fx[32 + 16 * n], &ours.state.fx[32 + 16 * n], 10) != 0)
            return fmt::format("ST{} is {:04x}:{:016x}, host {:04x}:{:016x}", n, word(ours, 40 + 16 * n),
                               load_le<u64>(&ours.state.fx[32 + 16 * n]), word(host, 40 + 16 * n),
                               load_le<u64>(&host.state.fx[32 + 16 * n]));
    const u32 mxcsr_host = load_le<u32>(&host.state.fx[24]), mxcsr = load_le<u32>(&ours.state.fx[24]);
    if (mxcsr != mxcsr_host) return fmt::format("MXCSR is {:x}, host {:x}", mxcsr, mxcsr_host);
    for (unsigned n = 0; n < (wide ? 16u : 8u); ++n)
        if (std::memcmp(&host.state.fx[160 + 16 * n], &ours.state.fx[160 + 16 * n], 16) != 0)
            return fmt::format(
                "XMM{} is {:016x}{:016x}, host {:016x}{:016x}", n, load_le<u64>(&ours.state.fx[168 + 16 * n]),
                load_le<u64>(&ours.state.fx[160 + 16 * n]), load_le<u64>(&host.state.fx[168 + 16 * n]),
                load_le<u64>(&host.state.fx[160 + 16 * n]));
    return {};
}

void poke(u64 at, std::span<const u8> bytes, std::span<u8> native, std::span<u8> guest) {
    if (at < kData || at + bytes.size() > kData + kDataSize) return;
    std::memcpy(&native[at - kData], bytes.data(), bytes.size());
    std::memcpy(&guest[at - kData], bytes.data(), bytes.size());
}

// What the instruction will read where random bytes would not do.
void prepare_memory(const Case& c, std::span<u8> native, std::span<u8> guest) {
    poke(c.image_at, c.image, native, guest);
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
    if (host.vector >= 0) return;
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
}

void run_family(Family family, Mode mode) {
    const u8 code_size = code_size_of(mode);
    NativeCpu native;
    if (!native.usable()) GTEST_SKIP() << "the windows' addresses are taken";
    if ((mode == Mode::addresses16 || mode == Mode::bits16) && !native.has_segments())
        GTEST_SKIP() << "no segments of our own";
    GuestCpu guest;
    const char* only = std::getenv("MYNAH_ROW");
    const unsigned wanted = executions_per_row();
    u64 executed = 0, failed_rows = 0, failed = 0;
    for (const InsnRow& row : insn_table()) {
        if (family_of(row) != family || !comparable(row) || !exists_in(row, code_size)) continue;
        if (only != nullptr && row.mnemonic.find(only) == std::string_view::npos) continue;
        Random random(static_cast<u64>(&row - insn_table().data()) * 1000 + static_cast<u64>(mode));
        fill(native.data(), random);
        std::memcpy(guest.data().data(), native.data().data(), kDataSize);
        unsigned done = 0, wrong = 0;
        for (unsigned tries = 0; done < wanted && tries < 20 * wanted && wrong < 3; ++tries) {
            Case c;
            if (!generate(row, mode, random, c)) continue;
            std::memcpy(reinterpret_cast<void*>(c.state.code_address()), c.encoding.bytes.data(),
                        c.encoding.length);
            guest.write_code(c.state.code_address(), c.encoding.span());
            prepare_memory(c, native.data(), guest.data());
            ++done;
            const Outcome host = native.run(c.state);
            const Outcome ours = guest.run(c.state);
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
        failed_rows += wrong != 0;
        executed += done;
    }
    fmt::print("{} executions, {} differences in {} rows\n", executed, failed, failed_rows);
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
