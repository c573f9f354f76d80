// The processor stores to the frame buffer directly: what it changed is drawn, on each engine, and nothing
// else.
#include <gtest/gtest.h>

#include "devices/frame.h"
#include "machine/machine.h"

namespace mynah {
namespace {

constexpr u64 kStep = 0x504;

class Screen : public testing::TestWithParam<AccelKind> {
  protected:
    void SetUp() override {
        MachineConfig c;
        c.memory = 2 * MiB;
        c.bios = MEDIA_BINARIES "/pixels.bin";
        c.clock = ClockMode::deterministic;
        c.accel = GetParam();
        auto made = Machine::create(c, {.monotonic_ns = [] { return u64{0}; }, .serials = {}}, log_);
        ASSERT_TRUE(made.ok()) << made.error().message;
        machine_ = std::move(*made);
        run();
    }
    void run() { machine_->run_until(machine_->instructions() + 500'000, true); }
    void step(u32 number) {
        machine_->memory().write(kStep, number, 4);
        run();
        ASSERT_EQ(machine_->memory().read(kStep, 4), 0u) << "the guest is done";
    }
    void expect_rows(u32 first, u32 end) {
        EXPECT_TRUE(machine_->update_screen(frame_));
        EXPECT_EQ(frame_.first_row, first);
        EXPECT_EQ(frame_.end_row, end);
        EXPECT_TRUE(frame_.rgb == machine_->screen().rgb);
        EXPECT_FALSE(machine_->update_screen(frame_));
    }

    Log log_;
    std::unique_ptr<Machine> machine_;
    Frame frame_;
};

TEST_P(Screen, ShowsWhatIsStoredAndNothingElse) {
    expect_rows(0, 200);
    ASSERT_EQ(frame_.width, 640u);
    run();
    EXPECT_FALSE(machine_->update_screen(frame_));
    step(1);
    expect_rows(7, 8);
    EXPECT_EQ(frame_.rgb[3 * (7 * 640 + 3)], 0xFF);
    step(2);
    EXPECT_FALSE(machine_->update_screen(frame_)) << "the same again";
    step(3);
    expect_rows(20, 30);
    step(4);
    expect_rows(100, 101);
    for (int i = 0; i < 3; ++i) {
        step(5);
        if (i == 0) expect_rows(50, 51);
    }
    EXPECT_FALSE(machine_->update_screen(frame_));
    step(1);
    step(3);
    EXPECT_FALSE(machine_->update_screen(frame_));
}

TEST_P(Screen, LookingChangesNothingForTheGuest) {
    auto other =
        Machine::create(machine_->config(), {.monotonic_ns = [] { return u64{0}; }, .serials = {}}, log_);
    ASSERT_TRUE(other.ok());
    (*other)->run_until(machine_->instructions(), true);
    for (const u32 number : {1u, 3u, 4u, 5u}) {
        step(number);
        (void)machine_->update_screen(frame_);
        (*other)->memory().write(kStep, number, 4);
        (*other)->run_until(machine_->instructions(), true);
    }
    EXPECT_EQ((*other)->save(), machine_->save());
    EXPECT_TRUE((*other)->screen().rgb == frame_.rgb);
}

INSTANTIATE_TEST_SUITE_P(EveryEngine, Screen,
                         testing::Values(AccelKind::interp, AccelKind::jit, AccelKind::verify),
                         [](const auto& kind) {
                             switch (kind.param) {
                                 case AccelKind::interp:
                                     return "interp";
                                 case AccelKind::jit:
                                     return "jit";
                                 default:
                                     return "verify";
                             }
                         });

}  // namespace
}  // namespace mynah
