#include "cpu/core.h"

#include <algorithm>

#include "cpu/interp/block.h"
#include "cpu/system/cpu_model.h"

namespace mynah {

namespace {

constexpr u64 kFourGib = u64{1} << 32;

bool canonical(u64 a) {
    return sign_extend(a, 48) == a;
}

}  // namespace

Core::Core(const CpuModel& model_, Mmu& mmu_, PhysicalMap& memory_, CpuHost& host_, Log& log_)
    : model(model_), mmu(mmu_), memory(memory_), host(host_), log(log_) {
    decode_mode.features = model.features.gating();
}

bool Core::raise(Vector vector) {
    return raise(Fault{.vector = vector});
}

bool Core::raise(Vector vector, u32 error_code) {
    return raise(Fault{.vector = vector, .has_error_code = true, .error_code = error_code});
}

bool Core::raise(const Fault& f) {
    sync();
    fault = f;
    faulted = true;
    return false;
}

void Core::sync() {
    if (current == nullptr) return;
    rip = rip_of(*this, current);
    next_rip = rip + current->insn.length;
    retired = block_retired + current->index;
}

bool Core::only_privilege_changed() const {
    const SegmentRegister& cs = state.seg(Seg::cs);
    const SegmentRegister& ss = state.seg(Seg::ss);
    const bool descriptors = shortcuts_descriptors_ && !(state.eflags & eflags::vm);
    const bool checked = alignment_checks_ || data_breakpoints_;
    const bool to_be_checked = ss.dpl() == 3 && (state.cr0 & cr0::am) && (state.eflags & eflags::ac);
    // 64-bit code makes nothing of SS but the privilege level.
    return descriptors && !checked && !to_be_checked &&
           cs.same_but_for_dpl(shortcut_made_from_[static_cast<unsigned>(Seg::cs)]) &&
           (shortcuts_code64_ || ss.same_but_for_dpl(shortcut_made_from_[static_cast<unsigned>(Seg::ss)]));
}

void Core::update_mode(Changed which) {
    // A program's segments and its kernel's differ in nothing else.
    if (which == Changed::stack_and_code && only_privilege_changed()) {
        mode.cpl = static_cast<u8>(state.seg(Seg::ss).dpl());
        update_privilege();
        ++accelerated.mode_changes;
        attention = true;
        return;
    }
    const bool checked = alignment_checks_ || data_breakpoints_;
    const bool pe = state.cr0 & cr0::pe;
    mode.protected_mode = pe;
    mode.v8086 = pe && (state.eflags & eflags::vm);
    mode.long_mode = state.efer & efer::lma;
    const SegmentRegister& cs = state.seg(Seg::cs);
    const SegmentRegister& ss = state.seg(Seg::ss);
    mode.cpl = static_cast<u8>(!pe ? 0 : mode.v8086 ? 3 : ss.dpl());
    const bool code64 = mode.long_mode && !mode.v8086 && cs.long_code();
    mode.code_size = code64 ? 8 : cs.big() && !mode.v8086 ? 4 : 2;
    mode.stack_size = code64 ? 8 : ss.big() && !mode.v8086 ? 4 : 2;

    if (which == Changed::anything) update_controls();
    update_privilege();

    linear_mask_ = code64 ? ~u64{0} : 0xFFFFFFFF;
    alignment_checks_ = mode.cpl == 3 && (state.cr0 & cr0::am) && (state.eflags & eflags::ac);
    const bool same_rules = code64 == shortcuts_code64_ && mode.descriptors() == shortcuts_descriptors_ &&
                            !alignment_checks_ && !data_breakpoints_ && !checked;
    shortcuts_code64_ = code64;
    shortcuts_descriptors_ = mode.descriptors();
    if (same_rules && which == Changed::stack_and_code) {
        for (const Seg s : {Seg::cs, Seg::ss}) {
            const unsigned n = static_cast<unsigned>(s);
            if (!state.segs[n].same_but_for_dpl(shortcut_made_from_[n])) refresh_shortcut(n);
        }
    } else {
        for (unsigned n = 0; n < 6; ++n) refresh_shortcut(n);
    }
    code_end = code64 ? ~u64{0} : u64{cs.limit} + 1;
    rip_mask = code64 ? ~u64{0} : mode.code_size == 2 && cs.limit <= 0xFFFF ? 0xFFFF : 0xFFFFFFFF;
    block_key = mode.code_size | mode.stack_size << 4 | (mode.descriptors() ? 0x100u : 0u);
    decode_mode.code_size = mode.code_size;
    decode_mode.descriptors = mode.descriptors();
    ++accelerated.mode_changes;
    attention = true;
}

void Core::update_controls() {
    PagingControls p;
    p.cr3 = state.cr3;
    p.paging = state.cr0 & cr0::pg;
    p.pae = state.cr4 & cr4::pae;
    p.long_mode = mode.long_mode;
    p.pse = state.cr4 & cr4::pse;
    p.pge = state.cr4 & cr4::pge;
    p.pcid = state.cr4 & cr4::pcide;
    p.wp = state.cr0 & cr0::wp;
    p.nxe = state.efer & efer::nxe;
    p.smep = state.cr4 & cr4::smep;
    p.smap = state.cr4 & cr4::smap;
    p.physical_bits = model.physical_bits;
    p.gib_pages = model.has(Feature::pdpe1gb);
    if (!(p == mmu.controls())) mmu.set_controls(p);
    const bool before = data_breakpoints_;
    data_breakpoints_ = false;
    for (unsigned n = 0; n < 4; ++n) {
        const bool enabled = state.dr[7] >> (2 * n) & 3;
        if (enabled && (state.dr[7] >> (16 + 4 * n) & 1)) data_breakpoints_ = true;
    }
    if (data_breakpoints_ != before) loaded_segments = {};  // their shortcuts are of the other kind
}

void Core::update_privilege() {
    const bool ac = (state.cr4 & cr4::smap) && (state.eflags & eflags::ac);
    const Privilege privilege = mode.cpl == 3 ? Privilege::user
                                : ac          ? Privilege::supervisor_ac
                                              : Privilege::supervisor;
    if (privilege != mmu.privilege()) mmu.set_privilege(privilege);
}

void Core::refresh_shortcut(unsigned n) {
    const bool code64 = mode.code64();
    const bool check_each = alignment_checks_ || data_breakpoints_;
    const SegmentRegister& r = state.segs[n];
    SegShortcut& c = shortcuts_[n];
    shortcut_made_from_[n] = r;
    const bool has_base =
        !code64 || n == static_cast<unsigned>(Seg::fs) || n == static_cast<unsigned>(Seg::gs);
    c.base = has_base ? r.base : 0;
    const u64 end = code64 ? ~u64{0} : u64{r.limit} + 1;
    bool read = true, write = true;
    if (mode.descriptors() && !code64) {
        const bool code = r.is_code();
        const bool expand_down = !code && r.conforming_or_expand_down();
        const bool usable = r.present() && !expand_down;
        read = usable && (!code || r.readable_or_writable());
        write = usable && !code && r.readable_or_writable();
    }
    c.read_end = read && !check_each ? end : 0;
    c.write_end = write && !check_each ? end : 0;
    const bool code = n == static_cast<unsigned>(Seg::cs);
    const bool flat = c.base == 0 && c.read_end >= kFourGib && (code || c.write_end >= kFourGib);
    flat_segments_ = static_cast<u8>((flat_segments_ & ~(1u << n)) | (flat ? 1u << n : 0));
}

void Core::update_segment(Seg s) {
    // CS and SS decide more than what may be accessed.
    if (s == Seg::cs || s == Seg::ss) return update_mode(Changed::stack_and_code);
    const unsigned n = static_cast<unsigned>(s);
    const SegShortcut before = shortcuts_[n];
    refresh_shortcut(n);
    // Of FS and GS nobody assumes anything.
    if (shortcuts_[n] == before || s == Seg::fs || s == Seg::gs) return;
    ++accelerated.mode_changes;
    attention = true;
}

bool Core::linear_miss(Seg s, u64 offset, unsigned size, Access access) {
    const Vector vector = s == Seg::ss ? Vector::ss : Vector::gp;
    u64 a;
    if (mode.code64()) {
        a = offset + (s == Seg::fs || s == Seg::gs ? state.seg(s).base : 0);
        if (!canonical(a) || !canonical(a + size - 1)) return raise(vector, 0);
    } else {
        const SegmentRegister& r = state.seg(s);
        bool expand_down = false;
        if (mode.descriptors()) {
            if (!r.present()) return raise(vector, 0);
            const bool code = r.is_code();
            const bool right = access == Access::write ? !code && r.readable_or_writable()
                                                       : !code || r.readable_or_writable();
            if (!right) return raise(vector, 0);
            expand_down = !code && r.conforming_or_expand_down();
        }
        const u64 last = offset + size - 1;
        if (expand_down) {
            const u64 top = r.big() ? 0xFFFFFFFF : 0xFFFF;
            if (offset <= r.limit || last > top) return raise(vector, 0);
        } else if (last > r.limit && r.limit != 0xFFFFFFFF) {
            // A segment of all 4 GiB wraps around.
            return raise(vector, 0);
        }
        a = (r.base + offset) & 0xFFFFFFFF;
    }
    if (alignment_checks_ && size <= 8 && (size & (size - 1)) == 0 && (a & (size - 1)) != 0)
        return raise(Vector::ac, 0);
    if (data_breakpoints_) check_data_breakpoints(a, size, access);
    linear_ = a;
    return true;
}

// SDM vol. 3B 18.2.4: data breakpoints are traps, reported behind the instruction.
void Core::check_data_breakpoints(u64 linear, unsigned size, Access access) {
    for (unsigned n = 0; n < 4; ++n) {
        if (!(state.dr[7] >> (2 * n) & 3)) continue;
        const unsigned kind = state.dr[7] >> (16 + 4 * n) & 3;
        if (!(kind & 1) || (kind == 1 && access != Access::write)) continue;
        static constexpr u64 kLength[4] = {1, 2, 8, 4};
        const u64 length = kLength[state.dr[7] >> (18 + 4 * n) & 3];
        const u64 base = state.dr[n] & ~(length - 1);
        if (linear < base + length && base < linear + size) {
            state.pending_debug |= u64{1} << n;
            attention = true;
        }
    }
}

bool Core::translate(u64 linear, Access access, Privilege privilege, PhysicalAddress& out) {
    const Translation t = mmu.translate(linear, access, privilege);
    if (!t.ok)
        return raise(Fault{
            .vector = Vector::pf, .has_error_code = true, .error_code = t.error_code, .address = linear});
    out = t.address;
    return true;
}

namespace {

// The widest access that registers see: a power of two, at most 8.
unsigned piece(unsigned size) {
    return size >= 8 ? 8 : size >= 4 ? 4 : size >= 2 ? 2 : 1;
}

}  // namespace

bool Core::read_physical(PhysicalAddress address, u8* out, unsigned size) {
    const PhysicalMap::Target t = memory.read_target(address & ~kPageMask);
    if (t.host != nullptr) {
        std::memcpy(out, t.host + (address & kPageMask), size);
        return true;
    }
    while (size != 0) {
        const unsigned n = piece(size);
        const u64 v = memory.read(address, n);
        std::memcpy(out, &v, n);
        out += n;
        address += n;
        size -= n;
    }
    return true;
}

void Core::write_physical(PhysicalAddress address, const u8* data, unsigned size) {
    const PhysicalAddress page = address & ~kPageMask;
    const PhysicalMap::Target t = memory.write_target(page);
    if (t.host != nullptr) {
        std::memcpy(t.host + (address & kPageMask), data, size);
        if (memory.flags(page) != 0) memory.notify_written(address, size);
        return;
    }
    while (size != 0) {
        const unsigned n = piece(size);
        u64 v = 0;
        std::memcpy(&v, data, n);
        memory.write(address, v, n);
        data += n;
        address += n;
        size -= n;
    }
}

bool Core::load_slow(u64 linear, void* value, unsigned size, Privilege privilege) {
    sync();
    u8* out = static_cast<u8*>(value);
    const unsigned first = static_cast<unsigned>(std::min<u64>(size, kPageSize - (linear & kPageMask)));
    PhysicalAddress a = 0, b = 0;
    if (!translate(linear, Access::read, privilege, a)) return false;
    if (first != size && !translate((linear + first) & linear_mask_, Access::read, privilege, b))
        return false;
    read_physical(a, out, first);
    if (first != size) read_physical(b, out + first, size - first);
    return true;
}

bool Core::store_slow(u64 linear, const void* value, unsigned size, Privilege privilege) {
    sync();
    const u8* data = static_cast<const u8*>(value);
    const unsigned first = static_cast<unsigned>(std::min<u64>(size, kPageSize - (linear & kPageMask)));
    PhysicalAddress a = 0, b = 0;
    if (!translate(linear, Access::write, privilege, a)) return false;
    if (first != size && !translate((linear + first) & linear_mask_, Access::write, privilege, b))
        return false;
    write_physical(a, data, first);
    if (first != size) write_physical(b, data + first, size - first);
    return true;
}

bool Core::probe_write(u64 linear, unsigned size) {
    sync();
    const u64 last = (linear + size - 1) & linear_mask_;
    PhysicalAddress a;
    if (!translate(linear, Access::write, mmu.privilege(), a)) return false;
    return (linear ^ last) < kPageSize || translate(last & ~kPageMask, Access::write, mmu.privilege(), a);
}

bool Core::probe_read(u64 linear, unsigned size) {
    sync();
    const u64 last = (linear + size - 1) & linear_mask_;
    PhysicalAddress a;
    if (!translate(linear, Access::read, mmu.privilege(), a)) return false;
    return (linear ^ last) < kPageSize || translate(last & ~kPageMask, Access::read, mmu.privilege(), a);
}

bool Core::load_linear_miss(u64 linear, unsigned size) {
    return load_slow(linear, scratch_.data(), size, mmu.privilege());
}

bool Core::store_linear_miss(u64 linear, unsigned size) {
    return store_slow(linear, scratch_.data(), size, mmu.privilege());
}

bool Core::load_miss(Seg s, u64 offset, unsigned size) {
    return linear_miss(s, offset, size, Access::read) &&
           load_slow(linear_, scratch_.data(), size, mmu.privilege());
}

bool Core::store_miss(Seg s, u64 offset, unsigned size) {
    return linear_miss(s, offset, size, Access::write) &&
           store_slow(linear_, scratch_.data(), size, mmu.privilege());
}

bool Core::load_for_update_miss(Seg s, u64 offset, unsigned size) {
    if (!linear_miss(s, offset, size, Access::write)) return false;
    if (!probe_write(linear_, size)) return false;
    return load_slow(linear_, scratch_.data(), size, mmu.privilege());
}

void Core::update_miss(unsigned size) {
    (void)store_slow(linear_, scratch_.data(), size, mmu.privilege());
}

Core::WatchedSpan Core::watched_span(Seg s, u64 offset, u64 bytes) {
    sync();
    if (!spans_write(s, offset, bytes)) return {};
    const u64 linear = linear_of(s, offset);
    if ((linear & kPageMask) + bytes > kPageSize) return {};
    const Translation t = mmu.translate(linear, Access::write, mmu.privilege());
    if (!t.ok) return {};
    u8* const page = memory.write_target(t.address & ~kPageMask).host;
    if (page == nullptr) return {};
    for (const u64 code : {code_linear(rip), code_linear(next_rip - 1)}) {
        const Translation running = mmu.translate(code, Access::execute, mmu.privilege());
        if (!running.ok || memory.read_target(running.address & ~kPageMask).host == page) return {};
    }
    return {page + (t.address & kPageMask), t.address};
}

u64 Core::stack_pointer() const {
    const u64 sp = state.gpr[rsp];
    return mode.stack_size == 8 ? sp : mode.stack_size == 4 ? static_cast<u32>(sp) : static_cast<u16>(sp);
}

void Core::set_stack_pointer(u64 value) {
    if (mode.stack_size == 8) {
        state.gpr[rsp] = value;
    } else if (mode.stack_size == 4) {
        state.gpr[rsp] = static_cast<u32>(value);
    } else {
        set_reg<u16>(rsp, static_cast<u16>(value));
    }
}

bool Core::push(u64 value, unsigned size) {
    const u64 mask = mode.stack_size == 8 ? ~u64{0} : mode.stack_size == 4 ? 0xFFFFFFFF : 0xFFFF;
    const u64 sp = (state.gpr[rsp] - size) & mask;
    const bool ok = size == 8   ? store<u64>(Seg::ss, sp, value)
                    : size == 4 ? store<u32>(Seg::ss, sp, static_cast<u32>(value))
                                : store<u16>(Seg::ss, sp, static_cast<u16>(value));
    if (!ok) return false;
    set_stack_pointer(sp);
    return true;
}

bool Core::pop(u64& value, unsigned size) {
    const u64 sp = stack_pointer();
    if (size == 8) {
        if (!load<u64>(Seg::ss, sp, value)) return false;
    } else if (size == 4) {
        u32 v;
        if (!load<u32>(Seg::ss, sp, v)) return false;
        value = v;
    } else {
        u16 v;
        if (!load<u16>(Seg::ss, sp, v)) return false;
        value = v;
    }
    set_stack_pointer(sp + size);
    return true;
}

}  // namespace mynah
