// Random sequences of x87 instructions, with others in between, in translated code and in the interpreter:
// all state must be the same behind them, also where a fault ends them.
//
// MYNAH_LONG=n runs 100 * n times as many; MYNAH_SEED=n other ones.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/bits.h"
#include "cpu/core.h"
#include "cpu/decoder.h"
#include "cpu/harness.h"
#include "cpu/insn_table.h"
#include "jit/jit.h"
#include "support/random.h"

namespace mynah::test {
namespace {

constexpr u64 kRam = 16 * MiB;
constexpr u64 kCode = 0x100000, kCodePages = 256;
constexpr u64 kData = 0x400000, kDataSize = 0x3000, kMiddle = kData + 0x1000;
constexpr u64 kGdt = 0x50000, kIdt = 0x40000, kHandlers = 0x30000, kStack = 0x60000;
constexpr u64 kAbsent = u64{1} << 40;  // in 64-bit code

// A whole processor: as the harness's Box, and hot from the first instruction on.
class Side {
  public:
    Side(std::string_view model, u8 code_size, bool translated)
        : memory_(std::move(*PhysicalMap::create(kRam))) {
        AcceleratorFactory factory;
        if (translated) {
            factory = [this](Core& core, PhysicalMap& memory) {
                core_ = &core;
                return Jit::create(core, memory, {.code_bytes = 16 * MiB});
            };
        }
        cpu = std::move(*Cpu::create(model, *memory_, host_, log_, factory));
        host_.cpu = cpu.get();
        if (core_ != nullptr) core_->block_heat = 0;
        set_up(code_size);
    }

    PhysicalMap& memory() { return *memory_; }
    std::span<u8> data() { return memory_->ram().subspan(kData, kDataSize); }

    std::unique_ptr<Cpu> cpu;

  private:
    void set_up(u8 code_size) {
        CpuState& s = cpu->state();
        const bool wide = code_size == 8;
        for (u64 v = 0; v < 32; ++v) {
            const u64 handler = kHandlers + 16 * v, at = kIdt + (wide ? 16 : 8) * v;
            memory_->write(at, (handler & 0xFFFF) | 8u << 16, 4);
            memory_->write(at + 4, 0x8E00 | (handler & 0xFFFF0000), 4);
            memory_->write(handler, 0xF4, 1);
        }
        memory_->write(kGdt + 8, wide ? 0x00AF9B000000FFFF : 0x00CF9B000000FFFF, 8);
        memory_->write(kGdt + 16, 0x00CF93000000FFFF, 8);
        s.gdtr = {kGdt, 0xFF};
        s.idtr = {kIdt, 0x1FF};
        s.cr0 |= cr0::pe | cr0::ne | cr0::mp;
        s.cr4 |= cr4::osfxsr | cr4::osxmmexcpt;
        for (unsigned n = 0; n < 6; ++n)
            s.segs[n] = {.selector = static_cast<u16>(n == 1 ? 8 : 16),
                         .attributes = static_cast<u16>((n == 1 ? 0x9B : 0x93) | 0xC00),
                         .limit = 0xFFFFFFFF,
                         .base = 0};
        if (wide) long_mode(s);
    }
    void long_mode(CpuState& s) {
        constexpr u64 kTables = 0xF00000;
        memory_->write(kTables, kTables + 0x1007, 8);
        memory_->write(kTables + 0x1000, kTables + 0x2007, 8);
        for (u64 n = 0; n < 512; ++n) memory_->write(kTables + 0x2000 + 8 * n, n << 21 | 0x87, 8);
        s.cr3 = kTables;
        s.cr4 |= cr4::pae;
        s.efer |= efer::lme | efer::lma;
        s.cr0 |= cr0::pg | cr0::wp;
        s.seg(Seg::cs).attributes = 0x29B | 0x800;
    }

