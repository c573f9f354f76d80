// The processor as instruction functions see it: state, memory access, the fault latch and the current mode.
//
// Functions return false when the instruction stream stops here: a fault is latched, or `attention` asks the
// run loop to look (interrupts enabled, mode or code changed). Nothing the guest can see changes before the
// last possible fault of an instruction.
#pragma once

#include "base/log.h"
#include "cpu/cpu_host.h"
#include "cpu/cpu_state.h"
#include "cpu/decoder.h"
#include "cpu/fault.h"
#include "cpu/insn.h"
#include "mmu/mmu.h"

namespace mynah {

class LocalApic;
struct CpuModel;
struct Entry;
struct Block;
class BlockCache;

// What follows from CR0, EFER, EFLAGS.VM, CS and SS; renewed by Core::update_mode().
struct Mode {
    u8 code_size = 2;   // default operand/address size in bytes: 2, 4, or 8 for 64-bit code
    u8 stack_size = 2;  // bytes of SP in use: 2, 4, 8
    u8 cpl = 0;
    bool protected_mode = false;  // CR0.PE
    bool v8086 = false;
    bool long_mode = false;  // EFER.LMA
    bool code64() const { return code_size == 8; }
    // Protected mode proper: descriptors rule (not real, not virtual-8086).
    bool descriptors() const { return protected_mode && !v8086; }
    bool operator==(const Mode&) const = default;
};

class Core {
  public:
    Core(const CpuModel& model, Mmu& mmu, PhysicalMap& memory, CpuHost& host, Log& log);
    Core(const Core&) = delete;
    Core& operator=(const Core&) = delete;

    CpuState state;
    Mode mode;
    const CpuModel& model;
    Mmu& mmu;
    PhysicalMap& memory;
    CpuHost& host;
    Log& log;
    LocalApic* apic = nullptr;  // null on models without one

    // --- the current instruction. Kept by the interpreter; `state.rip` is exact only between instructions.
    // ---
    u64 rip = 0;       // of the current instruction
    u64 next_rip = 0;  // behind it; a branch stores its target here

    // --- faults ---
    Fault fault;
    bool faulted = false;
    // Latch a fault; return false, to be returned on.
    [[gnu::cold]] bool raise(Vector vector);
    [[gnu::cold]] bool raise(Vector vector, u32 error_code);
    [[gnu::cold]] bool raise(const Fault& f);

    // Deliveries of faults without an instruction between them.
    struct Storm {
        u64 at = 0;  // `retired` at the last one
        u32 deliveries = 0;
    };
    Storm storm;

    // --- events. Set by pins and by instructions; the run loop looks between instructions when it is set.
    // ---
    bool attention = false;
    // When the run loop last looked, an interrupt was pending that EFLAGS.IF held back. Who sets IF has to
    // look again if this or `attention` is set, and for nothing else.
    bool interrupt_waits = false;
    bool exit_requested = false;  // by Cpu::request_exit(), until the run loop has left
    bool intr_pin = false;
    // Instructions retired since reset, exact at the current one (REP: each iteration counts).
    u64 retired = 0;
    // The run loop stops before `retired` would pass this.
    u64 stop_at = 0;
    // Is this the boundary after an iteration of a repeated instruction that goes on? Then RF is set in what
    // events push, and the instruction's breakpoint does not hit again (SDM vol. 3B 18.3.1.1).
    bool in_repeat() const { return repeat_pause == retired; }
    u64 repeat_pause = ~u64{0};  // `retired` at that boundary

    // --- mode ---
    // After any change of CR0, CR3, CR4, EFER, EFLAGS.VM/AC, CS, SS or a segment's hidden part: mode, MMU
    // controls and privilege, flat-segment shortcuts.
    // `stack_and_code`: of the segments only CS and SS are others than at the last call.
    enum class Changed : u8 { anything, stack_and_code };
    void update_mode(Changed which = Changed::anything);
    // The same after a change of EFLAGS.AC at CPL 0.
    void update_privilege();
    // The same after the load of one segment register.
    void update_segment(Seg s);
    unsigned cpl() const { return mode.cpl; }
    // Gives FS or GS another base, in 64-bit code: nothing else depends on it.
    void set_base64(Seg s, u64 base) {
        state.seg(s).base = base;
        shortcuts_[static_cast<unsigned>(s)].base = base;
    }

