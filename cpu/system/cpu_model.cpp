#include "cpu/system/cpu_model.h"

#include <fmt/format.h>

#include <algorithm>

namespace mynah {

namespace {

using F = Feature;

constexpr FeatureSet k486{F::i486, F::cpuid, F::fpu, F::vme};
constexpr FeatureSet kPentium = k486 | FeatureSet{F::tsc, F::msr, F::cx8, F::de, F::pse, F::mce, F::apic};
constexpr FeatureSet kPentium3 =
    kPentium | FeatureSet{F::rdpmc,   F::cmov,     F::fcmov, F::fcomi, F::mmx, F::fxsr, F::sep, F::sse,
                          F::sse_mmx, F::hint_nop, F::pae,   F::mtrr,  F::pge, F::mca,  F::pat, F::pse36};
// The first x86-64 processors.
constexpr FeatureSet kX86_64 =
    kPentium3 | FeatureSet{F::sse2, F::clflush, F::lm, F::syscall, F::nx, F::ud0, F::ss, F::hypervisor};
constexpr FeatureSet kQemu64 =
    kX86_64 | FeatureSet{F::sse3, F::cx16, F::lahf_lm, F::x2apic, F::syscall_legacy};
constexpr FeatureSet kCore2 = kX86_64 | FeatureSet{F::sse3, F::ssse3, F::cx16, F::lahf_lm, F::monitor};
// What every model for current systems has around its instruction set: a clock that needs no calibration.
constexpr FeatureSet kModern{F::x2apic, F::tsc_deadline, F::tsc_adjust, F::arat, F::invariant_tsc, F::rdtscp};
constexpr FeatureSet kV2 = kCore2 | kModern | FeatureSet{F::sse4_1, F::sse4_2, F::popcnt, F::pcid};
constexpr FeatureSet kV3 = kV2 | FeatureSet{F::avx, F::avx2,  F::bmi1,  F::bmi2,  F::f16c,
                                            F::fma, F::lzcnt, F::movbe, F::xsave, F::xsaveopt};
constexpr FeatureSet kMax =
    kV3 | FeatureSet{F::aes,       F::aes_avx,  F::pclmulqdq,      F::pclmulqdq_avx, F::rdrand,
                     F::rdseed,    F::fsgsbase, F::invpcid,        F::smap,          F::smep,
                     F::umip,      F::erms,     F::xsavec,         F::xgetbv1,       F::clflushopt,
                     F::prefetchw, F::pdpe1gb,  F::fdp_excptn_only};

// CPUID.7.0:EDX: IBRS/IBPB, STIBP, ARCH_CAPABILITIES, SSBD.
constexpr u32 kSpeculationControls = 1u << 26 | 1u << 27 | 1u << 29 | 1u << 31;
// Truthful for an emulator that does not speculate: RDCL_NO, IBRS_ALL, SKIP_L1DFL_VMENTRY, SSB_NO, MDS_NO,
// IF_PSCHANGE_MC_NO, TAA_NO, SBDR_SSDP_NO, FBSDP_NO, PSDP_NO, BHI_NO, PBRSB_NO, GDS_NO, RFDS_NO.
constexpr u64 kArchCapabilities = 1u << 0 | 1u << 1 | 1u << 3 | 1u << 4 | 1u << 5 | 1u << 6 | 1u << 8 |
                                  1u << 13 | 1u << 14 | 1u << 15 | 1u << 20 | 1u << 24 | 1u << 26 | 1u << 27;

constexpr std::string_view kBrand = "Mynah Virtual CPU";

constexpr u32 signature(unsigned family, unsigned model, unsigned stepping) {
    const unsigned base = family > 15 ? 15 : family;
    return (family - base) << 20 | (model >> 4) << 16 | base << 8 | (model & 15) << 4 | stepping;
}

constexpr std::array kModels{
    CpuModel{.name = "486",
             .signature = signature(4, 8, 0),
             .max_leaf = 1,
             .features = k486,
             .unknown_msr_faults = true},
    CpuModel{.name = "pentium",
             .signature = signature(5, 4, 3),
             .max_leaf = 1,
             .features = kPentium,
             .unknown_msr_faults = false},
    CpuModel{.name = "pentium3",
             .signature = signature(6, 8, 3),
             .max_leaf = 2,
             .physical_bits = 36,
             .features = kPentium3,
             .unknown_msr_faults = false},
    CpuModel{.name = "qemu64",
             .brand = kBrand,
             .vendor = Vendor::amd,
             .signature = signature(15, 107, 1),
             .max_leaf = 13,
             .max_extended_leaf = 0x80000008,
             .physical_bits = 40,
             .features = kQemu64,
             .unknown_msr_faults = false},
    CpuModel{.name = "core2duo",
             .brand = kBrand,
             .signature = signature(6, 15, 11),
             .max_leaf = 10,
             .max_extended_leaf = 0x80000008,
             .physical_bits = 36,
             .features = kCore2,
             .unknown_msr_faults = false},
    CpuModel{.name = "x86-64-v2",
             .brand = kBrand,
             .signature = signature(6, 15, 11),
             .max_leaf = 22,
             .max_extended_leaf = 0x80000008,
             .physical_bits = 40,
             .features = kV2,
             .leaf7_edx = kSpeculationControls,
             .arch_capabilities = kArchCapabilities,
             .unknown_msr_faults = true},
    CpuModel{.name = "x86-64-v3",
             .brand = kBrand,
             .signature = signature(6, 15, 11),
             .max_leaf = 22,
             .max_extended_leaf = 0x80000008,
             .physical_bits = 40,
             .features = kV3,
             .leaf7_edx = kSpeculationControls,
             .arch_capabilities = kArchCapabilities,
             .unknown_msr_faults = true},
    CpuModel{.name = "max",
             .brand = kBrand,
             .signature = signature(6, 15, 11),
             .max_leaf = 22,
             .max_extended_leaf = 0x80000008,
             .physical_bits = 40,
             .features = kMax,
             .leaf7_edx = kSpeculationControls,
             .arch_capabilities = kArchCapabilities,
             .unknown_msr_faults = true},
};

}  // namespace

std::span<const CpuModel> cpu_models() {
    return kModels;
}

Result<CpuModel> choose_cpu(std::string_view text) {
    const size_t comma = text.find(',');
    const std::string_view name = text.substr(0, comma);
    const CpuModel* found = find_cpu_model(name);
    if (found == nullptr) {
        std::string list;
        for (const CpuModel& m : kModels) list += fmt::format("{}{}", list.empty() ? "" : ", ", m.name);
        return Error{fmt::format("unknown CPU model '{}'; there are {}", name, list)};
    }
    CpuModel model = *found;
    bool kvm = false;
    for (size_t at = comma; at != text.npos;) {
        const size_t end = text.find(',', at + 1);
        const std::string_view word = text.substr(at + 1, end - at - 1);
        at = end;
        if (word != "kvm=on" && word != "kvm=off")
            return Error{"single features cannot be switched but kvm=on, kvm=off; give a model only"};
        kvm = word == "kvm=on";
    }
    if (!kvm) return model;
    if (!model.has(F::tsc) || !model.has(F::msr))
        return Error{fmt::format("kvm=on needs a time-stamp counter, which {} has not", name)};
    model.features.add(F::kvm_clock).add(F::hypervisor);
    return model;
}

const CpuModel* find_cpu_model(std::string_view name) {
    const auto it = std::ranges::find(kModels, name, &CpuModel::name);
    return it == kModels.end() ? nullptr : &*it;
}

}  // namespace mynah
