#include "mmu/mmu.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "base/bits.h"
#include "base/check.h"
#include "mmu/page_walk.h"
#include "mmu/table_tracker.h"
#include "mmu/tlb_context.h"

namespace mynah {

namespace {

constexpr size_t kMaxContexts = 48;
constexpr u32 kNoSpace = 0x80000000;  // of contexts without paging
constexpr u32 kForgotten = ~u32{0};   // TlbContext::Key::bits of a context that is free
constexpr unsigned kNearRoot = 22;    // level of entries that map 4 MiB and more
constexpr u64 kProtected = 1;         // in a slow write entry: because of the frame's flags

// Where in the write tables a frame may be: up to four slots of 14 bits, the count (5: anywhere) above them.
constexpr unsigned kHintBits = 14, kHintCountShift = 56, kHintAnywhere = 5;
static_assert(TlbContext::kLastSize == 1 << kHintBits);

u64 add_hint(u64 hints, u64 linear) {
    const u64 slot = (linear >> kPageShift) & (TlbContext::kLastSize - 1);
    const unsigned count = static_cast<unsigned>(hints >> kHintCountShift);
    if (count == kHintAnywhere) return hints;
    for (unsigned i = 0; i < count; ++i) {
        if ((hints >> i * kHintBits & (TlbContext::kLastSize - 1)) == slot) return hints;
    }
    if (count == 4) return u64{kHintAnywhere} << kHintCountShift;
    return (hints + (u64{1} << kHintCountShift)) | slot << count * kHintBits;
}

}  // namespace

struct Mmu::Impl {
    Impl(Mmu& owner, PhysicalMap& physical)
        : mmu(owner),
          map(physical),
          tracker(physical),
          code_spaces(physical, tracker, contexts),
          ram(physical.ram()),
          below(physical.ram_below_4g()),
          hints(physical.ram_size() >> kPageShift) {}

    Mmu& mmu;
    PhysicalMap& map;
    TableTracker tracker;
    std::vector<std::unique_ptr<TlbContext>> contexts;
    CodeSpaces code_spaces;
    std::span<u8> ram;
    u64 below;
    u64 a20_mask = ~u64{0};
    std::array<TlbContext*, 3> by_privilege{};
    TlbContext* current_code = nullptr;  // where its execute table and code epoch are
    u64 clock = 0;
    u64 epochs = 0;
    std::vector<u64> hints;                           // by RAM frame
    std::unordered_map<PhysicalAddress, u64> others;  // hints of frames that are not RAM

    u64* hint(PhysicalAddress frame, bool make) {
        if (frame < below) return &hints[frame >> kPageShift];
        if (frame >= 4 * GiB && frame - 4 * GiB < ram.size() - below) {
            return &hints[(frame - 4 * GiB + below) >> kPageShift];
        }
        if (make) return &others[frame];
        const auto it = others.find(frame);
        return it == others.end() ? nullptr : &it->second;
    }

    bool physical_of(const u8* host, PhysicalAddress& address) const {
        const u64 offset = static_cast<u64>(host - ram.data());
        if (host < ram.data() || offset >= ram.size()) return false;
        address = offset < below ? offset : offset - below + 4 * GiB;
        return true;
    }

    Privilege effective(Privilege p) const {
        const PagingControls& c = mmu.controls_;
        if (!c.paging) return Privilege::supervisor;
        return p == Privilege::supervisor_ac && !c.smap ? Privilege::supervisor : p;
    }

    TlbContext::Key key(Privilege p) const {
        const PagingControls& c = mmu.controls_;
        TlbContext::Key k;
        using Key = TlbContext::Key;
        const u32 a20 = a20_mask == ~u64{0} ? Key::kA20 : 0;
        if (!c.paging) {
            k.bits = a20;
            return k;
        }
        k.bits = a20 | Key::kPaging | (c.pae ? Key::kPae : 0) | (c.long_mode ? Key::kLongMode : 0) |
                 u32{c.pse} << 4 | u32{c.wp} << 5 | u32{c.nxe} << 6 | u32{c.smep} << 7 | u32{c.smap} << 8 |
                 u32{c.gib_pages} << 9 | static_cast<u32>(p) << Key::kPrivilege | u32{c.physical_bits} << 16;
        if (c.pae && !c.long_mode) {
            k.root = mmu.pdptes_;
        } else {
            k.root[0] = c.cr3 & ~kPageMask;
        }
        return k;
    }

