// The processor as instruction functions see it: state, memory access, the fault latch and the current mode.
//
// Functions return false when the instruction stream stops here: a fault is latched, or `attention` asks the run
// loop to look (interrupts enabled, mode or code changed). Nothing the guest can see changes before the last
// possible fault of an instruction.
#pragma once

#include "base/log.h"
#include "cpu/cpu_host.h"
#include "cpu/cpu_state.h"
#include "cpu/fault.h"
#include "cpu/insn.h"
#include "mmu/mmu.h"

namespace mynah {

class LocalApic;
struct CpuModel;

// What follows from CR0, EFER, EFLAGS.VM, CS and SS; renewed by Core::update_mode().
struct Mode {
    u8 code_size = 2;   // default operand/address size in bytes: 2, 4, or 8 for 64-bit code
    u8 stack_size = 2;  // bytes of SP in use: 2, 4, 8
    u8 cpl = 0;
    bool protected_mode = false;  // CR0.PE
    bool v8086 = false;
    bool long_mode = false;       // EFER.LMA
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

    // --- the current instruction. Kept by the interpreter; `state.rip` is exact only between instructions. ---
    u64 rip = 0;       // of the current instruction
    u64 next_rip = 0;  // behind it; a branch stores its target here

    // --- faults ---
    Fault fault;
    bool faulted = false;
    // Latch a fault; return false, to be returned on.
    [[gnu::cold]] bool raise(Vector vector);
    [[gnu::cold]] bool raise(Vector vector, u32 error_code);
    [[gnu::cold]] bool raise(const Fault& f);

    // --- events. Set by pins and by instructions; the run loop looks between instructions when it is set. ---
    bool attention = false;
    bool intr_pin = false;
    // Instructions retired since reset, exact at the current one (REP: each iteration counts).
    u64 retired = 0;
    // The run loop stops before `retired` would pass this.
    u64 stop_at = 0;

    // --- mode ---
    // After any change of CR0, CR3, CR4, EFER, EFLAGS.VM/AC, CS, SS or a segment's hidden part: mode, MMU controls and
    // privilege, flat-segment shortcuts.
    void update_mode();
    unsigned cpl() const { return mode.cpl; }

    // --- memory: linear, with the privilege of the current CPL ---
    template <class T>
    [[nodiscard]] bool load_linear(u64 linear, T& value) {
        if (const u8* p = mmu.fast_read(linear, sizeof(T))) [[likely]] {
            value = load_le<T>(p);
            return true;
        }
        return load_slow(linear, &value, sizeof(T), mmu.privilege());
    }
    template <class T>
    [[nodiscard]] bool store_linear(u64 linear, T value) {
        if (u8* p = mmu.fast_write(linear, sizeof(T))) [[likely]] {
            store_le(p, value);
            return true;
        }
        return store_slow(linear, &value, sizeof(T), mmu.privilege());
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
    // 1 to 64 bytes with the given privilege; may cross a page; both pages are checked before anything is written.
    [[nodiscard]] bool load_slow(u64 linear, void* value, unsigned size, Privilege privilege);
    [[nodiscard]] bool store_slow(u64 linear, const void* value, unsigned size, Privilege privilege);

    // --- memory: segmented. `offset` is already cut to the address size. ---
    // Checks type, limit and canonical form, gives the linear address; #SS(0) for SS, else #GP(0).
    [[nodiscard]] bool linear(Seg s, u64 offset, unsigned size, Access access, u64& out) {
        const SegShortcut& c = shortcuts_[static_cast<unsigned>(s)];
        if (access == Access::write ? c.flat_write : c.flat_read) [[likely]] {
            out = (c.base + offset) & linear_mask_;
            return true;
        }
        return linear_slow(s, offset, size, access, out);
    }
    template <class T>
    [[nodiscard]] bool load(Seg s, u64 offset, T& value) {
        u64 a;
        if (!linear(s, offset, sizeof(T), Access::read, a)) return false;
        return load_linear(a, value);
    }
    template <class T>
    [[nodiscard]] bool store(Seg s, u64 offset, T value) {
        u64 a;
        if (!linear(s, offset, sizeof(T), Access::write, a)) return false;
        return store_linear(a, value);
    }

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


  private:
    struct SegShortcut {
        u64 base = 0;
        bool flat_read = false;
        bool flat_write = false;
    };
    [[nodiscard]] bool linear_slow(Seg s, u64 offset, unsigned size, Access access, u64& out);

    std::array<SegShortcut, 8> shortcuts_;
    u64 linear_mask_ = 0xFFFFFFFF;
};

}  // namespace mynah
