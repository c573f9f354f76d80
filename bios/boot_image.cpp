#include "bios/boot_image.h"

namespace mynah {

namespace {

constexpr u16 kCode32 = 0xC9B;  // G D, present, ring 0, code, readable, accessed
constexpr u16 kCode64 = 0xA9B;  // G L
constexpr u16 kData = 0xC93;    // G B, data, writable, accessed
constexpr u16 kTask = 0x08B;    // busy 32-bit TSS

u64 descriptor(const EntrySegment& s) {
    const bool pages = s.attributes & 0x800;
    const u64 limit = pages ? s.limit >> 12 : s.limit;
    return (limit & 0xFFFF) | (s.base & 0xFFFFFF) << 16 | u64{s.attributes & 0xFFu} << 40 |
           (limit >> 16 & 0xF) << 48 | u64{s.attributes >> 8 & 0xFu} << 52 | (s.base >> 24 & 0xFF) << 56;
}

}  // namespace

CpuEntry flat_entry(CpuEntry::Mode mode, PhysicalAddress gdt_base) {
    CpuEntry e;
    e.mode = mode;
    const bool wide = mode == CpuEntry::Mode::long64;
    e.code = {0x10, wide ? kCode64 : kCode32, 0xFFFFFFFF, 0};
    e.data = {0x18, kData, 0xFFFFFFFF, 0};
    e.task = {0x20, kTask, 0x67, 0};
    e.gdt_base = gdt_base;
    e.gdt_limit = 5 * 8 + 7;  // in long mode the TSS descriptor has two halves
    e.cr0 = 0x11;             // PE, ET
    if (wide) {
        e.cr0 = 0x80000011;
        e.cr4 = 0x20;    // PAE
        e.efer = 0x500;  // LME, LMA
    }
    return e;
}

MemorySegment flat_gdt(CpuEntry::Mode mode, PhysicalAddress gdt_base) {
    const CpuEntry e = flat_entry(mode, gdt_base);
    ByteBuilder b;
    b.zeros(16);
    b.put64(descriptor(e.code));
    b.put64(descriptor(e.data));
    b.put64(descriptor(e.task));
    b.put64(0);
    const u64 size = b.size();
    return {gdt_base, b.take(), size, "GDT"};
}

}  // namespace mynah