    // Of all contexts that may have used the same tables; collisions only drop too much.
    u32 space() const {
        const PagingControls& c = mmu.controls_;
        if (!c.paging) return kNoSpace;
        return static_cast<u32>((c.cr3 & (c.pae && !c.long_mode ? ~u64{31} : ~kPageMask)) >> 5) & ~kNoSpace;
    }

    bool in_use(const TlbContext* c) const {
        return c == by_privilege[0] || c == by_privilege[1] || c == by_privilege[2] || c == current_code;
    }

    TlbContext& context(Privilege privilege) {
        TlbContext* const known = by_privilege[static_cast<unsigned>(privilege)];
        return known != nullptr ? *known : find_context(privilege);
    }

    [[gnu::noinline]] TlbContext& find_context(Privilege privilege) {
        const Privilege p = effective(privilege);
        if (p != privilege) return *(by_privilege[static_cast<unsigned>(privilege)] = &context(p));
        const TlbContext::Key wanted = key(p);
        TlbContext* found = nullptr;
        TlbContext* oldest = nullptr;
        for (const auto& c : contexts) {
            if (c->key == wanted) {
                found = c.get();
                break;
            }
            if (!in_use(c.get()) && (!oldest || c->last_used < oldest->last_used)) oldest = c.get();
        }
        if (!found) {
            const bool forgotten = oldest && oldest->last_used == 0;
            if (contexts.size() < kMaxContexts && !forgotten) {
                found = contexts.emplace_back(std::make_unique<TlbContext>()).get();
            } else {
                found = oldest;
                found->reset();
            }
            found->key = wanted;
            found->space = space();
        }
        found->last_used = ++clock;
        mmu.views_[static_cast<unsigned>(p)] = &found->view();
        return *(by_privilege[static_cast<unsigned>(p)] = found);
    }

    // Of ordinary accesses.
    TlbContext& current() { return context(mmu.privilege_); }

    // For instruction fetches EFLAGS.AC makes no difference.
    TlbContext& code_context(Privilege p) {
        return context(p == Privilege::supervisor_ac ? Privilege::supervisor : p);
    }
    TlbContext& context(Privilege p, Access access) {
        return access == Access::execute ? code_context(p) : context(p);
    }

    void show(TlbContext& c) {
        forget_stack_page();
        current_code = &code_context(mmu.privilege_);
        const View& view = c.view();
        mmu.current_ = {view.tables[0], view.tables[1], current_code->view().tables[TlbContext::execute]};
        mmu.victims_ = view.victims;
        (void)c.lost();
        take_epoch();
    }

    void take_epoch() {
        if (current_code->code == nullptr) code_spaces.join(*current_code);
        CodeSpace& code = *current_code->code;
        if (code.epoch == 0) {
            code.epoch = ++epochs;
            code.pages.clear();
        }
        mmu.code_epoch_ = code.epoch;
    }

    // The controls or CR3 changed: finds the contexts anew.
    void reselect() {
        by_privilege = {};
        mmu.views_ = {};
        show(current());
    }

    void drop(const TableTracker::Drop& d) {
        for (const auto& c : contexts) {
            if (c->space != d.space && d.space != TableTracker::kAnySpace) continue;
            // A table near the root that goes from a space nobody is in: the space is most likely gone.
            if (d.shift >= kNearRoot && !in_use(c.get())) {
                c->key = {.root = {}, .bits = kForgotten};
                c->space = kNoSpace;
                c->last_used = 0;
                c->code = nullptr;
                continue;
            }
            c->drop(d.base, d.shift);
            code_spaces.drop(*c, d);
        }
        code_spaces.drop(d);
        renew();
    }