    // --- memory: linear, with the privilege of the current CPL ---
    template <class T>
    [[nodiscard]] bool load_linear(u64 linear, T& value) {
        if (const u8* p = mmu.fast_read(linear, sizeof(T))) [[likely]] {
            value = load_le<T>(p);
            return true;
        }
        if (!load_linear_miss(linear, sizeof(T))) return false;
        value = load_le<T>(scratch_.data());
        return true;
    }
    template <class T>
    [[nodiscard]] bool store_linear(u64 linear, T value) {
        if (u8* p = mmu.fast_write(linear, sizeof(T))) [[likely]] {
            store_le(p, value);
            return true;
        }
        store_le(scratch_.data(), value);
        return store_linear_miss(linear, sizeof(T));
    }
    // True if a store of `size` bytes would not fault; sets A and D as the store will. Read-modify-write
    // instructions and multi-word pushes probe first.
    [[nodiscard]] bool probe_write(u64 linear, unsigned size);
    [[nodiscard]] bool probe_read(u64 linear, unsigned size);
    // Implicit supervisor accesses: descriptor tables, TSS.
    template <class T>
    [[nodiscard]] bool load_system(u64 linear, T& value) {
        return load_slow(linear, &value, sizeof(T), Privilege::supervisor);
    }
    template <class T>
    [[nodiscard]] bool store_system(u64 linear, T value) {
        return store_slow(linear, &value, sizeof(T), Privilege::supervisor);
    }
    // 1 to 64 bytes with the given privilege; may cross a page; both pages are checked before anything is
    // written.
    [[nodiscard]] bool load_slow(u64 linear, void* value, unsigned size, Privilege privilege);
    [[nodiscard]] bool store_slow(u64 linear, const void* value, unsigned size, Privilege privilege);

    // --- memory: segmented. `offset` is already cut to the address size. ---
    // Checks type, limit, canonical form and alignment, gives the linear address; #SS(0) for SS, else #GP(0).
    [[nodiscard]] bool linear(Seg s, u64 offset, unsigned size, Access access, u64& out) {
        if (!linear_miss(s, offset, size, access)) return false;
        out = linear_;
        return true;
    }
    template <class T>
    [[nodiscard]] bool load(Seg s, u64 offset, T& value) {
        if (const u8* p = fast_load(s, offset, sizeof(T))) [[likely]] {
            value = load_le<T>(p);
            return true;
        }
        if (!load_miss(s, offset, sizeof(T))) return false;
        value = load_le<T>(scratch_.data());
        return true;
    }
    template <class T>
    [[nodiscard]] bool store(Seg s, u64 offset, T value) {
        if (u8* p = fast_store(s, offset, sizeof(T))) [[likely]] {
            store_le(p, value);
            return true;
        }
        store_le(scratch_.data(), value);
        return store_miss(s, offset, sizeof(T));
    }

    // --- the parts of load() and store(), for engines. Values travel in scratch(), so that no caller has to
    // hand out the address of a local (which would keep it from ending in a tail call). ---
    const u8* fast_load(Seg s, u64 offset, unsigned size) const {
        const SegShortcut& c = shortcuts_[static_cast<unsigned>(s)];
        if (offset + size > c.read_end) [[unlikely]]
            return nullptr;
        return mmu.fast_read((c.base + offset) & linear_mask_, size);
    }
    u8* fast_store(Seg s, u64 offset, unsigned size) const {
        const SegShortcut& c = shortcuts_[static_cast<unsigned>(s)];
        if (offset + size > c.write_end) [[unlikely]]
            return nullptr;
        return mmu.fast_write((c.base + offset) & linear_mask_, size);
    }
    [[nodiscard, gnu::cold]] bool load_miss(Seg s, u64 offset, unsigned size);   // into scratch()
    [[nodiscard, gnu::cold]] bool store_miss(Seg s, u64 offset, unsigned size);  // from scratch()
    // First half of a read-modify-write: checks for the write, loads into scratch(); update_miss() stores
    // from there and cannot fail.
    [[nodiscard, gnu::cold]] bool load_for_update_miss(Seg s, u64 offset, unsigned size);
    [[gnu::cold]] void update_miss(unsigned size);
    u8* scratch() { return scratch_.data(); }
    // For spans: the linear address of an offset that passed fast_load() or fast_store(), and whether a whole
    // span is as free of checks.
    u64 linear_of(Seg s, u64 offset) const {
        return (shortcuts_[static_cast<unsigned>(s)].base + offset) & linear_mask_;
    }
    bool spans_read(Seg s, u64 offset, u64 bytes) const {
        return offset + bytes <= shortcuts_[static_cast<unsigned>(s)].read_end;
    }
    bool spans_write(Seg s, u64 offset, u64 bytes) const {
        return offset + bytes <= shortcuts_[static_cast<unsigned>(s)].write_end;
    }

