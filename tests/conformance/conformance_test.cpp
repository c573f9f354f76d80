// What every device owes the machine, whatever it does: snapshots without hidden state, a reset that is one,
// and an answer to every access.
#include <gtest/gtest.h>

#include "rig.h"
#include "support/random.h"

namespace mynah::test {

namespace {

class Conformance : public testing::TestWithParam<RigKind> {
  protected:
    std::unique_ptr<Rig> make() {
        auto rig = GetParam().make();
        rig->reset();
        return rig;
    }
    static void run(Rig& rig, u64 seed, unsigned steps) {
        Random random(seed);
        const Numbers next = [&] { return random.next(); };
        for (unsigned i = 0; i < steps; ++i) rig.step(next);
    }
};

TEST_P(Conformance, SaveLoadSaveIsIdentical) {
    for (u64 seed = 1; seed <= 5; ++seed) {
        auto a = make(), b = make();
        run(*a, seed, 2000);
        run(*b, seed + 100, 500);  // whatever was there before is gone after a load
        const std::vector<u8> saved = a->save();
        ASSERT_EQ(saved, a->save()) << "saving changes something";
        b->copy_world(*a);
        ASSERT_TRUE(b->load(saved)) << "seed " << seed;
        EXPECT_EQ(saved, b->save()) << "seed " << seed;
    }
}

TEST_P(Conformance, ContinuesIdenticallyAfterLoad) {
    for (u64 seed = 1; seed <= 5; ++seed) {
        auto a = make(), b = make();
        run(*a, seed, 2000);
        const std::vector<u8> saved = a->save();
        b->copy_world(*a);
        ASSERT_TRUE(b->load(saved));
        a->restart_trace();
        b->restart_trace();
        for (unsigned part = 0; part < 20; ++part) {
            run(*a, seed * 1000 + part, 100);
            run(*b, seed * 1000 + part, 100);
            ASSERT_EQ(a->trace(), b->trace()) << "seed " << seed << " part " << part;
        }
        EXPECT_EQ(a->save(), b->save());
    }
}

TEST_P(Conformance, ResetRestoresPowerOn) {
    auto used = make(), fresh = make();
    if (used->keeps_state_over_reset) GTEST_SKIP() << "keeps state over a reset, as the hardware does";
    run(*used, 1, 3000);
    fresh->time.set(used->time.now());
    used->reset();
    fresh->reset();
    used->copy_world(*fresh);
    used->restart_trace();
    fresh->restart_trace();
    for (unsigned part = 0; part < 20; ++part) {
        run(*used, 77 + part, 100);
        run(*fresh, 77 + part, 100);
        ASSERT_EQ(used->trace(), fresh->trace()) << "part " << part;
    }
}

TEST_P(Conformance, RunsAreRepeatable) {
    auto a = make(), b = make();
    run(*a, 42, 20000);
    run(*b, 42, 20000);
    EXPECT_EQ(a->trace(), b->trace());
    EXPECT_EQ(a->save(), b->save());
}

TEST_P(Conformance, TakesEveryWidthAtEveryOffset) {
    auto rig = make();
    for (BankId bank : rig->banks) {
        const BankInfo info = rig->device->bank(bank);
        ASSERT_GE(info.max_width, 1);
        const u64 stride = info.length > 4096 ? 61 : 1;
        for (unsigned width = 1; width <= info.max_width; width *= 2) {
            for (u64 offset = 0; offset + width <= info.length; offset += stride) {
                for (u64 value : {u64{0}, ~u64{0}, u64{0x5A5A5A5A5A5A5A5A}}) {
                    rig->access(bank, offset, width, true, value);
                    const u64 got = rig->device->read(bank, offset, width);
                    if (width < 8) {
                        EXPECT_EQ(got >> (8 * width), 0u) << "bank " << int{bank} << " offset " << offset;
                    }
                }
            }
        }
        // The buses split what is wider than the device takes.
        DeviceMmio window(*rig->device, bank);
        for (unsigned width : {1u, 2u, 4u, 8u}) {
            for (u64 offset = 0; offset < info.length + 8; offset += stride) {
                window.write(offset, 0x0123456789ABCDEF, width);
                window.read(offset, width);
            }
        }
    }
    rig->advance(1'000'000);
}

TEST_P(Conformance, DamagedSnapshotsDoNoHarm) {
    auto source = make();
    run(*source, 3, 1000);
    const std::vector<u8> saved = source->save();
    Random random(9);
    for (unsigned i = 0; i < 60; ++i) {
        auto rig = make();
        rig->copy_world(*source);
        std::vector<u8> damaged = saved;
        if (i % 3 == 0) {
            damaged.resize(random.below(static_cast<u32>(damaged.size())));
        } else {
            for (unsigned k = 0; k < 1 + i % 40; ++k) {
                damaged[random.below(static_cast<u32>(damaged.size()))] = static_cast<u8>(random.next());
            }
        }
        rig->load(damaged);  // refused or not: the device stays usable
        run(*rig, i, 200);
        rig->reset();
        run(*rig, i, 50);
    }
}

INSTANTIATE_TEST_SUITE_P(EveryDevice, Conformance, testing::ValuesIn(rig_kinds()),
                         [](const auto& rig) { return rig.param.name; });

}  // namespace

}  // namespace mynah::test
