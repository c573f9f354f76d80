// Disk images on the host: opening, locking, and writes that stay in memory.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "block/overlay_disk.h"
#include "block/raw_disk.h"

namespace mynah::test {
namespace {

namespace fs = std::filesystem;

class Images : public testing::Test {
  protected:
    Images() {
        std::string name = (fs::temp_directory_path() / "mynah-disk-XXXXXX").string();
        folder_ = mkdtemp(name.data());
    }
    ~Images() override { fs::remove_all(folder_); }

    std::string make(const std::string& name, size_t bytes) {
        const fs::path path = folder_ / name;
        std::ofstream file(path, std::ios::binary);
        for (size_t i = 0; i < bytes; ++i) file.put(static_cast<char>(i / 512));
        return path.string();
    }
    static std::string error_of(const std::string& path, HostFile::Access access, u64 minimum = 512) {
        auto disk = RawDisk::open(path, access, minimum);
        return disk ? "" : disk.error().message;
    }

    static constexpr auto rw = HostFile::Access::read_write;
    static constexpr auto ro = HostFile::Access::read_only;
    fs::path folder_;
};

TEST_F(Images, ReadAndWrite) {
    const std::string path = make("disk", 8192);
    {
        auto disk = RawDisk::open(path, rw);
        ASSERT_TRUE(disk.ok());
        EXPECT_EQ((*disk)->size(), 8192u);
        u8 sector[512];
        ASSERT_TRUE((*disk)->read(1024, sector).ok());
        EXPECT_EQ(sector[0], 2);
        sector[0] = 99;
        ASSERT_TRUE((*disk)->write(1024, sector).ok());
        ASSERT_TRUE((*disk)->flush().ok());
    }
    auto again = RawDisk::open(path, ro);
    ASSERT_TRUE(again.ok());
    u8 byte[1];
    ASSERT_TRUE((*again)->read(1024, byte).ok());
    EXPECT_EQ(byte[0], 99);
    EXPECT_FALSE((*again)->write(0, byte).ok());
}

TEST_F(Images, PartialLastSectorReadsAsZeroes) {
    auto disk = RawDisk::open(make("odd", 700), ro);
    ASSERT_TRUE(disk.ok());
    EXPECT_EQ((*disk)->size(), 1024u);
    u8 sector[512];
    ASSERT_TRUE((*disk)->read(512, sector).ok());
    EXPECT_EQ(sector[187], 1);
    EXPECT_EQ(sector[188], 0);
}

TEST_F(Images, OneWriterOrManyReaders) {
    const std::string path = make("disk", 4096);
    {
        auto writer = RawDisk::open(path, rw);
        ASSERT_TRUE(writer.ok());
        // -snapshot would not help.
        EXPECT_NE(error_of(path, rw).find("another program writes"), std::string::npos) << error_of(path, rw);
        EXPECT_NE(error_of(path, ro).find("another program writes"), std::string::npos) << error_of(path, ro);
    }
    auto first = RawDisk::open(path, ro);
    auto second = RawDisk::open(path, ro);
    EXPECT_TRUE(first.ok() && second.ok());
    EXPECT_NE(error_of(path, rw).find("use -snapshot"), std::string::npos) << error_of(path, rw);
}

TEST_F(Images, ErrorsAreOneLine) {
    const std::string path = make("short", 100);
    for (const std::string& message :
         {error_of((folder_ / "missing").string(), rw), error_of(folder_.string(), rw),
          error_of(folder_.string(), ro), error_of(path, ro), error_of("/dev/null", ro)}) {
        EXPECT_NE(message, "");
        EXPECT_EQ(message.find('\n'), std::string::npos);
    }
    EXPECT_NE(error_of(path, ro).find("too short"), std::string::npos);
    EXPECT_NE(error_of((folder_ / "missing").string(), rw).find("No such file"), std::string::npos);
    EXPECT_NE(error_of(folder_.string(), ro).find("directory"), std::string::npos);
    // A FIFO is refused, not waited for.
    const std::string fifo = (folder_ / "fifo").string();
    ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
    EXPECT_NE(error_of(fifo, ro), "");
}

TEST_F(Images, ReadOnlyFilesAreNotWritten) {
    if (geteuid() == 0) GTEST_SKIP() << "permissions do not stop root";
    const std::string locked = make("read-only", 4096);
    fs::permissions(locked, fs::perms::owner_read);
    EXPECT_NE(error_of(locked, rw).find("opened for writing"), std::string::npos);
    EXPECT_EQ(error_of(locked, ro), "");
}

TEST_F(Images, OverlayKeepsWritesInMemory) {
    const std::string path = make("disk", 20000);
    auto base = RawDisk::open(path, ro);
    ASSERT_TRUE(base.ok());
    OverlayDisk disk(std::move(*base));
    std::vector<u8> model(disk.size());
    ASSERT_TRUE(disk.read(0, model).ok());
    u64 state = 5;
    const auto next = [&state] {
        state = state * 6364136223846793005u + 1442695040888963407u;
        return state >> 33;
    };
    const auto step = [&](OverlayDisk& d) {
        const u64 offset = next() % model.size();
        const u64 n = std::min<u64>(next() % 9000, model.size() - offset);
        std::vector<u8> data(n, static_cast<u8>(next()));
        if (next() % 2) {
            ASSERT_TRUE(d.write(offset, data).ok());
            std::copy(data.begin(), data.end(), model.begin() + static_cast<std::ptrdiff_t>(offset));
        } else {
            ASSERT_TRUE(d.read(offset, data).ok());
            ASSERT_TRUE(
                std::equal(data.begin(), data.end(), model.begin() + static_cast<std::ptrdiff_t>(offset)));
        }
    };
    for (int i = 0; i < 300; ++i) step(disk);

    Archive saved;
    disk.visit(saved);
    auto base2 = RawDisk::open(path, ro);
    ASSERT_TRUE(base2.ok());
    OverlayDisk other(std::move(*base2));
    Archive loader(Archive::Mode::load, saved.data());
    other.visit(loader);
    EXPECT_EQ(loader.error(), "");
    std::vector<u8> content(other.size());
    ASSERT_TRUE(other.read(0, content).ok());
    EXPECT_EQ(content, model);
    Archive again;
    other.visit(again);
    EXPECT_EQ(again.data(), saved.data());
    // The file itself has not changed.
    std::ifstream file(path, std::ios::binary);
    for (size_t i = 0; i < 20000; ++i) ASSERT_EQ(file.get(), static_cast<int>(i / 512 & 0xFF));
    // Damaged: refused, and nothing changed.
    std::vector<u8> damaged = saved.data();
    damaged.resize(damaged.size() - 1);
    Archive bad(Archive::Mode::load, damaged);
    OverlayDisk fresh(std::move(*RawDisk::open(path, ro)));
    fresh.visit(bad);
    EXPECT_FALSE(bad.ok());
    u8 byte[1];
    ASSERT_TRUE(fresh.read(1024, byte).ok());
    EXPECT_EQ(byte[0], 2);
}

}  // namespace
}  // namespace mynah::test
