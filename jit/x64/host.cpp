#include "jit/x64/host.h"

#include <asm/prctl.h>
#include <cpuid.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <initializer_list>

namespace mynah::x64 {

namespace {

// Linux tells in AT_HWCAP2 that user code may write the bases itself.
constexpr unsigned long kHwcap2Fsgsbase = 1ul << 1;

}  // namespace

bool host_supported() {
    __builtin_cpu_init();
    unsigned a = 0, b = 0, c = 0, d = 0;
    const bool lahf = __get_cpuid(0x80000001, &a, &b, &c, &d) != 0 && (c & 1) != 0;
    return lahf && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("avx2");
}

bool host_has_aes() {
    return __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
}

bool host_overflow_of_last_step() {
    const auto overflow = [](u32 value, unsigned op) {
        bool set = false;
        if (op == 0) asm volatile("shll $2, %1; seto %0" : "=q"(set), "+r"(value) : : "cc");
        if (op == 1) asm volatile("shrl $2, %1; seto %0" : "=q"(set), "+r"(value) : : "cc");
        if (op == 2) asm volatile("roll $2, %1; seto %0" : "=q"(set), "+r"(value) : : "cc");
        if (op == 3) asm volatile("rorl $2, %1; seto %0" : "=q"(set), "+r"(value) : : "cc");
        if (op == 4) asm volatile("shll %%cl, %1; seto %0" : "=q"(set), "+r"(value) : "c"(2) : "cc");
        if (op == 5) asm volatile("shrl %%cl, %1; seto %0" : "=q"(set), "+r"(value) : "c"(2) : "cc");
        return set;
    };
    // The bits that decide, in all combinations.
    for (u32 bits = 0; bits < 64; ++bits) {
        const u32 value = (bits >> 3) << 29 | (bits & 7);
        const auto bit = [value](unsigned n) { return (value >> n & 1) != 0; };
        const bool left = bit(30) != bit(29), right = bit(1) != bit(0);
        for (const unsigned to_left : {0u, 2u, 4u}) {
            if (overflow(value, to_left) != left) return false;
        }
        if (overflow(value, 1) || overflow(value, 5) || overflow(value, 3) != right) return false;
    }
    return true;
}

void set_state_base(const void* base) {
    static const bool direct = (getauxval(AT_HWCAP2) & kHwcap2Fsgsbase) != 0;
    if (direct) {
        asm volatile("wrgsbase %0" : : "r"(base) : "memory");
        return;
    }
    // The kernel's way may take as long as thousands of translated instructions.
    static thread_local const void* of_this_thread = nullptr;
    if (of_this_thread == base) return;
    syscall(SYS_arch_prctl, ARCH_SET_GS, base);
    of_this_thread = base;
}

}  // namespace mynah::x64
