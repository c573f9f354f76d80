// A medium with a thread of its own: order, results, and that nobody waits who need not.
#include "block/async_disk.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "support/random.h"

namespace mynah::test {
namespace {

// Stands still while `gate` is closed.
class GatedDisk final : public BlockBackend {
  public:
    struct State {
        std::mutex mutex;
        std::condition_variable changed;
        bool open = true;
        std::vector<u8> bytes = std::vector<u8>(64 * KiB);
        std::vector<u8> flushed;  // the content at the last flush
        bool failing = false;
        void set_open(bool on) {
            const std::lock_guard lock(mutex);
            open = on;
            changed.notify_all();
        }
    };
    explicit GatedDisk(State& state) : state_(state) {}
    u64 size() const override { return state_.bytes.size(); }
    bool read_only() const override { return false; }
    Status read(u64 offset, std::span<u8> out) override {
        const auto lock = pass();
        if (state_.failing) return Error{"bad sector"};
        std::copy_n(state_.bytes.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
        return Ok{};
    }
    Status write(u64 offset, std::span<const u8> data) override {
        const auto lock = pass();
        if (state_.failing) return Error{"no space"};
        std::copy(data.begin(), data.end(), state_.bytes.begin() + static_cast<std::ptrdiff_t>(offset));
        return Ok{};
    }
    Status flush() override {
        const auto lock = pass();
        state_.flushed = state_.bytes;
        return Ok{};
    }

  private:
    std::unique_lock<std::mutex> pass() {
        std::unique_lock lock(state_.mutex);
        state_.changed.wait(lock, [this] { return state_.open; });
        return lock;
    }
    State& state_;
};

TEST(AsyncDisk, TakesWorkOverAndTellsWhenItIsDone) {
    GatedDisk::State state;
    AsyncDisk disk(std::make_unique<GatedDisk>(state), false);
    EXPECT_FALSE(disk.busy());
    state.set_open(false);
    const std::vector<u8> data(512, 7);
    ASSERT_TRUE(disk.write(1024, data).ok());
    disk.will_flush();
    disk.will_read(1024, 512);
    EXPECT_TRUE(disk.busy());
    state.set_open(true);
    std::vector<u8> back(512);
    ASSERT_TRUE(disk.read(1024, back).ok());
    EXPECT_EQ(back, data);
    EXPECT_FALSE(disk.busy());
    EXPECT_TRUE(disk.flush().ok());
    EXPECT_EQ(state.flushed[1024], 7);
}

TEST(AsyncDisk, AFlushHoldsAllThatWasWrittenBefore) {
    GatedDisk::State state;
    AsyncDisk disk(std::make_unique<GatedDisk>(state), true);
    disk.will_flush();
    ASSERT_TRUE(disk.write(0, std::vector<u8>(512, 9)).ok());
    // What was begun before the write is not enough.
    ASSERT_TRUE(disk.flush().ok());
    EXPECT_EQ(state.flushed[0], 9);
    EXPECT_FALSE(disk.busy());
}

TEST(AsyncDisk, ErrorsAreReportedOnce) {
    GatedDisk::State state;
    AsyncDisk disk(std::make_unique<GatedDisk>(state), false);
    state.failing = true;
    EXPECT_TRUE(disk.write(0, std::vector<u8>(512)).ok());
    disk.wait_idle();
    EXPECT_FALSE(disk.settle().ok());
    EXPECT_TRUE(disk.settle().ok());
    EXPECT_TRUE(disk.write(0, std::vector<u8>(512)).ok());
    EXPECT_FALSE(disk.flush().ok()) << "a device that does not ask learns it here";
    std::vector<u8> back(512);
    disk.will_read(0, 512);
    EXPECT_FALSE(disk.read(0, back).ok());
}

TEST(AsyncDisk, RequestsRunInOrderAndEndOneByOne) {
    GatedDisk::State state;
    std::atomic<int> told = 0;
    AsyncDisk disk(std::make_unique<GatedDisk>(state), false, [&] { ++told; });
    const auto begin = [&](DiskRequest::Kind kind, u64 offset, u8 byte) {
        auto r = std::make_shared<DiskRequest>();
        r->kind = kind;
        r->offset = offset;
        r->bytes = 512;
        r->data.assign(512, byte);
        disk.start(r);
        return r;
    };
    state.set_open(false);
    const auto write = begin(DiskRequest::Kind::write, 512, 7);
    const auto read = begin(DiskRequest::Kind::read, 512, 0);
    const auto zero = begin(DiskRequest::Kind::zero, 512, 0);
    EXPECT_FALSE(disk.ended(*write));
    std::vector<u8> bytes(512, 1);
    EXPECT_FALSE(disk.read_at_once(512, bytes)) << "not beside those";
    state.set_open(true);
    // Asking the old way waits for all of them.
    ASSERT_TRUE(disk.read(512, bytes).ok());
    EXPECT_EQ(bytes, std::vector<u8>(512));
    EXPECT_TRUE(disk.ended(*write) && disk.ended(*read) && disk.ended(*zero));
    EXPECT_EQ(read->data, std::vector<u8>(512, 7));
    disk.wait_for_started();
    state.failing = true;
    const auto failed = begin(DiskRequest::Kind::write, 0, 1);
    const auto flush = begin(DiskRequest::Kind::flush, 0, 0);
    disk.wait_for_started();
    EXPECT_FALSE(failed->result.ok());
    EXPECT_TRUE(flush->result.ok());
    EXPECT_TRUE(disk.settle().ok()) << "reported with the request";
    EXPECT_GE(told, 3);
}

TEST(AsyncDisk, WaitsForARequestWhereTheHostsPaceMustNotShow) {
    GatedDisk::State state;
    AsyncDisk disk(std::make_unique<GatedDisk>(state), true);
    EXPECT_TRUE(disk.waits());
    auto r = std::make_shared<DiskRequest>();
    r->bytes = 512;
    r->data.resize(512, 1);
    state.set_open(false);
    disk.start(r);
    std::vector<u8> bytes(512);
    EXPECT_FALSE(disk.read_at_once(0, bytes));
    std::thread opener([&] { state.set_open(true); });
    EXPECT_TRUE(disk.ended(*r));
    opener.join();
    EXPECT_EQ(r->data, bytes);
}

TEST(AsyncDisk, RandomIoAgainstAModel) {
    GatedDisk::State state;
    std::vector<u8> model(64 * KiB);
    {
        AsyncDisk disk(std::make_unique<GatedDisk>(state), false);
        Random random(4);
        for (int i = 0; i < 3000; ++i) {
            const u64 offset = random.below(120) * 512, n = (1 + random.below(8)) * 512;
            std::vector<u8> data(n, static_cast<u8>(random.next()));
            const auto at = model.begin() + static_cast<std::ptrdiff_t>(offset);
            switch (random.below(4)) {
                case 0:
                    disk.will_read(offset, n);
                    break;
                case 1:
                    ASSERT_TRUE(disk.read(offset, data).ok());
                    ASSERT_TRUE(std::equal(data.begin(), data.end(), at));
                    break;
                default:
                    ASSERT_TRUE(disk.write(offset, data).ok());
                    std::copy(data.begin(), data.end(), at);
            }
        }
    }
    EXPECT_EQ(state.bytes, model) << "all is done when it goes";
}

}  // namespace
}  // namespace mynah::test
