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

bool transcendental(const InsnRow& row) {
    for (const std::string_view name :
         {"fsin", "fcos", "fsincos", "fptan", "fpatan", "f2xm1", "fyl2x", "fyl2xp1"})
        if (row.mnemonic == name) return true;
    return false;
}

bool approximation(Op op) {
    return op == Op::RCPPS || op == Op::RCPSS || op == Op::RSQRTPS || op == Op::RSQRTSS;
}

bool uses_selectors(Op op) {
    switch (op) {
        case Op::JMP_FAR:
        case Op::JMP_FAR_IND:
        case Op::CALL_FAR:
        case Op::CALL_FAR_IND:
        case Op::RET_FAR:
        case Op::IRET:
        case Op::MOV_SREG_RM:
        case Op::MOV_RM_SREG:
        case Op::PUSH_SREG:
        case Op::POP_SREG:
        case Op::LES:
        case Op::LDS:
        case Op::LSS:
        case Op::LFS:
        case Op::LGS:
        case Op::LAR:
        case Op::LSL:
        case Op::VERR:
        case Op::VERW:
            return true;
        default:
            return false;
    }
}

const char* left_out(const InsnRow& row) {
    if (!find_cpu_model("max")->has(row.feature)) return "no CPU model has it yet";
    if (row.op == Op::NOP && row.map == OpcodeMap::x0f && row.opcode == 0x0D)
        return "0F 0D with a register: a NOP on Intel, #UD on AMD";
    switch (row.op) {
        case Op::SYSCALL:
        case Op::SYSENTER:
            return "enters the host's kernel; tests/insn";
        case Op::SYSEXIT:
            return "not for user mode, and #UD on AMD in long mode";
        case Op::INT1:
            return "its #DB looks like the step's; tests/insn";
        case Op::SMSW:
        case Op::SGDT:
        case Op::SIDT:
        case Op::SLDT:
        case Op::STR:
            return "Linux emulates it under UMIP, with values of its own; tests/insn";
        case Op::RDPMC:
            return "CR4.PCE is the host kernel's choice; tests/insn";
        case Op::MONITOR:
        case Op::MWAIT:
            return "not for user mode, and AMD can allow it there";
        case Op::XSAVEOPT:
        case Op::XSAVEC:
            return "which components it leaves out is the processor's affair; cpu/sse_test";
        default:
            return nullptr;
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

// A selector that can be loaded, most of the time. Descriptor 78h is Linux's own affair.
u16 some_selector(Random& random, bool code) {
    static constexpr u16 kCodes[] = {kCode32, kCode64,      kLocalCode16, kCode32,
                                     kCode64, kLocalCode16, kFlatData};
    static constexpr u16 kDatas[] = {kFlatData, kLocalData32, kLocalData16, kFlatData, 0,
                                     3,         kCode32,      kCode64};
    static constexpr u16 kOthers[] = {0, 3, 0x20, 0x28, 0x30, 0x10, 0x18, 0x1B, 0x07, 0x04, 0x1F, 0x40, 0x83};
    if (random.chance(8)) {
        const u16 any = static_cast<u16>(random.next());
        return (any & 0xFFFC) == 0x78 ? u16{0x80} : any;
    }
    if (random.chance(6)) return kOthers[random.below(static_cast<u32>(std::size(kOthers)))];
    return code ? kCodes[random.below(static_cast<u32>(std::size(kCodes)))]
                : kDatas[random.below(static_cast<u32>(std::size(kDatas)))];
}

// An offset that code under this selector can have, most of the time.
u64 some_offset(u16 selector, Random& random) {
    if (random.chance(8)) return random.next() & 0x7FFFFFFF;
    return random.below(kCodeSize) + (selector == kLocalCode16 ? 0 : kCode);
}

void append(std::vector<u8>& image, u64 value, unsigned size) {
    for (unsigned n = 0; n < size; ++n) image.push_back(static_cast<u8>(value >> (8 * n)));
}

// Selectors, far pointers and frames where the instruction takes them from.
bool place_selectors(Case& c, const DecodeMode& mode, Random& random) {
    const Insn& i = c.insn;
    UserState& s = c.state;
    // AMD ignores REX.W of far pointers in memory.
    const bool pointer = i.op == Op::JMP_FAR_IND || i.op == Op::CALL_FAR_IND || i.op == Op::LSS ||
                         i.op == Op::LFS || i.op == Op::LGS;
    if (pointer && i.osize == 8) return false;
    const u64 stack = s.data_base() + s.gpr[rsp];
    const auto target = [&] {
        // Which stack width a change to 64-bit code pushes and releases with, the old or the new, differs
        // between Intel and AMD; and with a 16-bit stack Linux leaves the upper half of RSP undefined.
        const u16 selector = some_selector(random, true);
        const bool calls = i.op == Op::CALL_FAR || i.op == Op::CALL_FAR_IND || i.op == Op::RET_FAR;
        return s.segmented && calls && (selector & ~3) == (kCode64 & ~3) ? kCode32 : selector;
    };
    switch (i.op) {
        case Op::JMP_FAR:
        case Op::CALL_FAR: {
            const u16 selector = target();
            std::vector<u8> bytes;
            append(bytes, some_offset(selector, random), i.osize);
            append(bytes, selector, 2);
            std::copy(bytes.begin(), bytes.end(), &c.encoding.bytes[i.length - bytes.size()]);
            return decode(c.encoding.span(), mode, c.insn) == DecodeStatus::ok;
        }
        case Op::JMP_FAR_IND:
        case Op::CALL_FAR_IND:
        case Op::LES:
        case Op::LDS:
        case Op::LSS:
        case Op::LFS:
        case Op::LGS: {
            const bool code = i.op == Op::JMP_FAR_IND || i.op == Op::CALL_FAR_IND;
            const u16 selector = code ? target() : some_selector(random, false);
            append(c.image, code ? some_offset(selector, random) : random.next(), i.osize);
            append(c.image, selector, 2);
            return true;
        }
        case Op::MOV_SREG_RM:
        case Op::LAR:
        case Op::LSL:
        case Op::VERR:
        case Op::VERW: {
            const u16 selector = some_selector(random, i.op != Op::MOV_SREG_RM && random.chance(3));
            if (i.memory())
                append(c.image, selector, 2);
            else
                s.gpr[i.rm & 15] = (s.gpr[i.rm & 15] & ~u64{0xFFFF}) | selector;
            return true;
        }
        case Op::POP_SREG:
            c.image_at = stack;
            append(c.image, some_selector(random, false) | random.next() << 16, i.osize);
            return true;
        case Op::RET_FAR: {
            c.image_at = stack;
            const u16 selector = target();
            append(c.image, some_offset(selector, random), i.osize);
            append(c.image, selector, i.osize);
            return true;
        }
        case Op::IRET: {
            c.image_at = stack;
            const bool good = random.chance(2);
            const u16 selector = good ? kCode64 : some_selector(random, true);
            append(c.image, some_offset(selector, random), i.osize);
            append(c.image, selector, i.osize);
            constexpr u32 kLoaded = eflags::arithmetic | eflags::df | eflags::intr | eflags::iopl;
            append(c.image, (static_cast<u32>(random.next()) & kLoaded) | eflags::fixed, i.osize);
            if (s.code_size != 8) return true;
            append(c.image, kData + random.below(kDataSize), i.osize);
            // One bad selector at a time: which of two is found first is the processor's affair.
            append(c.image, good ? some_selector(random, false) : kFlatData, i.osize);
            return true;
        }
        default:
            return true;
    }
}

// Base and indices of a gather around `target`, a few far away; the mask as it comes.
bool place_gather(Case& c, const DecodeMode& mode, u64 target, Random& random) {
    const Insn i = c.insn;
    UserState& s = c.state;
    const bool quads = (i.opcode & 1) != 0;
    const auto lane = [&](unsigned at) {
        const u64 near = (u64{random.below(0x600)} - 0x300) >> i.scale;
        const u64 v = random.chance(24) ? random.next() : near;
        const unsigned n = i.index & 15;
        u8* half = at < 16 ? s.fx.data() + 160 + 16 * n : s.upper.data() + 16 * n;
        if (quads)
            store_le(half + at % 16, v);
        else
            store_le(half + at % 16, static_cast<u32>(v));
    };
    for (unsigned at = 0; at < 32; at += quads ? 8 : 4) lane(at);
    const u64 disp = static_cast<u64>(static_cast<i64>(i.disp));
    if (i.base >= 16) return set_displacement(c, mode, target);
    s.gpr[i.base] = cut(target - disp, i.asize);
    return true;
}

// A legal image, most of the time.
void make_image(Case& c, Random& random) {
    std::array<u8, 512> fx{};
    randomize_fx(fx, random);
    if (random.chance(8)) fx[26] = 1;  // a bit that no processor has
    if (c.insn.op == Op::FXRSTOR || c.insn.op == Op::XRSTOR) {
        c.image.assign(fx.begin(), fx.end());
        if (c.insn.op == Op::FXRSTOR) return;
        c.image.resize(832);
        for (size_t at = 576; at < 832; at += 8) store_le(&c.image[at], random.next());
        c.image[512] = static_cast<u8>(random.below(8));
        // Bit 8 is in no processor's XCR0; of those before it the host may have more than the model.
        if (random.chance(16)) c.image[513] = 1;
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
    const EncodeOptions o;
    c = Case{};
    c.encoding = encode_random(row, code_size, random, o);
    if (!c.encoding) return false;
    const DecodeMode mode{
        .code_size = code_size, .descriptors = true, .features = find_cpu_model("max")->features.gating()};
    if (decode(c.encoding.span(), mode, c.insn) != DecodeStatus::ok) return false;
    if (&row_of(c.insn) != &row) return false;  // a later row of the same opcode
    if (wanted == Mode::bits32 && c.insn.asize == 2) return false;
    if (wanted == Mode::addresses16 && (c.insn.asize != 2 || c.insn.seg == Seg::cs)) return false;
    // Where AMD and Intel differ, we go with Intel: 66h before a near branch in 64-bit code.
    if (code_size == 8 && row.osize == OsizeRule::f64 && c.insn.has(insn_flag::opsize)) return false;

    // INT 80h is Linux's system call.
    if (c.insn.op == Op::INT && (c.insn.imm & 0xFF) == 0x80) return false;

    UserState& s = c.state;
    s.code_size = code_size;
    s.segmented = segmented;
    s.repeats = (string_op(c.insn.op) || c.insn.op == Op::INS || c.insn.op == Op::OUTS) &&
                (c.insn.has(insn_flag::rep) || c.insn.has(insn_flag::repne));
    // A gather that faults in the middle with a step pending is left for the step.
    if (row.has(row_attr::vsib) || row.has(row_attr::vsibh)) s.repeats = true;
    const u64 mask = code_size == 8 ? ~u64{0} : 0xFFFFFFFF;
    for (u64& r : s.gpr) r = interesting(random) & mask;
    if (code_size != 8) std::fill(s.gpr.begin() + 8, s.gpr.end(), 0);
    s.eflags = eflags::fixed | (static_cast<u32>(random.next()) & eflags::arithmetic) |
               (random.chance(2) ? eflags::df : 0);
    // Now and then at the end of the first page, so that the instruction straddles.
    s.rip = kCode + (random.chance(16) ? 0x1000 - random.below(15) : 16 * random.below(128)) - s.code_base();
    randomize_fx(s.fx, random);
    // Now and then unused: XSAVE tells.
    if (!random.chance(4)) randomize_upper(s, random);

    const u64 data = kData - s.data_base();  // the window's offset in its segment
    auto in_window = [&] { return data + 0x200 + random.below(kDataSize - 0x800); };
    s.gpr[rsp] = in_window() & (random.chance(8) ? ~u64{0} : ~u64{7});
    if (c.insn.op == Op::LEAVE || c.insn.op == Op::ENTER) s.gpr[rbp] = in_window();
    if (string_op(c.insn.op)) {
        s.gpr[rsi] = in_window();
        s.gpr[rdi] = random.chance(2) ? s.gpr[rsi] + random.below(64) - 32 : in_window();
        s.gpr[rcx] = random.chance(8) ? random.below(3000) : random.below(40);
    }
    // FS and GS of 64-bit code have a base; all others are the window's segment or flat.
    u64 base = 0;
    if (code_size == 8) {
        const bool any = c.insn.asize == 8 && random.chance(2);
        for (u64* b : {&s.fs_base, &s.gs_base}) *b = random.next() >> (any ? 17 : 36);
        if (c.insn.seg == Seg::fs) base = s.fs_base;
        if (c.insn.seg == Seg::gs) base = s.gs_base;
    }
    if (string_op(c.insn.op)) s.gpr[rsi] -= base;
    if (c.insn.op == Op::XLAT) s.gpr[rbx] = in_window() - base;
    if (c.insn.op == Op::MASKMOVQ || c.insn.op == Op::MASKMOVDQU) s.gpr[rdi] = in_window() - base;
    if (row.has(row_attr::bitstring) && c.insn.memory())
        s.gpr[c.insn.reg] = sign_extend(random.next(), 13) & mask;
    if (saves_image(row)) {
        s.gpr[rax] = random.below(8);
        s.gpr[rdx] = 0;
    }
    if (c.insn.op == Op::POPF) s.gpr[rsp] &= ~u64{7};

    if (c.insn.memory()) {
        // Solve for the base, or for the displacement where there is none: the operand lies in the window,
        // often aligned, sometimes across its end.
        const bool image = saves_image(row) || row.mnemonic == "frstor";
        u64 target = in_window();
        const u64 alignment = c.insn.has(insn_flag::vex_l) ? 32 : 16;
        if (row.has(row_attr::align) ? !random.chance(8) : random.chance(3)) target &= ~(alignment - 1);
        if (saves_image(row) && !random.chance(16)) target &= ~u64{63};
        if (random.chance(50)) target = data + kDataSize - random.below(20);
        const bool bit_string = row.has(row_attr::bitstring);
        if (bit_string) target = data + kDataSize / 2 + random.below(64);
        const u64 linear = target + s.data_base();
        target -= base;
        const Insn i = c.insn;
        const u64 disp = static_cast<u64>(static_cast<i64>(i.disp));
        if (row.has(row_attr::vsib) || row.has(row_attr::vsibh)) {
            if (!place_gather(c, mode, target, random)) return false;
        } else if (row.memory == MemoryClass::moffs) {
            if (!set_displacement(c, mode, target)) return false;
        } else if (i.base < 16) {
            if (i.index == i.base) return false;
            if (saves_image(row) && (i.base == rax || i.base == rdx)) return false;
            const u64 index = i.index < 16 ? s.gpr[i.index] << i.scale : 0;
            if (i.base == rsp &&
                (i.op == Op::PUSH || i.op == Op::POP || i.op == Op::CALL_IND || i.op == Op::CALL_FAR_IND)) {
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
        if (image || row.mnemonic == "fnsave" || row.mnemonic == "fnstenv" || uses_selectors(row.op))
            c.image_at = linear;
        if (image && (row.op == Op::FXRSTOR || row.op == Op::XRSTOR || row.mnemonic == "frstor")) {
            make_image(c, random);
            if (c.image_at + c.image.size() > kData + kDataSize) c.image.clear();
        }
    }
    if (uses_selectors(row.op) && !place_selectors(c, mode, random)) return false;
    if (c.insn.op == Op::XGETBV) s.gpr[rcx] = random.chance(2) ? 0 : 2 + random.below(1000);
    if (c.insn.op == Op::CPUID) s.gpr[rax] = random.below(16);
    // Unmasked exceptions near a result that is off by an ulp may or may not come.
    if (transcendental(row)) s.fx[0] |= 0x3F;
    // Flags of earlier exceptions, which are pending where they are unmasked (ES and B).
    if (family_of(row) != Family::integer && random.chance(4)) {
        s.fx[2] |= static_cast<u8>(random.next() & random.next() & 0x3F);
        if (s.fx[2] & ~s.fx[0] & 0x3F) s.fx[2] |= 0x80, s.fx[3] |= 0x80;
    }
    // The SDM has no result for F2XM1 of more than 1 and FYL2XP1 of more than 1 - sqrt(1/2).
    const unsigned exponent = load_le<u16>(&s.fx[40]) & 0x7FFF;
    if (row.mnemonic == "f2xm1" && exponent >= 0x3FFF) return false;
    if (row.mnemonic == "fyl2xp1" && exponent >= 0x3FFD) return false;
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
    if (i.op == Op::IRET) all |= eflags::intr | eflags::iopl;
    if (i.op == Op::RDRAND || i.op == Op::RDSEED) undefined |= eflags::cf;
    const bool shift = i.op >= Op::ROL && i.op <= Op::SHRD;
    if (shift) {
        const bool by_cl = i.opcode == 0xD2 || i.opcode == 0xD3 || i.opcode == 0xA5 || i.opcode == 0xAD;
        const bool by_one = i.opcode == 0xD0 || i.opcode == 0xD1;
        const unsigned raw = by_one ? 1 : by_cl ? static_cast<u8>(c.state.gpr[rcx]) : static_cast<u8>(i.imm);
        const unsigned count = raw & (i.osize == 8 ? 63 : 31);
        if (count == 0) undefined = 0;
        if (count == 1) undefined &= ~eflags::of;
        // CF of SHL and SHR by the operand's size and more; all of SHLD and SHRD by more than that (SDM vol.
        // 2B).
        if (count >= i.osize * 8u && (i.op == Op::SHL || i.op == Op::SHR)) undefined |= eflags::cf;
        if (count > i.osize * 8u && (i.op == Op::SHLD || i.op == Op::SHRD)) undefined |= eflags::arithmetic;
    }
    return all & ~undefined;
}

}  // namespace mynah::test
