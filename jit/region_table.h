// Where the code of a jump target is: open addressing, one cache line a look-up in the common case.
#pragma once

#include <vector>

#include "jit/region.h"

namespace mynah {

class RegionTable {
  public:
    struct Found {
        Region* region = nullptr;
        const u8* code = nullptr;  // null: not there
        u32 need = 0;              // instructions that the budget must cover
    };

    RegionTable() { clear(); }

    Found find(const RegionKey& key) const {
        for (size_t n = hash(key) & mask_;; n = (n + 1) & mask_) {
            const Slot& s = slots_[n];
            if (s.key == key) return s.found;
            if (s.key.host == nullptr) return {};
        }
    }
    // Replaces what the key had.
    void insert(const RegionKey& key, const Found& found) {
        if (2 * ++used_ > slots_.size()) grow();
        put(key, found);
    }
    // The slot stays occupied until clear(): a key that is erased is likely to come back.
    void erase(const RegionKey& key) { put(key, {}); }
    void clear() {
        slots_.assign(kFirst, {});
        mask_ = kFirst - 1;
        used_ = 0;
    }

  private:
    static constexpr size_t kFirst = 4096;
    struct Slot {
        RegionKey key;
        Found found;
    };

    static size_t hash(const RegionKey& k) {
        const u64 h = (reinterpret_cast<u64>(k.host) ^ k.rip * 31 ^ u64{k.mode} << 47) * 0x9E3779B97F4A7C15;
        return h ^ h >> 32;
    }
    void put(const RegionKey& key, const Found& found) {
        size_t n = hash(key) & mask_;
        while (slots_[n].key.host != nullptr && !(slots_[n].key == key)) n = (n + 1) & mask_;
        slots_[n] = {key, found};
    }
    void grow() {
        std::vector<Slot> old(slots_.size() * 2);
        old.swap(slots_);
        mask_ = slots_.size() - 1;
        used_ = 1;
        for (const Slot& s : old) {
            if (s.found.code == nullptr) continue;
            put(s.key, s.found);
            ++used_;
        }
    }

    std::vector<Slot> slots_;
    size_t mask_ = 0;
    size_t used_ = 0;
};

}  // namespace mynah
