#include "devices/floppy.h"

#include <gtest/gtest.h>

#include "devices/bench.h"

namespace mynah::test {
namespace {

// Channel 2 as the floppy sees it.
class FakeDma final : public DmaChannel {
  public:
    void set_request(bool level) override { request = level; }
    bool ready() const override { return enabled && left > 0; }
    Direction direction() const override { return way; }
    Moved write(std::span<const u8> data) override {
        Moved m;
        if (way == Direction::from_memory) return m;
        m.bytes = std::min(left, data.size());
        memory.insert(memory.end(), data.begin(), data.begin() + static_cast<std::ptrdiff_t>(m.bytes));
        left -= m.bytes;
        m.terminal_count = left == 0;
        return m;
    }
    Moved read(std::span<u8> out) override {
        Moved m;
        if (way != Direction::from_memory) return m;
        m.bytes = std::min(left, out.size());
        std::copy_n(memory.begin() + static_cast<std::ptrdiff_t>(at), m.bytes, out.begin());
        at += m.bytes;
        left -= m.bytes;
        m.terminal_count = left == 0;
        return m;
    }
    void on_ready(std::function<void()> f) override { became_ready = std::move(f); }

    void to_memory(size_t n) {
        memory.clear();
        left = n;
        way = Direction::to_memory;
    }
    void from_memory(std::vector<u8> data) {
        left = data.size();
        memory = std::move(data);
        at = 0;
        way = Direction::from_memory;
    }

    std::vector<u8> memory;
    size_t left = 0, at = 0;
    Direction way = Direction::to_memory;
    bool enabled = true, request = false;
    std::function<void()> became_ready;
};

struct FloppyBench : Bench {
    FakeDma dma;
    bool irq = false;
    MemoryDisk medium;
    FloppyController fdc{queue, dma, IrqLine([this](bool level) { irq = level; })};

