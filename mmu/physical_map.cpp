#include <algorithm>
#include <cstdio>
#include <cstring>

#include "base/bits.h"
#include "base/check.h"
#include "mmu/physical_map_impl.h"

namespace mynah {

namespace {

u64 load_value(const u8* p, unsigned width) {
    switch (width) {
        case 1:
            return *p;
        case 2:
            return load_le<u16>(p);
        case 4:
            return load_le<u32>(p);
        default:
            return load_le<u64>(p);
    }
}

void store_value(u8* p, u64 value, unsigned width) {
    switch (width) {
        case 1:
            *p = static_cast<u8>(value);
            break;
        case 2:
            store_le(p, static_cast<u16>(value));
            break;
        case 4:
            store_le(p, static_cast<u32>(value));
            break;
        default:
            store_le(p, value);
            break;
    }
}

u64 ones(unsigned width) {
    return width >= 8 ? ~u64{0} : (u64{1} << 8 * width) - 1;
}

// The widest aligned access at `address` that does not go past `left` bytes.
unsigned step(u64 address, u64 left) {
    if ((address & 3) == 0 && left >= 4) return 4;
    if ((address & 1) == 0 && left >= 2) return 2;
    return 1;
}

}  // namespace

Result<std::unique_ptr<PhysicalMap>> PhysicalMap::create(u64 ram_size, u64 below_4g) {
    ram_size = align_down(ram_size, kPageSize);
    below_4g = std::min({align_down(below_4g, kPageSize), ram_size, 4 * GiB});
    if (ram_size == 0) return Error{"the guest needs some memory (-m)"};
    if (4 * GiB + (ram_size - below_4g) > u64{1} << kPhysicalBits) {
        return Error{"at most 1020 GiB of guest memory fit a 40-bit physical address space (-m)"};
    }
    Result<HostMemory> memory = HostMemory::create(ram_size, "guest-ram");
    if (!memory) return memory.error();
    return std::unique_ptr<PhysicalMap>(new PhysicalMapImpl(std::move(*memory), ram_size, below_4g));
}

class PhysicalMapImpl::SplitPage final : public MmioHandler {
  public:
    struct Part {
        u64 start, end;  // within the page
        MmioHandler* handler;
        u64 offset;  // of `start` within the mapping
    };
    std::vector<Part> parts;  // topmost first

    u64 read(u64 offset, unsigned width) override {
        const Part* p = find(offset, width);
        return p ? p->handler->read(offset - p->start + p->offset, width) : ones(width);
    }
    void write(u64 offset, u64 value, unsigned width) override {
        const Part* p = find(offset, width);
        if (p) p->handler->write(offset - p->start + p->offset, value, width);
    }

