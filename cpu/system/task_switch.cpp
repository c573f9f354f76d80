// Hardware task switches (SDM vol. 3A ch. 8): 286 and 386 TSS, nested tasks, T bit.
#include <algorithm>

#include "cpu/system/transfer.h"

namespace mynah {

namespace {

// Where things are in both kinds of TSS.
struct Layout {
    unsigned size;  // of a register
    u32 min_limit;
    u32 ip;        // then flags, the eight general registers, the segments
    u32 segments;  // how many
    u32 ldt;
};
constexpr Layout kTss16{2, 0x2B, 0x0E, 4, 0x2A};
constexpr Layout kTss32{4, 0x67, 0x20, 6, 0x60};

u32 segments_at(const Layout& l) {
    return l.ip + 10 * l.size;
}

struct TaskImage {
    u32 cr3 = 0;
    u32 ip = 0;
    u32 flags = 0;
    std::array<u32, 8> gpr{};
    std::array<u16, 6> segments{};
    u16 ldt = 0;
    bool trap = false;
};

bool read_value(Core& core, u64 at, unsigned size, u32& value) {
    value = 0;
    return read_memory(core, static_cast<u32>(at), &value, size, Privilege::supervisor);
}

bool read_image(Core& core, u64 base, const Layout& l, TaskImage& image) {
    u32 v = 0;
    const bool wide = l.size == 4;
    if (wide && !read_value(core, base + 0x1C, 4, image.cr3)) return false;
    if (!read_value(core, base + l.ip, l.size, image.ip)) return false;
    if (!read_value(core, base + l.ip + l.size, l.size, image.flags)) return false;
    for (unsigned i = 0; i < 8; ++i) {
        if (!read_value(core, base + l.ip + (2 + i) * l.size, l.size, image.gpr[i])) return false;
        // The upper halves are undefined in the SDM; processors set them.
        if (!wide) image.gpr[i] |= 0xFFFF0000;
    }
    for (unsigned i = 0; i < l.segments; ++i) {
        if (!read_value(core, base + segments_at(l) + i * l.size, 2, v)) return false;
        image.segments[i] = static_cast<u16>(v);
    }
    if (!read_value(core, base + l.ldt, 2, v)) return false;
    image.ldt = static_cast<u16>(v);
    if (wide) {
        if (!read_value(core, base + 0x64, 2, v)) return false;
        image.trap = v & 1;
    }
    return true;
}

// Probed before; fails only if the tables that map the TSS lie in it.
void save_state(Core& core, u64 base, const Layout& l, u32 ip, u32 flags) {
    const auto put = [&](u32 offset, u32 value, unsigned size) {
        if (!write_memory(core, static_cast<u32>(base + offset), &value, size, Privilege::supervisor)) {
            core.faulted = false;
        }
    };
    put(l.ip, ip, l.size);
    put(l.ip + l.size, flags, l.size);
    for (unsigned i = 0; i < 8; ++i)
        put(l.ip + (2 + i) * l.size, static_cast<u32>(core.state.gpr[i]), l.size);
    for (unsigned i = 0; i < l.segments; ++i)
        put(segments_at(l) + i * l.size, core.state.segs[i].selector, 2);
}

bool load_task_ldt(Core& core, u16 selector, u32 ext) {
    if (null_selector(selector)) return true;
    if (selector & 4) return raise_selector(core, Vector::ts, selector, ext);
    Descriptor d;
    if (!read_descriptor(core, selector, Vector::ts, ext, d)) return false;
    if (d.segment() || d.system_type() != SystemType::ldt || !d.present()) {
        return raise_selector(core, Vector::ts, selector, ext);
    }
    core.state.seg(Seg::ldtr) = d.to_register(selector);
    return true;
}

bool load_task_code(Core& core, u16 selector, u32 ext) {
    if (null_selector(selector)) return core.raise(Vector::ts, ext);
    const unsigned cpl = selector & 3;
    Descriptor d;
    if (!read_descriptor(core, selector, Vector::ts, ext, d)) return false;
    if (!d.is_code() || (d.conforming() ? d.dpl() > cpl : d.dpl() != cpl)) {
        return raise_selector(core, Vector::ts, selector, ext);
    }
    if (!d.present()) return raise_selector(core, Vector::np, selector, ext);
    if (!mark_accessed(core, d)) return false;
    core.state.seg(Seg::cs) = code_register(d, cpl);
    return true;
}

bool load_task_data(Core& core, Seg seg, u16 selector, unsigned cpl, u32 ext) {
    if (null_selector(selector)) return true;
    Descriptor d;
    if (!read_descriptor(core, selector, Vector::ts, ext, d)) return false;
    const bool ruled = d.is_data() || !d.conforming();
    const bool bad = !d.segment() || !d.readable() || (ruled && d.dpl() < std::max(cpl, selector & 3u));
    if (bad) return raise_selector(core, Vector::ts, selector, ext);
    if (!d.present()) return raise_selector(core, Vector::np, selector, ext);
    if (!mark_accessed(core, d)) return false;
    core.state.seg(seg) = d.to_register(selector);
    return true;
}

// What happens in the new task's name: its faults have its EIP.
bool load_task_segments(Core& core, const TaskImage& image, const TaskSwitch& how, unsigned error_size) {
    CpuState& s = core.state;
    const u32 ext = how.ext;
    if (!load_task_ldt(core, image.ldt, ext)) return false;
    if (s.eflags & eflags::vm) {
        for (unsigned i = 0; i < 6; ++i) load_real_segment(core, static_cast<Seg>(i), image.segments[i]);
    } else {
        const u16 cs = image.segments[1], ss = image.segments[2];
        const unsigned cpl = cs & 3;
        if (!load_task_code(core, cs, ext)) return false;
        core.update_mode();
        Descriptor d;
        if (!check_inner_ss(core, ss, cpl, ext, d) || !mark_accessed(core, d)) return false;
        s.seg(Seg::ss) = d.to_register(ss);
        core.update_mode();
        for (const Seg seg : {Seg::ds, Seg::es, Seg::fs, Seg::gs}) {
            if (!load_task_data(core, seg, image.segments[static_cast<unsigned>(seg)], cpl, ext))
                return false;
        }
    }
    core.update_mode();
    if (how.has_error_code) {
        StackFrame frame(core, s.seg(Seg::ss), core.stack_pointer(), core.mode.stack_size,
                         core.mmu.privilege());
        frame.push(how.error_code, error_size);
        if (!frame.check(0, ext)) return false;
        frame.write();
        core.set_stack_pointer(frame.sp());
    }
    if (image.ip > s.seg(Seg::cs).limit) return core.raise(Vector::gp, ext);
    return true;
}

}  // namespace

bool task_gate(Core& core, u16 tss_selector, const TaskSwitch& how) {
    if (null_selector(tss_selector) || (tss_selector & 4)) {
        return raise_selector(core, Vector::gp, tss_selector, how.ext);
    }
    return switch_task(core, tss_selector, how);
}

bool switch_task(Core& core, u16 selector, const TaskSwitch& how) {
    CpuState& s = core.state;
    const u32 ext = how.ext;
    const bool returning = how.reason == TaskReason::iret;
    const bool nesting = how.reason == TaskReason::call || how.reason == TaskReason::interrupt;
    const Vector bad = returning ? Vector::ts : Vector::gp;

    Descriptor d;
    if (selector & 4) return raise_selector(core, bad, selector, ext);
    if (!read_descriptor(core, selector, bad, ext, d)) return false;
    const SystemType type = d.system_type();
    const bool available = type == SystemType::tss16 || type == SystemType::tss32;
    const bool busy = type == SystemType::tss16_busy || type == SystemType::tss32_busy;
    if (d.segment() || !(returning ? busy : available)) return raise_selector(core, bad, selector, ext);
    if (!d.present()) return raise_selector(core, Vector::np, selector, ext);
    const bool wide = d.type() & 8;
    const Layout& layout = wide ? kTss32 : kTss16;
    if (d.limit() < layout.min_limit) return raise_selector(core, Vector::ts, selector, ext);

    const SegmentRegister old = s.seg(Seg::tr);
    const Layout& old_layout = old.type() & 8 ? kTss32 : kTss16;
    if (old.limit < old_layout.min_limit) return raise_selector(core, Vector::ts, old.selector, ext);

    // Everything that may fault in the old task's name.
    TaskImage image;
    Descriptor old_descriptor;
    if (!read_image(core, d.base(), layout, image)) return false;
    if (!read_descriptor(core, old.selector, Vector::ts, ext, old_descriptor)) return false;
    const auto probe = [&](u64 a, unsigned size) {
        return probe_memory(core, static_cast<u32>(a), size, Access::write, Privilege::supervisor);
    };
    const u32 save_from = old_layout.ip,
              save_to = segments_at(old_layout) + old_layout.segments * old_layout.size;
    if (!probe(old.base + save_from, save_to - save_from)) return false;
    if (!nesting && !probe(old_descriptor.address + 5, 1)) return false;
    if (!returning && !probe(d.address + 5, 1)) return false;
    if (nesting && !probe(d.base(), 2)) return false;
    const bool new_cr3 = wide && (s.cr0 & cr0::pg);
    if (new_cr3 && (s.cr4 & cr4::pae) && !core.mmu.load_pdptes(image.cr3)) return core.raise(Vector::gp, ext);

    // The point of no return.
    u32 saved_flags = s.read_eflags();
    if (returning) saved_flags &= ~eflags::nt;
    save_state(core, old.base, old_layout, static_cast<u32>(how.return_rip), saved_flags);
    if (!nesting) (void)mark_busy(core, old_descriptor, false);
    if (!returning) (void)mark_busy(core, d, true);
    if (nesting) (void)write_system(core, static_cast<u32>(d.base()), old.selector);
    core.faulted = false;

    s.seg(Seg::tr) = d.to_register(selector);
    s.seg(Seg::tr).attributes |= 2;
    if (new_cr3) {
        s.cr3 = image.cr3;
        s.pdpte = core.mmu.pdptes();
    }
    s.cr0 |= cr0::ts;
    s.dr[7] &= ~u64{0x155};
    constexpr u32 kFlags = 0x003F7FD5;
    u32 flags = image.flags & kFlags;
    if (!wide) flags &= 0xFFFF;
    if (nesting) flags |= eflags::nt;
    s.write_eflags(flags);
    for (unsigned i = 0; i < 8; ++i) s.gpr[i] = image.gpr[i];
    const bool virtual8086 = flags & eflags::vm;
    const unsigned cpl = virtual8086 ? 3 : image.segments[1] & 3u;
    for (unsigned i = 0; i < 6; ++i) s.segs[i] = null_register(image.segments[i], cpl);
    s.seg(Seg::ldtr) = null_register(image.ldt, 0);
    core.next_rip = image.ip;
    core.attention = true;
    core.update_mode();
    if (!load_task_segments(core, image, how, wide ? 4 : 2)) {
        core.rip = core.next_rip = image.ip;
        core.update_mode();
        return false;
    }
    if (image.trap) s.pending_debug |= u64{1} << 15;
    return true;
}

}  // namespace mynah
