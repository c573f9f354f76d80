// The processors that -cpu names: what CPUID says, what executes, how unknown MSRs answer.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "base/result.h"
#include "cpu/feature.h"

namespace mynah {

enum class Vendor : u8 { intel, amd };

struct CpuModel {
    std::string_view name;
    std::string_view brand = {};  // CPUID 80000002h-4h, at most 47 characters
    Vendor vendor = Vendor::intel;
    u32 signature = 0;  // CPUID.1:EAX
    u32 max_leaf = 0;
    u32 max_extended_leaf = 0;  // 0: none
    u8 physical_bits = 32;
    FeatureSet features;
    u32 leaf7_edx = 0;               // speculation controls: SPEC_CTRL, STIBP, ARCH_CAPABILITIES, SSBD
    u64 arch_capabilities = 0;       // MSR 10Ah
    bool unknown_msr_faults = true;  // else they read 0 and ignore writes

    bool has(Feature f) const { return features.has(f); }
};

// All of them, in the order in which -cpu help lists them.
std::span<const CpuModel> cpu_models();
// Null: unknown name.
const CpuModel* find_cpu_model(std::string_view name);

// What -cpu takes: MODEL or MODEL,kvm=on|off. Error: no such model or word, or a model that is too old for
// it.
Result<CpuModel> choose_cpu(std::string_view text);

// The rates a guest can see: fixed, so that runs repeat.
inline constexpr u64 kTscHz = 1'000'000'000;    // time-stamp counter
inline constexpr u64 kCrystalHz = 100'000'000;  // core crystal clock: the local APIC's timer
inline constexpr u64 kCrystalNanoseconds = 1'000'000'000 / kCrystalHz;

}  // namespace mynah
