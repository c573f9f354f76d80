#include "diff/guest.h"

namespace mynah::test {
namespace {

// Supervisor memory.
constexpr u64 kGdt = 0x10000, kIdt = 0x11000, kTss = 0x12000, kHandlers = 0x13000, kStackTop = 0x16000;
constexpr u64 kTables = 0x20000;
constexpr u16 kKernelCode = 0x10, kTr = 0x40;

bool has_error_code(int vector) {
    return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17;
}

void load_fx(CpuState& s, const std::array<u8, 512>& fx) {
    X87State& x = s.x87;
    x.control = load_le<u16>(&fx[0]);
    x.status = load_le<u16>(&fx[2]);
    x.valid = fx[4];
    for (unsigned n = 0; n < 8; ++n) {
        auto& r = x.regs[(x.top() + n) & 7];
        r.significand = load_le<u64>(&fx[32 + 16 * n]);
        r.sign_exponent = load_le<u16>(&fx[40 + 16 * n]);
    }
    s.mxcsr = load_le<u32>(&fx[24]);
    for (unsigned n = 0; n < 16; ++n) {
        s.vec[n].q[0] = load_le<u64>(&fx[160 + 16 * n]);
        s.vec[n].q[1] = load_le<u64>(&fx[168 + 16 * n]);
    }
}

void store_fx(const CpuState& s, std::array<u8, 512>& fx) {
    const X87State& x = s.x87;
    fx.fill(0);
    store_le(&fx[0], x.control);
    store_le(&fx[2], x.status);
    fx[4] = x.valid;
    for (unsigned n = 0; n < 8; ++n) {
        const auto& r = x.regs[(x.top() + n) & 7];
        store_le(&fx[32 + 16 * n], r.significand);
        store_le(&fx[40 + 16 * n], r.sign_exponent);
    }
    store_le(&fx[24], s.mxcsr);
    for (unsigned n = 0; n < 16; ++n) {
        store_le(&fx[160 + 16 * n], s.vec[n].q[0]);
        store_le(&fx[168 + 16 * n], s.vec[n].q[1]);
    }
}

}  // namespace

GuestCpu::GuestCpu(std::string_view model) : box_(kData + kDataSize + MiB, model) {
    PhysicalMap& m = *box_.memory;
    auto put = [&](u64 a, u64 v) { m.write(a, v, 8); };
    // One table for each level; the windows lie in one 1 GiB region each a page directory entry of its own.
    constexpr u64 kPdpt = kTables + 0x1000, kPd = kTables + 0x2000, kLow = kTables + 0x3000;
    constexpr u64 kCodeTable = kTables + 0x4000, kDataTable = kTables + 0x5000;
    put(kTables, kPdpt | 7);
    put(kPdpt, kPd | 7);
    put(kPd, kLow | 3);
    put(kPd + 8 * (kCode >> 21), kCodeTable | 7);
    put(kPd + 8 * (kData >> 21), kDataTable | 7);
    for (u64 p = 0; p < 512; ++p) put(kLow + 8 * p, p << 12 | 3);
    for (u64 p = 0; p < kCodeSize >> 12; ++p) put(kCodeTable + 8 * p, (kCode + (p << 12)) | 7);
    for (u64 p = 0; p < kDataSize >> 12; ++p) put(kDataTable + 8 * p, (kData + (p << 12)) | 7);

    put(kGdt + kKernelCode, 0x00209B0000000000);
    put(kGdt + kTr, 0x0000890000000067 | kTss << 16);
    put(kGdt + kTr + 8, 0);
    put(kTss + 4, kStackTop);
    m.write(kTss + 0x66, 0x68, 2);  // no I/O bitmap
    for (u64 v = 0; v < 32; ++v) {
        const u64 handler = kHandlers + 16 * v;
        const u64 dpl = v == 3 || v == 4 ? 0x6000 : 0;
        put(kIdt + 16 * v, (handler & 0xFFFF) | u64{kKernelCode} << 16 | (0x8E00 | dpl) << 32 |
                               (handler >> 16 & 0xFFFF) << 48);
        put(kIdt + 16 * v + 8, 0);
        m.write(handler, 0xF4, 1);
    }
    CpuState& s = box_.state();
    s.cr0 = cr0::pe | cr0::pg | cr0::wp | cr0::ne | cr0::et | cr0::mp;
    s.cr3 = kTables;
    s.cr4 = cr4::pae | cr4::osfxsr | cr4::osxmmexcpt | cr4::pge | cr4::osxsave;
    s.xcr0 = 3;
    s.efer = efer::lme | efer::lma | efer::nxe | efer::sce;
    s.gdtr = {.base = kGdt, .limit = 0x7F};
    s.idtr = {.base = kIdt, .limit = 0x1FF};
    s.seg(Seg::tr) = {.selector = kTr, .attributes = 0x8B, .limit = 0x67, .base = kTss};
}

std::span<u8> GuestCpu::data() {
    return box_.memory->ram().subspan(kData, kDataSize);
}

void GuestCpu::write_code(u64 address, std::span<const u8> bytes) {
    box_.memory->write(address, bytes);
}

Outcome GuestCpu::run(const UserState& in) {
    CpuState& s = box_.state();
    for (unsigned n = 0; n < 16; ++n) s.gpr[n] = in.gpr[n];
    s.rip = in.rip;
    s.write_eflags(in.eflags | eflags::intr);
    SegmentRegister data{.selector = 0x2B, .attributes = 0xCF3, .limit = 0xFFFFFFFF, .base = 0};
    if (in.segmented) data.limit = kDataSize - 1, data.base = kData;
    if (in.code_size == 2) data.attributes = 0x0F3;
    for (const Seg g : {Seg::es, Seg::ss, Seg::ds, Seg::fs, Seg::gs}) s.seg(g) = data;
    s.seg(Seg::cs) = {.selector = static_cast<u16>(in.code_size == 8 ? 0x33 : 0x23),
                      .attributes = static_cast<u16>(in.code_size == 8 ? 0xAFB : 0xCFB),
                      .limit = 0xFFFFFFFF,
                      .base = 0};
    if (in.code_size == 2)
        s.seg(Seg::cs) = {.selector = 0x17, .attributes = 0x0FB, .limit = kCodeSize - 1, .base = kCode};
    s.activity = Activity::running;
    s.pending_debug = 0;
    s.interrupt_shadow = s.debug_shadow = false;
    load_fx(s, in.fx);
    box_.cpu->state_changed();

    Outcome out;
    for (unsigned n = 0; n < 1 << 17; ++n) {
        const Exit exit = box_.cpu->run(1);
        if (exit != Exit::budget) break;
        if (s.rip != in.rip) break;
        // Still there: an iteration of a repeated instruction, or a branch to itself.
        bool repeats = false;
        for (unsigned k = 0; k < 14; ++k)
            repeats = repeats || (box_.read(in.code_address() + k, 1) & 0xFE) == 0xF2;
        if (!repeats) break;
    }
    out.state.code_size = in.code_size;
    out.state.segmented = in.segmented;
    if (s.seg(Seg::cs).rpl() == 0) {
        if (s.activity == Activity::running) box_.cpu->run(1);  // the handler's HLT
        out.vector = static_cast<int>((s.rip - 1 - kHandlers) / 16);
        u64 frame = s.gpr[rsp];
        if (has_error_code(out.vector)) {
            out.error_code = box_.read(frame);
            frame += 8;
        }
        out.state.rip = box_.read(frame);
        out.state.eflags = static_cast<u32>(box_.read(frame + 16)) & ~eflags::rf;
        for (unsigned n = 0; n < 16; ++n) out.state.gpr[n] = s.gpr[n];
        out.state.gpr[rsp] = box_.read(frame + 24);
        if (out.vector == 14) out.cr2 = s.cr2;
    } else {
        for (unsigned n = 0; n < 16; ++n) out.state.gpr[n] = s.gpr[n];
        out.state.rip = s.rip;
        out.state.eflags = s.read_eflags();
    }
    store_fx(s, out.state.fx);
    return out;
}

}  // namespace mynah::test