    FakeHost host_;
    Log log_;
    std::unique_ptr<PhysicalMap> memory_;
    Core* core_ = nullptr;
};

class Generator {
  public:
    Generator(u64 seed, u8 code_size) : r_(seed), wide_(code_size == 8) {
        mode_.code_size = code_size;
        mode_.descriptors = true;
        mode_.features = ~u64{0};
    }

    // A loop of random instructions that ends in HLT.
    std::vector<u8> code() {
        code_.clear();
        const unsigned count = 1 + r_.below(40);
        for (unsigned n = 0; n < count; ++n) {
            const unsigned kind = r_.below(100);
            if (kind < 80) {
                x87();
            } else if (kind < 95) {
                integer();
            } else {
                unit();
            }
        }
        put({0xFF, 0xC9, 0x0F, 0x85});  // DEC ECX; JNZ
        put32(static_cast<u32>(-static_cast<i32>(code_.size() + 4)));
        put({0xF4});
        return code_;
    }

    void data(std::span<u8> d) {
        for (u64 n = 0; n + 8 <= d.size(); n += 8) store_le(&d[n], r_.next());
        for (unsigned n = 0; n < 1200; ++n) {
            u8* p = &d[r_.below(static_cast<u32>(d.size() - 16))];
            switch (r_.below(4)) {
                case 0:
                    store_le(p, static_cast<u32>(exponent(8, 23)));
                    break;
                case 1:
                    store_le(p, exponent(11, 52));
                    break;
                case 2:
                    store_le(p, r_.next() >> r_.below(64));
                    break;
                default: {
                    const fpu::F80 v = extended();
                    store_le(p, v.significand);
                    store_le(p + 8, v.sign_exponent);
                }
            }
        }
        // Control words for FLDCW.
        for (unsigned n = 0; n < 16; ++n) store_le(&d[0x1000 + 2 * n], control());
        store_le(&d[0x1040], u32{0x1F80} | r_.below(4) << 13 | r_.below(64));
    }

    void state(CpuState& s, u64 rip) {
        X87State& x = s.x87;
        x.control = control();
        x.status = static_cast<u16>(r_.next() & 0x7F7F);
        if (x.status & ~x.control & 0x3F) x.status = static_cast<u16>(x.status & ~0x3F);
        x.valid = static_cast<u8>(r_.next());
        if (r_.chance(2)) {
            x.valid = 0;
            for (unsigned n = 0; n < 4; ++n) x.valid |= static_cast<u8>(1u << ((x.top() + n) & 7));
        }
        for (fpu::F80& v : x.regs) v = extended();
        x.fip = r_.next() & 0xFFFFFFFF;
        x.fdp = r_.next() & 0xFFFFFFFF;
        x.opcode = static_cast<u16>(r_.next() & 0x7FF);
        x.fcs = static_cast<u16>(r_.next());
        x.fds = static_cast<u16>(r_.next());
        for (u64& g : std::span(s.gpr).first(16)) g = r_.next() & (wide_ ? ~u64{0} : 0xFFFFFFFF);
        s.gpr[rsp] = kStack;
        s.gpr[rsi] = kMiddle;
        s.gpr[rax] = kMiddle;  // FNSTSW AX changes where it points
        s.gpr[rbx] = r_.below(0x80);
        s.gpr[rdi] = r_.chance(2) ? kMiddle : wide_ ? kAbsent : 0xFFFFFFF0;
        s.gpr[rcx] = 1 + r_.below(4);
        for (VectorRegister& v : s.vec)
            for (unsigned n = 0; n < 4; ++n) v.q[n] = r_.next();
        s.mxcsr = 0x1F80 | r_.below(4) << 13;
        s.write_eflags(static_cast<u32>(r_.next()) & eflags::arithmetic);
        s.rip = rip;
        s.activity = Activity::running;
        s.seg(Seg::cs).selector = 8;
    }