    explicit FloppyBench(u64 bytes = 1440 * KiB, bool read_only = false) : medium(bytes, read_only) {
        EXPECT_TRUE(io.map(0x3F0, fdc, FloppyController::ports, 6).ok());
        EXPECT_TRUE(io.map(0x3F7, fdc, FloppyController::ports, 1, 7).ok());
        fdc.add_drive(0, FloppyController::drive_for(bytes));
        fdc.set_medium(0, &medium);
        fdc.reset();
        start();
    }
    void start() {
        out8(0x3F2, 0x08);
        out8(0x3F2, 0x1C);
        wait_irq();
        for (u8 i = 0; i < 4; ++i)
            EXPECT_EQ(command({8}, 2), (std::vector<u8>{static_cast<u8>(0xC0 | i), 0}));
        EXPECT_FALSE(irq);
        out8(0x3F7, 0);
        command({3, 0xDF, 0x02}, 0);
    }
    void wait_irq() {
        for (int i = 0; i < 10000 && !irq; ++i) run(10'000);
        EXPECT_TRUE(irq);
    }
    void send(std::vector<u8> bytes) {
        for (const u8 b : bytes) {
            EXPECT_EQ(in8(0x3F4) & 0xC0, 0x80);
            out8(0x3F5, b);
        }
    }
    std::vector<u8> result(size_t n) {
        std::vector<u8> out;
        while (out.size() < n) {
            EXPECT_EQ(in8(0x3F4) & 0xD0, 0xD0);
            out.push_back(in8(0x3F5));
        }
        EXPECT_EQ(in8(0x3F4) & 0xD0, 0x80);
        return out;
    }
    std::vector<u8> command(std::vector<u8> bytes, size_t n) {
        send(std::move(bytes));
        return result(n);
    }
    std::vector<u8> transfer(std::vector<u8> bytes) {
        send(std::move(bytes));
        wait_irq();
        std::vector<u8> out = result(7);
        EXPECT_FALSE(irq);
        return out;
    }
    std::vector<u8> seek(u8 cylinder) {
        send({0x0F, 0, cylinder});
        EXPECT_EQ(in8(0x3F4) & 1, 1);
        wait_irq();
        return command({8}, 2);
    }
    std::vector<u8> expected(u64 lba, u64 bytes) {
        std::vector<u8> out(bytes);
        for (u64 i = 0; i < bytes; ++i) out[i] = MemoryDisk::pattern(lba * 512 + i);
        return out;
    }
};

TEST(Floppy, Identification) {
    FloppyBench b;
    EXPECT_EQ(b.command({0x10}, 1), (std::vector<u8>{0x90}));
    EXPECT_EQ(b.command({0x18}, 1), (std::vector<u8>{0x80}));
    EXPECT_EQ(b.command({0x08}, 1), (std::vector<u8>{0x80})) << "nothing pending";
    b.command({0x13, 0, 0x57, 0x20}, 0);
    EXPECT_EQ(b.command({0x94}, 1), (std::vector<u8>{0x10}));
    EXPECT_EQ(b.command({0x0E}, 10), (std::vector<u8>{0, 0, 0, 0, 0xDF, 0x02, 0, 0x80, 0x57, 0x20}));
    // LOCK keeps the FIFO settings over a reset, not polling and implied seeks.
    b.start();
    EXPECT_EQ(b.command({0x0E}, 10), (std::vector<u8>{0, 0, 0, 0, 0xDF, 0x02, 0, 0x80, 0x07, 0x20}));
    EXPECT_EQ(b.command({0x14}, 1), (std::vector<u8>{0}));
    EXPECT_EQ(b.command({0x04, 0}, 1), (std::vector<u8>{0x38}));
}

TEST(Floppy, SeekRecalibrateAndDiskChange) {
    FloppyBench b;
    EXPECT_EQ(b.in8(0x3F7), 0x80);
    EXPECT_EQ(b.seek(5), (std::vector<u8>{0x20, 5}));
    EXPECT_EQ(b.in8(0x3F7), 0x00);
    b.send({0x07, 0});
    b.wait_irq();
    EXPECT_EQ(b.command({8}, 2), (std::vector<u8>{0x20, 0}));
    b.fdc.set_medium(0, &b.medium);
    EXPECT_EQ(b.in8(0x3F7), 0x80);
    b.fdc.set_medium(0, nullptr);
    b.seek(3);
    EXPECT_EQ(b.in8(0x3F7), 0x80) << "no disk: stays";
    // A drive that is not there never finds track 0.
    b.send({0x07, 1});
    b.wait_irq();
    EXPECT_EQ(b.command({8}, 2), (std::vector<u8>{0x71, 0}));
}

TEST(Floppy, ReadsByDma) {
    FloppyBench b;
    b.seek(2);
    b.dma.to_memory(1024);
    // C 2, H 1, R 4, 512 bytes, EOT 18
    EXPECT_EQ(b.transfer({0xE6, 0x04, 2, 1, 4, 2, 18, 0x1B, 0xFF}),
              (std::vector<u8>{0x04, 0, 0, 2, 1, 6, 2}));
    EXPECT_EQ(b.dma.memory, b.expected((2 * 2 + 1) * 18 + 3, 1024));
    // Multi-track goes on with the other side.
    b.dma.to_memory(2 * 18 * 512);
    EXPECT_EQ(b.transfer({0xE6, 0, 2, 0, 1, 2, 18, 0x1B, 0xFF}), (std::vector<u8>{0x00, 0, 0, 3, 0, 1, 2}));
    EXPECT_EQ(b.dma.memory, b.expected(4 * 18, 36 * 512));
    // Without a terminal count the end of the track is an error.
    b.dma.to_memory(10 * 512);
    EXPECT_EQ(b.transfer({0x46, 0, 2, 0, 17, 2, 18, 0x1B, 0xFF}),
              (std::vector<u8>{0x40, 0x80, 0, 3, 0, 1, 2}));
    EXPECT_EQ(b.dma.memory.size(), 1024u);
}

TEST(Floppy, WaitsForTheDmaChannel) {
    FloppyBench b;
    b.dma.to_memory(512);
    b.dma.enabled = false;
    b.send({0xE6, 0, 0, 0, 1, 2, 18, 0x1B, 0xFF});
    b.run(10'000'000);
    EXPECT_FALSE(b.irq);
    EXPECT_TRUE(b.dma.request);
    b.dma.enabled = true;
    b.dma.became_ready();
    EXPECT_TRUE(b.irq);
    EXPECT_FALSE(b.dma.request);
    EXPECT_EQ(b.result(7)[0], 0);
    EXPECT_EQ(b.dma.memory, b.expected(0, 512));
}

TEST(Floppy, WritesAndFormats) {
    FloppyBench b;
    std::vector<u8> data(1536, 0x5A);
    b.dma.from_memory(data);
    EXPECT_EQ(b.transfer({0xC5, 0, 0, 0, 17, 2, 18, 0x1B, 0xFF}), (std::vector<u8>{0x04, 0, 0, 0, 1, 2, 2}));
    EXPECT_EQ(b.medium.data[16 * 512], 0x5A);
    EXPECT_EQ(b.medium.data[19 * 512 - 1], 0x5A);
    EXPECT_EQ(b.medium.data[19 * 512], MemoryDisk::pattern(19 * 512));
    std::vector<u8> ids;
    for (u8 r = 1; r <= 18; ++r) ids.insert(ids.end(), {0, 1, r, 2});
    b.dma.from_memory(ids);
    EXPECT_EQ(b.transfer({0x4D, 4, 2, 18, 0x50, 0xF6})[0], 0x04);
    for (int i = 18 * 512; i < 36 * 512; ++i) ASSERT_EQ(b.medium.data[static_cast<size_t>(i)], 0xF6);
    FloppyBench r(1440 * KiB, true);
    r.dma.from_memory(data);
    EXPECT_EQ(r.transfer({0xC5, 0, 0, 0, 1, 2, 18, 0x1B, 0xFF})[1], 0x02);
    EXPECT_EQ(r.command({0x04, 0}, 1)[0] & 0x40, 0x40);
}

TEST(Floppy, WithoutDma) {
    FloppyBench b;
    b.command({3, 0xDF, 0x03}, 0);
    b.send({0x46, 0, 0, 0, 18, 2, 18, 0x1B, 0xFF});
    std::vector<u8> got;
    for (int i = 0; i < 512; ++i) {
        for (int n = 0; n < 1000 && (b.in8(0x3F4) & 0xA0) != 0xA0; ++n) b.run(1000);
        EXPECT_EQ(b.in8(0x3F4), 0xF0);
        got.push_back(b.in8(0x3F5));
    }
    EXPECT_EQ(got, b.expected(17, 512));
    EXPECT_EQ(b.result(7), (std::vector<u8>{0x40, 0x80, 0, 1, 0, 1, 2}));
    b.send({0x45, 0, 0, 0, 1, 2, 1, 0x1B, 0xFF});
    b.wait_irq();
    for (int i = 0; i < 512; ++i) b.out8(0x3F5, 0x77);
    b.wait_irq();
    b.result(7);
    EXPECT_EQ(b.medium.data[511], 0x77);
}

TEST(Floppy, Errors) {
    FloppyBench b;
    b.dma.to_memory(512);
    EXPECT_EQ(b.transfer({0x46, 0, 9, 0, 1, 2, 18, 0x1B, 0xFF}),
              (std::vector<u8>{0x40, 4, 0x10, 9, 0, 1, 2}));
    EXPECT_EQ(b.transfer({0x46, 0, 0, 0, 19, 2, 19, 0x1B, 0xFF})[1], 4);
    b.out8(0x3F7, 2);  // 250 kbit/s on a high-density disk
    EXPECT_EQ(b.transfer({0x4A, 0})[1], 1);
    b.out8(0x3F7, 0);
    EXPECT_EQ(b.transfer({0x4A, 4}), (std::vector<u8>{0x04, 0, 0, 0, 1, 1, 2}));
    b.medium.failing = true;
    EXPECT_EQ(b.transfer({0x46, 0, 0, 0, 1, 2, 18, 0x1B, 0xFF})[1], 0x20);
    b.fdc.set_medium(0, nullptr);
    EXPECT_EQ(b.transfer({0x4A, 0})[1], 1);
    // Implied seek.
    b.medium.failing = false;
    b.fdc.set_medium(0, &b.medium);
    b.command({0x13, 0, 0x40, 0}, 0);
    b.dma.to_memory(512);
    EXPECT_EQ(b.transfer({0x46, 0, 9, 0, 1, 2, 18, 0x1B, 0xFF})[0], 0);
    EXPECT_EQ(b.dma.memory, b.expected(9 * 36, 512));
}

TEST(Floppy, Formats) {
    for (const auto& [bytes, sectors, rate] :
         {std::tuple{360u, 9, 2}, {720u, 9, 2}, {1200u, 15, 0}, {1440u, 18, 0}, {2880u, 36, 3}}) {
        FloppyBench b(bytes * KiB);
        b.out8(0x3F7, static_cast<u32>(rate));
        b.seek(1);
        b.dma.to_memory(512);
        EXPECT_EQ(
            b.transfer({0x46, 4, 1, 1, static_cast<u8>(sectors), 2, static_cast<u8>(sectors), 0x1B, 0xFF})[0],
            0x04);
        EXPECT_EQ(b.dma.memory, b.expected(static_cast<u64>(sectors) * 4 - 1, 512)) << bytes;
    }
    EXPECT_EQ(FloppyController::geometry_of(1000 * KiB).sectors, 15);
    EXPECT_EQ(FloppyController::drive_for(720 * KiB), FloppyController::DriveType::d1440k);
    EXPECT_EQ(FloppyController::drive_for(0), FloppyController::DriveType::d1440k);
    EXPECT_EQ(FloppyController::drive_for(2880 * KiB), FloppyController::DriveType::d2880k);
}

TEST(Floppy, StateReturnsInMidCommand) {
    FloppyBench b, c;
    b.dma.to_memory(512);
    c.dma.to_memory(512);
    b.send({0xE6, 0, 0, 0, 1});
    const std::vector<u8> saved = save(b.fdc);
    ASSERT_EQ(load(c.fdc, saved), "");
    EXPECT_EQ(save(c.fdc), saved);
    c.send({2, 18, 0x1B, 0xFF});
    c.wait_irq();
    EXPECT_EQ(c.result(7)[0], 0);
}

TEST(Floppy, RefusesASnapshotWithADataRateThatIsNotThere) {
    FloppyBench b;
    b.out8(0x3F7, 0);
    const std::vector<u8> at_500 = save(b.fdc);
    b.out8(0x3F7, 2);
    std::vector<u8> at_250 = save(b.fdc);
    const auto rate = std::mismatch(at_250.begin(), at_250.end(), at_500.begin()).first;
    ASSERT_NE(rate, at_250.end());
    *rate = 0;
    EXPECT_EQ(load(b.fdc, at_250), "");
    *rate = 200;
    EXPECT_NE(load(b.fdc, at_250), "");
}

TEST(Floppy, RandomAccessesNeverCrash) {
    FloppyBench b;
    u64 state = 3;
    const auto next = [&state] {
        state = state * 6364136223846793005u + 1442695040888963407u;
        return static_cast<u32>(state >> 33);
    };
    for (int i = 0; i < 300'000; ++i) {
        const u16 port = static_cast<u16>(next() % 2 ? 0x3F5 : 0x3F0 + next() % 8);
        if (next() % 3 == 0) {
            (void)b.in8(port);
        } else {
            constexpr u8 commands[] = {0x46, 0x45, 0x4D, 0x4A, 0x07, 0x08, 0x0F, 0x03, 0x13, 0x8F, 0xE6, 2};
            b.out8(port, next() % 2 ? commands[next() % std::size(commands)] : next() & 0xFF);
        }
        if (next() % 100 == 0) b.out8(0x3F2, 0x1C);
        if (next() % 10 == 0) b.run(next() % 200'000);
        if (next() % 50 == 0)
            next() % 2 ? b.dma.to_memory(next() % 3000) : b.dma.from_memory(std::vector<u8>(next() % 3000));
        if (next() % 50 == 0) b.dma.became_ready();
    }
}

}  // namespace
}  // namespace mynah::test
