// A core with hand-made descriptor tables, for tests of the system functions without the interpreter.
#pragma once

#include <gtest/gtest.h>

#include "cpu/apic/local_apic.h"
#include "cpu/harness.h"
#include "cpu/system/control.h"
#include "cpu/system/cpu_model.h"
#include "cpu/system/cpuid.h"
#include "cpu/system/msr.h"
#include "cpu/system/transfer.h"

namespace mynah::test {

class TimerHost final : public CpuHost {
  public:
    u32 port_read(u16, unsigned) override { return ~0u; }
    void port_write(u16, u32, unsigned) override {}
    u8 interrupt_acknowledge() override { return 0x20; }
    Nanoseconds now() override { return time; }
    void arm_apic_timer(Nanoseconds d) override { deadline = d; }
    void cancel_apic_timer() override { deadline = 0; }
    void broadcast_eoi(u8 v) override { eois.push_back(v); }
    void set_ferr(bool) override {}
    bool ignne() override { return false; }
    u64 random() override { return 1; }
    u64 wall_clock() override { return kWallClock; }

    static constexpr u64 kWallClock = 1'800'000'000;
    Nanoseconds time = 1000;
    Nanoseconds deadline = 0;
    std::vector<u8> eois;
};

// Selectors of the GDT below.
enum : u16 {
    kCode0 = 0x08,
    kData0 = 0x10,
    kCode3 = 0x1B,
    kData3 = 0x23,
    kTss = 0x28,    // busy, loaded
    kOther = 0x30,  // a second TSS, available
    kCode16 = 0x38,
    kConforming = 0x40,
    kFree = 0x48,  // for tests to fill
    kFree2 = 0x50,
    kCode64 = 0x60,
    kUser64 = 0x6B,
};

struct SystemTest : ::testing::Test {
    static constexpr u64 kGdt = 0x1000, kIdt = 0x2000, kTssBase = 0x4000, kOtherBase = 0x5000,
                         kStack0 = 0x9000, kStack3 = 0xA000;

    explicit SystemTest(std::string_view model = "max")
        : memory(std::move(PhysicalMap::create(16 * MiB)).value()),
          mmu(*memory),
          chosen(std::move(choose_cpu(model)).value()),
          core(chosen, mmu, *memory, host, log),
          apic(core.model, 0, core.state.msr.apic_base, host, *memory) {
        core.apic = &apic;
        descriptor(kCode0, 0, 0xFFFFFFFF, 0x9A, 0xC);
        descriptor(kData0, 0, 0xFFFFFFFF, 0x92, 0xC);
        descriptor(kCode3, 0, 0xFFFFFFFF, 0xFA, 0xC);
        descriptor(kData3, 0, 0xFFFFFFFF, 0xF2, 0xC);
        descriptor(kTss, kTssBase, 0x67, 0x8B, 0);
        descriptor(kOther, kOtherBase, 0x67, 0x89, 0);
        descriptor(kCode16, 0, 0xFFFF, 0x9A, 0);
        descriptor(kConforming, 0, 0xFFFFFFFF, 0x9E, 0xC);
        descriptor(kCode64, 0, 0xFFFFFFFF, 0x9A, 0xA);
        descriptor(kUser64, 0, 0xFFFFFFFF, 0xFA, 0xA);
        core.state.gdtr = {kGdt, 0xFF};
        core.state.idtr = {kIdt, 0x7FF};
        core.state.cr0 = cr0::pe | cr0::et;
        memory->write(kTssBase + 4, kStack0, 4);
        memory->write(kTssBase + 8, kData0, 4);
        memory->write(kTssBase + 102, 104, 2);
        core.state.seg(Seg::tr) = {.selector = kTss, .attributes = 0x8B, .limit = 0x67, .base = kTssBase};
        run_at(0);
    }

    void descriptor(u16 selector, u64 base, u32 limit, u8 access, u8 flags) {
        if (flags & 8) limit >>= 12;
        const u64 d = (limit & 0xFFFF) | (base & 0xFFFFFF) << 16 | u64{access} << 40 |
                      u64{limit >> 16 & 15} << 48 | u64{flags} << 52 | (base >> 24 & 0xFF) << 56;
        memory->write(kGdt + (selector & ~7u), d, 8);
    }
    void gate_at(u64 at, u16 selector, u32 offset, u8 access, u8 count = 0) {
        memory->write(at,
                      (offset & 0xFFFF) | u64{selector} << 16 | u64{count} << 32 | u64{access} << 40 |
                          u64{offset >> 16} << 48,
                      8);
    }
    void idt(u8 vector, u16 selector, u32 offset, u8 access) {
        gate_at(kIdt + vector * 8u, selector, offset, access);
    }
    void idt64(u8 vector, u16 selector, u64 offset, u8 access, u8 ist = 0) {
        gate_at(kIdt + vector * 16u, selector, static_cast<u32>(offset), access, ist);
        memory->write(kIdt + vector * 16u + 8, offset >> 32, 8);
    }

