#include "jit/x64/host.h"

#include <asm/prctl.h>
#include <cpuid.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

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
