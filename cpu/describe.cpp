#include "cpu/describe.h"

#include <fmt/format.h>

#include <iterator>
#include <string_view>

namespace mynah {

namespace {

constexpr std::string_view kSystemTypes32[16] = {
    "Reserved", "TSS16-avl", "LDT",      "TSS16-busy", "CallGate16", "TaskGate", "IntGate16", "TrapGate16",
    "Reserved", "TSS32-avl", "Reserved", "TSS32-busy", "CallGate32", "Reserved", "IntGate32", "TrapGate32"};
constexpr std::string_view kSystemTypes64[16] = {
    "<hiword>", "Reserved",  "LDT",      "Reserved",   "Reserved",   "Reserved", "Reserved",  "Reserved",
    "Reserved", "TSS64-avl", "Reserved", "TSS64-busy", "CallGate64", "Reserved", "IntGate64", "TrapGate64"};

// What the attributes mean; nothing where they mean nothing.
std::string segment_kind(const SegmentRegister& r, bool real, bool long_mode) {
    if (real || !r.present()) return "";
    std::string s = fmt::format(" DPL={} ", r.dpl());
    if (!r.code_or_data()) return s + std::string((long_mode ? kSystemTypes64 : kSystemTypes32)[r.type()]);
    if (r.is_code()) {
        s += r.long_code() ? "CS64" : r.big() ? "CS32" : "CS16";
        s += fmt::format(" [{}{}", r.conforming_or_expand_down() ? 'C' : '-',
                         r.readable_or_writable() ? 'R' : '-');
    } else {
        s += r.big() || long_mode ? "DS  " : "DS16";
        s += fmt::format(" [{}{}", r.conforming_or_expand_down() ? 'E' : '-',
                         r.readable_or_writable() ? 'W' : '-');
    }
    return s + (r.type() & 1 ? "A]" : "-]");
}

}  // namespace

std::string describe_registers(const CpuState& s, unsigned cpl, bool code64, bool a20) {
    std::string out;
    auto add = [&]<class... A>(fmt::format_string<A...> f, A&&... a) {
        fmt::format_to(std::back_inserter(out), f, std::forward<A>(a)...);
    };
    const auto& r = s.gpr;
    const u32 f = s.read_eflags();
    const bool long_mode = s.efer & efer::lma;
    if (code64) {
        add("RAX={:016x} RBX={:016x} RCX={:016x} RDX={:016x}\n", r[rax], r[rbx], r[rcx], r[rdx]);
        add("RSI={:016x} RDI={:016x} RBP={:016x} RSP={:016x}\n", r[rsi], r[rdi], r[rbp], r[rsp]);
        for (unsigned n = 8; n < 16; n += 4)
            add("R{:<2}={:016x} R{:<2}={:016x} R{:<2}={:016x} R{:<2}={:016x}\n", n, r[n], n + 1, r[n + 1],
                n + 2, r[n + 2], n + 3, r[n + 3]);
        add("RIP={:016x} RFL={:08x} ", s.rip, f);
    } else {
        auto low = [&](unsigned n) { return static_cast<u32>(r[n]); };
        add("EAX={:08x} EBX={:08x} ECX={:08x} EDX={:08x}\n", low(rax), low(rbx), low(rcx), low(rdx));
        add("ESI={:08x} EDI={:08x} EBP={:08x} ESP={:08x}\n", low(rsi), low(rdi), low(rbp), low(rsp));
        add("EIP={:08x} EFL={:08x} ", static_cast<u32>(s.rip), f);
    }
    auto flag = [&](u32 bit, char c) { return f & bit ? c : '-'; };
    add("[{}{}{}{}{}{}{}] CPL={} II={} A20={} SMM=0 HLT={}\n", flag(eflags::df, 'D'), flag(eflags::of, 'O'),
        flag(eflags::sf, 'S'), flag(eflags::zf, 'Z'), flag(eflags::af, 'A'), flag(eflags::pf, 'P'),
        flag(eflags::cf, 'C'), cpl, s.interrupt_shadow ? 1 : 0, a20 ? 1 : 0,
        s.activity == Activity::halted ? 1 : 0);
    static constexpr std::string_view kNames[8] = {"ES ", "CS ", "SS ", "DS ", "FS ", "GS ", "LDT", "TR "};
    const bool real = !(s.cr0 & cr0::pe) || (f & eflags::vm);
    for (unsigned n = 0; n < 8; ++n) {
        const SegmentRegister& g = s.segs[n];
        const u32 attributes = (g.attributes & 0xFFu) << 8 | (g.attributes & 0xF00u) << 12;
        if (code64) {
            add("{}={:04x} {:016x} {:08x} {:08x}", kNames[n], g.selector, g.base, g.limit, attributes);
        } else {
            add("{}={:04x} {:08x} {:08x} {:08x}", kNames[n], g.selector, static_cast<u32>(g.base), g.limit,
                attributes);
        }
        out += segment_kind(g, real, long_mode);
        out += '\n';
    }
    if (code64) {
        add("GDT=     {:016x} {:08x}\nIDT=     {:016x} {:08x}\n", s.gdtr.base, u32{s.gdtr.limit}, s.idtr.base,
            u32{s.idtr.limit});
        add("CR0={:08x} CR2={:016x} CR3={:016x} CR4={:08x}\n", s.cr0, s.cr2, s.cr3, s.cr4);
    } else {
        add("GDT=     {:08x} {:08x}\nIDT=     {:08x} {:08x}\n", static_cast<u32>(s.gdtr.base),
            u32{s.gdtr.limit}, static_cast<u32>(s.idtr.base), u32{s.idtr.limit});
        add("CR0={:08x} CR2={:08x} CR3={:08x} CR4={:08x}\n", s.cr0, s.cr2, s.cr3, s.cr4);
    }
    if (long_mode) {
        add("DR0={:016x} DR1={:016x} DR2={:016x} DR3={:016x} \n", s.dr[0], s.dr[1], s.dr[2], s.dr[3]);
        add("DR6={:016x} DR7={:016x}\n", s.dr[6], s.dr[7]);
    } else {
        add("DR0={:08x} DR1={:08x} DR2={:08x} DR3={:08x} \n", s.dr[0], s.dr[1], s.dr[2], s.dr[3]);
        add("DR6={:08x} DR7={:08x}\n", s.dr[6], s.dr[7]);
    }
    add("EFER={:016x}\n", s.efer);
    u8 tags = 0;  // by physical register, as FXSAVE has it
    for (unsigned n = 0; n < 8; ++n) tags |= static_cast<u8>((s.x87.valid >> n & 1) << n);
    add("FCW={:04x} FSW={:04x} [ST={}] FTW={:02x} MXCSR={:08x}\n", s.x87.control, s.x87.status, s.x87.top(),
        tags, s.mxcsr);
    for (unsigned n = 0; n < 8; ++n) {
        const auto& v = s.x87.regs[n];
        add("FPR{}={:016x} {:04x}{}", n, v.significand, v.sign_exponent, n & 1 ? '\n' : ' ');
    }
    const unsigned vectors = code64 ? 16 : 8;
    for (unsigned n = 0; n < vectors; ++n)
        add("XMM{:02}={:016x}{:016x}{}", n, s.vec[n].q[1], s.vec[n].q[0], n & 1 ? '\n' : ' ');
    return out;
}

}  // namespace mynah
