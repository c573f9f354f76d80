#include "jit/x64/x87_image.h"

namespace mynah::x64 {

namespace {
constexpr u64 kX87 = 1;  // component of XSAVE
}

void X87Image::load(const X87State& x) {
    control = x.control;
    status = x.status;
    valid = x.valid;
    opcode = 0;
    fip = fdp = 0;
    for (unsigned n = 0; n < 8; ++n) {
        const fpu::F80& v = x.regs[(x.top() + n) & 7];
        st[n].significand = v.significand;
        st[n].sign_exponent = v.sign_exponent;
    }
    components = kX87;
    // Loads neither MXCSR nor vector registers, as FXRSTOR would.
    asm volatile("xrstor64 %0" : : "m"(*this), "a"(kX87), "d"(0));
}

void X87Image::store(X87State& x) {
    asm volatile("xsave64 %0\n\tfninit" : "+m"(*this) : "a"(kX87), "d"(0));
    x.control = control;
    x.status = status;
    x.valid = valid;
    for (unsigned n = 0; n < 8; ++n) x.regs[(x.top() + n) & 7] = {st[n].significand, st[n].sign_exponent};
}

}  // namespace mynah::x64
