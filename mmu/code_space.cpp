#include "mmu/code_space.h"

#include <algorithm>

#include "base/bits.h"
#include "mmu/tlb_context.h"

namespace mynah {

void CodeFilter::clear() {
    if (any_) *this = {};
}

void CodeFilter::add(u64 linear) {
    pages_.set(linear >> kPageShift);
    areas_.set(linear >> kAreaShift);
    any_ = true;
}

bool CodeFilter::meets(u64 base, unsigned shift) const {
    constexpr unsigned kMany = kAreaShift + 4;
    if (!any_ || shift >= kMany) return any_;
    if (shift == kPageShift) return pages_.test(base >> kPageShift);
    for (u64 a = base >> kAreaShift; a <= (base + (u64{1} << shift) - 1) >> kAreaShift; ++a) {
        if (areas_.test(a)) return true;
    }
    return false;
}

unsigned CodeSpaces::top_shift(u32 bits) {
    return bits & TlbContext::Key::kLongMode ? 39 : bits & TlbContext::Key::kPae ? 30 : 22;
}

u32 CodeSpaces::top_index(u32 bits, u64 linear) {
    const unsigned shift = top_shift(bits);
    return static_cast<u32>(linear >> shift) & (shift == 39 ? 0x1FF : shift == 30 ? 3 : 0x3FF);
}

bool CodeSpaces::top_entry(const TlbContext& c, u32 index, u64& entry) {
    const unsigned shift = top_shift(c.key.bits);
    if (shift == 30) {
        // A register, part of the key.
        entry = c.key.root[index];
        return true;
    }
    const u8 size = shift == 39 ? 8 : 4;
    const u64 a20_mask = c.key.bits & TlbContext::Key::kA20 ? ~u64{0} : ~(u64{1} << 20);
    WalkStep step{.address = (c.key.root[0] + u64{index} * size) & a20_mask,
                  .size = size,
                  .shift = static_cast<u8>(shift)};
    if (!tracker_.trackable(step.address)) return false;
    entry = step.value = map_.read(step.address, size);
    const u64 linear = u64{index} << shift;
    tracker_.note(step, shift == 39 ? sign_extend(linear, 48) : linear, c.space);
    return true;
}

bool CodeSpaces::alike(TlbContext& c, const CodeSpace& s) {
    if (s.bits != c.key.bits || s.tops.size() >= CodeSpace::kMostTops) return false;
    return std::ranges::all_of(s.tops, [&](const CodeSpace::Top& t) {
        u64 entry = 0;
        return top_entry(c, t.index, entry) && entry == t.entry;
    });
}

void CodeSpaces::join(TlbContext& c) {
    if (!(c.key.bits & TlbContext::Key::kPaging) || c.key.user()) {
        c.own_code.epoch = 0;
        c.code = &c.own_code;
        return;
    }
    const auto known = std::ranges::find_if(shared_, [&](const auto& s) { return alike(c, *s); });
    if (known != shared_.end()) {
        c.code = known->get();
        return;
    }
    if (shared_.size() == kMost) {
        leave_all(*shared_.front(), nullptr);
        shared_.erase(shared_.begin());
    }
    shared_.push_back(std::make_unique<CodeSpace>());
    c.code = shared_.back().get();
    c.code->bits = c.key.bits;
}

void CodeSpaces::leave_all(const CodeSpace& s, const TlbContext* but) {
    for (const auto& c : contexts_) {
        if (c->code == &s && c.get() != but) c->code = nullptr;
    }
}

void CodeSpaces::note(TlbContext& c, u64 linear) {
    CodeSpace& s = *c.code;
    s.pages.add(linear);
    if (&s == &c.own_code || s.tops.size() >= CodeSpace::kMostTops) return;
    const u32 index = top_index(s.bits, linear);
    if (std::ranges::find(s.tops, index, &CodeSpace::Top::index) != s.tops.end()) return;
    CodeSpace::Top top{.index = index};
    const bool tracked = top_entry(c, index, top.entry);
    s.tops.push_back(top);
    if (!tracked || s.tops.size() == CodeSpace::kMostTops) return leave_all(s, &c);
    for (const auto& other : contexts_) {
        u64 entry = 0;
        if (other->code != &s || other.get() == &c) continue;
        if (!top_entry(*other, index, entry) || entry != top.entry) other->code = nullptr;
    }
}

void CodeSpaces::drop(TlbContext& c, const TableTracker::Drop& d) {
    if (c.code == nullptr) return;
    if (c.code == &c.own_code) return c.own_code.drop(d.base, d.shift);
    // Below that it is all members' matter.
    if (d.shift >= top_shift(c.key.bits)) c.code = nullptr;
}

void CodeSpaces::drop(const TableTracker::Drop& d) {
    for (const auto& s : shared_) {
        const bool all = d.shift >= 64 || s->tops.size() >= CodeSpace::kMostTops;
        if (!all && d.shift >= top_shift(s->bits)) continue;
        const u32 index = top_index(s->bits, d.base);
        if (all || std::ranges::find(s->tops, index, &CodeSpace::Top::index) != s->tops.end())
            s->drop(d.base, d.shift);
    }
}

void CodeSpaces::clear() {
    for (const auto& c : contexts_) c->code = nullptr;
    shared_.clear();
}

}  // namespace mynah
