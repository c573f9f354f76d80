// Random page tables, stores to them and control changes: Mmu against a direct walker that has no cache.
//
// The walker here is written from the tables of SDM vol. 3A ch. 4, on its own copy of memory, and shares no
// code with mmu/.
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "mmu/mmu.h"

namespace mynah {
namespace {

constexpr u64 kRam = 256 * KiB;  // few frames: tables alias each other, data and themselves
constexpr u64 kFrames = kRam / 4096;

struct Outcome {
    bool ok = false;
    u32 error = 0;
    u64 address = 0;
    bool changed = false;  // an A or D bit
};

struct Direct {
    std::vector<u8> mem = std::vector<u8>(kRam);
    PagingControls c;
    std::array<u64, 4> pdpte{};
    bool a20 = true;

    u64 mask(u64 a) const { return a20 ? a : a & ~0x100000ull; }
    u64 get(u64 a, int n) const {
        a = mask(a);
        u64 v = n == 8 ? ~0ull : 0xFFFFFFFFull;
        if (a + 8 <= kRam) {
            v = 0;
            std::memcpy(&v, &mem[a], static_cast<size_t>(n));
        }
        return v;
    }
    bool set_bits(u64 a, u64 bits) {
        a = mask(a);
        if (a + 8 > kRam) return false;
        u32 v;
        std::memcpy(&v, &mem[a], 4);
        const bool changes = (v & bits) != bits;
        v |= static_cast<u32>(bits);
        std::memcpy(&mem[a], &v, 4);
        return changes;
    }

    Outcome access(u64 lin, Access kind, Privilege who, bool commit) {
        Outcome o;
        const bool user = who == Privilege::user, write = kind == Access::write,
                   fetch = kind == Access::execute;
        if (!c.paging) return {true, 0, mask(lin), false};
        const u32 base =
            (write ? 2u : 0) | (user ? 4u : 0) | (fetch && (c.smep || (c.pae && c.nxe)) ? 16u : 0);
        std::vector<u64> used;
        bool all_u = true, all_w = true, any_xd = false;
        const auto fail = [&](u32 bits) {
            o.error = base | bits;
            return o;
        };
        if (!c.pae) {
            u64 at = (c.cr3 & 0xFFFFF000) | (lin >> 22) << 2;
            const u64 pde = get(at, 4);
            if (!(pde & 1)) return fail(0);
            used.push_back(at);
            all_u = pde & 4;
            all_w = pde & 2;
            if ((pde & 0x80) && c.pse) {
                u64 high = 0;
                for (unsigned i = 0; i < 9; ++i) {
                    if (!(pde >> (13 + i) & 1)) continue;
                    if (32 + i >= c.physical_bits) return fail(9);
                    high |= 1ull << (32 + i);
                }
                o.address = high | (pde & 0xFFC00000) | (lin & 0x3FFFFF);
            } else {
                at = (pde & 0xFFFFF000) | (lin >> 12 & 0x3FF) << 2;
                const u64 e = get(at, 4);
                if (!(e & 1)) return fail(0);
                used.push_back(at);
                all_u = all_u && (e & 4);
                all_w = all_w && (e & 2);
                o.address = (e & 0xFFFFF000) | (lin & 0xFFF);
            }
        } else {
            u64 table = c.cr3 & 0x000FFFFFFFFFF000;
            int level = 4;
            if (!c.long_mode) {
                const u64 p = pdpte[lin >> 30];
                if (!(p & 1)) return fail(0);
                table = p & 0x000FFFFFFFFFF000;
                level = 2;
            }
            for (;; --level) {
                const int shift = 12 + 9 * (level - 1);
                const u64 at = table | ((lin >> shift) & 511) << 3;
                const u64 e = get(at, 8);
                if (!(e & 1)) return fail(0);
                used.push_back(at);
                for (unsigned b = c.physical_bits; b < 64; ++b) {
                    if (!(e >> b & 1)) continue;
                    if (b == 63 ? !c.nxe : b < 52 || !c.long_mode) return fail(9);
                }
                const bool ps = (e & 0x80) && level > 1;
                if (ps && (level == 4 || (level == 3 && !c.gib_pages))) return fail(9);
                if (ps && (e & ((1ull << shift) - 1) & ~0x1FFFull)) return fail(9);
                all_u = all_u && (e & 4);
                all_w = all_w && (e & 2);
                any_xd = any_xd || (e >> 63);
                if (level == 1 || ps) {
                    const u64 offset = (1ull << shift) - 1;
                    o.address = (e & 0x000FFFFFFFFFF000 & ~offset) | (lin & offset);
                    break;
                }
                table = e & 0x000FFFFFFFFFF000;
            }
        }
        o.address = mask(o.address);
        bool allowed = true;
        if (user && !all_u) allowed = false;
        if (write && !all_w && (user || c.wp)) allowed = false;
        if (fetch && any_xd) allowed = false;
        if (!user && fetch && c.smep && all_u) allowed = false;
        if (!user && !fetch && c.smap && all_u && who != Privilege::supervisor_ac) allowed = false;
        if (!allowed) return fail(1);
        o.ok = true;
        for (size_t i = 0; i < used.size(); ++i) {
            const u64 bits = 0x20 | (write && i + 1 == used.size() ? 0x40 : 0);
            if (commit) {
                o.changed = set_bits(used[i], bits) || o.changed;
            } else if (mask(used[i]) + 8 <= kRam) {
                o.changed = o.changed || (get(used[i], 4) & bits) != bits;
            }
        }
        return o;
    }
};

class PagingFuzz : public ::testing::TestWithParam<int> {
  protected:
    std::mt19937_64 rng{static_cast<u64>(GetParam())};
    std::unique_ptr<PhysicalMap> map = std::move(PhysicalMap::create(kRam)).value();
    Mmu mmu{*map};
    Direct direct;

