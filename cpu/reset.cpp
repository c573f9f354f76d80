#include "cpu/reset.h"

namespace mynah {

void power_on(CpuState& s, u32 signature) {
    s = CpuState{};
    for (SegmentRegister& r : s.segs) r = {.selector = 0, .attributes = 0x93, .limit = 0xFFFF, .base = 0};
    s.seg(Seg::cs) = {.selector = 0xF000, .attributes = 0x9B, .limit = 0xFFFF, .base = 0xFFFF0000};
    s.seg(Seg::ldtr).attributes = 0x82;
    s.seg(Seg::tr).attributes = 0x8B;
    s.gpr[rdx] = signature;
    s.rip = 0xFFF0;
    s.dr[6] = 0xFFFF0FF0;
    s.dr[7] = 0x400;
    s.x87.control = 0x40;
    s.x87.valid = 0xFF;  // eight zeros
}

void init(CpuState& s, u32 signature) {
    const CpuState old = s;
    power_on(s, signature);
    s.cr0 |= old.cr0 & (cr0::cd | cr0::nw);
    s.cr0 &= ~(cr0::cd | cr0::nw) | (old.cr0 & (cr0::cd | cr0::nw));
    s.x87 = old.x87;
    s.vec = old.vec;
    s.mxcsr = old.mxcsr;
    s.xcr0 = old.xcr0;
    s.msr = old.msr;
}

}  // namespace mynah
