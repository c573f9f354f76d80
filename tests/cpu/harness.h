// A processor with RAM and nothing else, for tests: code is written to memory, state is set, instructions
// run.
#pragma once

#include <cstring>
#include <memory>
#include <span>
#include <string_view>

#include "base/log.h"
#include "cpu/cpu.h"
#include "mmu/physical_map.h"
#include "support/engine.h"

namespace mynah::test {

class FakeHost final : public CpuHost {
  public:
    u32 port_read(u16, unsigned width) override { return width == 4 ? ~0u : (1u << (8 * width)) - 1; }
    void port_write(u16, u32, unsigned) override {}
    u8 interrupt_acknowledge() override { return vector; }
    Nanoseconds now() override { return cpu != nullptr ? cpu->instructions() : 0; }
    void arm_apic_timer(Nanoseconds) override {}
    void cancel_apic_timer() override {}
    void broadcast_eoi(u8) override {}
    void set_ferr(bool) override {}
    bool ignne() override { return false; }
    u64 random() override { return 0x0123456789ABCDEF; }

    Cpu* cpu = nullptr;
    u8 vector = 0x20;
};

class Box {
  public:
    explicit Box(u64 ram = 16 * MiB, std::string_view model = "max", Engine engine = engine_of_environment(),
                 const JitOptions& options = {}, u32 heat = 0)
        : memory(std::move(*PhysicalMap::create(ram))),
          cpu(std::move(*Cpu::create(model, *memory, host, log, accelerator(engine, use, options), heat))) {
        host.cpu = cpu.get();
    }

    FakeHost host;
    Log log;
    EngineUse use;
    std::unique_ptr<PhysicalMap> memory;
    std::unique_ptr<Cpu> cpu;

    CpuState& state() { return cpu->state(); }
    void write(u64 address, std::span<const u8> bytes) { memory->write(address, bytes); }
    void write(u64 address, std::initializer_list<u8> bytes) {
        write(address, std::span(bytes.begin(), bytes.size()));
    }
    u64 read(u64 address, unsigned width = 8) { return memory->read(address, width); }

    // Flat segments of all 4 GiB at CPL 0, no paging. 4: 32-bit code.
    void flat(u8 code_size = 4) {
        CpuState& s = state();
        s.cr0 |= cr0::pe;
        for (unsigned n = 0; n < 6; ++n)
            s.segs[n] = {.selector = static_cast<u16>(n == 1 ? 8 : 16),
                         .attributes = static_cast<u16>((n == 1 ? 0x9B : 0x93) | 0xC00),
                         .limit = 0xFFFFFFFF,
                         .base = 0};
        if (code_size == 2) s.seg(Seg::cs).attributes &= ~0x400;
        if (code_size == 8) long_mode();
        cpu->state_changed();
    }
    // 64-bit code; the first 1 GiB is mapped to itself and at FFFF800000000000h by 2 MiB pages, tables at
    // F00000h.
    void long_mode() {
        CpuState& s = state();
        constexpr u64 kTables = 0xF00000;
        memory->write(kTables, kTables + 0x1007, 8);
        memory->write(kTables + 0x800, kTables + 0x1007, 8);
        memory->write(kTables + 0x1000, kTables + 0x2007, 8);
        for (u64 n = 0; n < 512; ++n) memory->write(kTables + 0x2000 + 8 * n, n << 21 | 0x87, 8);
        s.cr3 = kTables;
        s.cr4 |= cr4::pae | cr4::pge;
        s.efer |= efer::lme | efer::lma | efer::nxe;
        s.cr0 |= cr0::pg | cr0::wp;
        s.seg(Seg::cs).attributes = 0x29B | 0x800;
    }
};

}  // namespace mynah::test