  private:
    u64 exponent(unsigned bits, unsigned fraction) {
        const u64 most = (u64{1} << bits) - 1;
        static constexpr int kNear[] = {0, 1, 2, -1, -2};
        const u64 e = r_.chance(2)   ? most / 2 + r_.below(7) - 3
                      : r_.chance(2) ? static_cast<u64>(kNear[r_.below(5)]) & most
                                     : r_.next() & most;
        u64 f = r_.chance(3) ? u64{r_.below(4)} << (fraction - r_.below(3)) : r_.next();
        f &= (u64{1} << fraction) - 1;
        return (r_.next() & 1) << (bits + fraction) | e << fraction | f;
    }
    fpu::F80 extended() {
        const u64 e = exponent(15, 20) >> 20;
        u64 s = r_.chance(4) ? u64{r_.below(4)} << (62 - r_.below(3)) : r_.next() << r_.below(64);
        if (!r_.chance(8) && (e & 0x7FFF) != 0) s |= u64{1} << 63;
        return {s, static_cast<u16>(e)};
    }
    u16 control() {
        const u16 masks = static_cast<u16>(r_.chance(10) ? r_.next() & 0x3F : 0x3F);
        return static_cast<u16>(masks | 0x40 | (r_.next() & 0x1F00));
    }

    void put(std::initializer_list<u8> b) { code_.insert(code_.end(), b); }
    void put32(u32 v) {
        for (unsigned n = 0; n < 4; ++n) code_.push_back(static_cast<u8>(v >> (8 * n)));
    }
    // ModRM and what follows, for an operand in the data: near the middle, across pages, or anywhere.
    void operand(unsigned reg, u32 bytes) {
        const u8 r = static_cast<u8>(reg << 3);
        const u32 near = r_.chance(8) ? 0x1000 - r_.below(bytes + 12) : r_.below(0x1800);
        switch (r_.below(wide_ ? 16 : 8)) {
            case 0:
                put({static_cast<u8>(0x44 | r), 0xDE,
                     static_cast<u8>(r_.next())});  // [rsi + rbx * 8 + disp8]
                return;
            case 1:
                put({static_cast<u8>(0x80 | r)});  // [rax + disp32]
                return put32(near & 0xFF);
            case 2:
                if (r_.chance(4)) return put({static_cast<u8>(7 | r)});  // [rdi]
                [[fallthrough]];
            case 3:
                if (!wide_) {
                    put({static_cast<u8>(5 | r)});
                    return put32(static_cast<u32>(kMiddle) + near);
                }
                [[fallthrough]];
            default:
                put({static_cast<u8>(0x86 | r)});  // [rsi + disp32]
                put32(near - (r_.chance(4) ? 0x800 : 0));
        }
    }
    void prefix() {
        if (wide_ || !r_.chance(20)) return;
        static constexpr u8 kPrefixes[] = {0x2E, 0x3E, 0x36, 0x64, 0x67, 0x66, 0xF3};
        const u8 p = kPrefixes[r_.below(7)];
        if (p != 0x67) put({p});
    }
    void x87() {
        if (r_.chance(16)) return control_word();
        for (;;) {
            const size_t start = code_.size();
            prefix();
            const u8 opcode = static_cast<u8>(0xD8 | r_.below(8));
            if (r_.chance(2)) {
                put({opcode, static_cast<u8>(0xC0 | r_.below(64))});
            } else {
                put({opcode});
                operand(r_.below(8), 10);
            }
            Insn i;
            const std::vector<u8> padded = [&] {
                std::vector<u8> v(code_.begin() + static_cast<i64>(start), code_.end());
                v.resize(16);
                return v;
            }();
            const bool good = decode(padded, mode_, i) == DecodeStatus::ok;
            // What loads an environment ends most sequences soon.
            const std::string_view name = good ? row_of(i).mnemonic : "";
            const bool rare = name == "fldenv" || name == "frstor" || name == "fnsave" || name == "fninit" ||
                              name == "fnstenv" || name == "fldcw";
            if (good && (!rare || r_.chance(8))) return;
            if (r_.chance(200)) return;
            code_.resize(start);
        }
    }
    void control_word() {
        switch (r_.below(4)) {
            case 0:
                put({0x9B});  // FWAIT
                return;
            case 1:
                put({0xDF, 0xE0});  // FNSTSW AX; MOV EAX, ESI
                if (r_.chance(2)) put({0x89, 0xF0});
                return;
            default:
                put({0xD9, 0xAE});  // FLDCW [rsi + ...]
                put32(2 * r_.below(16));
        }
    }
    void integer() {
        switch (r_.below(9)) {
            case 0:
                return put({0x01, 0xC2});  // ADD EDX, EAX
            case 1:
                return put({0x39, 0xEA});  // CMP EDX, EBP
            case 2:
                return put({0x83, 0xC3, static_cast<u8>(r_.below(8))});  // ADD EBX, imm8
            case 3:
                return put({0x8D, 0x50, 0x10});  // LEA EDX, [EAX + 16]
            case 4:
                put({0x8B});  // MOV EBP, [...]
                return operand(5, 4);
            case 5:
                put({0x89});
                return operand(2, 4);
            case 6:
                return put({0x74, 0x02, 0xD9, 0xC0});  // JE over FLD ST(0)
            case 7:
                return put({0x7B, 0x03, 0x83, 0xC2, 0x05});  // JNP over ADD EDX, 5
            default:
                return put({0x89, 0xF0});  // MOV EAX, ESI
        }
    }
    void unit() {
        switch (r_.below(8)) {
            case 0:
                return put({0x0F, 0x77});  // EMMS
            case 1:
                return put({0x0F, 0xFC, static_cast<u8>(0xC0 | r_.below(64))});  // PADDB
            case 2:
                put({0x0F, 0x6F});  // MOVQ mm, m64
                return operand(r_.below(8), 8);
            case 3:
                return put({0xF3, 0x0F, 0x58, static_cast<u8>(0xC0 | r_.below(64))});  // ADDSS
            case 4:
                put({0x66, 0x0F, 0x6F});  // MOVDQA xmm, m128: may be misaligned
                return operand(r_.below(8), 16);
            case 5:
                put({0x0F, 0xAE, 0x96});  // LDMXCSR
                return put32(0x40);
            default:
                put({0x0F, 0xAE, 0x86});  // FXSAVE
                return put32(0x400);
        }
    }

