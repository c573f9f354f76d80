#include "jit/x64/x87_image.h"

namespace mynah::x64 {

namespace {
constexpr u64 kX87 = 1;  // component of XSAVE
}

void X87Image::load(const X87State& x) {
    control_ = x.control;
    status_ = x.status;
    valid_ = x.valid;
    opcode_ = 0;
    fip_ = fdp_ = 0;
    for (unsigned n = 0; n < 8; ++n) {
        const fpu::F80& v = x.regs[(x.top() + n) & 7];
        st_[n].significand = v.significand;
        st_[n].sign_exponent = v.sign_exponent;
    }
    components_ = kX87;
    // Loads neither MXCSR nor vector registers, as FXRSTOR would.
    asm volatile("xrstor64 %0" : : "m"(*this), "a"(kX87), "d"(0));
}

void X87Image::store(X87State& x) {
    asm volatile("xsave64 %0\n\tfninit" : "+m"(*this) : "a"(kX87), "d"(0));
    x.control = control_;
    x.status = status_;
    x.valid = valid_;
    for (unsigned n = 0; n < 8; ++n) x.regs[(x.top() + n) & 7] = {st_[n].significand, st_[n].sign_exponent};
}

}  // namespace mynah::x64
