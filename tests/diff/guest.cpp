#include "diff/guest.h"

namespace mynah::test {
namespace {

// Supervisor memory.
constexpr u64 kGdt = 0x10000, kLdt = 0x10800, kIdt = 0x11000, kTss = 0x12000, kHandlers = 0x13000;
constexpr u64 kStackTop = 0x16000;
constexpr u64 kTables = 0x20000;
constexpr u16 kKernelCode = 0x10, kTr = 0x40;

bool has_error_code(int vector) {
    return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17;
}

u64 descriptor(u64 base, u64 size, u64 attributes) {
    const u64 limit = attributes & 0x800 ? (size - 1) >> 12 : size - 1;
    return (limit & 0xFFFF) | (base & 0xFFFFFF) << 16 | (attributes & 0xFF) << 40 | (limit >> 16 & 15) << 48 |
           (attributes >> 8) << 52 | (base >> 24 & 0xFF) << 56;
}

// As Linux makes them: flat ones, and those of modify_ldt() (AVL set, in bytes).
constexpr u64 k4Gib = u64{1} << 32;
struct Known {
    u16 selector;
    u64 base, size;
    u16 attributes;
};
constexpr Known kKnown[] = {
    {kCode32, 0, k4Gib, 0xCFB},
    {kFlatData, 0, k4Gib, 0xCF3},
    {kCode64, 0, k4Gib, 0xAFB},
    {kLocalData32, kData, kDataSize, 0x5F3},
    {kLocalData16, kData, kDataSize, 0x1F3},
    {kLocalCode16, kCode, kCodeSize, 0x1FB},
};

SegmentRegister loaded(u16 selector) {
    for (const Known& k : kKnown)
        if (k.selector == selector)
            return {.selector = selector,
                    .attributes = k.attributes,
                    .limit = static_cast<u32>(k.size - 1),
                    .base = k.base};
    return {.selector = selector, .attributes = 0, .limit = 0, .base = 0};
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

GuestCpu::GuestCpu(std::string_view model, Engine engine) : box_(kData + kDataSize + MiB, model, engine) {
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

    put(kGdt + 8, descriptor(0, k4Gib, 0xC9B));
    put(kGdt + kKernelCode, descriptor(0, k4Gib, 0xA9B));
    put(kGdt + 0x18, descriptor(0, k4Gib, 0xC93));
    for (const Known& k : kKnown)
        put((k.selector & 4 ? kLdt : kGdt) + (k.selector & ~7u), descriptor(k.base, k.size, k.attributes));
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
    s.cr4 = cr4::pae | cr4::osfxsr | cr4::osxmmexcpt | cr4::pge | cr4::osxsave | cr4::fsgsbase;
    s.xcr0 = 7;
    s.efer = efer::lme | efer::lma | efer::nxe | efer::sce;
    s.gdtr = {.base = kGdt, .limit = 0x7F};
    s.idtr = {.base = kIdt, .limit = 0x1FF};
    s.seg(Seg::ldtr) = {.selector = 0x50, .attributes = 0x82, .limit = 0x17, .base = kLdt};
    s.seg(Seg::tr) = {.selector = kTr, .attributes = 0x8B, .limit = 0x67, .base = kTss};
}

std::span<u8> GuestCpu::data() {
    return box_.memory->ram().subspan(kData, kDataSize);
}

void GuestCpu::write_code(u64 address, std::span<const u8> bytes) {
    box_.memory->write(address, bytes);
}

void GuestCpu::begin(const UserState& in) {
    CpuState& s = box_.state();
    for (unsigned n = 0; n < 16; ++n) s.gpr[n] = in.gpr[n];
    s.rip = in.rip;
    s.write_eflags(in.eflags | eflags::intr);
    for (const Seg g : {Seg::es, Seg::ss, Seg::ds, Seg::fs, Seg::gs}) s.seg(g) = loaded(in.data_selector());
    if (in.code_size == 8) {
        s.seg(Seg::fs) = {.selector = 0, .attributes = 0, .limit = 0, .base = in.fs_base};
        s.seg(Seg::gs) = {.selector = 0, .attributes = 0, .limit = 0, .base = in.gs_base};
    }
    s.seg(Seg::cs) = loaded(in.code_selector());
    s.activity = Activity::running;
    s.pending_debug = 0;
    s.interrupt_shadow = s.debug_shadow = false;
    load_fx(s, in.fx);
    for (unsigned n = 0; n < 32; ++n) s.vec[n / 2].q[2 + n % 2] = load_le<u64>(&in.upper[8 * n]);
    box_.cpu->state_changed();
}

Outcome GuestCpu::run(const UserState& in) {
    CpuState& s = box_.state();
    begin(in);
    for (unsigned n = 0; n < 1 << 17; ++n) {
        const Exit exit = box_.cpu->run(1);
        if (exit != Exit::budget) break;
        if (s.rip != in.rip || !in.repeats) break;
    }
    // A step ends behind the instruction that follows a load of SS.
    if (s.debug_shadow) box_.cpu->run(1);
    return end(in);
}

Outcome GuestCpu::run_block(const UserState& in, u64 length) {
    constexpr u64 kJumps = 20;
    const u8 jump[] = {0xEB, 0xFE};
    write_code(in.code_address() + length, jump);
    begin(in);
    const CpuState& s = box_.state();
    for (unsigned n = 0; n < 1 << 12; ++n) {
        if (box_.cpu->run(kJumps) != Exit::budget || s.rip != in.rip) break;
    }
    return end(in);
}

Outcome GuestCpu::run_sequence(const UserState& in, u64 length, u64 count) {
    const u8 jump[] = {0xEB, 0xFE};
    write_code(in.code_address() + length, jump);
    begin(in);
    constexpr u64 kJumps = 64;
    (void)box_.cpu->run(count + kJumps);
    return end(in);
}

Outcome GuestCpu::end(const UserState& in) {
    CpuState& s = box_.state();
    Outcome out;
    out.state.code_size = in.code_size;
    out.state.segmented = in.segmented;
    out.state.fs_base = s.seg(Seg::fs).base;
    out.state.gs_base = s.seg(Seg::gs).base;
    for (unsigned n = 0; n < 6; ++n) out.state.selectors[n] = s.segs[n].selector;
    if (s.seg(Seg::cs).rpl() == 0) {
        if (s.activity == Activity::running) box_.cpu->run(1);  // the handler's HLT
        out.vector = static_cast<int>((s.rip - 1 - kHandlers) / 16);
        u64 frame = s.gpr[rsp];
        if (has_error_code(out.vector)) {
            out.error_code = box_.read(frame);
            frame += 8;
        }
        out.state.rip = box_.read(frame);
        out.state.selectors[1] = static_cast<u16>(box_.read(frame + 8));
        out.state.selectors[2] = static_cast<u16>(box_.read(frame + 32));
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
    for (unsigned n = 0; n < 32; ++n) store_le(&out.state.upper[8 * n], s.vec[n / 2].q[2 + n % 2]);
    return out;
}

}  // namespace mynah::test
