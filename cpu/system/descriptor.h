// Segment descriptors (SDM vol. 3A ch. 3 and 7) and what the system instructions need of memory around them.
#pragma once

#include <initializer_list>

#include "cpu/core.h"

namespace mynah {

// Types of system descriptors (SDM vol. 3A table 3-2).
enum class SystemType : u8 {
    tss16 = 1,
    ldt = 2,
    tss16_busy = 3,
    call_gate16 = 4,
    task_gate = 5,
    interrupt_gate16 = 6,
    trap_gate16 = 7,
    tss32 = 9,
    tss32_busy = 11,
    call_gate32 = 12,
    interrupt_gate32 = 14,
    trap_gate32 = 15,
};

// Eight bytes of a descriptor table, with the upper eight of the 16-byte ones.
struct Descriptor {
    u64 low = 0;
    u64 high = 0;
    u64 address = 0;  // linear, of `low`
    u16 selector = 0;

    u16 attributes() const { return static_cast<u16>((low >> 40 & 0xFF) | (low >> 44 & 0xF00)); }
    u64 base() const { return (low >> 16 & 0xFFFFFF) | (low >> 32 & 0xFF000000) | high << 32; }
    u32 limit() const {
        const u32 limit = static_cast<u32>((low & 0xFFFF) | (low >> 32 & 0xF0000));
        return low >> 55 & 1 ? limit << 12 | 0xFFF : limit;
    }
    unsigned type() const { return low >> 40 & 15; }
    SystemType system_type() const { return static_cast<SystemType>(type()); }
    bool segment() const { return low >> 44 & 1; }  // S: code or data
    bool present() const { return low >> 47 & 1; }
    unsigned dpl() const { return low >> 45 & 3; }
    bool is_code() const { return segment() && (type() & 8); }
    bool is_data() const { return segment() && !(type() & 8); }
    bool writable_data() const { return is_data() && (type() & 2); }
    bool conforming() const { return type() & 4; }
    bool readable() const { return is_data() || (type() & 2); }
    bool long_code() const { return low >> 53 & 1; }
    bool big() const { return low >> 54 & 1; }
    // Gates.
    u16 gate_selector() const { return static_cast<u16>(low >> 16); }
    u64 gate_offset16() const { return low & 0xFFFF; }
    u64 gate_offset32() const { return (low & 0xFFFF) | (low >> 32 & 0xFFFF0000); }
    u64 gate_offset64() const { return gate_offset32() | high << 32; }
    unsigned gate_count() const { return low >> 32 & 31; }
    unsigned gate_ist() const { return low >> 32 & 7; }

