// Every x87 instruction but the environment ones, as instructions, against the host CPU: registers, tags,
// control and status words, memory, AX and flags, from random states. Built on x86-64 hosts only.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <string>
#include <vector>

#include "base/bits.h"
#include "cpu/fpu/x87.h"
#include "cpu/fpu_cases.h"
#include "cpu/harness.h"
#include "cpu/x87/environment.h"

namespace mynah {
namespace {

using fpu::F80;
using fpu_test::operand_f80;
using fpu_test::Random;

struct Form {
    u8 opcode;
    u8 modrm;  // memory operands: [rdx]
    bool memory() const { return modrm < 0xC0; }
    unsigned reg() const { return modrm >> 3 & 7; }
    bool is(unsigned o, unsigned m) const { return opcode == o && modrm == m; }
    bool is_memory(unsigned o, unsigned r) const { return opcode == o && memory() && reg() == r; }
    bool transcendental() const {
        return opcode == 0xD9 && ((modrm >= 0xF0 && modrm <= 0xF3) || modrm == 0xF9 || modrm == 0xFB ||
                                  modrm == 0xFE || modrm == 0xFF);
    }
};

bool exists(const Form& f) {
    if (f.memory()) {
        const unsigned r = f.reg();
        switch (f.opcode) {
            case 0xD9:
                return r != 1 && r != 4 && r != 6;  // environments have tests of their own
            case 0xDB:
                return r != 4 && r != 6;
            case 0xDD:
                return r != 4 && r != 5 && r != 6;
            default:
                return true;
        }
    }
    const unsigned m = f.modrm;
    switch (f.opcode) {
        case 0xD9:
            return !(m >= 0xD1 && m <= 0xD7) && m != 0xE2 && m != 0xE3 && m != 0xE6 && m != 0xE7 && m != 0xEF;
        case 0xDA:
            return m <= 0xDF || m == 0xE9;
        case 0xDB:
            return m < 0xF8 && !(m >= 0xE5 && m <= 0xE7);
        case 0xDD:
            return m < 0xF0;
        case 0xDE:
            return !(m >= 0xD8 && m <= 0xDF) || m == 0xD9;
        case 0xDF:
            return m < 0xF8 && !(m >= 0xE1 && m <= 0xE7);
        default:
            return true;
    }
}

std::vector<Form> forms() {
    std::vector<Form> all;
    for (unsigned o = 0xD8; o <= 0xDF; ++o) {
        for (unsigned r = 0; r < 8; ++r) all.push_back({static_cast<u8>(o), static_cast<u8>(r << 3 | 2)});
        for (unsigned m = 0xC0; m <= 0xFF; ++m) all.push_back({static_cast<u8>(o), static_cast<u8>(m)});
    }
    std::erase_if(all, [](const Form& f) { return !exists(f); });
    return all;
}

struct State {
    X87State x;
    u64 flags = 0;
    u64 ax = 0;
    std::array<u8, 16> memory{};
};

// Runs instructions on the host: FRSTOR, the instruction, FNSAVE.
class Host {
  public:
    explicit Host(const std::vector<Form>& all) {
        code_ = static_cast<u8*>(mmap(nullptr, all.size() * kStep, PROT_READ | PROT_WRITE | PROT_EXEC,
                                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        for (size_t n = 0; n < all.size(); ++n) {
            const u8 bytes[] = {0xDD,          0x27,                             // frstor [rdi]
                                0x51,          0x9D,                             // push rcx; popfq
                                0xB8,          0x34,         0x12, 0,    0,      // mov eax, 1234h
                                all[n].opcode, all[n].modrm,                     //
                                0x9C,          0x41,         0x58,               // pushfq; pop r8
                                0xDD,          0x36,                             // fnsave [rsi]
                                0x48,          0x89,         0x46, 0x70,         // mov [rsi+70h], rax
                                0x4C,          0x89,         0x46, 0x78, 0xC3};  // mov [rsi+78h], r8; ret
            std::memcpy(code_ + n * kStep, bytes, sizeof bytes);
        }
    }
    ~Host() { munmap(code_, kStep); }

    void run(size_t n, State& s) {
        alignas(16) u8 in[108]{}, out[128]{};
        store_le(in, u32{s.x.control});
        store_le(in + 4, u32{s.x.status});
        store_le(in + 8, u32{x87::full_tag_word(s.x)});
        for (unsigned k = 0; k < 8; ++k) {
            const F80 v = s.x.regs[(s.x.top() + k) & 7];
            store_le(in + 28 + 10 * k, v.significand);
            store_le(in + 36 + 10 * k, v.sign_exponent);
        }
        using Function = void (*)(u8*, u8*, u8*, u64);
        reinterpret_cast<Function>(code_ + n * kStep)(in, out, s.memory.data(), s.flags);
        s.x.control = load_le<u16>(out);
        s.x.status = load_le<u16>(out + 4);
        x87::set_full_tag_word(s.x, load_le<u16>(out + 8));
        for (unsigned k = 0; k < 8; ++k)
            s.x.regs[(s.x.top() + k) & 7] = {load_le<u64>(out + 28 + 10 * k),
                                             load_le<u16>(out + 36 + 10 * k)};
        s.ax = load_le<u64>(out + 0x70);
        s.flags = load_le<u64>(out + 0x78) & 0x8D5;
    }

  private:
    static constexpr size_t kStep = 64;
    u8* code_;
};

// The same in the interpreter, 64-bit code.
class Guest {
  public:
    explicit Guest(const std::vector<Form>& all) {
        box_.flat(8);
        for (size_t n = 0; n < all.size(); ++n)
            box_.write(kCode + 16 * n, {all[n].opcode, all[n].modrm, 0xF4});
        box_.state().seg(Seg::cs).attributes |= 0x200;
        box_.cpu->state_changed();
    }
    // False: a fault.
    bool run(size_t n, State& s) {
        CpuState& c = box_.state();
        c.rip = kCode + 16 * n;
        c.gpr[rax] = 0x1234;
        c.gpr[rdx] = kData;
        c.write_eflags(static_cast<u32>(s.flags));
        c.x87 = s.x;
        c.cr0 |= cr0::ne;
        box_.memory->write(kData, s.memory);
        box_.cpu->run(1);
        s.x = c.x87;
        s.ax = c.gpr[rax];
        s.flags = c.read_eflags() & 0x8D5;
        for (unsigned k = 0; k < 16; ++k) s.memory[k] = static_cast<u8>(box_.read(kData + k, 1));
        return c.rip == kCode + 16 * n + 2;
    }

  private:
    static constexpr u64 kCode = 0x100000, kData = 0x200000;
    test::Box box_;
};

F80 register_value(Random& r) {
    if (r.one_in(4)) {  // integers and halves
        const F80 v = fpu::x87_from_integer(static_cast<i64>(r.next()) >> r.below(64));
        return v.significand == 0 ? v : F80{v.significand, static_cast<u16>(v.sign_exponent - r.below(3))};
    }
    return operand_f80(r);
}

State random_state(Random& r, bool unmasked) {
    State s;
    s.x.control = static_cast<u16>(0x7F | r.below(16) << 8);
    if (r.one_in(2)) s.x.control = 0x37F;
    if (unmasked) s.x.control = static_cast<u16>((s.x.control & ~0x3F) | r.below(64));
    s.x.status = static_cast<u16>(r.next() & 0x477F);
    if (r.one_in(2)) s.x.status = 0;
    s.x.status &= static_cast<u16>(~0x3F | s.x.control);
    s.x.set_top(static_cast<unsigned>(r.below(8)));
    s.x.valid = r.one_in(3) ? static_cast<u8>(r.next()) : 0xFF;
    if (r.one_in(2)) s.x.valid &= static_cast<u8>(~(1u << ((s.x.top() + 7) & 7)));  // room to push
    const unsigned top = s.x.top();
    for (unsigned k = 0; k < 8; ++k) {
        s.x.regs[(top + k) & 7] =
            k != 0 && r.one_in(2) ? fpu_test::operand_near(r, s.x.regs[top]) : register_value(r);
    }
    s.flags = 0x202 | (r.next() & 0x8D5);
    const u64 low = r.one_in(2) ? fpu_test::operand<u64>(r)
                                : static_cast<u64>(fpu_test::operand<u32>(r)) | r.next() << 32;
    store_le(s.memory.data(), low);
    store_le(s.memory.data() + 8, r.next());
    if (r.one_in(4)) {  // digits
        for (u8& b : s.memory) b = static_cast<u8>(r.below(10) << 4 | r.below(10));
    }
    if (r.one_in(4)) {
        const F80 v = register_value(r);
        store_le(s.memory.data(), v.significand);
        store_le(s.memory.data() + 8, v.sign_exponent);
    }
    return s;
}

std::string text(const State& s) {
    char t[512];
    size_t n = static_cast<size_t>(
        snprintf(t, sizeof t, "cw %04x sw %04x valid %02x flags %03llx ax %llx mem %016llx%016llx",
                 s.x.control, s.x.status, s.x.valid, static_cast<unsigned long long>(s.flags),
                 static_cast<unsigned long long>(s.ax & 0xFFFF),
                 static_cast<unsigned long long>(load_le<u64>(s.memory.data() + 8)),
                 static_cast<unsigned long long>(load_le<u64>(s.memory.data()))));
    std::string out(t, n);
    for (unsigned k = 0; k < 8; ++k) {
        const unsigned p = (s.x.top() + k) & 7;
        n = static_cast<size_t>(snprintf(t, sizeof t, " %s%04x.%016llx", s.x.valid >> p & 1 ? "" : "-",
                                         s.x.regs[p].sign_exponent,
                                         static_cast<unsigned long long>(s.x.regs[p].significand)));
        out.append(t, n);
    }
    return out;
}

// Status bits that the SDM leaves undefined after this instruction.
u16 undefined_status(const Form& f) {
    using namespace x87::sw;
    constexpr u16 others = c0 | c2 | c3;
    if (f.is_memory(0xD9, 5)) return conditions;  // FLDCW
    if (f.is_memory(0xD9, 7) || f.is_memory(0xDD, 7) || f.is(0xDF, 0xE0)) return 0;
    if (f.is(0xDB, 0xE2)) return conditions;
    if (f.is(0xDB, 0xE3)) return 0;
    if (f.opcode == 0xDB && f.modrm >= 0xE0 && f.modrm <= 0xE4) return 0;
    const bool compares = (f.opcode == 0xD8 || f.opcode == 0xDC || f.opcode == 0xDA || f.opcode == 0xDE) &&
                          (f.memory() || f.opcode == 0xD8 || f.opcode == 0xDC) &&
                          (f.reg() == 2 || f.reg() == 3);
    if (compares || (f.opcode == 0xDD && !f.memory() && (f.reg() == 4 || f.reg() == 5)) || f.is(0xDA, 0xE9) ||
        f.is(0xDE, 0xD9) || (f.opcode == 0xDE && f.reg() == 2) || f.is(0xD9, 0xE4) || f.is(0xD9, 0xE5))
        return 0;
    if (f.is(0xD9, 0xF8) || f.is(0xD9, 0xF5)) return 0;  // FPREM
    // C1 of an inexact result depends on the error, and so does UE beside the least normal number. C2 is
    // defined for the trigonometric ones.
    if (f.is(0xD9, 0xF2) || f.is(0xD9, 0xFB) || f.is(0xD9, 0xFE) || f.is(0xD9, 0xFF))
        return c0 | c1 | c3 | 0x10;
    if (f.is(0xD9, 0xF3)) return conditions | 0x10;
    // PE and UE too where the result may be exact: the host sets them always.
    if (f.is(0xD9, 0xF1) || f.is(0xD9, 0xF9)) return conditions | 0x30;
    if (f.transcendental()) return conditions;
    // The SDM clears C1, AMD's processors keep it.
    if (!f.memory() && (f.opcode == 0xDB || f.opcode == 0xDF) && (f.reg() == 5 || f.reg() == 6))
        return conditions;
    return others;
}

bool close(const F80& a, const F80& b) {
    const auto order = [](const F80& v) {
        return static_cast<u128>(v.sign_exponent) << 63 | (v.significand & ~(u64{1} << 63));
    };
    const i128 d = static_cast<i128>(order(a)) - static_cast<i128>(order(b));
    return a == b || (d >= -2 && d <= 2);
}

void run_all(bool unmasked, u64 rounds_each, bool transcendental) {
    const std::vector<Form> all = forms();
    Host host(all);
    Guest guest(all);
    Random r(unmasked ? 11 : 12);
    int failures = 0;
    u64 executed = 0;
    unsigned compared = 0;
    for (size_t n = 0; n < all.size(); ++n) {
        if (all[n].transcendental() != transcendental) continue;
        ++compared;
        int here = 0;
        for (u64 k = 0; k < rounds_each && here < 3; ++k) {
            const State start = random_state(r, unmasked);
            const unsigned exponent = start.x.regs[start.x.top()].sign_exponent & 0x7FFF;
            // Undefined in the SDM: F2XM1 of more than 1, FYL2XP1 of more than 1 - sqrt(1/2).
            if ((all[n].is(0xD9, 0xF0) && exponent >= 0x3FFF) ||
                (all[n].is(0xD9, 0xF9) && exponent >= 0x3FFD))
                continue;
            // Reduced by 66 bits of pi there.
            const bool reduced = exponent >= 0x3FFE;
            State h = start, g = start;
            ++executed;
            host.run(n, h);
            const bool ok = guest.run(n, g);
            const u16 mask = static_cast<u16>(~undefined_status(all[n]));
            bool same = ok && h.x.control == g.x.control && (h.x.status & mask) == (g.x.status & mask) &&
                        h.x.valid == g.x.valid && h.flags == g.flags && (h.ax & 0xFFFF) == (g.ax & 0xFFFF) &&
                        h.memory == g.memory;
            for (unsigned p = 0; same && p < 8; ++p) {
                if (!(h.x.valid >> p & 1)) continue;
                same =
                    transcendental ? reduced || close(h.x.regs[p], g.x.regs[p]) : h.x.regs[p] == g.x.regs[p];
            }
            // Of a remainder or scaled number that is exact though tiny Intel reports no underflow.
            const bool unreported =
                (all[n].is(0xD9, 0xF5) || all[n].is(0xD9, 0xF8) || all[n].is(0xD9, 0xFD)) &&
                (g.x.status & ~h.x.status & ~start.x.control & 0x10);
            if (same || (unreported && __builtin_cpu_is("intel"))) continue;
            ++here;
            if (++failures > 60) return;
            ADD_FAILURE() << std::hex << int{all[n].opcode} << ' ' << int{all[n].modrm}
                          << (ok ? "" : " FAULT") << "\n start " << text(start) << "\n host  " << text(h)
                          << "\n here  " << text(g);
        }
    }
    std::printf("  %llu executions of %u opcodes, %d differences\n",
                static_cast<unsigned long long>(executed), compared, failures);
}

TEST(X87Host, Masked) {
    run_all(false, fpu_test::rounds(1500), false);
}
TEST(X87Host, Unmasked) {
    run_all(true, fpu_test::rounds(500), false);
}
TEST(X87Host, Transcendental) {
    run_all(false, fpu_test::rounds(3000), true);
}

}  // namespace
}  // namespace mynah
