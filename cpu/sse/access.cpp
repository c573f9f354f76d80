#include "cpu/sse/access.h"

namespace mynah::sse {

bool sse_refused(Core& c) {
    if ((c.state.cr0 & cr0::em) || !(c.state.cr4 & cr4::osfxsr)) return c.raise(Vector::ud);
    return c.raise(Vector::nm);
}

bool vex_refused(Core& c) {
    if (!(c.state.cr4 & cr4::osxsave) || (c.state.xcr0 & 6) != 6) return c.raise(Vector::ud);
    return c.raise(Vector::nm);
}

bool mmx_refused(Core& c) {
    return mmx_available(c);
}

bool misaligned(Core& c, Seg seg, u64 offset, unsigned size, Access access) {
    // Segment checks come first; byte by byte, since #AC must not win over #GP.
    u64 linear;
    if (!c.linear(seg, offset, 1, access, linear) || !c.linear(seg, offset + size - 1, 1, access, linear))
        return false;
    return c.raise(Vector::gp, 0);
}

bool raise_simd_exception(Core& c) {
    return c.raise(c.state.cr4 & cr4::osxmmexcpt ? Vector::xm : Vector::ud);
}

}  // namespace mynah::sse

namespace mynah {

Handler sse_handler(const Insn& i) {
    using namespace sse;
    if (const Handler h = move_handler(i)) return h;
    if (const Handler h = packed_handler(i)) return h;
    if (const Handler h = rearrange_handler(i)) return h;
    if (const Handler h = float_handler(i)) return h;
    if (const Handler h = convert_handler(i)) return h;
    if (const Handler h = crypto_handler(i)) return h;
    if (const Handler h = string_compare_handler(i)) return h;
    if (const Handler h = avx_handler(i)) return h;
    if (const Handler h = mask_handler(i)) return h;
    if (const Handler h = fma_handler(i)) return h;
    return save_handler(i);
}

}  // namespace mynah
