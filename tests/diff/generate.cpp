#include "diff/generate.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/bits.h"
#include "cpu/decoder.h"
#include "cpu/system/cpu_model.h"
#include "diff/random_state.h"

namespace mynah::test {
namespace {

bool string_op(Op op) {
    return op >= Op::MOVS && op <= Op::SCAS;
}

u64 cut(u64 v, unsigned size) {
    return size == 8 ? v : size == 4 ? static_cast<u32>(v) : static_cast<u16>(v);
}

}  // namespace

Family family_of(const InsnRow& row) {
    if (row.op == Op::FPU || row.op == Op::FWAIT) return Family::x87;
    if (row.op >= Op::MOVD || row.op == Op::EMMS || (row.op >= Op::FXSAVE && row.op <= Op::STMXCSR))
        return Family::sse;
    return Family::integer;
}

bool comparable(const InsnRow& row) {
    if (row.has(row_attr::cpl0)) return false;
    // Held to their error bounds elsewhere (fpu_mpfr_test, sse_test): processors differ within them.
    for (const std::string_view name : {"rcpps", "rcpss", "rsqrtps", "rsqrtss", "fsin", "fcos", "fsincos",
                                        "fptan", "fpatan", "f2xm1", "fyl2x", "fyl2xp1"}) {
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
        case Op::INT1:
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
        // Which components they leave out is the processor's affair.
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

namespace {

// The displacement or offset of the memory operand replaced, found by trial: the bytes whose change changes
// nothing else.
bool set_displacement(Case& c, const DecodeMode& mode, u64 value) {
    const Insn old = c.insn;
    const bool moffs = row_of(old).memory == MemoryClass::moffs;
    const unsigned size = moffs || old.asize == 2 ? old.asize : 4;
    for (unsigned at = c.encoding.length - size; at > 0; --at) {
        Encoding changed = c.encoding;
        for (unsigned n = 0; n < size; ++n) changed.bytes[at + n] = static_cast<u8>(value >> (8 * n));
        Insn i;
        if (decode(changed.span(), mode, i) != DecodeStatus::ok || i.row != old.row) continue;
        const u64 shown = moffs ? i.imm : static_cast<u64>(static_cast<i64>(i.disp));
        const bool rest = i.base == old.base && i.index == old.index && i.reg == old.reg &&
                          i.length == old.length && (moffs || i.imm == old.imm) && i.asize == old.asize;
        if (!rest || cut(shown, old.asize) != cut(value, old.asize)) continue;
        c.encoding = changed;
        c.insn = i;
        return true;
    }
    return false;
}

bool saves_image(const InsnRow& row) {
    return row.op == Op::FXSAVE || row.op == Op::XSAVE || row.op == Op::FXRSTOR || row.op == Op::XRSTOR;
}

// A legal image, most of the time.
void make_image(Case& c, Random& random) {
    std::array<u8, 512> fx{};
    randomize_fx(fx, random);
    if (random.chance(8)) fx[26] = 1;  // a bit that no processor has
    if (c.insn.op == Op::FXRSTOR || c.insn.op == Op::XRSTOR) {
        c.image.assign(fx.begin(), fx.end());
        if (c.insn.op == Op::FXRSTOR) return;
        c.image.resize(576);
        c.image[512] = static_cast<u8>(random.chance(16) ? random.below(256) & ~4 : random.below(4));
        if (random.chance(32)) c.image[520 + random.below(16)] = 1;
        return;
    }
    // FRSTOR: control, status and tag words, no addresses, the registers.
    const unsigned word = c.insn.osize == 2 ? 2 : 4, environment = 7 * word;
    c.image.assign(environment + 80, 0);
    store_le<u16>(&c.image[0], load_le<u16>(&fx[0]));
    store_le<u16>(&c.image[word], load_le<u16>(&fx[2]));
    store_le<u16>(&c.image[2 * word], static_cast<u16>(random.next()));
    for (unsigned n = 0; n < 8; ++n) std::memcpy(&c.image[environment + 10 * n], &fx[32 + 16 * n], 10);
}

}  // namespace

bool generate(const InsnRow& row, Mode wanted, Random& random, Case& c) {
    const u8 code_size = code_size_of(wanted);
    const bool segmented = is_segmented(wanted);
    EncodeOptions o;
    o.fs_gs = false;
    c = Case{};
    c.encoding = encode_random(row, code_size, random, o);
    if (!c.encoding) return false;
    const DecodeMode mode{
        .code_size = code_size, .descriptors = true, .features = find_cpu_model("max")->features.gating()};
    if (decode(c.encoding.span(), mode, c.insn) != DecodeStatus::ok) return false;
    if (&row_of(c.insn) != &row) return false;  // a later row of the same opcode
    if (wanted == Mode::bits32 && c.insn.asize == 2) return false;
    if (wanted == Mode::addresses16 && (c.insn.asize != 2 || c.insn.seg == Seg::cs)) return false;
    // Where AMD and Intel differ, we go with Intel: 66h before a near branch in 64-bit code, 0F 0D with a
    // register.
    if (code_size == 8 && row.osize == OsizeRule::f64 && c.insn.has(insn_flag::opsize)) return false;
    if (c.insn.op == Op::NOP && row.map == OpcodeMap::x0f && row.opcode == 0x0D) return false;

    UserState& s = c.state;
    s.code_size = code_size;
    s.segmented = segmented;
    const u64 mask = code_size == 8 ? ~u64{0} : 0xFFFFFFFF;
    for (u64& r : s.gpr) r = interesting(random) & mask;
    if (code_size != 8) std::fill(s.gpr.begin() + 8, s.gpr.end(), 0);
    s.eflags = eflags::fixed | (static_cast<u32>(random.next()) & eflags::arithmetic) |
               (random.chance(2) ? eflags::df : 0);
    // Now and then at the end of the first page, so that the instruction straddles.
    s.rip = kCode + (random.chance(16) ? 0x1000 - random.below(15) : 16 * random.below(128)) - s.code_base();
    randomize_fx(s.fx, random);

    const u64 data = kData - s.data_base();  // the window's offset in its segment
    auto in_window = [&] { return data + 0x200 + random.below(kDataSize - 0x800); };
    s.gpr[rsp] = in_window() & (random.chance(8) ? ~u64{0} : ~u64{7});
    if (c.insn.op == Op::LEAVE || c.insn.op == Op::ENTER) s.gpr[rbp] = in_window();
    if (string_op(c.insn.op)) {
        s.gpr[rsi] = in_window();
        s.gpr[rdi] = random.chance(2) ? s.gpr[rsi] + random.below(64) - 32 : in_window();
        s.gpr[rcx] = random.chance(8) ? random.below(3000) : random.below(40);
    }
    if (c.insn.op == Op::XLAT) s.gpr[rbx] = in_window();
    if (c.insn.op == Op::MASKMOVQ || c.insn.op == Op::MASKMOVDQU) s.gpr[rdi] = in_window();
    if (row.has(row_attr::bitstring) && c.insn.memory())
        s.gpr[c.insn.reg] = sign_extend(random.next(), 13) & mask;
    if (saves_image(row)) {
        s.gpr[rax] = random.below(4);
        s.gpr[rdx] = 0;
    }
    if (c.insn.op == Op::POPF) s.gpr[rsp] &= ~u64{7};

    if (c.insn.memory()) {
        // Solve for the base, or for the displacement where there is none: the operand lies in the window,
        // often aligned, sometimes across its end.
        const bool image = saves_image(row) || row.mnemonic == "frstor";
        u64 target = in_window();
        if (row.has(row_attr::align) ? !random.chance(8) : random.chance(3)) target &= ~u64{15};
        if (saves_image(row) && !random.chance(16)) target &= ~u64{63};
        if (random.chance(50)) target = data + kDataSize - random.below(20);
        const bool bit_string = row.has(row_attr::bitstring);
        if (bit_string) target = data + kDataSize / 2 + random.below(64);
        const Insn i = c.insn;
        const u64 disp = static_cast<u64>(static_cast<i64>(i.disp));
        if (row.memory == MemoryClass::moffs) {
            if (!set_displacement(c, mode, target)) return false;
        } else if (i.base < 16) {
            if (i.index == i.base) return false;
            if (saves_image(row) && (i.base == rax || i.base == rdx)) return false;
            const u64 index = i.index < 16 ? s.gpr[i.index] << i.scale : 0;
            if (i.base == rsp && (i.op == Op::PUSH || i.op == Op::POP || i.op == Op::CALL_IND)) {
                if (i.index < 16) return false;
                s.gpr[rsp] = cut(target - disp, code_size);
                if (s.gpr[rsp] - data - 64 > kDataSize - 128) return false;
            } else {
                // The stack pointer must stay in the window if the instruction pushes.
                if (i.base == rsp) s.gpr[rsp] = cut(target - disp - index, code_size);
                s.gpr[i.base] = cut(target - disp - index, i.asize);
                if (i.asize == 2 && code_size == 4) s.gpr[i.base] |= random.next() & 0xFFFF0000;
                if (bit_string && i.reg == i.base) return false;
                if (bit_string && i.reg == i.index) return false;
            }
        } else {
            if (saves_image(row) && (i.index == rax || i.index == rdx)) return false;
            if (i.index < 16) s.gpr[i.index] = random.below(0x1000);
            if (bit_string && i.reg == i.index) return false;
            u64 shift = i.index < 16 ? s.gpr[i.index] << i.scale : 0;
            if (i.base == kRip) shift += s.rip + i.length;
            if (!set_displacement(c, mode, target - shift)) return false;
        }
        if (image || row.mnemonic == "fnsave" || row.mnemonic == "fnstenv")
            c.image_at = target + s.data_base();
        if (image && (row.op == Op::FXRSTOR || row.op == Op::XRSTOR || row.mnemonic == "frstor")) {
            make_image(c, random);
            if (c.image_at + c.image.size() > kData + kDataSize) c.image.clear();
        }
    }
    // 16 bits shifted by more than 16 are undefined as a whole.
    const Insn& i = c.insn;
    if ((i.op == Op::SHLD || i.op == Op::SHRD) && i.osize == 2) {
        const u64 count = i.opcode & 1 ? s.gpr[rcx] : i.imm;
        if ((count & 31) > 16) return false;
    }
    // Nor whether MASKMOVQ looks at the segment when its mask is empty.
    if ((i.op == Op::MASKMOVQ || i.op == Op::MASKMOVDQU) && i.seg == Seg::cs) return false;
    // Whether ARPL needs write access when it changes nothing is not settled.
    if (i.op == Op::ARPL && i.seg == Seg::cs) return false;
    return true;
}

u32 defined_flags(const Case& c) {
    const Insn& i = c.insn;
    const InsnRow& row = row_of(i);
    u32 undefined = row.flags_undefined;
    u32 all = eflags::arithmetic | eflags::df;
    if (i.op == Op::POPF) all |= eflags::nt | eflags::intr | eflags::iopl;
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