    // RAM that a span of `bytes` within a page may be stored to at once though somebody watches the frame:
    // they are told by span_stored(). Null: not that simple, or the running code is in there.
    struct WatchedSpan {
        u8* host = nullptr;
        PhysicalAddress address = 0;
    };
    [[gnu::cold]] WatchedSpan watched_span(Seg s, u64 offset, u64 bytes);
    void span_stored(const WatchedSpan& span, u64 bytes) { memory.notify_written(span.address, bytes); }

    // --- operands ---
    // Offset of the memory operand, cut to the address size.
    u64 effective_address(const Insn& i) const {
        u64 a = static_cast<u64>(static_cast<i64>(i.disp));
        a += i.base == kRip ? next_rip : state.gpr[i.base];
        a += state.gpr[i.index] << i.scale;
        return i.asize == 8 ? a : i.asize == 4 ? static_cast<u32>(a) : static_cast<u16>(a);
    }
    template <class T>
    [[nodiscard]] bool load_operand(const Insn& i, T& value) {
        return load(i.seg, effective_address(i), value);
    }
    template <class T>
    [[nodiscard]] bool store_operand(const Insn& i, T value) {
        return store(i.seg, effective_address(i), value);
    }
    // Register by number; 8-bit numbers as in Insn.
    template <class T>
    T reg(unsigned n) const {
        if constexpr (sizeof(T) == 1) {
            return static_cast<T>(n < kHighByte ? state.gpr[n] : state.gpr[n - kHighByte] >> 8);
        } else {
            return static_cast<T>(state.gpr[n]);
        }
    }
    // Writing 32 bits clears the upper half (SDM vol. 1 3.4.1.1).
    template <class T>
    void set_reg(unsigned n, T value) {
        if constexpr (sizeof(T) == 1) {
            u8* p = reinterpret_cast<u8*>(&state.gpr[n & 15]);
            p[n >> 4] = value;
        } else if constexpr (sizeof(T) == 2) {
            store_le(&state.gpr[n], value);
        } else {
            state.gpr[n] = value;
        }
    }

    // --- stack. `size` 2, 4 or 8 bytes an item; the stack pointer moves only when everything succeeded. ---
    [[nodiscard]] bool push(u64 value, unsigned size);
    [[nodiscard]] bool pop(u64& value, unsigned size);
    u64 stack_pointer() const;          // RSP cut to the stack size
    void set_stack_pointer(u64 value);  // writes SP, ESP or RSP

    // --- the running block. Inside one only these move; rip, next_rip and retired follow on demand. ---
    const Entry* current = nullptr;  // set before what may need sync(); null outside of blocks
    const Block* block = nullptr;
    u64 block_rip = 0;      // RIP of the block's start
    u64 block_retired = 0;  // `retired` at the block's start
    u64 block_limit = 0;    // no block may begin that would pass this
    u64 code_end = 0;       // one past the CS limit; all ones in 64-bit code
    u64 rip_mask = 0xFFFF;  // sequential flow wraps here
    u32 block_key = 0;      // what predecoded blocks assume of the mode
    DecodeMode decode_mode;
    BlockCache* blocks = nullptr;
    u32 block_heat = ~u32{0};  // of a new block
    // `n` iterations of a repeated instruction are done, and another follows.
    void retire_iterations(u64 n) {
        block_retired += n;
        retired += n;
    }
    // Makes rip, next_rip and retired exact for `current`.
    void sync();
    // Linear address of an offset in CS.
    u64 code_linear(u64 offset) const {
        return (shortcuts_[static_cast<unsigned>(Seg::cs)].base + offset) & linear_mask_;
    }

