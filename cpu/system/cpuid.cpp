#include "cpu/system/cpuid.h"

#include <algorithm>
#include <cstring>

#include "cpu/apic/local_apic.h"
#include "cpu/system/cpu_model.h"

namespace mynah {

namespace {

struct FeatureBit {
    Feature feature;
    u8 bit;
};

constexpr FeatureBit kLeaf1Edx[] = {
    {Feature::fpu, 0},    {Feature::vme, 1},      {Feature::de, 2},   {Feature::pse, 3},   {Feature::tsc, 4},
    {Feature::msr, 5},    {Feature::pae, 6},      {Feature::mce, 7},  {Feature::cx8, 8},   {Feature::sep, 11},
    {Feature::mtrr, 12},  {Feature::pge, 13},     {Feature::mca, 14}, {Feature::cmov, 15}, {Feature::pat, 16},
    {Feature::pse36, 17}, {Feature::clflush, 19}, {Feature::mmx, 23}, {Feature::fxsr, 24}, {Feature::sse, 25},
    {Feature::sse2, 26},  {Feature::ss, 27},
};
constexpr FeatureBit kLeaf1Ecx[] = {
    {Feature::sse3, 0},          {Feature::pclmulqdq, 1}, {Feature::monitor, 3},     {Feature::ssse3, 9},
    {Feature::fma, 12},          {Feature::cx16, 13},     {Feature::pcid, 17},       {Feature::sse4_1, 19},
    {Feature::sse4_2, 20},       {Feature::x2apic, 21},   {Feature::movbe, 22},      {Feature::popcnt, 23},
    {Feature::tsc_deadline, 24}, {Feature::aes, 25},      {Feature::xsave, 26},      {Feature::avx, 28},
    {Feature::f16c, 29},         {Feature::rdrand, 30},   {Feature::hypervisor, 31},
};
constexpr FeatureBit kLeaf7Ebx[] = {
    {Feature::fsgsbase, 0},
    {Feature::tsc_adjust, 1},
    {Feature::bmi1, 3},
    {Feature::avx2, 5},
    {Feature::fdp_excptn_only, 6},
    {Feature::smep, 7},
    {Feature::bmi2, 8},
    {Feature::erms, 9},
    {Feature::invpcid, 10},
    {Feature::fcs_fds_deprecated, 13},
    {Feature::rdseed, 18},
    {Feature::adx, 19},
    {Feature::smap, 20},
    {Feature::clflushopt, 23},
    {Feature::sha, 29},
};
constexpr FeatureBit kLeafDEax[] = {
    {Feature::xsaveopt, 0},
    {Feature::xsavec, 1},
    {Feature::xgetbv1, 2},
};
constexpr FeatureBit kExtended1Edx[] = {
    {Feature::syscall, 11}, {Feature::nx, 20}, {Feature::pdpe1gb, 26},
    {Feature::rdtscp, 27},  {Feature::lm, 29},
};
constexpr FeatureBit kExtended1Ecx[] = {
    {Feature::lahf_lm, 0},
    {Feature::lzcnt, 5},
    {Feature::prefetchw, 8},
};

template <size_t n>
u32 bits_of(const CpuModel& m, const FeatureBit (&table)[n]) {
    u32 v = 0;
    for (const FeatureBit& f : table) v |= m.has(f.feature) ? 1u << f.bit : 0;
    return v;
}

u32 four(const char* s) {
    u32 v;
    std::memcpy(&v, s, 4);
    return v;
}

// In the order EBX, EDX, ECX.
CpuidResult vendor(u32 max, const char* name) {
    return {max, four(name), four(name + 8), four(name + 4)};
}

CpuidResult leaf1(const Core& core) {
    const CpuModel& m = core.model;
    const u32 id = core.apic ? core.apic->id() : 0;
    CpuidResult r{m.signature, id << 24, bits_of(m, kLeaf1Ecx), bits_of(m, kLeaf1Edx)};
    if (m.has(Feature::clflush)) r.ebx |= 8 << 8;
    if (m.has(Feature::apic) && core.apic && core.apic->enabled()) r.edx |= 1 << 9;
    if (core.state.cr4 & cr4::osxsave) r.ecx |= 1 << 27;
    return r;
}

// Deterministic caches: 32 KiB instruction and data, 2 MiB second level, 8 ways of 64-byte lines.
CpuidResult leaf4(u32 subleaf) {
    constexpr u32 geometry = 7u << 22 | 63;
    switch (subleaf) {
        case 0:
            return {1 | 1 << 5 | 1 << 8, geometry, 63, 0};
        case 1:
            return {2 | 1 << 5 | 1 << 8, geometry, 63, 0};
        case 2:
            return {3 | 2 << 5 | 1 << 8, geometry, 4095, 0};
        default:
            return {};
    }
}

CpuidResult leaf_b(const Core& core, u32 subleaf) {
    const u32 id = core.apic ? core.apic->id() : 0;
    switch (subleaf) {
        case 0:
            return {0, 1, 1 << 8, id};
        case 1:
            return {0, 1, 2 << 8 | 1, id};
        default:
            return {0, 0, subleaf & 0xFF, id};
    }
}

u32 xsave_size(u64 components) {
    return components & 4 ? 832 : 576;
}

CpuidResult leaf_d(const Core& core, u32 subleaf) {
    const CpuModel& m = core.model;
    if (!m.has(Feature::xsave)) return {};
    const u64 all = supported_xcr0(m);
    switch (subleaf) {
        case 0:
            return {static_cast<u32>(all), xsave_size(core.state.xcr0), xsave_size(all), 0};
        case 1:
            return {bits_of(m, kLeafDEax), xsave_size(core.state.xcr0), 0, 0};
        case 2:
            return all & 4 ? CpuidResult{256, 576, 0, 0} : CpuidResult{};
        default:
            return {};
    }
}

CpuidResult brand(const CpuModel& m, unsigned part) {
    char text[48] = {};
    m.brand.copy(text, 47);
    const char* p = text + 16 * part;
    return {four(p), four(p + 4), four(p + 8), four(p + 12)};
}

CpuidResult extended(const Core& core, u32 leaf) {
    const CpuModel& m = core.model;
    const bool amd = m.vendor == Vendor::amd;
    switch (leaf) {
        case 0x80000000:
            return amd ? vendor(m.max_extended_leaf, "AuthenticAMD") : CpuidResult{m.max_extended_leaf};
        case 0x80000001: {
            CpuidResult r{amd ? m.signature : 0, 0, bits_of(m, kExtended1Ecx), bits_of(m, kExtended1Edx)};
            // AMD repeats the bits of leaf 1; Intel shows SYSCALL in 64-bit mode only.
            if (amd) r.edx |= leaf1(core).edx & 0x0183F3FF;
            if (!amd && !core.mode.code64()) r.edx &= ~(1u << 11);
            return r;
        }
        case 0x80000002:
        case 0x80000003:
        case 0x80000004:
            return brand(m, leaf - 0x80000002);
        case 0x80000005:
            return amd ? CpuidResult{0x01FF01FF, 0x01FF01FF, 0x20080140, 0x20080140} : CpuidResult{};
        case 0x80000006:
            return {amd ? 0x42004200u : 0, amd ? 0x02008140u : 0, 0x08006040, 0};
        case 0x80000007:
            return {0, 0, 0, m.has(Feature::invariant_tsc) ? 1u << 8 : 0};
        case 0x80000008:
            return {m.physical_bits | (m.has(Feature::lm) ? 48u : 32u) << 8, 0, 0, 0};
        default:
            return {};
    }
}

CpuidResult basic(const Core& core, u32 leaf, u32 subleaf) {
    const CpuModel& m = core.model;
    switch (leaf) {
        case 0:
            return vendor(m.max_leaf, m.vendor == Vendor::amd ? "AuthenticAMD" : "GenuineIntel");
        case 1:
            return leaf1(core);
        case 2: {
            if (m.vendor == Vendor::amd) return {};
            // L1 16 KiB each and L2 256 KiB for the Pentium III; 32 KiB, 32 KiB, 2 MiB for the others.
            if (!m.has(Feature::lm)) return {0x03020101, 0, 0, 0x0C040882};
            return {0x05B0B101, 0x005657F0, 0, 0x2CB4307D};
        }
        case 4:
            return m.vendor == Vendor::amd ? CpuidResult{} : leaf4(subleaf);
        case 5:
            return m.has(Feature::monitor) ? CpuidResult{64, 64, 3, 0x10} : CpuidResult{};
        case 6:
            return {m.has(Feature::arat) ? 1u << 2 : 0, 0, 0, 0};
        case 7:
            if (subleaf != 0) return {};
            return {0, bits_of(m, kLeaf7Ebx), m.has(Feature::umip) ? 1u << 2 : 0, m.leaf7_edx};
        case 0xB:
            return m.has(Feature::x2apic) && m.vendor == Vendor::intel ? leaf_b(core, subleaf)
                                                                       : CpuidResult{};
        case 0xD:
            return leaf_d(core, subleaf);
        case 0x15:
            return {1, static_cast<u32>(kTscHz / kCrystalHz), static_cast<u32>(kCrystalHz), 0};
        case 0x16:
            return {kTscHz / 1'000'000, kTscHz / 1'000'000, kCrystalHz / 1'000'000, 0};
        default:
            return {};
    }
}

}  // namespace

u64 supported_xcr0(const CpuModel& model) {
    return model.has(Feature::avx) ? 7 : 3;
}

CpuidResult cpuid(const Core& core, u32 leaf, u32 subleaf) {
    const CpuModel& m = core.model;
    if (leaf >= 0x80000000 && leaf <= m.max_extended_leaf) return extended(core, leaf);
    if (leaf >> 16 == 0x4000 && m.has(Feature::hypervisor)) {
        // KVM's name comes with its clock, under both pairs of MSRs (bits 0 and 3), stable (bit 24).
        if (m.has(Feature::kvm_clock)) {
            if (leaf == 0x40000000) return {0x40000001, four("KVMK"), four("VMKV"), four("M\0\0")};
            return leaf == 0x40000001 ? CpuidResult{1 | 1 << 3 | 1 << 24} : CpuidResult{};
        }
        // A signature of our own: guests must not take us for a hypervisor whose interfaces we lack.
        return leaf == 0x40000000 ? CpuidResult{0x40000000, four("Myna"), four("hEmu"), four("lato")}
                                  : CpuidResult{};
    }
    // Beyond the last leaf Intel repeats the last basic one, AMD answers zeros.
    if (leaf > m.max_leaf) {
        return m.vendor == Vendor::amd ? CpuidResult{} : basic(core, m.max_leaf, subleaf);
    }
    return basic(core, leaf, subleaf);
}

}  // namespace mynah
