#include "mmu/table_tracker.h"

namespace mynah {

TableTracker::TableTracker(PhysicalMap& map)
    : map_(map),
      below_(map.ram_below_4g()),
      above_(map.ram_above_4g()),
      by_frame_(map.ram_size() >> kPageShift) {}

u32* TableTracker::slot(PhysicalAddress frame) {
    if (frame < below_) return &by_frame_[frame >> kPageShift];
    const u64 offset = frame - 4 * GiB;
    return frame >= 4 * GiB && offset < above_ ? &by_frame_[(below_ + offset) >> kPageShift] : nullptr;
}

bool TableTracker::trackable(PhysicalAddress entry) const {
    const PhysicalAddress page = entry & ~kPageMask;
    const PhysicalMap::Target t = map_.read_target(page);
    if (!t.host) return false;
    if (page < below_ || (page >= 4 * GiB && page - 4 * GiB < above_)) return true;
    return map_.write_target(page).host == nullptr;  // a ROM
}

TableTracker::Table& TableTracker::make(PhysicalAddress frame, u32& slot) {
    if (free_.empty()) {
        tables_.emplace_back();
        slot = static_cast<u32>(tables_.size());
    } else {
        slot = free_.back() + 1;
        free_.pop_back();
    }
    Table& t = tables_[slot - 1];
    t = Table{};
    t.frame = frame;
    map_.set_flag(frame, frame_flag::page_table);
    return t;
}

void TableTracker::release(Table& table) {
    u32* index = slot(table.frame);
    free_.push_back(*index - 1);
    *index = 0;
    map_.clear_flag(table.frame, frame_flag::page_table);
}

void TableTracker::add_role(Table& table, const Role& role) {
    if (role.size == 8) table.wide = true;
    for (unsigned i = 0; i < table.roles; ++i) {
        Role& r = table.role[i];
        if (r.base != role.base || r.shift != role.shift || r.size != role.size) continue;
        if (r.space != role.space) r.space = kAnySpace;
        return;
    }
    if (table.roles == table.role.size()) {
        table.too_many = true;
        return;
    }
    table.role[table.roles++] = role;
}

void TableTracker::note(const WalkStep& step, u64 linear, u32 space) {
    const PhysicalAddress frame = step.address & ~kPageMask;
    u32* index = slot(frame);
    if (!index) return;
    Table& t = *index ? tables_[*index - 1] : make(frame, *index);
    const unsigned table_shift = step.shift + (step.size == 8 ? 9u : 10u);
    const u64 base = linear >> table_shift << table_shift;
    const Role& r = t.role[0];
    const bool known = t.roles != 0 && r.base == base && r.shift == step.shift && r.size == step.size &&
                       (r.space == space || r.space == kAnySpace);
    if (!known && !t.too_many) add_role(t, Role{base, space, step.shift, step.size});
    const u64 b = (step.address & kPageMask) / 4;
    if (t.used[b / 64] >> b % 64 & 1) return;
    t.used[b / 64] |= u64{1} << b % 64;
    ++t.live;
}

void TableTracker::clear() {
    for (const Table& t : tables_) {
        u32* index = slot(t.frame);
        if (!index || *index == 0) continue;
        *index = 0;
        map_.clear_flag(t.frame, frame_flag::page_table);
    }
    tables_.clear();
    free_.clear();
}

}  // namespace mynah