    u64 pick(u64 n) { return rng() % n; }
    bool chance(unsigned percent) { return pick(100) < percent; }

    u64 random_entry() {
        u64 e = pick(kFrames + 2) << 12 | (rng() & 0xF1F);
        if (chance(92)) e |= 1;
        if (chance(80)) e |= 2;
        if (chance(80)) e |= 4;
        if (chance(40)) e |= 0x60;
        if (chance(10)) e = (e & ~0xFF000ull) | 0x80;
        if (chance(3)) e |= 1ull << (13 + pick(51));
        if (chance(8)) e |= 1ull << 63;
        return e;
    }
    void store(u64 a, u64 v, unsigned width) {
        map->write(a, v, width);
        std::memcpy(&direct.mem[a], &v, width);
    }
    void fill_tables() {
        for (u64 f = 0; f < kFrames; ++f) {
            const bool narrow = chance(30);
            for (u64 i = 0; i < 4096; i += narrow ? 4 : 8)
                store(f * 4096 + i, random_entry(), narrow ? 4 : 8);
        }
    }
    // Few distinct indices a level, so that entries are met again.
    u64 random_linear() {
        if (!direct.c.paging) return pick(kRam + 0x100000);
        u64 a = pick(4) << 12 | pick(4) << 21 | pick(4) << 30 | pick(3) << 39 | pick(4096);
        if (direct.c.pae && direct.c.long_mode) {
            if (chance(5)) a |= 0xFFFFull << 48 | 1ull << 47;
            return a;
        }
        return (a ^ pick(2) << 22) & 0xFFFFFFFF;
    }
    void change_controls() {
        PagingControls& c = direct.c;
        const u64 what = pick(8);
        if (what < 4) {
            c.cr3 = pick(6) << 12 | (chance(50) ? 0 : 0x18);
        } else if (what == 4) {
            c.paging = chance(95);
            const u64 mode = pick(3);
            c.pae = mode >= 1;
            c.long_mode = mode == 2;
        } else {
            c.pse = chance(70);
            c.wp = chance(70);
            c.nxe = chance(70);
            c.smep = chance(40);
            c.smap = chance(40);
            c.gib_pages = chance(70);
            c.physical_bits = chance(70) ? 40 : 36;
        }
        // In random tables PDPTEs are hardly ever legal: load made-up ones.
        if (chance(30)) {
            for (u64& p : direct.pdpte) p = pick(kFrames) << 12 | (chance(90) ? 1 : 0);
        }
        mmu.pdptes() = direct.pdpte;
        mmu.set_controls(c);
    }

