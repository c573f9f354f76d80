#include <array>
#include <cstring>

#include "base/bits.h"
#include "diff/sequence.h"

namespace mynah::test {
namespace {

constexpr u64 kGdt = 0x1000, kTss32 = 0x1200, kTss64 = 0x1300, kIdt32 = 0x1400, kIdt64 = 0x1800;
constexpr u64 kKernelStack = 0x3000;
constexpr u64 kPml4 = 0x3000, kPdpt = 0x4000, kPaePdpt = 0x4800, kPd64 = 0x5000, kPt64 = 0x6000;
constexpr u64 kPd32 = 0x7000, kPt32 = 0x8000;
constexpr unsigned kVectors = 0x40;
constexpr u16 kKernelCode32 = 0x08, kKernelCode64 = 0x10, kKernelData = 0x18, kUserCode32 = 0x23,
              kUserData = 0x2B, kUserCode64 = 0x33, kTss = 0x38;
constexpr u16 kCode16 = 0x48, kCodeWindow = 0x50, kDataWindow = 0x58, kStackWindow = 0x60,
              kExtraWindow = 0x68, kDown = 0x70;
constexpr u64 k4Gib = u64{1} << 32;

struct Known {
    u16 selector;
    u64 base, size;
    u16 attributes;  // as in SegmentRegister
};
// The windows' limits end at odd places.
constexpr Known kKnown[] = {
    {kKernelCode32, 0, k4Gib, 0xC9B},
    {kKernelCode64, 0, k4Gib, 0xA9B},
    {kKernelData, 0, k4Gib, 0xC93},
    {kUserCode32, 0, k4Gib, 0xCFB},
    {kUserData, 0, k4Gib, 0xCF3},
    {kUserCode64, 0, k4Gib, 0xAFB},
    {kCode16, world::code, 0x3000, 0x09B},
    {kCodeWindow, world::code, 0x3000, 0x49B},
    {kDataWindow, 0x7000, 0xE7FE, 0x493},
    {kStackWindow, world::stack, 0x2000, 0x493},
    {kExtraWindow, world::data, 0x7F01, 0x493},
    {kDown, 0x7000, 0x8000, 0x497},
};

u64 descriptor(const Known& k) {
    const u64 limit = k.attributes & 0x800 ? (k.size - 1) >> 12 : k.size - 1;
    return (limit & 0xFFFF) | (k.base & 0xFFFFFF) << 16 | u64{k.attributes & 0xFFu} << 40 |
           (limit >> 16 & 15) << 48 | u64{k.attributes & 0xF00u} << 44 | (k.base >> 24 & 0xFF) << 56;
}

SegmentRegister loaded(u16 selector) {
    for (const Known& k : kKnown) {
        if (k.selector == selector)
            return {.selector = selector,
                    .attributes = k.attributes,
                    .limit = static_cast<u32>(k.size - 1),
                    .base = k.base};
    }
    return {};
}

class Image {
  public:
    std::vector<u8> bytes = std::vector<u8>(kWorldRam);
    void put(u64 at, u64 value, unsigned size = 8) { std::memcpy(&bytes[at], &value, size); }
};

u64 page_entry(u64 page, bool wide) {
    u64 e = page | 7;
    if (page == world::read_only) e &= ~u64{2};
    if (page == world::absent) e &= ~u64{1};
    if (page == world::supervisor) e &= ~u64{4};
    if (page == world::no_execute && wide) e |= u64{1} << 63;
    if (page == world::code_alias) e = world::code | 7;
    return e;
}

}  // namespace

const char* name_of(Setting s) {
    static constexpr const char* kNames[] = {
        "real mode",  "16-bit protected mode", "32-bit flat", "32-bit segments", "32-bit paged",
        "32-bit PAE", "32-bit user",           "64-bit",      "64-bit user",     "compatibility mode"};
    return kNames[static_cast<unsigned>(s)];
}

Layout layout_of(Setting s) {
    Layout l;
    l.setting = s;
    const auto windows = [&](u64 code, u64 data, u64 stack, u64 extra) {
        l.code_base = code, l.data_base = data, l.stack_base = stack, l.extra_base = extra;
    };
    switch (s) {
        case Setting::real16:
            l.code_size = 2;
            windows(world::code, 0x7000, world::stack, world::data);
            break;
        case Setting::protected16:
            l.code_size = 2;
            windows(world::code, 0x7000, world::stack, world::data);
            break;
        case Setting::segmented32:
            windows(world::code, 0x7000, world::stack, world::data);
            break;
        case Setting::flat32:
            break;
        case Setting::paged32:
        case Setting::pae32:
            l.paged = true;
            break;
        case Setting::user32:
        case Setting::compatible32:
            l.paged = l.user = true;
            break;
        case Setting::long64:
        case Setting::user64:
        case Setting::count:
            l.code_size = 8;
            l.paged = true;
            l.user = s == Setting::user64;
            break;
    }
    return l;
}

std::vector<u8> make_world(Setting s) {
    Image m;
    for (u64 v = 0; v < kVectors; ++v) {
        const u64 handler = world::handlers + 4 * v;
        m.bytes[handler] = 0xF4;
        if (s == Setting::real16) m.put(4 * v, handler, 4);  // 0:handler
        const u64 dpl = v == 3 || v == 4 || v >= 0x20 ? 0x60 : 0;
        m.put(kIdt32 + 8 * v, handler | u64{kKernelCode32} << 16 | (0x8E | dpl) << 40);
        m.put(kIdt64 + 16 * v, handler | u64{kKernelCode64} << 16 | (0x8E | dpl) << 40);
    }
    for (const Known& k : kKnown) m.put(kGdt + (k.selector & ~7u), descriptor(k));
    const bool wide = s == Setting::long64 || s == Setting::user64 || s == Setting::compatible32;
    m.put(kGdt + kTss, (wide ? kTss64 : kTss32) << 16 | u64{0x8B} << 40 | 0x67);
    m.put(kTss32 + 4, kKernelStack, 4);
    m.put(kTss32 + 8, kKernelData, 4);
    m.put(kTss32 + 0x66, 0x68, 2);
    m.put(kTss64 + 4, kKernelStack);
    m.put(kTss64 + 0x66, 0x68, 2);
    // The same in every format: 128 KiB as they are, and 64-bit code also has them at FFFF800000000000h.
    m.put(kPml4, kPdpt | 7);
    m.put(kPml4 + 0x800, kPdpt | 7);
    m.put(kPdpt, kPd64 | 7);
    m.put(kPaePdpt, kPd64 | 1);
    m.put(kPd64, kPt64 | 7);
    m.put(kPd32, kPt32 | 7);
    for (u64 page = 0; page < kWorldRam; page += 0x1000) {
        m.put(kPt64 + page / 0x1000 * 8, page_entry(page, true));
        m.put(kPt32 + page / 0x1000 * 4, page_entry(page, false), 4);
    }
    return m.bytes;
}

void enter(CpuState& s, const Layout& l) {
    const Setting setting = l.setting;
    if (setting == Setting::real16) {
        const auto real = [](u64 base) {
            return SegmentRegister{
                .selector = static_cast<u16>(base >> 4), .attributes = 0x93, .limit = 0xFFFF, .base = base};
        };
        for (const Seg g : {Seg::ds, Seg::fs, Seg::gs}) s.seg(g) = real(l.data_base);
        s.seg(Seg::cs) = real(l.code_base);
        s.seg(Seg::ss) = real(l.stack_base);
        s.seg(Seg::es) = real(l.extra_base);
        s.idtr = {.base = 0, .limit = 0x3FF};
        s.cr4 |= cr4::osfxsr | cr4::osxmmexcpt;
        return;
    }
    s.cr0 = cr0::pe | cr0::ne | cr0::et | cr0::mp | (l.paged ? cr0::pg | cr0::wp : 0);
    s.cr4 = cr4::osfxsr | cr4::osxmmexcpt | cr4::osxsave;
    s.gdtr = {.base = kGdt, .limit = 0x7F};
    s.idtr = {.base = kIdt32, .limit = 8 * kVectors - 1};
    s.seg(Seg::tr) = {.selector = kTss, .attributes = 0x8B, .limit = 0x67, .base = kTss32};
    s.seg(Seg::ldtr) = {};
    const auto all = [&](u16 code, u16 data, u16 stack, u16 extra) {
        s.seg(Seg::cs) = loaded(code);
        s.seg(Seg::ss) = loaded(stack);
        s.seg(Seg::es) = loaded(extra);
        for (const Seg g : {Seg::ds, Seg::fs, Seg::gs}) s.seg(g) = loaded(data);
    };
    switch (setting) {
        case Setting::protected16:
            all(kCode16, kDataWindow, kStackWindow, kExtraWindow);
            s.seg(Seg::gs) = loaded(kDown);
            break;
        case Setting::segmented32:
            all(kCodeWindow, kDataWindow, kStackWindow, kExtraWindow);
            s.seg(Seg::gs) = loaded(kDown);
            break;
        case Setting::user32:
        case Setting::compatible32:
            all(kUserCode32, kUserData, kUserData, kUserData);
            break;
        case Setting::user64:
            all(kUserCode64, kUserData, kUserData, kUserData);
            break;
        case Setting::long64:
            all(kKernelCode64, kKernelData, kKernelData, kKernelData);
            break;
        default:
            all(kKernelCode32, kKernelData, kKernelData, kKernelData);
            break;
    }
    s.cr3 = kPd32;
    if (setting == Setting::pae32) {
        s.cr4 |= cr4::pae;
        s.cr3 = kPaePdpt;
        s.efer = efer::nxe;
        s.pdpte = {kPd64 | 1, 0, 0, 0};
    }
    if (setting == Setting::long64 || setting == Setting::user64 || setting == Setting::compatible32) {
        s.cr4 |= cr4::pae | cr4::fsgsbase;
        s.cr3 = kPml4;
        s.efer = efer::lme | efer::lma | efer::nxe | efer::sce;
        s.idtr = {.base = kIdt64, .limit = 16 * kVectors - 1};
        s.seg(Seg::tr).base = kTss64;
    }
}

}  // namespace mynah::test
