#include "cpu/system/descriptor.h"

#include <algorithm>

#include "base/check.h"
#include "cpu/system/cpu_model.h"

namespace mynah {

namespace {

u64 wrap(const Core& core, u64 linear) {
    return core.mode.long_mode ? linear : static_cast<u32>(linear);
}

}  // namespace

bool raise_selector(Core& core, Vector vector, u16 selector, u32 ext) {
    return core.raise(vector, (selector & 0xFFFCu) | ext);
}

Privilege privilege_at(const Core& core, unsigned cpl) {
    if (cpl == 3) return Privilege::user;
    const bool open = (core.state.cr4 & cr4::smap) && (core.state.eflags & eflags::ac);
    return open ? Privilege::supervisor_ac : Privilege::supervisor;
}

// The parts of an access on both sides of a page boundary go separately: Core wraps at the width of the code
// segment, tables wrap at the width of the mode.
bool read_memory(Core& core, u64 linear, void* out, unsigned size, Privilege privilege) {
    const unsigned first = static_cast<unsigned>(std::min<u64>(size, kPageSize - (linear & kPageMask)));
    if (first == size) {
        if (const u8* p = core.mmu.fast_as(linear, size, Access::read, privilege)) {
            std::memcpy(out, p, size);
            return true;
        }
        return core.load_slow(linear, out, size, privilege);
    }
    return core.load_slow(linear, out, first, privilege) &&
           core.load_slow(wrap(core, linear + first), static_cast<u8*>(out) + first, size - first, privilege);
}

bool write_memory(Core& core, u64 linear, const void* data, unsigned size, Privilege privilege) {
    const unsigned first = static_cast<unsigned>(std::min<u64>(size, kPageSize - (linear & kPageMask)));
    if (first == size) {
        if (u8* p = core.mmu.fast_as(linear, size, Access::write, privilege)) {
            std::memcpy(p, data, size);
            return true;
        }
        return core.store_slow(linear, data, size, privilege);
    }
    return probe_memory(core, linear, size, Access::write, privilege) &&
           core.store_slow(linear, data, first, privilege) &&
           core.store_slow(wrap(core, linear + first), static_cast<const u8*>(data) + first, size - first,
                           privilege);
}

bool probe_memory(Core& core, u64 linear, unsigned size, Access access, Privilege privilege) {
    const auto page = [&](u64 a) {
        const Translation t = core.mmu.translate(a, access, privilege);
        if (t.ok) return true;
        return core.raise(
            Fault{.vector = Vector::pf, .has_error_code = true, .error_code = t.error_code, .address = a});
    };
    if (!page(linear)) return false;
    const u64 last = linear + size - 1;
    return ((linear ^ last) & ~kPageMask) == 0 || page(wrap(core, last & ~kPageMask));
}

bool find_descriptor(Core& core, u16 selector, Descriptor& out, bool& found) {
    u64 base = core.state.gdtr.base;
    u64 limit = core.state.gdtr.limit;
    found = false;
    if (selector & 4) {
        const SegmentRegister& ldt = core.state.seg(Seg::ldtr);
        if (!ldt.present()) return true;
        base = ldt.base;
        limit = ldt.limit;
    }
    if ((selector | 7u) > limit) return true;
    out.address = wrap(core, base + (selector & 0xFFF8u));
    out.selector = selector;
    out.high = 0;
    if (!read_system(core, out.address, out.low)) return false;
    found = true;
    return true;
}

bool read_descriptor(Core& core, u16 selector, Vector vector, u32 ext, Descriptor& out, bool wide) {
    bool found = false;
    if (!find_descriptor(core, selector, out, found)) return false;
    if (!found) return raise_selector(core, vector, selector, ext);
    if (!wide) return true;
    Descriptor upper;
    const u16 next = static_cast<u16>(selector + 8);
    if (next < 8) return raise_selector(core, vector, selector, ext);
    if (!find_descriptor(core, next, upper, found)) return false;
    if (!found) return raise_selector(core, vector, selector, ext);
    out.high = upper.low;
    return true;
}

bool mark_accessed(Core& core, Descriptor& d) {
    if (!d.segment() || (d.type() & 1)) return true;
    d.low |= u64{1} << 40;
    return write_system(core, d.address + 5, static_cast<u8>(d.low >> 40));
}

bool mark_busy(Core& core, const Descriptor& d, bool busy) {
    const u8 byte = static_cast<u8>(with_bit(d.low >> 40 & 0xFF, 1, busy));
    return write_system(core, d.address + 5, byte);
}

SegmentRegister null_register(u16 selector, unsigned dpl) {
    SegmentRegister r;
    r.selector = selector;
    r.attributes = static_cast<u16>(dpl << 5);
    return r;
}

void load_null_segment(Core& core, Seg seg, u16 selector) {
    SegmentRegister& r = core.state.seg(seg);
    // Base and limit stay on real processors; what can be seen of them is FS and GS base in 64-bit mode,
    // which Intel's clear.
    const u64 base = core.model.vendor == Vendor::amd ? r.base : 0;
    r = null_register(selector, seg == Seg::ss ? core.cpl() : 0);
    r.base = base;
}

void load_real_segment(Core& core, Seg seg, u16 selector) {
    SegmentRegister& r = core.state.seg(seg);
    r.selector = selector;
    r.base = u64{selector} << 4;
    if (core.state.eflags & eflags::vm) {
        r.limit = 0xFFFF;
        r.attributes = 0xF3;
        return;
    }
    // The limit and the other attributes stay ("unreal mode").
    r.attributes = static_cast<u16>(r.attributes | 0x90);
}

namespace {

// Of 64-bit code it is another: then nothing is known.
Core::SegShortcut shortcut_outside_64(const Core& core, Seg seg) {
    return core.mode.code64() ? Core::SegShortcut{} : core.shortcut(seg);
}

}  // namespace

bool load_segment(Core& core, Seg seg, u16 selector) {
    if (!core.mode.descriptors()) {
        load_real_segment(core, seg, selector);
        core.update_segment(seg);
        return true;
    }
    const unsigned cpl = core.cpl(), rpl = selector & 3;
    if (null_selector(selector)) {
        // SS may be null in 64-bit mode, but not at CPL 3.
        if (seg == Seg::ss && !(core.mode.code64() && cpl != 3 && rpl == cpl))
            return core.raise(Vector::gp, 0);
        load_null_segment(core, seg, selector);
        core.update_segment(seg);
        return true;
    }
    Descriptor d;
    if (!read_descriptor(core, selector, Vector::gp, 0, d)) return false;
    if (seg == Seg::ss) {
        if (rpl != cpl || !d.writable_data() || d.dpl() != cpl)
            return raise_selector(core, Vector::gp, selector);
        if (!d.present()) return raise_selector(core, Vector::ss, selector);
    } else {
        if (!d.segment() || !d.readable()) return raise_selector(core, Vector::gp, selector);
        const bool ruled = d.is_data() || !d.conforming();
        if (ruled && (rpl > d.dpl() || cpl > d.dpl())) return raise_selector(core, Vector::gp, selector);
        if (!d.present()) return raise_selector(core, Vector::np, selector);
    }
    if (!mark_accessed(core, d)) return false;
    core.state.seg(seg) = d.to_register(selector);
    core.update_segment(seg);
    if (!(selector & 4)) {
        auto& [latest, former] = core.loaded_segments[static_cast<size_t>(seg)];
        if (latest.segment.selector != selector) former = latest;
        latest = {core.state.seg(seg), d.low, shortcut_outside_64(core, seg)};
    }
    return true;
}

bool reload_segment(Core& core, Seg seg, u16 selector) {
    if (null_selector(selector)) {
        load_null_segment(core, seg, selector);
        core.update_segment(seg);
        return true;
    }
    auto& [latest, former] = core.loaded_segments[static_cast<size_t>(seg)];
    const u64 end = selector | 7u;
    const DescriptorTable& gdt = core.state.gdtr;
    if (former.segment.selector == selector) std::swap(latest, former);
    if (latest.segment.selector != selector || latest.segment.attributes == 0xFFFF || end > gdt.limit)
        return false;
    const u64 at = gdt.base + (selector & ~u64{7});
    const u8* p = core.mmu.fast_as(core.mode.code64() ? at : static_cast<u32>(at), 8, Access::read,
                                   Privilege::supervisor);
    if (p == nullptr || load_le<u64>(p) != latest.descriptor) return false;
    core.state.seg(seg) = latest.segment;
    core.update_segment(seg);
    latest.shortcut = shortcut_outside_64(core, seg);
    return true;
}

void drop_inner_segments(Core& core, unsigned cpl) {
    for (const Seg s : {Seg::es, Seg::ds, Seg::fs, Seg::gs}) {
        SegmentRegister& r = core.state.seg(s);
        const SegmentRegister before = r;
        const bool conforming = r.is_code() && r.conforming_or_expand_down();
        if (r.present() && r.code_or_data() && !conforming && r.dpl() < cpl) r = null_register(0, 0);
        // A null selector with RPL below CPL is made a plain null by hardware.
        if (!r.present() && null_selector(r.selector)) r.selector = 0;
        if (!(r == before)) core.update_segment(s);
    }
}

bool check_code_offset(Core& core, const SegmentRegister& cs, u64 offset, u32 ext) {
    const bool code64 = core.mode.long_mode && cs.long_code();
    if (code64 ? canonical(offset) : offset <= cs.limit) return true;
    return core.raise(Vector::gp, ext);
}

SegmentRegister code_register(const Descriptor& d, unsigned cpl) {
    return d.to_register(static_cast<u16>((d.selector & 0xFFFC) | cpl));
}

bool within_limit(const SegmentRegister& r, u64 offset, unsigned size) {
    const u64 last = offset + size - 1;
    if (!r.is_code() && r.code_or_data() && r.conforming_or_expand_down()) {
        return offset > r.limit && last <= (r.big() ? 0xFFFFFFFFu : 0xFFFFu);
    }
    return last <= r.limit;
}

void StackFrame::push(u64 value, unsigned size) {
    MYNAH_CHECK(count_ < items_.size());
    const u64 mask = width_ == 8 ? ~u64{0} : width_ == 4 ? 0xFFFFFFFF : 0xFFFF;
    sp_ = (sp_ - size) & mask;
    items_[count_++] = {width_ == 8 ? sp_ : static_cast<u32>(ss_.base + sp_), sp_, value, size};
}

bool StackFrame::check(u16 fault_selector, u32 ext) {
    for (unsigned i = 0; i < count_; ++i) {
        const Item& item = items_[i];
        const bool ok = width_ == 8 ? canonical(item.linear) && canonical(item.linear + item.size - 1)
                                    : within_limit(ss_, item.offset, item.size);
        if (!ok) return raise_selector(core_, Vector::ss, fault_selector, ext);
    }
    for (unsigned i = 0; i < count_; ++i) {
        const Item& item = items_[i];
        if (core_.mmu.fast_as(item.linear, item.size, Access::write, privilege_)) continue;
        if (!probe_memory(core_, item.linear, item.size, Access::write, privilege_)) return false;
    }
    return true;
}

void StackFrame::write() {
    for (unsigned i = 0; i < count_; ++i) {
        const Item& item = items_[i];
        // Fails only if the frame itself overwrites the page tables that map it.
        if (!write_memory(core_, item.linear, &item.value, item.size, privilege_)) core_.faulted = false;
    }
}

bool StackReader::pop(u64& value, unsigned size) {
    value = 0;
    bool ok = false;
    if (size == 8) {
        ok = core_.load<u64>(Seg::ss, sp_, value);
    } else if (size == 4) {
        u32 v = 0;
        ok = core_.load<u32>(Seg::ss, sp_, v);
        value = v;
    } else {
        u16 v = 0;
        ok = core_.load<u16>(Seg::ss, sp_, v);
        value = v;
    }
    sp_ = cut(sp_ + size);
    return ok;
}

void set_stack_pointer(Core& core, u64 value, unsigned width) {
    if (width == 8) {
        core.state.gpr[rsp] = value;
    } else if (width == 4) {
        core.state.gpr[rsp] = static_cast<u32>(value);
    } else {
        core.set_reg<u16>(rsp, static_cast<u16>(value));
    }
}

}  // namespace mynah
