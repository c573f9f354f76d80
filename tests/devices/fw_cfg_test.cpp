// fw_cfg by QEMU's specification; debug ports and pc-testdev.
#include "devices/fw_cfg.h"

#include <gtest/gtest.h>

#include "base/bits.h"
#include "board.h"
#include "devices/debug_ports.h"
#include "devices/pc_testdev.h"

namespace mynah::test {
namespace {

class FwCfgTest : public testing::Test {
  protected:
    void select(u16 key) { fw_cfg_.write(FwCfg::control, 0, key, 2); }
    std::string text(size_t n) {
        std::string s;
        while (n--) s += static_cast<char>(in(fw_cfg_, FwCfg::control, 1));
        return s;
    }
    // Runs a DMA command; gives back the control word.
    u32 dma(u32 control, u32 length, u64 address) {
        constexpr u64 at = 0x7000;
        memory_->write(at, u64{__builtin_bswap32(control)}, 4u);
        memory_->write(at + 4, u64{__builtin_bswap32(length)}, 4u);
        memory_->write(at + 8, __builtin_bswap64(address), 8u);
        fw_cfg_.write(FwCfg::dma, 0, 0, 4);
        fw_cfg_.write(FwCfg::dma, 4, __builtin_bswap32(at), 4);
        return __builtin_bswap32(static_cast<u32>(memory_->read(at, 4u)));
    }

    std::unique_ptr<PhysicalMap> memory_ = std::move(PhysicalMap::create(1 * MiB)).value();
    Board board_;
    FwCfg fw_cfg_{board_.queue, *memory_};
};

TEST_F(FwCfgTest, SignatureAndFeatures) {
    select(FwCfg::signature);
    EXPECT_EQ(text(4), "QEMU");
    EXPECT_EQ(text(1), std::string(1, '\0'));  // behind the end
    select(FwCfg::id);
    EXPECT_EQ(text(4), std::string("\3\0\0\0", 4));
    EXPECT_EQ(fw_cfg_.read(FwCfg::dma, 0, 8), load_le<u64>("QEMU CFG"));
    select(0x1234);
    EXPECT_EQ(text(1), std::string(1, '\0'));
}

TEST_F(FwCfgTest, DirectoryIsSorted) {
    fw_cfg_.add_file("etc/b", {1, 2, 3});
    fw_cfg_.add_file("bootorder", {9});
    fw_cfg_.add_file("etc/a", std::vector<u8>(300, 7));
    select(FwCfg::file_directory);
    EXPECT_EQ(text(4), std::string("\0\0\0\3", 4));
    const std::string first = text(64), second = text(64), third = text(64);
    EXPECT_EQ(first.substr(0, 8), std::string("\0\0\0\1\0\x20\0\0", 8));
    EXPECT_EQ(first.substr(8, 10), std::string("bootorder\0", 10));
    EXPECT_EQ(second.substr(0, 8), std::string("\0\0\1\x2C\0\x21\0\0", 8));
    EXPECT_EQ(third.substr(8, 6), std::string("etc/b\0", 6));
    select(0x22);
    EXPECT_EQ(text(3), "\1\2\3");
}

TEST_F(FwCfgTest, DmaReadsSkipsAndRefuses) {
    fw_cfg_.add_file("etc/data", {10, 11, 12, 13, 14});
    memory_->write(0x9000, ~u64{0}, 8u);
    EXPECT_EQ(dma(0x20 << 16 | 0x0A, 3, 0x9000), 0u);
    EXPECT_EQ(memory_->read(0x9000, 4u), 0xFF0C0B0Au);
    EXPECT_EQ(dma(0x04, 1, 0), 0u);
    EXPECT_EQ(dma(0x02, 4, 0x9000), 0u);  // one byte is left, the rest reads as zero
    EXPECT_EQ(memory_->read(0x9000, 4u), 0x0000000Eu);
    EXPECT_EQ(dma(0x10, 4, 0x9000), 1u);           // not writable
    EXPECT_EQ(dma(0x02, 0xFFFFFFFF, 0x9000), 1u);  // senseless
}

TEST(DebugPorts, ConsoleAndExit) {
    MemoryChar backend;
    DebugConsole console("debugcon", &backend);
    EXPECT_EQ(in(console, 0, 0), 0xE9);
    out(console, 0, 0, 'm');
    EXPECT_EQ(backend.sent, "m");
    int code = -1;
    DebugExit debug_exit(4, [&](int c) { code = c; });
    debug_exit.write(0, 0, 0x10, 4);
    EXPECT_EQ(code, 33);
    PostPort post;
    out(post, 0, 0, 0x42);
    EXPECT_EQ(post.code(), 0x42);
}

TEST(PcTestdevTest, RegistersLinesAndMemory) {
    u32 lines = 0;
    u64 flushed = 0;
    PcTestdev testdev({.irq = [&](unsigned n, bool level) { lines = with_bit(lines, n, level); },
                       .flush_page = [&](u64 page) { flushed = page; }});
    testdev.write(PcTestdev::io, 0, 0x12345678, 4);
    testdev.write(PcTestdev::io, 1, 0xAB, 1);
    EXPECT_EQ(testdev.read(PcTestdev::io, 0, 4), 0x1234AB78u);
    EXPECT_EQ(testdev.read(PcTestdev::io_by_bytes, 3, 1), 0x12u);
    testdev.write(PcTestdev::irq_lines, 17, 1, 1);
    EXPECT_EQ(lines, 1u << 17);
    testdev.write(PcTestdev::flush, 0, 0x5123, 4);
    EXPECT_EQ(flushed, 0x5000u);
    testdev.write(PcTestdev::memory, 0xFFF8, 0x1122334455667788, 8);
    EXPECT_EQ(testdev.read(PcTestdev::memory, 0xFFFC, 2), 0x3344u);
}

}  // namespace
}  // namespace mynah::test