    void forget_stack_page() {
        mmu.stack_page_.page = StackPage::kNone;
        ++mmu.stack_page_changes_;
    }

    // After drops: generated code relies on pages that it found until it hears that something has gone.
    void recheck() {
        if (current().lost()) forget_stack_page();
    }

    // After drops: what was executed from in the current context may be mapped otherwise now.
    void renew() {
        recheck();
        take_epoch();
    }

    // Write entries that lead to the frame.
    void drop_writes(PhysicalAddress frame) {
        u64* const known = hint(frame, false);
        if (!known || *known == 0) return;
        const u64 where = std::exchange(*known, 0);
        const u8* host = map.write_target(frame).host;
        if (!host) return;
        const u64 page = static_cast<u64>(reinterpret_cast<std::uintptr_t>(host));
        const unsigned count = static_cast<unsigned>(where >> kHintCountShift);
        for (const auto& c : contexts) {
            if (count == kHintAnywhere) {
                c->drop_writes(page);
                continue;
            }
            for (unsigned i = 0; i < count; ++i) {
                c->drop_writes_at(where >> i * kHintBits & (TlbContext::kLastSize - 1), page);
            }
        }
    }

    void insert(TlbContext& c, unsigned table, u64 page, u64 host) {
        if (c.insert(table, page, host) && (&c == &current() || &c == current_code)) show(current());
    }

    void fill(TlbContext& c, u64 linear, PhysicalAddress address, Access access, bool may_write) {
        const u64 page = linear & ~kPageMask;
        const PhysicalAddress frame = address & ~kPageMask;
        const PhysicalMap::Target read = map.read_target(frame);
        const auto value = [](u8* host) { return static_cast<u64>(reinterpret_cast<std::uintptr_t>(host)); };
        if (access == Access::execute) {
            if (read.host) insert(c, 2, page, value(read.host));
            return;
        }
        if (read.host) {
            insert(c, 0, page, value(read.host));
        } else if (access == Access::read) {
            insert(c, TlbContext::slow_read, page, frame);
        }
        if (!may_write) return;
        const PhysicalMap::Target write = map.write_target(frame);
        if (write.host && map.flags(frame) == 0) {
            u64* h = hint(frame, true);
            *h = add_hint(*h, linear);
            insert(c, 1, page, value(write.host));
        } else if (access == Access::write) {
            insert(c, TlbContext::slow_write, page, frame | (write.host ? kProtected : 0));
        }
    }

    // Sets A in every entry and, for a write, D in the last one. These are stores like any other.
    void set_accessed(const Walk& w, bool write) {
        for (unsigned i = 0; i < w.count; ++i) {
            const WalkStep& s = w.steps[i];
            const u64 need = pte::accessed | (write && i + 1u == w.count ? pte::dirty : 0);
            if ((s.value & need) == need) continue;
            map.write(s.address, map.read(s.address, s.size) | need, s.size);
        }
    }

    u32 error_code(const Walk& w, Access access, Privilege p) const {
        const PagingControls& c = mmu.controls_;
        u32 e = w.end == Walk::End::not_present ? 0 : pf::present;
        if (w.end == Walk::End::reserved) e |= pf::reserved;
        if (access == Access::write) e |= pf::write;
        if (p == Privilege::user) e |= pf::user;
        if (access == Access::execute && (c.smep || (c.pae && c.nxe))) e |= pf::fetch;
        return e;
    }