    Random r_;
    bool wide_;
    DecodeMode mode_;
    std::vector<u8> code_;
};

std::string differences(const CpuState& a, const CpuState& b) {
    std::string text;
    const auto check = [&](std::string_view name, u64 x, u64 y) {
        if (x != y) text += fmt::format(" {} {:x} interpreter {:x}", name, x, y);
    };
    for (unsigned n = 0; n < 16; ++n) check(fmt::format("r{}", n), a.gpr[n], b.gpr[n]);
    check("rip", a.rip, b.rip);
    check("eflags", a.read_eflags(), b.read_eflags());
    check("cr2", a.cr2, b.cr2);
    const X87State &x = a.x87, &y = b.x87;
    check("control", x.control, y.control);
    check("status", x.status, y.status);
    check("valid", x.valid, y.valid);
    check("fop", x.opcode, y.opcode);
    check("fip", x.fip, y.fip);
    check("fcs", x.fcs, y.fcs);
    check("fdp", x.fdp, y.fdp);
    check("fds", x.fds, y.fds);
    for (unsigned n = 0; n < 8; ++n) {
        check(fmt::format("significand {}", n), x.regs[n].significand, y.regs[n].significand);
        check(fmt::format("exponent {}", n), x.regs[n].sign_exponent, y.regs[n].sign_exponent);
    }
    check("mxcsr", a.mxcsr, b.mxcsr);
    for (unsigned n = 0; n < 16; ++n) {
        if (a.vec[n].q != b.vec[n].q) text += fmt::format(" vector {}", n);
    }
    return text;
}

std::string listing(std::span<const u8> code, u8 code_size) {
    std::string text;
    DecodeMode mode{.code_size = code_size, .descriptors = true};
    for (size_t at = 0; at < code.size();) {
        std::vector<u8> rest(code.begin() + static_cast<i64>(at), code.end());
        rest.resize(std::max<size_t>(rest.size(), 16));
        Insn i;
        const bool good = decode(rest, mode, i) == DecodeStatus::ok;
        text += fmt::format("  {:x}:", at);
        for (unsigned n = 0; n < i.length && at + n < code.size(); ++n)
            text += fmt::format(" {:02x}", code[at + n]);
        text += fmt::format("  {}\n", good ? row_of(i).mnemonic : "(bad)");
        at += std::max<size_t>(i.length, 1);
    }
    return text;
}

u64 number(const char* variable) {
    const char* text = std::getenv(variable);
    return text == nullptr ? 0 : std::strtoull(text, nullptr, 0);
}

void run_all(u8 code_size) {
    if (!Jit::supported()) GTEST_SKIP() << "this host cannot run translated code";
    const u64 cases = 6000 * std::max<u64>(1, 100 * number("MYNAH_LONG"));
    const u64 seed = number("MYNAH_SEED") << 40 | u64{code_size} << 36;
    std::array<std::unique_ptr<Side>, 2> sides;
    const auto renew = [&](u64 n) {
        // The one sets FDP with every operand, the other never (all exceptions are masked).
        const std::string_view model = n / kCodePages % 2 == 0 ? "x86-64-v2" : "max";
        for (unsigned k = 0; k < 2; ++k) sides[k] = std::make_unique<Side>(model, code_size, k == 0);
    };
    unsigned failures = 0;
    for (u64 n = 0; n < cases; ++n) {
        // New code goes to pages that have had none: what keeps changing is not translated.
        const u64 page = n % kCodePages;
        if (page == 0) renew(n);
        Generator g(seed + n * 0x10001, code_size);
        const std::vector<u8> code = g.code();
        // Now and then the loop begins on one page and ends on the next.
        const u64 rip = kCode + page * 0x2000 + (n % 8 == 0 ? 0x1000 - code.size() / 2 : 0x40);
        g.data(sides[0]->data());
        std::ranges::copy(sides[0]->data(), sides[1]->data().begin());
        g.state(sides[0]->cpu->state(), rip);
        sides[1]->cpu->state() = sides[0]->cpu->state();
        const CpuState before = sides[0]->cpu->state();
        std::array<u64, 2> retired{};
        for (unsigned k = 0; k < 2; ++k) {
            Cpu& cpu = *sides[k]->cpu;
            sides[k]->memory().write(rip, code);
            cpu.state_changed();
            const u64 first = cpu.instructions();
            (void)cpu.run(2000);
            retired[k] = cpu.instructions() - first;
        }
        std::string text = differences(sides[0]->cpu->state(), sides[1]->cpu->state());
        if (retired[0] != retired[1])
            text += fmt::format(" retired {} interpreter {}", retired[0], retired[1]);
        if (!std::ranges::equal(sides[0]->data(), sides[1]->data())) text += " memory";
        if (text.empty()) continue;
        ADD_FAILURE() << fmt::format("case {} at {:x}, control {:x} status {:x} valid {:x}:{}\n", n, rip,
                                     before.x87.control, before.x87.status, before.x87.valid, text)
                      << listing(code, code_size);
        renew(n);
        if (++failures == 5) return;
    }
    // The comparison means nothing if translated code did not run.
    EXPECT_EQ(sides[0]->cpu->describe_accelerator().find("regions made: 0"), std::string::npos);
    if (number("MYNAH_SHOW") != 0) fmt::print("{}", sides[0]->cpu->describe_accelerator());
}

TEST(X87Jit, Code32) {
    run_all(4);
}

TEST(X87Jit, Code64) {
    run_all(8);
}

}  // namespace
}  // namespace mynah::test