    struct SegShortcut {
        u64 base = 0;
        // Exclusive ends of what may be accessed with no further check; 0 sends everything to the slow path
        // (expand-down, unusable, alignment checks or data breakpoints on).
        u64 read_end = 0;
        u64 write_end = 0;
        bool operator==(const SegShortcut&) const = default;
    };
    // A bit for each that has base 0 and no end below 4 GiB, for reads and writes (CS: for reads).
    u8 flat_segments() const { return flat_segments_; }
    const SegShortcut& shortcut(Seg s) const { return shortcuts_[static_cast<unsigned>(s)]; }

    // What a data segment register was when a descriptor of the GDT was loaded into it, for the last two
    // selectors, the latest first. As long as the descriptor is in its place a load of the selector at CPL 0
    // makes it that again.
    struct LoadedSegment {
        SegmentRegister segment{.attributes = 0xFFFF};  // as no register ever is
        u64 descriptor = 0;
        // Of accesses outside of 64-bit code.
        SegShortcut shortcut{};
    };
    std::array<std::array<LoadedSegment, 2>, 6> loaded_segments;

    // Belongs to an accelerator. It lies here because generated code reaches all state from one base.
    struct Accelerated {
        u64 budget = 0;  // instructions left, less those charged ahead
        u64 space = 0;   // what jump targets were looked up for, in bits 48-62
        const void* targets = nullptr;
        u64 value[4]{};       // scratch
        u64 spans[4]{};       // host addresses of what was checked together
        u64 stack_limit = 0;  // of the offset in a page of what is checked together
        u64 host_stack = 0;   // its pointer when code was entered
        u32 flags = 0;        // the arithmetic flags: OF in bit 0, SF ZF AF PF CF as LAHF puts them in 8-15
        u32 vectors_loaded = 0;  // vector registers and MXCSR are in the host's registers
        u32 x87_loaded = 0;      // likewise the x87
        u32 x87_last = 0;        // its last instruction, if the state's FIP, FOP and FCS are not of it
        u32 x87_operand = 0;     // the same of FDS: segment of the last operand, plus 1
        u32 host_mxcsr = 0x1F80;
        u32 mode_changes = 0;  // counts update_mode()
    };
    Accelerated accelerated;

  private:
    // Since update_mode() was last called, of CS, SS and EFLAGS.
    bool only_privilege_changed() const;
    void update_controls();
    void refresh_shortcut(unsigned n);
    // As linear(), into linear_.
    [[nodiscard]] bool linear_miss(Seg s, u64 offset, unsigned size, Access access);
    [[nodiscard, gnu::cold]] bool load_linear_miss(u64 linear, unsigned size);
    [[nodiscard, gnu::cold]] bool store_linear_miss(u64 linear, unsigned size);
    [[nodiscard]] bool translate(u64 linear, Access access, Privilege privilege, PhysicalAddress& out);
    bool read_physical(PhysicalAddress address, u8* out, unsigned size);
    void write_physical(PhysicalAddress address, const u8* data, unsigned size);
    void check_data_breakpoints(u64 linear, unsigned size, Access access);

    std::array<SegShortcut, 8> shortcuts_;
    std::array<SegmentRegister, 6> shortcut_made_from_{};
    u64 linear_mask_ = 0xFFFFFFFF;
    u64 linear_ = 0;
    bool data_breakpoints_ = false;
    bool alignment_checks_ = false;
    bool shortcuts_code64_ = false;
    bool shortcuts_descriptors_ = false;
    u8 flat_segments_ = 0;
    alignas(16) std::array<u8, 64> scratch_{};
};

}  // namespace mynah
