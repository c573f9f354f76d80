#include "machine/snapshot_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

namespace mynah {
namespace {

namespace fs = std::filesystem;

class SnapshotFile : public ::testing::Test {
  protected:
    SnapshotFile()
        : path_((fs::temp_directory_path() / ("mynah-snapshot-" + std::to_string(::getpid()))).string()) {}
    ~SnapshotFile() override { fs::remove(path_); }
    void flip(std::streamoff at) {
        std::fstream f(path_, std::ios::in | std::ios::out | std::ios::binary);
        f.seekg(at);
        const char c = static_cast<char>(f.get() ^ 0x40);
        f.seekp(at);
        f.put(c);
    }
    std::string path_;
};

TEST_F(SnapshotFile, ComesBackAsWritten) {
    std::vector<u8> content(100'000);
    for (size_t i = 0; i < content.size(); ++i) content[i] = static_cast<u8>(i * 7 >> 3);
    ASSERT_TRUE(write_snapshot_file(path_, content).ok());
    const auto back = read_snapshot_file(path_);
    ASSERT_TRUE(back.ok()) << back.error().message;
    EXPECT_EQ(*back, content);
    EXPECT_FALSE(fs::exists(path_ + ".part"));
}

TEST_F(SnapshotFile, DamageIsSaid) {
    const std::vector<u8> content(5000, 0x11);
    ASSERT_TRUE(write_snapshot_file(path_, content).ok());
    const auto size = static_cast<std::streamoff>(fs::file_size(path_));
    for (const std::streamoff at :
         {std::streamoff{0}, std::streamoff{9}, std::streamoff{17}, std::streamoff{25}, size - 3}) {
        flip(at);
        EXPECT_FALSE(read_snapshot_file(path_).ok()) << "byte " << at;
        flip(at);
    }
    EXPECT_TRUE(read_snapshot_file(path_).ok());
    fs::resize_file(path_, static_cast<std::uintmax_t>(size) / 2);
    EXPECT_FALSE(read_snapshot_file(path_).ok());
}

// A header and a zstd frame that both claim 512 GiB, and nothing behind.
TEST_F(SnapshotFile, AClaimedSizeIsNotBelieved) {
    ASSERT_TRUE(write_snapshot_file(path_, std::vector<u8>(10)).ok());
    fs::resize_file(path_, 16);  // magic, version
    std::ofstream f(path_, std::ios::binary | std::ios::app);
    const char size[] = {0, 0, 0, 0, '\x80', 0, 0, 0};
    const char hash[8] = {};
    f.write(size, 8).write(hash, 8).write("\x28\xB5\x2F\xFD\xC0\x58", 6).write(size, 8).put(1).put(0).put(0);
    f.close();
    const auto read = read_snapshot_file(path_);
    ASSERT_FALSE(read.ok());
    EXPECT_NE(read.error().message.find("damaged"), std::string::npos) << read.error().message;
}

TEST_F(SnapshotFile, CannotWriteIsSaid) {
    const Status s = write_snapshot_file("/nonexistent/folder/file", std::vector<u8>(10));
    ASSERT_FALSE(s.ok());
    EXPECT_NE(s.error().message.find("/nonexistent/folder/file"), std::string::npos);
}

}  // namespace
}  // namespace mynah