    // Flat segments at `cpl`, 32-bit code.
    void run_at(unsigned cpl) {
        CpuState& s = core.state;
        s.write_eflags(eflags::fixed);
        const u16 code = cpl == 0 ? kCode0 : kCode3, data = cpl == 0 ? kData0 : kData3;
        const u16 dpl = static_cast<u16>(cpl << 5);
        for (unsigned n = 0; n < 6; ++n) {
            s.segs[n] = {.selector = n == 1 ? code : data,
                         .attributes = static_cast<u16>((n == 1 ? 0xC9B : 0xC93) | dpl),
                         .limit = 0xFFFFFFFF,
                         .base = 0};
        }
        s.gpr[rsp] = cpl == 0 ? kStack0 : kStack3;
        core.rip = s.rip = 0x7000;
        core.next_rip = 0x7002;
        core.faulted = false;
        core.update_mode();
    }
    void v8086(unsigned iopl) {
        CpuState& s = core.state;
        s.write_eflags(eflags::fixed | eflags::vm | eflags::intr | iopl << 12);
        for (unsigned n = 0; n < 6; ++n) {
            s.segs[n] = {.selector = static_cast<u16>(0x100 * (n + 1)),
                         .attributes = 0xF3,
                         .limit = 0xFFFF,
                         .base = 0x1000u * (n + 1)};
        }
        s.gpr[rsp] = 0xFFE;
        core.rip = s.rip = 0x700;
        core.next_rip = 0x702;
        core.update_mode();
    }
    void real_mode() {
        CpuState& s = core.state;
        s.cr0 = cr0::et;
        s.write_eflags(eflags::fixed | eflags::intr);
        for (unsigned n = 0; n < 6; ++n) {
            s.segs[n] = {.selector = static_cast<u16>(0x100 * (n + 1)),
                         .attributes = 0x93,
                         .limit = 0xFFFF,
                         .base = 0x1000u * (n + 1)};
        }
        s.gpr[rsp] = 0xFFE;
        core.rip = s.rip = 0x700;
        core.next_rip = 0x702;
        core.update_mode();
    }
    // 64-bit code at CPL 0 or 3, the first GiB mapped to itself for both.
    void long_mode(unsigned cpl) {
        CpuState& s = core.state;
        constexpr u64 kTables = 0xF00000;
        memory->write(kTables, kTables + 0x1007, 8);
        memory->write(kTables + 0x1000, kTables + 0x2007, 8);
        for (u64 n = 0; n < 512; ++n) memory->write(kTables + 0x2000 + 8 * n, n << 21 | 0x87, 8);
        s.cr3 = kTables;
        s.cr4 |= cr4::pae;
        s.efer |= efer::lme | efer::lma | efer::sce;
        s.cr0 |= cr0::pg;
        s.idtr = {kIdt, 0xFFF};
        run_at(cpl);
        s.seg(Seg::cs) = {.selector = cpl ? u16{kUser64} : u16{kCode64},
                          .attributes = static_cast<u16>(0xA9B | cpl << 5),
                          .limit = 0xFFFFFFFF,
                          .base = 0};
        core.update_mode();
    }

    ::testing::AssertionResult faults(bool done, Vector vector, u32 error) {
        if (done) return ::testing::AssertionFailure() << "no fault";
        if (!core.faulted) return ::testing::AssertionFailure() << "nothing latched";
        core.faulted = false;
        if (core.fault.vector != vector || core.fault.error_code != error) {
            return ::testing::AssertionFailure() << "vector " << static_cast<unsigned>(core.fault.vector)
                                                 << " error " << std::hex << core.fault.error_code;
        }
        return ::testing::AssertionSuccess();
    }
    u64 at(u64 address, unsigned width = 4) { return memory->read(address, width); }
    u16 selector(Seg seg) { return core.state.seg(seg).selector; }

    TimerHost host;
    Log log;
    std::unique_ptr<PhysicalMap> memory;
    Mmu mmu;
    CpuModel chosen;
    Core core;
    LocalApic apic;
};

}  // namespace mynah::test
