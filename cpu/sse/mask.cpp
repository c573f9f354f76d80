// Lanes of memory under a mask: VMASKMOV, VPMASKMOV and the gathers. A lane that is masked out is not
// accessed and can't fault.
#include "cpu/sse/access.h"

namespace mynah::sse {
namespace {

template <class T>
bool chosen(T mask) {
    return mask >> (8 * sizeof(T) - 1);
}

template <class T>
u64 lane_offset(const Insn& i, u64 ea, unsigned k) {
    const u64 a = ea + k * sizeof(T);
    return i.asize == 8 ? a : i.asize == 4 ? static_cast<u32>(a) : static_cast<u16>(a);
}

template <class T, class R>
bool masked_load(Core& c, const Insn& i) {
    if (!R::ready(c)) return false;
    const u64 ea = c.effective_address(i);
    const auto mask = lanes<T>(R::get(c, i.vvvv));
    Lanes<T, R::size> r{};
    for (unsigned k = 0; k < r.size(); ++k) {
        if (chosen(mask[k]) && !c.load(i.seg, lane_offset<T>(i, ea, k), r[k])) return false;
    }
    R::set(c, i.reg, vec(r));
    return true;
}
// All lanes are checked before the first is written.
template <class T, class R>
bool masked_store(Core& c, const Insn& i) {
    if (!R::ready(c)) return false;
    const u64 ea = c.effective_address(i);
    const auto mask = lanes<T>(R::get(c, i.vvvv)), data = lanes<T>(R::get(c, i.reg));
    for (unsigned k = 0; k < data.size(); ++k) {
        u64 a;
        if (!chosen(mask[k])) continue;
        if (!c.linear(i.seg, lane_offset<T>(i, ea, k), sizeof(T), Access::write, a)) return false;
        if (!c.probe_write(a, sizeof(T))) return false;
    }
    for (unsigned k = 0; k < data.size(); ++k) {
        if (chosen(mask[k]) && !c.store(i.seg, lane_offset<T>(i, ea, k), data[k])) return false;
    }
    return true;
}
template <class T>
Handler pick_masked(const Insn& i) {
    const bool to_memory = is_store(i);
    return by_vex_form(i, [to_memory]<class R, bool Memory>() -> Handler {
        return to_memory ? &masked_store<T, R> : &masked_load<T, R>;
    });
}

// Lane after lane from the lowest on: each that is done is in the destination, and its mask is clear, when a
// later one faults. What follows a fault goes on from there (SDM vol. 2C VPGATHERDD).
template <class T, class Index, class R>
bool gather(Core& c, const Insn& i) {
    if (!R::ready(c)) return false;
    constexpr unsigned count = R::size / (sizeof(T) > sizeof(Index) ? sizeof(T) : sizeof(Index));
    const u64 base = static_cast<u64>(static_cast<i64>(i.disp)) + c.state.gpr[i.base];
    const auto index = lanes<Index>(Vex256::get(c, i.index));
    auto data = lanes<T>(Vex256::get(c, i.reg)), mask = lanes<T>(Vex256::get(c, i.vvvv));
    bool ok = true;
    for (unsigned k = 0; k < count; ++k) {
        if (chosen(mask[k])) {
            u64 a = base + (static_cast<u64>(static_cast<i64>(index[k])) << i.scale);
            if (i.asize == 4) a = static_cast<u32>(a);
            ok = c.load(i.seg, a, data[k]);
            if (!ok) break;
        }
        mask[k] = 0;
    }
    // Only at the end is all above cleared.
    if (ok) {
        mask.fill(0);
        for (unsigned k = count; k < data.size(); ++k) data[k] = 0;
    }
    Vex256::set(c, i.reg, vec(data));
    Vex256::set(c, i.vvvv, vec(mask));
    return ok;
}
template <class T, class Index>
Handler pick_gather(const Insn& i) {
    return i.has(insn_flag::vex_l) ? &gather<T, Index, Vex256> : &gather<T, Index, Vex128>;
}

}  // namespace

Handler mask_handler(const Insn& i) {
    switch (i.op) {
        case Op::VMASKMOVPS:
        case Op::VPMASKMOVD:
            return pick_masked<u32>(i);
        case Op::VMASKMOVPD:
        case Op::VPMASKMOVQ:
            return pick_masked<u64>(i);
        case Op::VPGATHERDD:
        case Op::VGATHERDPS:
            return pick_gather<u32, i32>(i);
        case Op::VPGATHERDQ:
        case Op::VGATHERDPD:
            return pick_gather<u64, i32>(i);
        case Op::VPGATHERQD:
        case Op::VGATHERQPS:
            return pick_gather<u32, i64>(i);
        case Op::VPGATHERQQ:
        case Op::VGATHERQPD:
            return pick_gather<u64, i64>(i);
        default:
            return nullptr;
    }
}

}  // namespace mynah::sse
