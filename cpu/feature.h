// CPUID features: what a model announces, and what therefore executes on it (SDM vol. 2A CPUID).
#pragma once

#include "base/types.h"

namespace mynah {

// Features that gate rows of the instruction table come first (below 64: DecodeMode keeps them in one word);
// behind them those that only CPUID, control registers and MSRs know.
enum class Feature : u8 {
    always,  // every model has it; FeatureSet is born with it
    i486,    // CMPXCHG, XADD, BSWAP, INVLPG, INVD, WBINVD
    cpuid,
    fpu,
    tsc,
    rdpmc,  // RDPMC exists (from the Pentium with MMX on)
    msr,
    cx8,
    cmov,
    fcmov,  // FPU and CMOV
    fcomi,  // likewise
    mmx,
    fxsr,
    sep,
    sse,
    sse_mmx,  // the integer instructions on MMX registers that came with SSE
    sse2,
    clflush,
    sse3,
    monitor,
    ssse3,
    sse4_1,
    sse4_2,
    popcnt,
    cx16,
    aes,
    aes_avx,  // the VEX forms of AES: AES and AVX
    pclmulqdq,
    pclmulqdq_avx,  // likewise
    movbe,
    rdrand,
    rdseed,
    fsgsbase,
    invpcid,
    smap,
    xsave,
    xsaveopt,
    xsavec,
    clflushopt,
    lm,
    lahf_lm,
    syscall,
    syscall_legacy,  // SYSCALL and SYSRET outside of 64-bit code too (AMD)
    rdtscp,
    lzcnt,
    bmi1,  // TZCNT too
    bmi2,
    prefetchw,
    hint_nop,  // 0F 18-1F as NOPs (Pentium Pro and later)
    ud0,       // 0F FF takes a ModRM byte and is known as such; #UD anyway
    avx,
    f16c,
    fma,
    avx2,
    adx,
    sha,

    // Not gating.
    vme = 64,
    de,
    pse,
    pae,
    mce,
    apic,
    mtrr,
    pge,
    mca,
    pat,
    pse36,
    ss,  // self-snoop
    pcid,
    x2apic,
    tsc_deadline,
    tsc_adjust,
    smep,
    umip,
    erms,
    nx,
    pdpe1gb,
    arat,
    invariant_tsc,
    xgetbv1,
    hypervisor,
    fdp_excptn_only,
    fcs_fds_deprecated,
    kvm_clock,  // KVM's leaves and MSRs
    count,
};
static_assert(static_cast<unsigned>(Feature::sha) < 64 && static_cast<unsigned>(Feature::count) <= 128);

class FeatureSet {
  public:
    constexpr FeatureSet() = default;
    template <class... F>
    constexpr explicit FeatureSet(Feature first, F... rest) {
        add(first);
        (add(rest), ...);
    }
    constexpr FeatureSet& add(Feature f) {
        words_[static_cast<unsigned>(f) >> 6] |= u64{1} << (static_cast<unsigned>(f) & 63);
        return *this;
    }
    constexpr FeatureSet& remove(Feature f) {
        words_[static_cast<unsigned>(f) >> 6] &= ~(u64{1} << (static_cast<unsigned>(f) & 63));
        return *this;
    }
    constexpr bool has(Feature f) const {
        return words_[static_cast<unsigned>(f) >> 6] >> (static_cast<unsigned>(f) & 63) & 1;
    }
    constexpr FeatureSet operator|(const FeatureSet& o) const {
        FeatureSet r;
        r.words_[0] = words_[0] | o.words_[0];
        r.words_[1] = words_[1] | o.words_[1];
        return r;
    }
    // The word that DecodeMode::features takes.
    constexpr u64 gating() const { return words_[0]; }
    bool operator==(const FeatureSet&) const = default;

  private:
    u64 words_[2] = {1, 0};
};

}  // namespace mynah
