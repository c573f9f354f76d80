// Transport and rings, on the disk as the device; then the disk itself, random numbers and the console.
#include <gtest/gtest.h>

#include "devices/board.h"
#include "devices/virtio/block.h"
#include "devices/virtio/console.h"
#include "devices/virtio/rng.h"
#include "virtio_driver.h"

namespace mynah::test {
namespace {

struct DiskBench : Bench {
    MemoryDisk medium{1000 * 512};
    VirtioBlock disk{"virtio-blk0", queue, medium, "SERIAL-7"};
    VirtioDriver d{*this, disk};
    std::vector<std::pair<u32, u32>> messages;
    int pirq_changes = 0;
    bool intx = false;

    explicit DiskBench(u64 features = VirtioDriver::kVersion1, bool start = true) {
        pci.connect_messages([this](u32 address, u32 data) { messages.emplace_back(address, data); });
        pci.connect_pirq([this](unsigned, bool level) { intx = level; });
        if (start) d.start(1, features);
    }
    static constexpr u64 kHeader = 0x10000, kStatus = 0x10100, kData = 0x20000;
    void header(u32 type, u64 sector) {
        memory->write(kHeader, type, 8);
        memory->write(kHeader + 8, sector, 8);
        memory->write(kStatus, 0xEE, 1);
    }
    u8 request(u32 type, u64 sector, std::vector<VirtioDriver::Piece> data) {
        header(type, sector);
        data.insert(data.begin(), {kHeader, 16, false});
        data.push_back({kStatus, 1, true});
        d.offer(0, data);
        d.notify(0);
        return static_cast<u8>(memory->read(kStatus, 1));
    }
    // A malformed chain ends the device's work and harms nobody; a reset revives it.
    void expect_broken() {
        d.notify(0);
        EXPECT_TRUE(d.needs_reset());
        EXPECT_EQ(d.used(0), 0u);
        d.notify(0);
        d.start(1);
        EXPECT_FALSE(d.needs_reset());
        EXPECT_EQ(request(0, 1, {{kData, 512, true}}), 0);
        EXPECT_EQ(memory->read(kData, 1), MemoryDisk::pattern(512));
    }
};

TEST(VirtioPci, ShowsItsStructures) {
    DiskBench b(0, false);
    EXPECT_EQ(b.d.config(0, 4), 0x10421AF4u);
    EXPECT_EQ(b.d.config(8, 1), 1u);
    EXPECT_EQ(b.d.at.size(), 4u);
    EXPECT_NE(b.d.window, 0);
    EXPECT_NE(b.d.msix, 0);
    EXPECT_EQ(b.d.get(18, 2), 1u);
    EXPECT_EQ(b.d.get(24, 2), 256u);
    b.d.set(22, 1, 2);
    EXPECT_EQ(b.d.get(24, 2), 0u) << "no such queue";
    b.d.set(28, 1, 2);
    EXPECT_EQ(b.memory->read(b.d.at[4], 4), 1000u) << "capacity";
}

TEST(VirtioPci, NegotiatesFeatures) {
    DiskBench b(0, false);
    const u64 all = b.d.offered();
    EXPECT_TRUE(all & VirtioDriver::kVersion1);
    b.d.accept(0);
    EXPECT_EQ(b.d.status(), 3) << "only modern drivers";
    b.d.accept(VirtioDriver::kVersion1 | u64{1} << 60);
    EXPECT_EQ(b.d.status(), 3) << "what was not offered";
    b.d.accept(all);
    EXPECT_EQ(b.d.status(), 11);
    b.d.set(8, 0, 4);
    b.d.set(12, 0, 4);
    EXPECT_EQ(b.d.get(12, 4), static_cast<u32>(all)) << "settled";
    b.d.set(20, 0, 1);
    EXPECT_EQ(b.d.status(), 0);
}

TEST(VirtioPci, ASnapshotHoldsWhatTheDriverWantsThoughItIsNotOffered) {
    DiskBench b(0, false);
    b.d.set(12, 0x11, 4);
    const std::vector<u8> saved = save(b.disk);
    b.disk.reset();
    EXPECT_EQ(load(b.disk, saved), "");
    EXPECT_EQ(b.d.get(12, 4), 0x11u);
    EXPECT_EQ(save(b.disk), saved);
}

TEST(VirtioPci, QueueRegistersHoldOnlyWhatIsPossible) {
    DiskBench b(0, false);
    b.d.set(24, 100, 2);
    EXPECT_EQ(b.d.get(24, 2), 256u);
    b.d.set(24, 512, 2);
    EXPECT_EQ(b.d.get(24, 2), 256u);
    b.d.set(24, 64, 2);
    EXPECT_EQ(b.d.get(24, 2), 64u);
    b.d.set64(32, 0x123456789ABCDEF7);
    EXPECT_EQ(b.d.get(32, 4), 0x9ABCDEF0u);
    b.d.set(26, 5, 2);
    EXPECT_EQ(b.d.get(26, 2), 0xFFFFu) << "there are two vectors";
    b.d.set(26, 1, 2);
    EXPECT_EQ(b.d.get(26, 2), 1u);
}

TEST(VirtioPci, WindowInConfigurationSpace) {
    DiskBench b(0, false);
    const u8 w = b.d.window;
    b.config_write(4, 0, w + 4u, 4, 1);
    b.config_write(4, 0, w + 8u, 20);
    b.config_write(4, 0, w + 12u, 1);
    b.config_write(4, 0, w + 16u, 3, 1);
    EXPECT_EQ(b.d.status(), 3);
    EXPECT_EQ(b.d.config(w + 16u, 1), 3u);
    // Outside of the BAR, or of any.
    b.config_write(4, 0, w + 8u, 0xFFFFFFFC);
    b.config_write(4, 0, w + 16u, 0);
    (void)b.d.config(w + 16u, 4);
    b.config_write(4, 0, w + 4u, 0, 1);
    (void)b.d.config(w + 16u, 4);
    EXPECT_EQ(b.d.status(), 3);
}

TEST(VirtioPci, InterruptsByPin) {
    DiskBench b;
    EXPECT_EQ(b.request(0, 0, {{DiskBench::kData, 512, true}}), 0);
    EXPECT_TRUE(b.intx);
    EXPECT_EQ(b.d.isr(), 1);
    EXPECT_FALSE(b.intx);
    EXPECT_EQ(b.d.isr(), 0);
    // The driver asked for none.
    b.memory->write(VirtioDriver::ring(0) + 0x4000, 1, 2);
    EXPECT_EQ(b.request(0, 0, {{DiskBench::kData, 512, true}}), 0);
    EXPECT_FALSE(b.intx);
}

TEST(VirtioPci, InterruptsByMessage) {
    DiskBench b;
    b.config_write(4, 0, b.d.msix + 2u, 0x8000, 2);
    b.d.set(22, 0, 2);
    b.d.set(26, 1, 2);
    b.memory->write(VirtioDriver::kMessages + 16, 0xFEE01004, 8);
    b.memory->write(VirtioDriver::kMessages + 24, 0x4041, 4);
    EXPECT_EQ(b.request(0, 0, {{DiskBench::kData, 512, true}}), 0);
    EXPECT_TRUE(b.messages.empty()) << "masked at first";
    EXPECT_EQ(b.memory->read(VirtioDriver::kMessages + 0x800, 4), 2u);
    b.memory->write(VirtioDriver::kMessages + 28, 0, 4);
    ASSERT_EQ(b.messages.size(), 1u);
    EXPECT_EQ(b.messages[0], (std::pair{0xFEE01004u, 0x4041u}));
    EXPECT_EQ(b.memory->read(VirtioDriver::kMessages + 0x800, 4), 0u);
    // The function's mask.
    b.config_write(4, 0, b.d.msix + 2u, 0xC000, 2);
    b.request(0, 0, {{DiskBench::kData, 512, true}});
    EXPECT_EQ(b.messages.size(), 1u);
    const std::vector<u8> saved = save(b.disk);
    b.disk.reset();
    EXPECT_EQ(load(b.disk, saved), "");
    b.config_write(4, 0, b.d.msix + 2u, 0x8000, 2);
    EXPECT_EQ(b.messages.size(), 2u);
    EXPECT_FALSE(b.intx);
    // A message to memory is a write; one to registers is none.
    b.memory->write(VirtioDriver::kMessages + 16, 0x5000, 8);
    b.request(0, 0, {{DiskBench::kData, 512, true}});
    EXPECT_EQ(b.memory->read(0x5000, 4), 0x4041u);
    b.memory->write(VirtioDriver::kMessages + 16, VirtioDriver::kStructures + 20, 8);
    b.request(0, 0, {{DiskBench::kData, 512, true}});
    EXPECT_EQ(b.d.status(), 15);
    EXPECT_EQ(b.messages.size(), 2u);
}

TEST(VirtioPci, EventIndexSaysWhen) {
    DiskBench b(VirtioDriver::kVersion1 | VirtioDriver::kEventIndex);
    const u64 used_event = VirtioDriver::ring(0) + 0x4004 + 2 * 8,
              avail_event = VirtioDriver::ring(0) + 0x8004 + 8 * 8;
    b.memory->write(used_event, 1, 2);
    b.request(0, 0, {{DiskBench::kData, 512, true}});
    EXPECT_FALSE(b.intx) << "the first is not waited for";
    EXPECT_EQ(b.memory->read(avail_event, 2), 1u);
    b.request(0, 0, {{DiskBench::kData, 512, true}});
    EXPECT_TRUE(b.intx);
    EXPECT_EQ(b.memory->read(avail_event, 2), 2u);
}

TEST(VirtioPci, WorksOnceItMayMaster) {
    DiskBench b;
    b.config_write(4, 0, 4, 2, 2);
    EXPECT_EQ(b.request(0, 0, {{DiskBench::kData, 512, true}}), 0xEE);
    b.config_write(4, 0, 4, 6, 2);
    b.run(1000);
    EXPECT_EQ(b.memory->read(DiskBench::kStatus, 1), 0u);
}

TEST(VirtioQueue, IndirectTables) {
    DiskBench b(VirtioDriver::kVersion1 | VirtioDriver::kIndirectFeature);
    b.header(0, 3);
    const u64 table = 0x30000;
    b.d.describe(table, 0, DiskBench::kHeader, 16, VirtioDriver::next, 2);
    b.d.describe(table, 2, DiskBench::kData, 512, VirtioDriver::next | VirtioDriver::write, 1);
    b.d.describe(table, 1, DiskBench::kStatus, 1, VirtioDriver::write);
    b.d.describe(VirtioDriver::ring(0), 0, table, 3 * 16, VirtioDriver::indirect);
    b.d.offer_head(0, 0);
    b.d.notify(0);
    EXPECT_EQ(b.d.used(0), 1u);
    EXPECT_EQ(b.d.written(0, 0), 513u);
    EXPECT_EQ(b.memory->read(DiskBench::kData, 1), MemoryDisk::pattern(3 * 512));
}

TEST(VirtioQueue, RefusesNonsense) {
    using D = VirtioDriver;
    const u64 ring = D::ring(0);
    {
        DiskBench b;  // a loop
        b.d.describe(ring, 0, 0x1000, 16, D::next, 1);
        b.d.describe(ring, 1, 0x1000, 16, D::next, 0);
        b.d.offer_head(0, 0);
        b.expect_broken();
    }
    {
        DiskBench b;  // a head behind the table
        b.d.offer_head(0, 8);
        b.expect_broken();
    }
    {
        DiskBench b;  // a follower behind the table
        b.d.describe(ring, 0, 0x1000, 16, D::next, 0xFFFF);
        b.d.offer_head(0, 0);
        b.expect_broken();
    }
    {
        DiskBench b;  // more than can wait
        b.memory->write(ring + 0x4002, 9, 2);
        b.expect_broken();
    }
    {
        DiskBench b;  // the end of the address space
        b.d.describe(ring, 0, ~u64{0} - 10, 16, 0);
        b.d.offer_head(0, 0);
        b.expect_broken();
    }
    {
        DiskBench b;  // to be read behind what is to be written
        b.d.describe(ring, 0, 0x1000, 16, D::write | D::next, 1);
        b.d.describe(ring, 1, 0x1000, 16, 0);
        b.d.offer_head(0, 0);
        b.expect_broken();
    }
    {
        DiskBench b;  // indirect without the feature
        b.d.describe(ring, 0, 0x30000, 16, D::indirect);
        b.d.offer_head(0, 0);
        b.expect_broken();
    }
    for (const u32 length : {0u, 15u, 17u}) {
        DiskBench b(D::kVersion1 | D::kIndirectFeature);
        b.d.describe(ring, 0, 0x30000, length, D::indirect);
        b.d.offer_head(0, 0);
        b.expect_broken();
    }
    {
        DiskBench b(D::kVersion1 | D::kIndirectFeature);  // a table in a table
        b.d.describe(ring, 0, 0x30000, 16, D::indirect);
        b.d.describe(0x30000, 0, 0x30000, 16, D::indirect);
        b.d.offer_head(0, 0);
        b.expect_broken();
    }
    {
        DiskBench b(D::kVersion1 | D::kIndirectFeature);  // a table of 4 GiB, each entry going on to the next
        std::vector<u8> entry(16);
        b.d.describe(ring, 0, 0x200000, 0xFFFFFFF0, D::indirect);
        for (unsigned i = 0; i < 3000; ++i)
            b.d.describe(0x200000, i, 0x1000, 0, D::next, static_cast<u16>(i + 1));
        b.d.offer_head(0, 0);
        b.expect_broken();
    }
    {
        DiskBench b;  // a request without a status byte
        b.d.offer(0, {{DiskBench::kHeader, 16, false}});
        b.expect_broken();
    }
}

TEST(VirtioQueue, RingsWhereNoMemoryIs) {
    DiskBench b(0, false);
    b.d.accept(VirtioDriver::kVersion1);
    for (const u64 at : {~u64{0}, u64{0x80000000}, u64{VirtioDriver::kStructures}, u64{0xFFFFFF0}}) {
        b.d.accept(VirtioDriver::kVersion1);
        b.d.set64(32, at);
        b.d.set64(40, at);
        b.d.set64(48, at);
        b.d.set(28, 1, 2);
        b.d.set(20, 15, 1);
        b.d.notify(0);
        b.d.notify(0);
        EXPECT_TRUE(b.d.needs_reset());
    }
    b.d.start(1);
    EXPECT_EQ(b.request(0, 0, {{DiskBench::kData, 512, true}}), 0);
}

TEST(VirtioQueue, BuffersWhereNoMemoryIs) {
    DiskBench b;
    // Into its own registers: nothing happens to them.
    EXPECT_EQ(b.request(0, 0, {{VirtioDriver::kStructures, 512, true}}), 0);
    EXPECT_EQ(b.d.status(), 15);
    EXPECT_EQ(b.request(1, 5, {{0x90000000, 512}}), 0);
    EXPECT_EQ(b.medium.data[5 * 512], 0xFF) << "what nobody drives reads as ones";
    // Half in memory.
    EXPECT_EQ(b.request(0, 0, {{16 * MiB - 256, 512, true}}), 0);
    EXPECT_EQ(b.memory->read(16 * MiB - 256, 1), MemoryDisk::pattern(0));
}

TEST(VirtioBlock, ReadsAndWrites) {
    DiskBench b;
    // Long, short and odd pieces; header and status are pieces like others.
    EXPECT_EQ(b.request(0, 7, {{DiskBench::kData, 100, true}, {0x40000, 40000, true}, {0x60000, 860, true}}),
              0);
    EXPECT_EQ(b.d.written(0, 0), 40961u);
    const auto check = [&](u64 from, u64 n, u64 at) {
        const std::vector<u8> bytes = b.d.get_bytes(from, n);
        for (u64 i = 0; i < n; ++i) ASSERT_EQ(bytes[i], MemoryDisk::pattern(at + i)) << i;
    };
    check(DiskBench::kData, 100, 7 * 512);
    check(0x40000, 40000, 7 * 512 + 100);
    check(0x60000, 860, 7 * 512 + 40100);
    b.d.put(DiskBench::kData, std::vector<u8>(300, 0xA1));
    b.d.put(0x40000, std::vector<u8>(40660, 0xA2));
    EXPECT_EQ(b.request(1, 20, {{DiskBench::kData, 300}, {0x40000, 40660}}), 0);
    EXPECT_EQ(b.medium.data[20 * 512 + 299], 0xA1);
    EXPECT_EQ(b.medium.data[20 * 512 + 300], 0xA2);
    EXPECT_EQ(b.medium.data[100 * 512 - 1], 0xA2);
    EXPECT_EQ(b.medium.data[100 * 512], MemoryDisk::pattern(100 * 512));
    EXPECT_EQ(b.medium.flushes, 1) << "a driver that cannot flush writes through";
}

TEST(VirtioBlock, RefusesWhatIsNotThere) {
    DiskBench b;
    EXPECT_EQ(b.request(0, 1000, {{DiskBench::kData, 512, true}}), 1);
    EXPECT_EQ(b.request(0, 999, {{DiskBench::kData, 1024, true}}), 1);
    EXPECT_EQ(b.request(0, ~u64{0}, {{DiskBench::kData, 512, true}}), 1);
    EXPECT_EQ(b.request(1, u64{1} << 55, {{DiskBench::kData, 512}}), 1);
    EXPECT_EQ(b.request(0, 0, {{DiskBench::kData, 511, true}}), 1);
    EXPECT_EQ(b.request(1, 0, {{0, 0xFFFFFFFF}, {0, 0xFFFFFFFF}}), 1);
    EXPECT_EQ(b.request(99, 0, {}), 2);
    EXPECT_EQ(b.request(13, 0, {{DiskBench::kData, 16}}), 2) << "the feature was not taken";
    b.medium.failing = true;
    EXPECT_EQ(b.request(0, 0, {{DiskBench::kData, 512, true}}), 1);
    EXPECT_EQ(b.request(1, 0, {{DiskBench::kData, 512}}), 1);
    // For nothing the medium is not asked.
    EXPECT_EQ(b.request(0, 999, {}), 0);
    EXPECT_EQ(b.request(1, 999, {}), 0);
}

TEST(VirtioBlock, NamesItselfAndFlushes) {
    DiskBench b(VirtioDriver::kVersion1 | 1u << 9 | 1u << 11 | 1u << 14);
    EXPECT_EQ(b.request(8, 0, {{DiskBench::kData, 20, true}}), 0);
    EXPECT_EQ(b.d.get_bytes(DiskBench::kData, 9),
              (std::vector<u8>{'S', 'E', 'R', 'I', 'A', 'L', '-', '7', 0}));
    EXPECT_EQ(b.request(1, 0, {{DiskBench::kData, 512}}), 0);
    EXPECT_EQ(b.medium.flushes, 0);
    EXPECT_EQ(b.request(4, 0, {}), 0);
    EXPECT_EQ(b.medium.flushes, 1);
    // Write-through by the driver's wish.
    b.memory->write(b.d.at[4] + 32, 0, 1);
    EXPECT_EQ(b.medium.flushes, 2);
    EXPECT_EQ(b.request(1, 0, {{DiskBench::kData, 512}}), 0);
    EXPECT_EQ(b.medium.flushes, 3);
    // Zeroes: sectors 4 and 5.
    b.memory->write(DiskBench::kData, 4, 8);
    b.memory->write(DiskBench::kData + 8, 2, 8);
    EXPECT_EQ(b.request(13, 0, {{DiskBench::kData, 16}}), 0);
    EXPECT_EQ(b.medium.data[4 * 512 - 1], MemoryDisk::pattern(4 * 512 - 1));
    EXPECT_EQ(b.medium.data[4 * 512 + 5], 0);
    EXPECT_EQ(b.medium.data[6 * 512 - 1], 0);
    EXPECT_EQ(b.medium.data[6 * 512], MemoryDisk::pattern(6 * 512));
    b.memory->write(DiskBench::kData, 999, 8);
    EXPECT_EQ(b.request(13, 0, {{DiskBench::kData, 16}}), 1);
}

// Works beside the machine: when the test says so, or, where it waits, when somebody asks.
class SlowDisk final : public BlockBackend {
  public:
    u64 size() const override { return disk.size(); }
    bool read_only() const override { return false; }
    Status read(u64 offset, std::span<u8> out) override { return disk.read(offset, out); }
    Status write(u64 offset, std::span<const u8> data) override { return disk.write(offset, data); }
    Status flush() override { return disk.flush(); }
    void start(const std::shared_ptr<DiskRequest>& request) override { started.push_back(request); }
    bool ended(const DiskRequest& request) override {
        if (waiting) do_all();
        return request.ended;
    }
    bool waits() const override { return waiting; }
    void wait_for_started() override { do_all(); }
    void do_all() {
        for (const auto& r : started) {
            carry_out(*r);
            r->ended = true;
        }
        started.clear();
    }

