// What a loader yields: bytes to write into RAM, and the processor's state at the kernel's first instruction.
#pragma once

#include <string>
#include <vector>

#include "base/types.h"
#include "bios/bytes.h"
#include "mmu/physical_map.h"

namespace mynah {

// `data`, then zeros up to `size` bytes (size >= data.size()).
struct MemorySegment {
    PhysicalAddress address = 0;
    Bytes data;
    u64 size = 0;
    std::string name;
};

// A segment register with its hidden part, laid out as in cpu/cpu_state.h: descriptor bits 40-47 in 0-7 of
// `attributes`, 52-55 in 8-11; `limit` in bytes.
struct EntrySegment {
    u16 selector = 0;
    u16 attributes = 0;
    u32 limit = 0;
    u64 base = 0;
};

// Everything not named here is as after reset. Interrupts are off.
struct CpuEntry {
    enum class Mode : u8 { protected32, long64 };
    Mode mode = Mode::protected32;
    u64 rip = 0, rsp = 0;
    u64 rax = 0, rbx = 0, rcx = 0, rdx = 0, rsi = 0, rdi = 0, rbp = 0;
    u32 eflags = 2;
    EntrySegment code;
    EntrySegment data;  // DS, ES, SS, FS and GS
    EntrySegment task;  // TR
    u64 gdt_base = 0;
    u16 gdt_limit = 0;
    u16 idt_limit = 0;  // IDT base 0: an exception before the kernel's own IDT is a triple fault
    u64 cr0 = 0, cr3 = 0, cr4 = 0, efer = 0;
};

struct BootImage {
    std::string format;  // "bzImage, protocol 2.15, 64-bit entry": for logs
    std::vector<MemorySegment> segments;
    CpuEntry entry;
};

// Flat code and data segments, a GDT that holds them (to be written at `gdt_base`) and control registers of
// the mode without paging tables. `task`: a busy 32-bit TSS of 67h bytes at 0, as PVH asks for.
CpuEntry flat_entry(CpuEntry::Mode mode, PhysicalAddress gdt_base);
// Null, null, code (10h), data (18h), TSS (20h).
MemorySegment flat_gdt(CpuEntry::Mode mode, PhysicalAddress gdt_base);

}  // namespace mynah