    Translation walk(u64 linear, Access access, Privilege privilege) {
        const PagingControls& controls = mmu.controls_;
        TlbContext& c = context(privilege, access);
        if (!controls.paging) {
            const PhysicalAddress address = linear & a20_mask;
            fill(c, linear, address, access, true);
            return {true, 0, address};
        }
        const Walk w = walk_page_tables(map, controls, mmu.pdptes_, a20_mask, linear);
        if (w.end != Walk::End::mapped || !access_allowed(w, controls, access, privilege)) {
            return {false, error_code(w, access, privilege), 0};
        }
        const bool write = access == Access::write;
        set_accessed(w, write);
        bool tracked = true;
        for (unsigned i = 0; i < w.count; ++i) tracked = tracked && tracker.trackable(w.steps[i].address);
        if (tracked) {
            const u32 s = c.space;
            for (unsigned i = 0; i < w.count; ++i) tracker.note(w.steps[i], linear, s);
            const bool may_write = write || ((w.leaf().value & pte::dirty) &&
                                             access_allowed(w, controls, Access::write, privilege));
            fill(c, linear, w.address, access, may_write);
        }
        return {true, 0, w.address};
    }
};

Mmu::Mmu(PhysicalMap& map) : impl_(std::make_unique<Impl>(*this, map)) {
    map.observe_map(*this);
    map.observe_frames(frame_flag::page_table, *this);
    a20_changed();
}

Mmu::~Mmu() = default;

void Mmu::set_controls(const PagingControls& controls) {
    // CR3 in PAE mode: the PDPTEs may be others though the controls are the same.
    if (controls == controls_ && !(controls.pae && !controls.long_mode)) return;
    controls_ = controls;
    impl_->reselect();
}

void Mmu::set_privilege(Privilege privilege) {
    if (privilege == privilege_) return;
    const TlbContext& before = impl_->current();
    privilege_ = privilege;
    TlbContext& c = impl_->current();
    if (&c != &before) impl_->show(c);
}

bool Mmu::load_pdptes(u64 cr3) {
    std::array<u64, 4> loaded;
    const u64 reserved = ~((u64{1} << controls_.physical_bits) - 1) | 0x1E6;
    for (unsigned i = 0; i < 4; ++i) {
        loaded[i] = impl_->map.read(((cr3 & 0xFFFFFFE0) + 8 * i) & impl_->a20_mask, 8);
        if ((loaded[i] & pte::present) && (loaded[i] & reserved)) return false;
    }
    pdptes() = loaded;
    return true;
}

std::array<u64, 4>& Mmu::pdptes() {
    // In this mode CR3 is no input of walks: it only makes the controls differ from any that will be set.
    if (controls_.pae && !controls_.long_mode) controls_.cr3 = ~u64{0};
    return pdptes_;
}

void Mmu::invalidate_page(u64 linear) {
    const u32 space = impl_->space();
    for (const auto& c : impl_->contexts) {
        if (c->space == space) c->drop_page(linear);
    }
    impl_->renew();
}

void Mmu::flush() {
    impl_->tracker.clear();
    impl_->code_spaces.clear();
    for (const auto& c : impl_->contexts) c->clear();
    std::ranges::fill(impl_->hints, 0);
    impl_->others.clear();
    impl_->reselect();
}

bool Mmu::use_stack_page(u64 linear) {
    const u64 page = linear & ~kPageMask;
    u8* const host = fast_write(page, 1);
    // Code that adds to stack pointers does not see to it that they wrap around at 4 GiB.
    if (host == nullptr || static_cast<u32>(page + kPageSize) < 2 * kPageSize) return false;
    const u64 h = reinterpret_cast<std::uintptr_t>(host);
    stack_page_ = {page, h, h - page};
    return true;
}

void Mmu::note_code(u64 linear) {
    impl_->code_spaces.note(*impl_->current_code, linear);
}

u8* Mmu::fast_as(u64 linear, unsigned size, Access access, Privilege privilege) {
    const TlbEntry& e = impl_->context(privilege, access).entry(static_cast<unsigned>(access), linear);
    const u64 offset = linear - e.tag;
    if (offset > kPageSize - size) return nullptr;
    return reinterpret_cast<u8*>(e.host + offset);
}

Translation Mmu::translate(u64 linear, Access access, Privilege privilege) {
    TlbContext& c = impl_->context(privilege, access);
    const u64 page = linear & ~kPageMask;
    const TlbEntry& e = c.entry(static_cast<unsigned>(access), linear);
    if (access != Access::execute && e.tag != page) c.recall(static_cast<unsigned>(access), page);
    PhysicalAddress address;
    if (e.tag == page && e.host != 0 &&
        impl_->physical_of(reinterpret_cast<u8*>(e.host + (linear - page)), address)) {
        return {true, 0, address};
    }
    if (access != Access::execute) {
        const TlbEntry& s =
            c.entry(access == Access::read ? TlbContext::slow_read : TlbContext::slow_write, linear);
        // Without its flag the frame is written fast again: the walk fills that in.
        if (s.tag == page && !((s.host & kProtected) && impl_->map.flags(s.host) == 0))
            return {true, 0, (s.host & ~kPageMask) | (linear & kPageMask)};
    }
    return impl_->walk(linear, access, privilege);
}

std::optional<PhysicalAddress> Mmu::peek(u64 linear) const {
    if (!controls_.paging) return linear & impl_->a20_mask;
    const Walk w = walk_page_tables(impl_->map, controls_, pdptes_, impl_->a20_mask, linear);
    if (w.end != Walk::End::mapped) return std::nullopt;
    return w.address;
}

void Mmu::map_changed() {
    flush();
}

void Mmu::a20_changed() {
    impl_->a20_mask = impl_->map.a20() ? ~u64{0} : ~(u64{1} << 20);
    impl_->reselect();
}

void Mmu::frame_protected(PhysicalAddress frame) {
    impl_->drop_writes(frame);
    impl_->recheck();
}

void Mmu::frame_written(PhysicalAddress address, u64 length) {
    impl_->tracker.written(address, length, [this](const TableTracker::Drop& d) { impl_->drop(d); });
}

namespace {

// A guest may map all its address space, and a page table into itself: a listing ends here.
constexpr u64 kMostListed = 1 << 20;

std::string page_line(u64 linear, const Walk& w) {
    const u64 entry = w.leaf().value;
    std::string flags = "XGPDACTUW";
    const bool set[] = {
        (entry & pte::no_execute) != 0,    (entry & pte::global) != 0,   w.page_shift > 12,
        (entry & pte::dirty) != 0,         (entry & pte::accessed) != 0, (entry & pte::cache_disable) != 0,
        (entry & pte::write_through) != 0, (entry & pte::user) != 0,     (entry & pte::writable) != 0};
    for (size_t i = 0; i < flags.size(); ++i) {
        if (!set[i]) flags[i] = '-';
    }
    return fmt::format("{:016x}: {:016x} {}\n", linear, w.address, flags);
}

}  // namespace

std::string Mmu::describe_mappings(bool each_page) const {
    if (!controls_.paging) return "PG disabled\n";
    std::string text;
    struct Range {
        u64 start = 0, length = 0;
        std::string rights;
    } range;
    const auto flush_range = [&] {
        if (range.length == 0) return;
        text += fmt::format("{:016x}-{:016x} {:016x} {}\n", range.start, range.start + range.length,
                            range.length, range.rights);
        range.length = 0;
    };
    const u64 end = controls_.long_mode ? u64{1} << 48 : 4 * GiB;
    u64 listed = 0;
    for (u64 at = 0; at < end;) {
        const u64 linear = controls_.long_mode ? sign_extend(at, 48) : at;
        const Walk w = walk_page_tables(impl_->map, controls_, pdptes_, impl_->a20_mask, linear);
        const unsigned shift = w.end == Walk::End::mapped ? w.page_shift : w.count ? w.leaf().shift : 30u;
        const u64 length = u64{1} << shift;
        at += length;
        if (w.end != Walk::End::mapped) {
            flush_range();
            continue;
        }
        if (++listed > kMostListed) {
            flush_range();
            return text + "(and more)\n";
        }
        if (each_page) {
            text += page_line(linear, w);
            continue;
        }
        std::string rights{w.user ? 'u' : '-', 'r', w.writable ? 'w' : '-'};
        if (range.length == 0 || rights != range.rights || range.start + range.length != linear) {
            flush_range();
            range = {linear, 0, std::move(rights)};
        }
        range.length += length;
    }
    flush_range();
    return text;
}

}  // namespace mynah