    MemoryDisk disk{1000 * 512};
    bool waiting = false;
    std::vector<std::shared_ptr<DiskRequest>> started;
};

struct SlowBench : Bench {
    static constexpr u64 kHeaders = 0x10000, kStatuses = 0x10800, kData = 0x20000;
    SlowDisk medium;
    VirtioBlock disk{"virtio-blk0", queue, medium, "SERIAL-7"};
    VirtioDriver d{*this, disk};

    explicit SlowBench(bool waiting) {
        medium.waiting = waiting;
        d.size = 16;
        d.start(1);
    }
    // The n-th request, of a sector of its own: type 0 reads, 1 writes bytes of 0xC0 + n.
    void offer(u16 n, u32 type) {
        memory->write(kHeaders + 16 * n, type, 8);
        memory->write(kHeaders + 16 * n + 8, n, 8);
        memory->write(kStatuses + n, 0xEE, 1);
        if (type == 1) d.put(data(n), std::vector<u8>(512, static_cast<u8>(0xC0 + n)));
        d.offer(0, {{kHeaders + 16 * n, 16}, {data(n), 512, type == 0}, {kStatuses + n, 1, true}},
                static_cast<u16>(3 * n));
    }
    static u64 data(u16 n) { return kData + 512 * n; }
    u8 status(u16 n) { return static_cast<u8>(memory->read(kStatuses + n, 1)); }
    void look() {
        disk.look_at_medium();
        run(1000);
    }
    void expect_read(u16 n) {
        EXPECT_EQ(status(n), 0);
        for (u64 i = 0; i < 512; ++i)
            ASSERT_EQ(memory->read(data(n) + i, 1), MemoryDisk::pattern(512 * n + i)) << i;
    }
};

TEST(VirtioBlock, RequestsEndWhenTheMediumIsDone) {
    SlowBench b(false);
    b.offer(0, 0);
    b.offer(1, 0);
    b.d.notify(0);
    b.offer(2, 0);
    b.d.notify(0);
    b.look();
    EXPECT_EQ(b.medium.started.size(), 3u) << "all at a time";
    EXPECT_EQ(b.d.used(0), 0u);
    EXPECT_EQ(b.d.isr(), 0);
    b.medium.do_all();
    b.look();
    EXPECT_EQ(b.d.used(0), 3u);
    EXPECT_EQ(b.d.isr(), 1);
    for (const u16 n : {0, 1, 2}) b.expect_read(n);
    b.look();
    EXPECT_EQ(b.d.used(0), 0u);
}

TEST(VirtioBlock, ReadsAndChangesDoNotMix) {
    SlowBench b(false);
    b.offer(0, 1);
    b.offer(1, 1);
    b.offer(2, 0);
    b.d.notify(0);
    EXPECT_EQ(b.medium.started.size(), 2u);
    b.medium.do_all();
    b.look();
    EXPECT_EQ(b.d.used(0), 2u);
    EXPECT_EQ(b.medium.started.size(), 1u) << "the read, once nothing changes";
    EXPECT_EQ(b.medium.disk.data[512], 0xC1);
    b.medium.do_all();
    b.look();
    b.expect_read(2);
    // A notification that comes in between is not lost.
    b.offer(3, 0);
    b.d.notify(0);
    EXPECT_EQ(b.medium.started.size(), 1u);
}

TEST(VirtioBlock, EndsAtItsOwnTimeWhereTheMediumWaits) {
    SlowBench b(true);
    b.offer(0, 0);
    b.d.notify(0);
    // Done early or not: it does not show.
    b.medium.do_all();
    b.look();
    EXPECT_EQ(b.d.used(0), 0u);
    b.run(20'000);
    EXPECT_EQ(b.d.used(0), 1u);
    b.expect_read(0);
    b.offer(1, 1);
    b.d.notify(0);
    EXPECT_NE(b.medium.disk.data[512], 0xC1);
    b.run(20'000);
    EXPECT_EQ(b.status(1), 0);
    EXPECT_EQ(b.medium.disk.data[512], 0xC1);
}

TEST(VirtioBlock, ASnapshotHoldsRequestsThatWereStarted) {
    for (const bool waiting : {false, true}) {
        for (const bool change : {false, true}) {
            SlowBench b(waiting);
            b.medium.disk.failing = change;  // the result of a change is part of it
            b.offer(1, change ? 1 : 0);
            b.offer(2, change ? 1 : 0);
            b.d.notify(0);
            const std::vector<u8> saved = save(b.disk);
            EXPECT_TRUE(b.medium.started.empty()) << "nothing may be under way";
            b.medium.disk.failing = false;
            b.disk.reset();
            EXPECT_EQ(load(b.disk, saved), "");
            EXPECT_EQ(save(b.disk), saved);
            b.look();
            b.run(20'000);
            EXPECT_EQ(b.d.used(0), 2u);
            for (const u16 n : {1, 2}) {
                if (change)
                    EXPECT_EQ(b.status(n), 1);
                else
                    b.expect_read(n);
            }
        }
    }
}

TEST(VirtioBlock, AResetForgetsWhatIsUnderWay) {
    SlowBench b(false);
    b.offer(0, 0);
    b.d.notify(0);
    b.d.start(1);
    b.medium.do_all();
    b.look();
    EXPECT_EQ(b.d.used(0), 0u);
    EXPECT_EQ(b.status(0), 0xEE);
    b.offer(1, 0);
    b.d.notify(0);
    b.medium.do_all();
    b.look();
    EXPECT_EQ(b.d.used(0), 1u);
    b.expect_read(1);
}

TEST(VirtioRng, FillsBuffers) {
    Bench b;
    u64 n = 0x1111111111111111;
    VirtioRng rng("virtio-rng0", b.queue, [&n] { return n += 0x0101010101010101; });
    VirtioDriver d(b, rng);
    d.start(1);
    d.offer(0, {{0x10000, 3, true}, {0x11000, 10, true}});
    d.notify(0);
    EXPECT_EQ(d.used(0), 1u);
    EXPECT_EQ(d.written(0, 0), 13u);
    EXPECT_EQ(d.get_bytes(0x10000, 4), (std::vector<u8>{0x12, 0x12, 0x12, 0}));
    EXPECT_EQ(b.memory->read(0x11009, 1), 0x13u);
    d.offer(0, {{0x10000, 0xFFFFFFFF, true}}, 3);
    d.notify(0);
    EXPECT_EQ(d.written(0, 1), 4096u);
}

TEST(VirtioConsole, SendsAndReceives) {
    Bench b;
    MemoryChar line;
    VirtioConsole console("virtio-console0", b.queue, &line);
    VirtioDriver d(b, console);
    for (const char c : std::string("early")) line.input.push_back(static_cast<u8>(c));
    console.input_ready();
    d.start(2);
    d.put(0x10000, {'h', 'e', 'l', 'l', 'o'});
    d.offer(1, {{0x10000, 2}, {0x10002, 3}});
    d.notify(1);
    EXPECT_EQ(line.sent, "hello");
    EXPECT_EQ(d.used(1), 1u);
    d.offer(0, {{0x11000, 3, true}});
    d.notify(0);
    EXPECT_EQ(d.get_bytes(0x11000, 3), (std::vector<u8>{'e', 'a', 'r'}));
    EXPECT_EQ(line.input.size(), 2u) << "what finds no room waits";
    d.offer(0, {{0x11000, 30, true}}, 2);
    console.input_ready();
    b.run(1000);
    EXPECT_EQ(d.written(0, 1), 2u);
    b.memory->write(d.at[4] + 8, '!', 4);
    EXPECT_EQ(line.sent, "hello!");
}

}  // namespace
}  // namespace mynah::test