    void compare_access() {
        const u64 a = random_linear();
        const Access kind = static_cast<Access>(pick(3));
        const Privilege who = static_cast<Privilege>(pick(3));
        const bool fast = chance(50);
        if (fast) {
            mmu.set_privilege(who);
            const u8* p = kind == Access::read    ? mmu.fast_read(a, 1)
                          : kind == Access::write ? mmu.fast_write(a, 1)
                                                  : mmu.fast_fetch(a);
            ASSERT_EQ(p, mmu.fast_as(a, 1, kind, who));
            if (p) {
                const Outcome o = direct.access(a, kind, who, false);
                ASSERT_TRUE(o.ok) << "a fast path to what faults";
                ASSERT_FALSE(o.changed) << "a fast path to what must set A or D";
                ASSERT_EQ(static_cast<u64>(p - map->ram().data()), o.address);
                if (kind == Access::write) {
                    ASSERT_EQ(map->flags(o.address), 0);
                }
                ++hits;
                return;
            }
        }
        const Outcome o = direct.access(a, kind, who, true);
        const Translation t = mmu.translate(a, kind, who);
        ASSERT_EQ(t.ok, o.ok) << std::hex << a << " error " << t.error_code << " / " << o.error;
        if (o.ok) {
            ASSERT_EQ(t.address, o.address) << std::hex << a;
            ++successes;
            if (kind == Access::write && chance(20) && t.address + 8 <= kRam) {
                const u64 aligned = t.address & ~u64{7};
                store(aligned, random_entry(), 8);
            }
        } else {
            ASSERT_EQ(t.error_code, o.error) << std::hex << a;
        }
    }

    u64 hits = 0, successes = 0;
};

TEST_P(PagingFuzz, AgreesWithADirectWalk) {
    fill_tables();
    change_controls();
    for (unsigned n = 0; n < 60000; ++n) {
        const u64 what = pick(100);
        if (what < 80) {
            compare_access();
        } else if (what < 90) {
            const unsigned width = 1u << pick(4);
            const u64 a = pick(kRam / 4096) * 4096 + (chance(70) ? pick(4) * 8 : pick(4096)) / width * width;
            store(a, random_entry(), width);
        } else if (what < 94) {
            change_controls();
        } else if (what < 96) {
            const u64 frame = pick(kFrames) << 12;
            const u8 flag = chance(50) ? frame_flag::code : frame_flag::clean;
            chance(50) ? map->set_flag(frame, flag) : map->clear_flag(frame, flag);
        } else if (what < 97) {
            mmu.invalidate_page(random_linear());
        } else if (what == 97 && chance(20)) {
            mmu.flush();
        } else if (what == 98 && chance(20)) {
            direct.a20 = !direct.a20;
            map->set_a20(direct.a20);
        } else if (what == 99 && chance(20)) {
            std::vector<u8> block(1 + pick(6000));
            for (u8& b : block) b = static_cast<u8>(rng());
            const u64 a = pick(kRam - block.size());
            map->write(a, block);
            std::memcpy(&direct.mem[a], block.data(), block.size());
        }
        if (HasFatalFailure()) FAIL() << "at step " << n;
        if (n % 2000 == 0) {
            ASSERT_EQ(std::memcmp(direct.mem.data(), map->ram().data(), kRam), 0) << "at step " << n;
        }
    }
    EXPECT_GT(hits, 100u);
    EXPECT_GT(successes, 5000u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, PagingFuzz, ::testing::Range(1, 17));

}  // namespace
}  // namespace mynah