  private:
    const Part* find(u64 offset, unsigned width) const {
        for (const Part& p : parts) {
            if (offset >= p.start && offset + width <= p.end) return &p;
        }
        return nullptr;
    }
};

PhysicalMapImpl::PhysicalMapImpl(HostMemory memory, u64 size, u64 below_4g)
    : memory_(std::move(memory)), size_(size), below_(below_4g) {
    ram_flags_.resize(size >> kPageShift);
    leaves_.resize(u64{1} << (kPhysicalBits - 30));
}

PhysicalMap::Target PhysicalMapImpl::read_target(PhysicalAddress page) const {
    if (const Leaf* l = leaf(page)) return l->read[(page >> kPageShift) % kLeafPages];
    return {ram_page(page), nullptr, 0};
}

PhysicalMap::Target PhysicalMapImpl::write_target(PhysicalAddress page) const {
    if (const Leaf* l = leaf(page)) return l->write[(page >> kPageShift) % kLeafPages];
    return {ram_page(page), nullptr, 0};
}

u8* PhysicalMapImpl::Mapping::page_host(PhysicalAddress page) {
    const u64 offset = page - base;
    return offset + kPageSize > length ? tail.data() : host + offset;
}

PhysicalMapImpl::Leaf& PhysicalMapImpl::make_leaf(PhysicalAddress page) {
    auto& gib = leaves_[page >> 30];
    if (!gib) gib = std::make_unique<std::array<std::unique_ptr<Leaf>, kLeavesPerGib>>();
    std::unique_ptr<Leaf>& l = (*gib)[(page >> kLeafShift) % kLeavesPerGib];
    if (!l) {
        l = std::make_unique<Leaf>();
        const PhysicalAddress start = align_down(page, u64{1} << kLeafShift);
        for (u64 i = 0; i < kLeafPages; ++i)
            l->read[i] = l->write[i] = {ram_page(start + i * kPageSize), nullptr, 0};
    }
    return *l;
}

PhysicalMap::Target PhysicalMapImpl::topmost(PhysicalAddress page, bool for_write) {
    for (auto m = mappings_.rbegin(); m != mappings_.rend(); ++m) {
        if (m->base >= page + kPageSize || m->end() <= page) continue;
        switch (m->kind) {
            case Kind::rom:
                return {for_write ? nullptr : m->page_host(page), nullptr, 0};
            case Kind::memory:
                return {m->page_host(page), nullptr, 0};
            case Kind::mmio:
                break;
        }
        if (m->base <= page && m->end() >= page + kPageSize) return {nullptr, m->handler, page - m->base};
        std::unique_ptr<SplitPage>& split = split_[page];
        if (!split) split = std::make_unique<SplitPage>();
        split->parts.clear();
        for (auto o = mappings_.rbegin(); o != mappings_.rend(); ++o) {
            if (o->kind != Kind::mmio || o->base >= page + kPageSize || o->end() <= page) continue;
            const u64 start = std::max(o->base, page);
            split->parts.push_back(
                {start - page, std::min(o->end(), page + kPageSize) - page, o->handler, start - o->base});
        }
        return {nullptr, split.get(), 0};
    }
    return {ram_page(page), nullptr, 0};
}

void PhysicalMapImpl::recompute_page(PhysicalAddress page) {
    Leaf& l = make_leaf(page);
    const u64 i = (page >> kPageShift) % kLeafPages;
    const auto shadow = shadow_.find(page);
    const Shadow s = shadow == shadow_.end() ? Shadow{} : shadow->second;
    const Target ram{ram_page(page), nullptr, 0};
    l.read[i] = s.read_ram && ram.host ? ram : topmost(page, false);
    l.write[i] = s.write_ram && ram.host ? ram : topmost(page, true);
}

void PhysicalMapImpl::recompute(PhysicalAddress base, u64 length) {
    const PhysicalAddress end = std::min(align_up(base + length, kPageSize), u64{1} << kPhysicalBits);
    for (PhysicalAddress page = align_down(base, kPageSize); page < end; page += kPageSize)
        recompute_page(page);
    changed();
}

void PhysicalMapImpl::changed() {
    for (MapObserver* o : map_observers_) o->map_changed();
}

PhysicalMap::MappingId PhysicalMapImpl::add(Mapping mapping) {
    // BARs are written by the guest: what does not fit the address space is cut off.
    constexpr u64 limit = u64{1} << kPhysicalBits;
    if (mapping.base >= limit) mapping.length = 0;
    mapping.length = std::min(mapping.length, limit - std::min(mapping.base, limit));
    const PhysicalAddress base = mapping.base;
    const u64 length = mapping.length;
    mapping.id = next_id_++;
    mappings_.push_back(std::move(mapping));
    if (length != 0) recompute(base, length);
    return next_id_ - 1;
}

PhysicalMap::MappingId PhysicalMapImpl::map_mmio(PhysicalAddress base, u64 length, MmioHandler& handler,
                                                 std::string_view name) {
    return add({0, Kind::mmio, base, length, nullptr, &handler, std::string(name), {}});
}

PhysicalMap::MappingId PhysicalMapImpl::map_rom(PhysicalAddress base, std::span<u8> rom,
                                                std::string_view name) {
    MYNAH_CHECK((base & kPageMask) == 0);
    std::vector<u8> tail;
    if (const u64 rest = rom.size() & kPageMask) {
        tail.assign(kPageSize, 0xFF);
        std::memcpy(tail.data(), rom.data() + (rom.size() - rest), rest);
    }
    return add({0, Kind::rom, base, rom.size(), rom.data(), nullptr, std::string(name), std::move(tail)});
}

PhysicalMap::MappingId PhysicalMapImpl::map_memory(PhysicalAddress base, std::span<u8> memory,
                                                   std::string_view name) {
    MYNAH_CHECK((base & kPageMask) == 0 && (memory.size() & kPageMask) == 0);
    return add({0, Kind::memory, base, memory.size(), memory.data(), nullptr, std::string(name), {}});
}

void PhysicalMapImpl::unmap(MappingId id) {
    const auto m = std::ranges::find(mappings_, id, &Mapping::id);
    if (m == mappings_.end()) return;
    const PhysicalAddress base = m->base;
    const u64 length = m->length;
    mappings_.erase(m);
    if (length != 0) recompute(base, length);
}

void PhysicalMapImpl::set_shadow(PhysicalAddress base, u64 length, bool read_ram, bool write_ram) {
    const Shadow wanted{read_ram, write_ram};
    bool any = false;
    for (PhysicalAddress page = base; page < base + length; page += kPageSize) {
        const auto it = shadow_.find(page);
        if ((it == shadow_.end() ? Shadow{} : it->second) == wanted) continue;
        any = true;
        if (wanted == Shadow{}) {
            shadow_.erase(it);
        } else {
            shadow_[page] = wanted;
        }
    }
    if (any) recompute(base, length);
}

void PhysicalMapImpl::set_a20(bool enabled) {
    if (a20_ == enabled) return;
    a20_ = enabled;
    for (MapObserver* o : map_observers_) o->a20_changed();
}

u64 PhysicalMapImpl::read(PhysicalAddress address, unsigned width) {
    const u64 in_page = address & kPageMask;
    if (in_page + width > kPageSize) {
        u64 value = 0;
        for (unsigned i = 0; i < width; ++i) value |= read(address + i, 1) << 8 * i;
        return value;
    }
    const Target t = read_target(address - in_page);
    if (t.host) return load_value(t.host + in_page, width);
    if (t.mmio) return t.mmio->read(t.offset + in_page, width) & ones(width);
    return ones(width);
}

void PhysicalMapImpl::write(PhysicalAddress address, u64 value, unsigned width) {
    const u64 in_page = address & kPageMask;
    if (in_page + width > kPageSize) {
        for (unsigned i = 0; i < width; ++i) write(address + i, value >> 8 * i, 1);
        return;
    }
    const Target t = write_target(address - in_page);
    if (t.host) {
        store_value(t.host + in_page, value, width);
        if (flags(address) != 0) notify_written(address, width);
    } else if (t.mmio) {
        t.mmio->write(t.offset + in_page, value & ones(width), width);
    }
}

void PhysicalMapImpl::read(PhysicalAddress address, std::span<u8> out) {
    while (!out.empty()) {
        const u64 in_page = address & kPageMask;
        const u64 n = std::min<u64>(out.size(), kPageSize - in_page);
        const Target t = read_target(address - in_page);
        if (t.host) {
            std::memcpy(out.data(), t.host + in_page, n);
        } else {
            for (u64 i = 0; i < n;) {
                const unsigned width = step(address + i, n - i);
                store_value(out.data() + i, read(address + i, width), width);
                i += width;
            }
        }
        address += n;
        out = out.subspan(n);
    }
}

void PhysicalMapImpl::write(PhysicalAddress address, std::span<const u8> data) {
    while (!data.empty()) {
        const u64 in_page = address & kPageMask;
        const u64 n = std::min<u64>(data.size(), kPageSize - in_page);
        const Target t = write_target(address - in_page);
        if (t.host) {
            std::memcpy(t.host + in_page, data.data(), n);
            if (flags(address) != 0) notify_written(address, n);
        } else if (t.mmio) {
            for (u64 i = 0; i < n;) {
                const unsigned width = step(address + i, n - i);
                write(address + i, load_value(data.data() + i, width), width);
                i += width;
            }
        }
        address += n;
        data = data.subspan(n);
    }
}

u8* PhysicalMapImpl::flags_of(PhysicalAddress frame) {
    const u64 offset = ram_offset(frame);
    if (offset != kNoRam) return &ram_flags_[offset >> kPageShift];
    Leaf* l = leaf(frame);
    return l ? &l->flags[(frame >> kPageShift) % kLeafPages] : nullptr;
}

u8 PhysicalMapImpl::flags(PhysicalAddress frame) const {
    const u64 offset = ram_offset(frame);
    if (offset != kNoRam) return ram_flags_[offset >> kPageShift];
    const Leaf* l = leaf(frame);
    return l ? l->flags[(frame >> kPageShift) % kLeafPages] : u8{0};
}

void PhysicalMapImpl::set_flag(PhysicalAddress frame, u8 flag) {
    u8* f = flags_of(frame);
    if (!f) return;  // nothing is there that could be written
    const bool first = *f == 0;
    *f |= flag;
    if (!first) return;
    for (MapObserver* o : map_observers_) o->frame_protected(frame & ~kPageMask);
}

void PhysicalMapImpl::clear_flag(PhysicalAddress frame, u8 flag) {
    if (u8* f = flags_of(frame)) *f = static_cast<u8>(*f & ~flag);
}

void PhysicalMapImpl::notify_written(PhysicalAddress address, u64 length) {
    const u8 set = flags(address);
    for (const auto& [flag, observer] : frame_observers_) {
        if (set & flag) observer->frame_written(address, length);
    }
}

void PhysicalMapImpl::observe_frames(u8 flag, FrameObserver& observer) {
    frame_observers_.emplace_back(flag, &observer);
}

void PhysicalMapImpl::observe_map(MapObserver& observer) {
    map_observers_.push_back(&observer);
}

// Runs of pages that are not all zero, each with its first page and count; a count of zero ends them.
void PhysicalMapImpl::visit_ram(Archive& ar) {
    const u64 pages = size_ >> kPageShift;
    if (ar.loading()) {
        memory_.zero();
        while (ar.ok()) {
            u64 first = 0, count = 0;
            ar.all(first, count);
            if (count == 0 || !ar.ok()) break;
            if (first >= pages || count > pages - first) return ar.fail("memory page out of range");
            ar.bytes(memory_.data() + (first << kPageShift), count << kPageShift);
        }
        return;
    }
    static constexpr std::array<u8, kPageSize> zeros{};
    const auto empty = [&](u64 page) {
        return std::memcmp(memory_.data() + (page << kPageShift), zeros.data(), kPageSize) == 0;
    };
    for (u64 page = 0; page < pages;) {
        if (empty(page)) {
            ++page;
            continue;
        }
        u64 first = page, count = 0;
        while (page < pages && !empty(page)) ++page, ++count;
        ar.all(first, count);
        ar.bytes(memory_.data() + (first << kPageShift), count << kPageShift);
    }
    u64 end = pages, none = 0;
    ar.all(end, none);
}

void PhysicalMapImpl::visit(Archive& ar) {
    ar.section("memory");
    u64 size = size_, below = below_;
    ar.all(size, below);
    if (ar.ok() && (size != size_ || below != below_))
        return ar.fail("the machine had another memory size (-m)");
    ar(a20_);
    u32 count = static_cast<u32>(shadow_.size());
    ar(count);
    std::vector<PhysicalAddress> touched;
    if (ar.loading()) {
        for (const auto& [page, s] : shadow_) touched.push_back(page);
        shadow_.clear();
        for (u32 i = 0; i < count && ar.ok(); ++i) {
            PhysicalAddress page = 0;
            Shadow s;
            ar.all(page, s.read_ram, s.write_ram);
            if (page >> kPhysicalBits || page & kPageMask) ar.fail("shadow page out of range");
            if (!ar.ok()) break;
            shadow_[page] = s;
            touched.push_back(page);
        }
    } else {
        for (auto& [page, s] : shadow_) {
            PhysicalAddress p = page;
            ar.all(p, s.read_ram, s.write_ram);
        }
    }
    visit_ram(ar);
    if (!ar.loading()) return;
    for (const PhysicalAddress page : touched) recompute_page(page);
    for (MapObserver* o : map_observers_) o->a20_changed();
    changed();
}

std::string PhysicalMapImpl::describe() const {
    std::string text;
    const auto line = [&](PhysicalAddress base, u64 length, std::string_view name) {
        if (length == 0) return;
        char range[40];
        std::snprintf(range, sizeof range, "%010llx-%010llx ", static_cast<unsigned long long>(base),
                      static_cast<unsigned long long>(base + length - 1));
        text.append(range).append(name).append("\n");
    };
    line(0, below_, "ram");
    line(4 * GiB, size_ - below_, "ram above 4 GiB");
    for (const Mapping& m : mappings_) {
        constexpr std::array kinds{" (mmio)", " (rom)", " (memory)"};
        line(m.base, m.length, m.name + kinds[static_cast<unsigned>(m.kind)]);
    }
    for (auto s = shadow_.begin(); s != shadow_.end();) {
        auto last = s;
        u64 length = 0;
        while (last != shadow_.end() && last->first == s->first + length && last->second == s->second) {
            length += kPageSize;
            ++last;
        }
        line(s->first, length,
             std::string("shadow:") + (s->second.read_ram ? " reads ram" : "") +
                 (s->second.write_ram ? " writes ram" : ""));
        s = last;
    }
    if (!a20_) text += "gate A20 is off\n";
    return text;
}

}  // namespace mynah
