#include "diff/generate.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string_view>

#include "base/bits.h"
#include "cpu/decoder.h"
#include "cpu/system/cpu_model.h"

namespace mynah::test {
namespace {

u64 interesting(Random& random) {
    static constexpr u64 kEdges[] = {0,
                                     1,
                                     2,
                                     ~u64{0},
                                     0x7F,
                                     0x80,
                                     0xFF,
                                     0x7FFF,
                                     0x8000,
                                     0xFFFF,
                                     0x7FFFFFFF,
                                     0x80000000,
                                     0xFFFFFFFF,
                                     0x7FFFFFFFFFFFFFFF,
                                     0x8000000000000000,
                                     0x100,
                                     0x10000,
                                     0x100000000};
    switch (random.below(4)) {
        case 0:
            return kEdges[random.below(static_cast<u32>(std::size(kEdges)))];
        case 1:
            return random.next() >> random.below(64);
        case 2:
            return sign_extend(random.next(), 1 + random.below(63));
        default:
            return random.next();
    }
}

float small_float(Random& random) {
    return static_cast<float>(static_cast<i32>(random.below(20000)) - 10000) / 64;
}

u64 interesting_float(Random& random) {
    static constexpr u32 kSingles[] = {0,          0x80000000, 0x3F800000, 0xBF800000, 0x7F800000,
                                       0xFF800000, 0x7FC00000, 0x7F800001, 0xFFC12345, 1,
                                       0x007FFFFF, 0x00800000, 0x7F7FFFFF, 0x4B800000, 0xCF000000};
    static constexpr u64 kDoubles[] = {0,
                                       0x8000000000000000,
                                       0x3FF0000000000000,
                                       0xBFF0000000000000,
                                       0x7FF0000000000000,
                                       0xFFF0000000000000,
                                       0x7FF8000000000000,
                                       0x7FF0000000000001,
                                       1,
                                       0x000FFFFFFFFFFFFF,
                                       0x0010000000000000,
                                       0x7FEFFFFFFFFFFFFF,
                                       0x41E0000000000000,
                                       0xC1E0000000000000};
    auto single = [&]() -> u64 {
        return random.chance(2) ? kSingles[random.below(static_cast<u32>(std::size(kSingles)))]
                                : std::bit_cast<u32>(small_float(random));
    };
    switch (random.below(4)) {
        case 0: {
            const u64 low = single();
            return single() << 32 | low;
        }
        case 1:
            return kDoubles[random.below(static_cast<u32>(std::size(kDoubles)))];
        case 2:
            return std::bit_cast<u64>(static_cast<double>(small_float(random)));
        default:
            return random.next();
    }
}

bool string_op(Op op) {
    return op >= Op::MOVS && op <= Op::SCAS;
}

void randomize_fx(std::array<u8, 512>& fx, Random& random) {
    fx.fill(0);
    const u16 control = static_cast<u16>(
        random.chance(2) ? 0x37F : (random.below(16) << 8 & 0xF00) | 0x40 | random.below(64));
    store_le<u16>(&fx[0], control);
    const u16 top = static_cast<u16>(random.below(8));
    store_le<u16>(&fx[2],
                  static_cast<u16>(top << 11 | (random.below(16) & 7) << 8 | (random.below(2) << 14)));
    fx[4] = static_cast<u8>(random.chance(2) ? 0xFF : random.next());
    for (unsigned n = 0; n < 8; ++n) {
        static constexpr u16 kExponents[] = {0,      0x3FFF, 0x7FFF, 0xFFFF, 0xBFFF, 1,
                                             0x7FFE, 0x4000, 0x403E, 0xC03E, 0x3FBE};
        u64 significand = random.chance(3) ? u64{1} << 63 : random.next() | u64{1} << 63;
        u16 exponent = random.chance(2)
                           ? kExponents[random.below(static_cast<u32>(std::size(kExponents)))]
                           : static_cast<u16>((random.chance(2) ? 0x8000 : 0) | (0x3FF0 + random.below(40)));
        if (random.chance(8)) significand = 0, exponent &= 0x8000;
        if (random.chance(16)) significand &= ~(u64{1} << 63);  // denormal or unsupported
        store_le(&fx[32 + 16 * n], significand);
        store_le(&fx[40 + 16 * n], exponent);
    }
    const u32 mxcsr = random.chance(2)
                          ? 0x1F80
                          : (static_cast<u32>(random.next()) & 0xFFFF) | (random.chance(4) ? 0 : 0x1F80);
    store_le<u32>(&fx[24], mxcsr);
    store_le<u32>(&fx[28], 0xFFFF);
    for (unsigned at = 160; at < 416; at += 8) {
        const u64 v = random.chance(2) ? interesting_float(random) : interesting(random);
        store_le(&fx[at], v);
    }
}

u64 cut(u64 v, unsigned size) {
    return size == 8 ? v : size == 4 ? static_cast<u32>(v) : static_cast<u16>(v);
}

}  // namespace

void fill(std::span<u8> memory, Random& random) {
    for (size_t at = 0; at + 8 <= memory.size(); at += 8) {
        u64 v;
        switch (random.below(4)) {
            case 0:
                v = interesting_float(random);
                break;
            case 1:
                v = u64{0x0101010101010101} * random.below(4);
                break;
            default:
                v = interesting(random);
                break;
        }
        store_le(&memory[at], v);
    }
}

bool comparable(const InsnRow& row) {
    if (row.has(row_attr::cpl0)) return false;
    // Held to their error bounds elsewhere (fpu_mpfr_test, sse_test): processors differ within them. FNSAVE's
    // image has the addresses that AMD keeps only with an exception.
    for (const std::string_view name :
         {"rcpps", "rcpss", "rsqrtps", "rsqrtss", "fsin", "fcos", "fsincos", "fptan", "fpatan", "f2xm1",
          "fyl2x", "fyl2xp1", "fnsave", "fnstenv", "frstor"}) {
        if (row.mnemonic == name) return false;
    }
    switch (row.op) {
        // They name selectors, change segments, leave user mode, or differ by model and moment.
        case Op::JMP_FAR:
        case Op::JMP_FAR_IND:
        case Op::CALL_FAR:
        case Op::CALL_FAR_IND:
        case Op::RET_FAR:
        case Op::IRET:
        case Op::INT:
        case Op::INT3:
        case Op::INT1:
        case Op::INTO:
        case Op::MOV_SREG_RM:
        case Op::MOV_RM_SREG:
        case Op::PUSH_SREG:
        case Op::POP_SREG:
        case Op::LES:
        case Op::LDS:
        case Op::LSS:
        case Op::LFS:
        case Op::LGS:
        case Op::SMSW:
        case Op::SGDT:
        case Op::SIDT:
        case Op::SLDT:
        case Op::STR:
        case Op::LAR:
        case Op::LSL:
        case Op::VERR:
        case Op::VERW:
        case Op::RDFSBASE:
        case Op::RDGSBASE:
        case Op::WRFSBASE:
        case Op::WRGSBASE:
        case Op::SYSCALL:
        case Op::SYSENTER:
        case Op::SYSRET:
        case Op::SYSEXIT:
        case Op::RDTSC:
        case Op::RDTSCP:
        case Op::RDPMC:
        case Op::CPUID:
        case Op::XGETBV:
        case Op::XSETBV:
        case Op::MONITOR:
        case Op::MWAIT:
        case Op::RSM:
        case Op::RDRAND:
        case Op::RDSEED:
        // The stepped image has TF.
        case Op::PUSHF:
        case Op::POPF:
        // Reserved parts of the images, and what AMD leaves out of them.
        case Op::FXSAVE:
        case Op::FXRSTOR:
        case Op::XSAVE:
        case Op::XRSTOR:
        case Op::XSAVEOPT:
        case Op::XSAVEC:
        case Op::CLAC:
        case Op::STAC:
        case Op::SWAPGS:
        case Op::INVPCID:
            return false;
        default:
            return true;
    }
}

bool generate(const InsnRow& row, u8 code_size, Random& random, Case& c) {
    EncodeOptions o;
    o.fs_gs = false;
    o.change_asize = code_size == 8;
    o.absolute = false;
    o.rip_relative = false;
    c.encoding = encode_random(row, code_size, random, o);
    if (!c.encoding) return false;
    const DecodeMode mode{
        .code_size = code_size, .descriptors = true, .features = find_cpu_model("max")->features.gating()};
    if (decode(c.encoding.span(), mode, c.insn) != DecodeStatus::ok) return false;
    const Insn& i = c.insn;
    if (&row_of(i) != &row) return false;  // a later row of the same opcode
    if (row.memory == MemoryClass::moffs) return false;
    // Where AMD and Intel differ, we go with Intel: 66h before a near branch in 64-bit code, 0F 0D with a
    // register.
    if (code_size == 8 && row.osize == OsizeRule::f64 && i.has(insn_flag::opsize)) return false;
    if (i.op == Op::NOP && row.map == OpcodeMap::x0f && row.opcode == 0x0D) return false;

    UserState& s = c.state;
    s = UserState{};
    s.code_size = code_size;
    const u64 mask = code_size == 8 ? ~u64{0} : 0xFFFFFFFF;
    for (u64& r : s.gpr) r = interesting(random) & mask;
    if (code_size != 8) std::fill(s.gpr.begin() + 8, s.gpr.end(), 0);
    s.eflags = eflags::fixed | (static_cast<u32>(random.next()) & eflags::arithmetic) |
               (random.chance(2) ? eflags::df : 0);
    // Now and then at the end of the first page, so that the instruction straddles.
    s.rip = kCode + (random.chance(16) ? 0x1000 - random.below(15) : 16 * random.below(128));
    randomize_fx(s.fx, random);

    auto in_window = [&] { return kData + 0x200 + random.below(kDataSize - 0x800); };
    s.gpr[rsp] = in_window() & (random.chance(8) ? ~u64{0} : ~u64{7});
    if (i.op == Op::LEAVE || i.op == Op::ENTER) s.gpr[rbp] = in_window();
    if (string_op(i.op)) {
        s.gpr[rsi] = in_window();
        s.gpr[rdi] = random.chance(2) ? s.gpr[rsi] + random.below(64) - 32 : in_window();
        s.gpr[rcx] = random.chance(8) ? random.below(3000) : random.below(40);
    }
    if (i.op == Op::XLAT) s.gpr[rbx] = in_window();
    if (i.op == Op::MASKMOVQ || i.op == Op::MASKMOVDQU) s.gpr[rdi] = in_window();
    if (row.has(row_attr::bitstring) && i.memory()) s.gpr[i.reg] = sign_extend(random.next(), 13) & mask;

    if (i.memory()) {
        // Solve for the base (or for the index that is alone): the operand lies in the window, often aligned,
        // sometimes across its end.
        u64 target = in_window();
        if (row.has(row_attr::align) ? !random.chance(8) : random.chance(3)) target &= ~u64{15};
        if (random.chance(50)) target = kData + kDataSize - random.below(20);
        const bool bit_string = row.has(row_attr::bitstring);
        if (bit_string) target = kData + kDataSize / 2 + random.below(64);
        const u64 disp = static_cast<u64>(static_cast<i64>(i.disp));
        if (i.base < 16) {
            if (i.index == i.base) return false;
            const u64 index = i.index < 16 ? s.gpr[i.index] << i.scale : 0;
            if (i.base == rsp && (i.op == Op::PUSH || i.op == Op::POP || i.op == Op::CALL_IND)) {
                if (i.index < 16) return false;
                s.gpr[rsp] = cut(target - disp, code_size);
                if (s.gpr[rsp] - kData - 64 > kDataSize - 128) return false;
            } else {
                // The stack pointer must stay in the window if the instruction pushes.
                if (i.base == rsp) s.gpr[rsp] = cut(target - disp - index, code_size);
                s.gpr[i.base] = cut(target - disp - index, i.asize);
                if (bit_string && i.reg == i.base) return false;
                if (bit_string && i.reg == i.index) return false;
            }
        } else {
            return false;
        }
    }
    // 16 bits shifted by more than 16 are undefined as a whole.
    if ((i.op == Op::SHLD || i.op == Op::SHRD) && i.osize == 2) {
        const u64 count = i.opcode & 1 ? s.gpr[rcx] : i.imm;
        if ((count & 31) > 16) return false;
    }
    // Whether ARPL needs write access when it changes nothing is not settled.
    if (i.op == Op::ARPL && i.seg == Seg::cs) return false;
    return true;
}

u32 defined_flags(const Case& c) {
    const Insn& i = c.insn;
    const InsnRow& row = row_of(i);
    u32 undefined = row.flags_undefined;
    const u32 all = eflags::arithmetic | eflags::df;
    const bool shift = i.op >= Op::ROL && i.op <= Op::SHRD;
    if (shift) {
        const bool by_cl = i.opcode == 0xD2 || i.opcode == 0xD3 || i.opcode == 0xA5 || i.opcode == 0xAD;
        const bool by_one = i.opcode == 0xD0 || i.opcode == 0xD1;
        const unsigned raw = by_one ? 1 : by_cl ? static_cast<u8>(c.state.gpr[rcx]) : static_cast<u8>(i.imm);
        const unsigned count = raw & (i.osize == 8 ? 63 : 31);
        if (count == 0) undefined = 0;
        if (count == 1) undefined &= ~eflags::of;
        if (count >= i.osize * 8u &&
            (i.op == Op::SHL || i.op == Op::SHR || i.op == Op::SHLD || i.op == Op::SHRD))
            undefined |= eflags::cf | (count > i.osize * 8u && i.op >= Op::SHLD ? eflags::arithmetic : 0);
    }
    return all & ~undefined;
}

}  // namespace mynah::test
