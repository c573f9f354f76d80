// Random sequences of instructions of user programs: translated and run at once, against the host's own
// processor, which executes them one by one. In between stands our interpreter: it is given each instruction
// with the state that the host is given, must come to the same, and settles what is undefined.
//
// MYNAH_SEQUENCES=n runs n of them in each mode, MYNAH_SEED=n other ones.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "base/bits.h"
#include "cpu/decoder.h"
#include "diff/compare.h"
#include "diff/generate.h"
#include "diff/guest.h"
#include "diff/host_limits.h"
#include "diff/native.h"

namespace mynah::test {
namespace {

constexpr unsigned kLength = 12;  // instructions, without those that load addresses

u64 number(const char* name, u64 otherwise) {
    const char* text = std::getenv(name);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 0);
}

// What a sequence is made of: no control flow, nothing that differs from run to run or between vendors.
bool fits(const Case& c) {
    const Insn& i = c.insn;
    if (i.has(insn_flag::ends_block | insn_flag::rep | insn_flag::repne) || c.state.repeats) return false;
    if (i.base == kRip || !c.image.empty() || stores_image(i) || approximation(i.op) || uses_selectors(i.op))
        return false;
    if (i.op >= Op::VPGATHERDD && i.op <= Op::VGATHERQPD) return false;
    // Their bases are the first instruction's.
    if (i.memory() && (i.seg == Seg::fs || i.seg == Seg::gs)) return false;
    switch (i.op) {
        case Op::SHLD:  // a count beyond 16 makes the result undefined
        case Op::SHRD:
            return i.osize != 2;
        case Op::BT:  // a register's bit may be far away
        case Op::BTS:
        case Op::BTR:
        case Op::BTC:
            return !i.memory();
        case Op::CPUID:
        case Op::RDTSC:
        case Op::RDTSCP:
        case Op::RDRAND:
        case Op::RDSEED:
        case Op::XGETBV:
        case Op::LDMXCSR:  // AMD's has a bit more
        case Op::PUSHF:    // shows the single step
        case Op::POPF:
        case Op::PUSH_SREG:
        case Op::MOVS:  // where these access is in registers that are not loaded before
        case Op::CMPS:
        case Op::STOS:
        case Op::LODS:
        case Op::SCAS:
        case Op::XLAT:
        case Op::LEAVE:
        case Op::ENTER:
        case Op::MASKMOVDQU:
        case Op::MASKMOVQ:
        case Op::IN:
        case Op::OUT:
        case Op::INS:
        case Op::OUTS:
        case Op::PEXTRD:  // VEX.W outside of 64-bit code
        case Op::PINSRD:
            return false;
        case Op::MOVSXD:
            return i.osize != 2;
        default:
            return true;
    }
}

struct Piece {
    std::vector<u8> bytes;
    Case c;
};

// MOV of a constant to a register, so that what follows finds its operand.
Piece load(unsigned g, u64 value, u8 code_size) {
    Piece p;
    if (code_size == 8) p.bytes.push_back(static_cast<u8>(0x48 | g >> 3));
    p.bytes.push_back(static_cast<u8>(0xB8 | (g & 7)));
    for (unsigned n = 0; n < (code_size == 8 ? 8u : 4u); ++n)
        p.bytes.push_back(static_cast<u8>(value >> 8 * n));
    EXPECT_EQ(decode(p.bytes, {.code_size = code_size, .descriptors = true}, p.c.insn), DecodeStatus::ok);
    return p;
}

std::vector<const InsnRow*> rows_for(u8 code_size) {
    std::vector<const InsnRow*> rows;
    for (const InsnRow& row : insn_table()) {
        const bool used = family_of(row) != Family::x87 && comparable(row) && exists_in(row, code_size);
        if (used && NativeCpu::has(row.feature)) rows.push_back(&row);
    }
    return rows;
}

std::vector<Piece> make(const std::vector<const InsnRow*>& rows, const HostLimits& limits, Mode mode,
                        Random& random, UserState& start) {
    std::vector<Piece> pieces;
    const u8 code_size = code_size_of(mode);
    bool first = true;
    for (unsigned tries = 0; tries < 400 && pieces.size() < kLength; ++tries) {
        Piece p;
        if (!generate(*rows[random.below(static_cast<u32>(rows.size()))], mode, random, p.c) || !fits(p.c) ||
            !limits.enters(p.c.state))
            continue;
        if (first) start = p.c.state;
        first = false;
        const Insn& i = p.c.insn;
        for (const unsigned g : {unsigned{i.base}, unsigned{i.index}}) {
            if (i.memory() && g < 16) pieces.push_back(load(g, p.c.state.gpr[g], code_size));
        }
        const bool stack = i.op == Op::PUSH || i.op == Op::POP || i.op == Op::PUSHA || i.op == Op::POPA;
        if (stack) pieces.push_back(load(rsp, p.c.state.gpr[rsp], code_size));
        p.bytes.assign(p.c.encoding.bytes.begin(), p.c.encoding.bytes.begin() + p.c.encoding.length);
        pieces.push_back(std::move(p));
    }
    return pieces;
}

std::string exact(const Outcome& stepped, const Outcome& whole) {
    if (stepped.vector != whole.vector)
        return fmt::format("fault {}, one by one {}", whole.vector, stepped.vector);
    const UserState &a = stepped.state, &b = whole.state;
    for (unsigned n = 0; n < 16; ++n) {
        if (a.gpr[n] != b.gpr[n]) return fmt::format("r{} is {:x}, one by one {:x}", n, b.gpr[n], a.gpr[n]);
    }
    if (a.rip != b.rip) return fmt::format("rip is {:x}, one by one {:x}", b.rip, a.rip);
    if (a.eflags != b.eflags) return fmt::format("flags are {:x}, one by one {:x}", b.eflags, a.eflags);
    if (a.fx != b.fx || a.upper != b.upper) return "vectors or MXCSR differ from one by one";
    return {};
}

void run_sequences(Mode mode) {
    NativeCpu native;
    if (!native.usable()) GTEST_SKIP() << "the windows' addresses are taken";
    const HostLimits limits(native);
    if (!limits.runs(mode)) GTEST_SKIP() << "not on this host:" << limits.describe();
    GuestCpu guest, translated("max", Engine::jit);
    const u8 code_size = code_size_of(mode);
    const auto rows = rows_for(code_size);
    const u64 count = number("MYNAH_SEQUENCES", 4000), first = number("MYNAH_SEED", 0) << 32;
    std::vector<u8> window(kCodeSize);
    u64 executed = 0, faults = 0, failed = 0;
    for (u64 n = 0; n < count && failed < 5; ++n) {
        Random random(first + n * 2 + (code_size == 8));
        if (n % 64 == 0 || failed != 0) {
            fill(native.data(), random);
            std::memcpy(guest.data().data(), native.data().data(), kDataSize);
            std::memcpy(translated.data().data(), native.data().data(), kDataSize);
        }
        UserState start;
        std::vector<Piece> pieces = make(rows, limits, mode, random, start);
        start.rip = kCode + random.below(kPageSize);
        start.repeats = false;
        std::vector<u8> code;
        for (const Piece& p : pieces) code.insert(code.end(), p.bytes.begin(), p.bytes.end());
        std::memcpy(reinterpret_cast<void*>(start.rip), code.data(), code.size());
        guest.write_code(start.rip, code);
        // Whole pages: code that changes a little again and again would be left to the interpreter.
        std::memcpy(&window[start.rip - kCode], code.data(), code.size());
        translated.write_code(kCode, window);
        std::string difference;
        Outcome ours;
        UserState s = start;
        bool enters = true;
        for (Piece& p : pieces) {
            enters = limits.enters(s);
            if (!enters) break;
            p.c.state = s;
            const Outcome host = native.run(s);
            ours = guest.run(s);
            ++executed;
            difference = compare(p.c, host, ours, Family::sse);
            if (difference.empty() && std::memcmp(native.data().data(), guest.data().data(), kDataSize) != 0)
                difference = "memory differs from the host's";
            if (!difference.empty() || ours.vector >= 0) break;
            s = ours.state;
        }
        if (!enters) {
            std::memcpy(translated.data().data(), guest.data().data(), kDataSize);
            continue;
        }
        faults += ours.vector >= 0;
        if (difference.empty()) {
            difference = exact(ours, translated.run_sequence(start, code.size(), pieces.size()));
            if (difference.empty() &&
                std::memcmp(translated.data().data(), guest.data().data(), kDataSize) != 0)
                difference = "memory differs from one by one";
        }
        if (difference.empty()) continue;
        ++failed;
        std::string text;
        for (const Piece& p : pieces) {
            for (const u8 b : p.bytes) text += fmt::format("{:02x} ", b);
            text += fmt::format("  {}\n", row_of(p.c.insn).mnemonic);
        }
        ADD_FAILURE() << fmt::format("sequence {} at {:x}: {} (stepped to {:x})\n{}", n, start.rip,
                                     difference, ours.state.rip, text);
    }
    fmt::print("{} sequences, {} instructions on the host, {} ended in a fault; {} differences; {}\n", count,
               executed, faults, failed, translated.box().use.describe());
}

TEST(HostSequences, Alike64) {
    run_sequences(Mode::bits64);
}
TEST(HostSequences, Alike32) {
    run_sequences(Mode::bits32);
}

}  // namespace
}  // namespace mynah::test