    SegmentRegister to_register(u16 sel) const {
        SegmentRegister r;
        r.selector = sel;
        r.attributes = attributes();
        r.limit = limit();
        r.base = base();
        return r;
    }
};

inline bool null_selector(u16 selector) {
    return (selector & 0xFFFC) == 0;
}
inline bool canonical(u64 address) {
    return sign_extend(address, 48) == address;
}

// #vector(selector + ext).
bool raise_selector(Core& core, Vector vector, u16 selector, u32 ext = 0);

// --- memory with an explicit privilege, of 1 to 8 bytes at any address ---
bool read_memory(Core& core, u64 linear, void* out, unsigned size, Privilege privilege);
bool write_memory(Core& core, u64 linear, const void* data, unsigned size, Privilege privilege);
bool probe_memory(Core& core, u64 linear, unsigned size, Access access, Privilege privilege);
// Implicit supervisor accesses.
template <class T>
bool read_system(Core& core, u64 linear, T& value) {
    return read_memory(core, linear, &value, sizeof value, Privilege::supervisor);
}
template <class T>
bool write_system(Core& core, u64 linear, T value) {
    return write_memory(core, linear, &value, sizeof value, Privilege::supervisor);
}
// Of ordinary accesses at `cpl`.
Privilege privilege_at(const Core& core, unsigned cpl);

// --- descriptor tables ---
// Reads a descriptor from the GDT or LDT; #vector(selector + ext) when it is outside. `wide`: 16 bytes.
bool read_descriptor(Core& core, u16 selector, Vector vector, u32 ext, Descriptor& out, bool wide = false);
// The same without faults of its own (LAR, LSL, VERR...): false in `found` when outside. False: a page fault.
bool find_descriptor(Core& core, u16 selector, Descriptor& out, bool& found);
// Sets the accessed bit in memory (SDM vol. 3A 3.4.5.1), if it is not set. May fault.
bool mark_accessed(Core& core, Descriptor& d);
// Sets or clears bit 1 of the type of a TSS descriptor.
bool mark_busy(Core& core, const Descriptor& d, bool busy);

// --- segments ---
// MOV, POP, LDS... to ES, SS, DS, FS, GS (SDM vol. 2 MOV).
bool load_segment(Core& core, Seg seg, u16 selector);
// The same to DS, ES, FS or GS where there are descriptors, at CPL 0, of what was loaded before and has not
// changed. False: it is not as simple as that, and nothing has happened.
bool reload_segment(Core& core, Seg seg, u16 selector);
// Real and virtual-8086 mode: base, selector; the rest where that mode fixes it.
void load_real_segment(Core& core, Seg seg, u16 selector);
// The segment register for a null selector in `seg`.
void load_null_segment(Core& core, Seg seg, u16 selector);
// After a return to an outer level: data segments that it may not use become null.
void drop_inner_segments(Core& core, unsigned cpl);

// Checks of a code segment that both widths share. The limit or canonical check of `offset`: #GP(ext).
bool check_code_offset(Core& core, const SegmentRegister& cs, u64 offset, u32 ext = 0);
// CS for the transfer, at `cpl`; the accessed bit must be set by then.
SegmentRegister code_register(const Descriptor& d, unsigned cpl);
// A segment register with no segment, that remembers the CPL where it is SS.
SegmentRegister null_register(u16 selector, unsigned dpl);

// --- stacks ---
// Values to be pushed on a stack that is not (yet) the current one. All limits and pages are checked before
// the first is written.
class StackFrame {
  public:
    // `width`: bytes of the stack pointer in use.
    StackFrame(Core& core, const SegmentRegister& ss, u64 sp, unsigned width, Privilege privilege)
        : core_(core), ss_(ss), sp_(sp), width_(width), privilege_(privilege) {}
    void push(u64 value, unsigned size);
    // `fault_selector`: of the #SS.
    bool check(u16 fault_selector, u32 ext);
    void write();
    u64 sp() const { return sp_; }

  private:
    struct Item {
        u64 linear;
        u64 offset;
        u64 value;
        unsigned size;
    };
    Core& core_;
    SegmentRegister ss_;
    u64 sp_;
    unsigned width_;
    Privilege privilege_;
    std::array<Item, 48> items_;
    unsigned count_ = 0;
};

// Reads items from the current stack without moving the stack pointer.
class StackReader {
  public:
    explicit StackReader(Core& core) : core_(core), sp_(core.stack_pointer()) {}
    bool pop(u64& value, unsigned size);
    void skip(u64 bytes) { sp_ = cut(sp_ + bytes); }
    u64 sp() const { return sp_; }

  private:
    u64 cut(u64 sp) const {
        return core_.mode.stack_size == 8   ? sp
               : core_.mode.stack_size == 4 ? static_cast<u32>(sp)
                                            : static_cast<u16>(sp);
    }
    Core& core_;
    u64 sp_;
};

inline unsigned stack_width(const SegmentRegister& ss, bool long_stack) {
    return long_stack ? 8 : ss.big() ? 4 : 2;
}
// Writes SP, ESP or RSP as the stack's width says.
void set_stack_pointer(Core& core, u64 value, unsigned width);
// Is [offset, offset + size) inside the (data) segment?
bool within_limit(const SegmentRegister& r, u64 offset, unsigned size);

}  // namespace mynah
