// From "this slice differs" to the instruction: both go back to where it began and run fewer and fewer.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "machine/lockstep_sides.h"

namespace mynah {

namespace {

constexpr unsigned kLongest = 15;
constexpr u64 kInstructionsShown = 8;
constexpr unsigned kBytesShown = 16;

class Fields {
  public:
    template <class T>
    void operator()(std::string_view name, T first, T second) {
        if (first != second) text += fmt::format("  {}: {:x}, interpreted {:x}\n", name, first, second);
    }
    std::string text;
};

void compare(Fields& f, const std::string& name, const SegmentRegister& a, const SegmentRegister& b) {
    f(name, a.selector, b.selector);
    f(name + ".attributes", a.attributes, b.attributes);
    f(name + ".limit", a.limit, b.limit);
    f(name + ".base", a.base, b.base);
}

void compare(Fields& f, const X87State& a, const X87State& b) {
    for (unsigned n = 0; n < 8; ++n) {
        f(fmt::format("fpr{}", n), a.regs[n].significand, b.regs[n].significand);
        f(fmt::format("fpr{} exponent", n), a.regs[n].sign_exponent, b.regs[n].sign_exponent);
    }
    f("fcw", a.control, b.control);
    f("fsw", a.status, b.status);
    f("x87 valid", a.valid, b.valid);
    f("fop", a.opcode, b.opcode);
    f("fcs", a.fcs, b.fcs);
    f("fds", a.fds, b.fds);
    f("fip", a.fip, b.fip);
    f("fdp", a.fdp, b.fdp);
}

std::string compare(const CpuState& a, const CpuState& b) {
    static constexpr std::string_view kNames[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                                  "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
    static constexpr std::string_view kSegments[] = {"es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"};
    Fields f;
    for (unsigned n = 0; n < 16; ++n) f(kNames[n], a.gpr[n], b.gpr[n]);
    f("rip", a.rip, b.rip);
    f("eflags", a.read_eflags(), b.read_eflags());
    for (unsigned n = 0; n < 8; ++n) compare(f, std::string(kSegments[n]), a.segs[n], b.segs[n]);
    f("gdtr.base", a.gdtr.base, b.gdtr.base);
    f("gdtr.limit", a.gdtr.limit, b.gdtr.limit);
    f("idtr.base", a.idtr.base, b.idtr.base);
    f("idtr.limit", a.idtr.limit, b.idtr.limit);
    f("cr0", a.cr0, b.cr0);
    f("cr2", a.cr2, b.cr2);
    f("cr3", a.cr3, b.cr3);
    f("cr4", a.cr4, b.cr4);
    f("efer", a.efer, b.efer);
    f("xcr0", a.xcr0, b.xcr0);
    for (unsigned n = 0; n < 8; ++n) f(fmt::format("dr{}", n), a.dr[n], b.dr[n]);
    compare(f, a.x87, b.x87);
    for (unsigned n = 0; n < 16; ++n)
        for (unsigned q = 0; q < 4; ++q) f(fmt::format("ymm{}[{}]", n, q), a.vec[n].q[q], b.vec[n].q[q]);
    f("mxcsr", a.mxcsr, b.mxcsr);
    f("activity", static_cast<unsigned>(a.activity), static_cast<unsigned>(b.activity));
    f("interrupt shadow", unsigned{a.interrupt_shadow}, unsigned{b.interrupt_shadow});
    f("debug shadow", unsigned{a.debug_shadow}, unsigned{b.debug_shadow});
    f("monitor armed", unsigned{a.monitor_armed}, unsigned{b.monitor_armed});
    f("NMI blocked", unsigned{a.nmi_blocked}, unsigned{b.nmi_blocked});
    f("NMI pending", unsigned{a.nmi_pending}, unsigned{b.nmi_pending});
    f("pending debug", a.pending_debug, b.pending_debug);
    for (unsigned n = 0; n < 4; ++n) f(fmt::format("pdpte{}", n), a.pdpte[n], b.pdpte[n]);
    return f.text;
}

// The bytes of a page that differ, from the first on.
std::string compare_page(PhysicalAddress frame, const u8* a, const u8* b) {
    unsigned at = 0, count = 0;
    while (a[at] == b[at]) ++at;
    for (unsigned n = at; n < kPageSize; ++n) count += a[n] != b[n];
    std::string one, two;
    for (unsigned n = at; n < std::min<u64>(at + kBytesShown, kPageSize); ++n) {
        one += fmt::format(" {:02x}", a[n]);
        two += fmt::format(" {:02x}", b[n]);
    }
    return fmt::format("  memory from {:x} on, {} bytes of the page:{}, interpreted{}\n", frame + at, count,
                       one, two);
}

const char* name_of(Exit e) {
    switch (e) {
        case Exit::budget:
            return "goes on";
        case Exit::halted:
            return "halts";
        case Exit::shutdown:
            return "shuts down";
        case Exit::request:
            return "is asked to stop";
    }
    return "?";
}

}  // namespace

void Lockstep::keep_old_pages() {
    const auto& frames = written_[first]->frames();
    for (size_t n = 0; n < frames.size(); ++n)
        old_pages_[frames[n]].assign(&before_[n * kPageSize], &before_[n * kPageSize] + kPageSize);
    for (const PhysicalAddress frame : written_[second]->frames()) {
        const u8* bytes = written_[first]->bytes(frame);
        old_pages_.try_emplace(frame, bytes, bytes + kPageSize);
    }
}

void Lockstep::restore(Side side) {
    for (const auto& [frame, old] : old_pages_) {
        u8* now = written_[side]->bytes(frame);
        if (std::memcmp(now, old.data(), kPageSize) == 0) continue;
        // As a write, so that what was derived from it goes; where the map leads elsewhere there is nothing.
        if (map(side).write_target(frame).host == now)
            map(side).write(frame, old);
        else
            std::memcpy(now, old.data(), kPageSize);
    }
    Archive load(Archive::Mode::load, start_);
    player(side).connect(nullptr, &map(side));
    cpu(side).visit_state(load);
    player(side).connect(&cpu(side), &map(side));
    player(side).rewind();
}

Exit Lockstep::replay(Side side, u64 instructions) {
    restore(side);
    return cpu(side).run(instructions);
}

bool Lockstep::alike_after(u64 instructions) {
    exits_[first] = replay(first, instructions);
    exits_[second] = replay(second, instructions);
    return alike(exits_[first], exits_[second]);
}

std::string Lockstep::instruction(Side side) {
    CpuState& s = cpu(side).state();
    const bool protected_mode = (s.cr0 & cr0::pe) && !(s.eflags & eflags::vm);
    const bool code64 = (s.efer & efer::lma) && s.seg(Seg::cs).long_code();
    const unsigned bits = code64 ? 64 : protected_mode && s.seg(Seg::cs).big() ? 32 : 16;
    const u64 linear = code64 ? s.rip : static_cast<u32>(s.seg(Seg::cs).base + s.rip);
    std::vector<u8> bytes;
    for (u64 at = linear; bytes.size() < kLongest; ++at) {
        const auto physical = cpu(side).mmu().peek(at);
        const u8* host = physical ? map(side).read_target(*physical & ~kPageMask).host : nullptr;
        if (host == nullptr) break;
        bytes.push_back(host[*physical & kPageMask]);
    }
    std::string text;
    for (const u8 b : bytes) text += fmt::format(" {:02x}", b);
    return fmt::format("{} (cs:rip {:x}:{:x}, bytes{})", log_.disassemble(bytes, linear, bits),
                       s.seg(Seg::cs).selector, s.rip, text);
}

std::string Lockstep::differences() {
    std::string text;
    if (exits_[first] != exits_[second])
        text += fmt::format("  it {}, interpreted it {}\n", name_of(exits_[first]), name_of(exits_[second]));
    if (cpu(first).instructions() != cpu(second).instructions())
        text += fmt::format("  instructions: {}, interpreted {}\n", cpu(first).instructions(),
                            cpu(second).instructions());
    if (!player(first).difference().empty())
        text += fmt::format("  accesses, not the same when repeated: {}\n", player(first).difference());
    if (!player(second).difference().empty())
        text += fmt::format("  accesses, interpreted: {}\n", player(second).difference());
    text += compare(cpu(first).state(), cpu(second).state());
    Archive save;
    cpu(first).visit_state(save);
    Archive verify(Archive::Mode::verify, save.data());
    cpu(second).visit_state(verify);
    if (!verify.ok()) text += fmt::format("  saved state: {}\n", verify.error());
    for (const auto& [frame, old] : old_pages_) {
        const u8* a = written_[first]->bytes(frame);
        const u8* b = written_[second]->bytes(frame);
        if (std::memcmp(a, b, kPageSize) != 0) text += compare_page(frame, a, b);
    }
    return text;
}

std::string Lockstep::both_registers() {
    return fmt::format("translated:\n{}interpreted:\n{}", cpu(first).describe_registers(),
                       cpu(second).describe_registers());
}

// The ones before `upto`, as interpreted; and what the accelerator made of the nearest that it knows.
std::string Lockstep::last_instructions(u64 upto) {
    std::string text, explained;
    for (u64 n = upto - std::min(upto, kInstructionsShown); n < upto; ++n) {
        replay(second, n);
        text += fmt::format("  {}: {}\n", start_instructions_ + n, instruction(second));
        if (std::string e = cpu(first).explain_accelerator(cpu(second).state().rip); !e.empty())
            explained = std::move(e);
    }
    return text + explained;
}

void Lockstep::find_difference(u64 budget) {
    keep_old_pages();
    const std::string seen = differences() + both_registers();
    const std::string slice = fmt::format("instructions {} to {}", start_instructions_,
                                          std::max(cpu(first).instructions(), cpu(second).instructions()));
    const std::string title = "verify: the translator and the interpreter differ";
    if (memory_.tape().rewired()) {
        report_ = fmt::format("{} in {} (the memory map changed meanwhile)\n{}", title, slice, seen);
        return;
    }
    memory_.play_first();
    if (alike_after(budget)) {
        report_ = fmt::format("{} in {}, but not when these are repeated\n{}", title, slice, seen);
        return;
    }
    u64 good = 0, bad = budget;
    if (!alike_after(0)) {
        report_ = fmt::format("{} before {}\n{}", title, slice, seen);
        return;
    }
    while (bad - good > 1) {
        const u64 middle = good + (bad - good) / 2;
        (alike_after(middle) ? good : bad) = middle;
    }
    alike_after(bad);
    const std::string found = differences() + both_registers();
    replay(second, good);
    report_ = fmt::format(
        "{} after {} instructions, {} of a slice, and not before\nat {}\n{}last instructions:\n{}", title,
        start_instructions_ + bad, bad, instruction(second), found, last_instructions(bad));
}

}  // namespace mynah
