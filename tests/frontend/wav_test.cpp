// The file while the machine runs, and when it has ended.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/bits.h"
#include "frontend/audio_wav.h"

namespace mynah {
namespace {

namespace fs = std::filesystem;

constexpr u64 kHeader = 44, kSecond = kMixRate, kFrame = 4;

class WavTest : public ::testing::Test {
  protected:
    WavTest() : path_((fs::temp_directory_path() / ("mynah-wav-" + std::to_string(::getpid()))).string()) {
        auto made = WavFile::create(path_);
        EXPECT_TRUE(made.ok());
        file_ = std::move(*made);
    }
    ~WavTest() override { fs::remove(path_); }

    // As another program reads the file now.
    u64 frames_in_header() {
        std::ifstream in(path_, std::ios::binary);
        std::vector<u8> h(kHeader);
        in.read(reinterpret_cast<char*>(h.data()), static_cast<std::streamsize>(h.size()));
        EXPECT_TRUE(in.good());
        return load_le<u32>(&h[40]) / kFrame;
    }
    i16 left(u64 frame) {
        std::ifstream in(path_, std::ios::binary);
        in.seekg(static_cast<std::streamoff>(kHeader + frame * kFrame));
        u8 bytes[2]{};
        in.read(reinterpret_cast<char*>(bytes), 2);
        EXPECT_TRUE(in.good()) << frame;
        return static_cast<i16>(load_le<u16>(bytes));
    }
    void play(u64 frames, i16 value) {
        file_->play(std::vector<StereoFrame>(frames, StereoFrame{value, value}));
    }
    // A guest that idles: so long, in pieces.
    void silence(u64 frames) {
        for (const u64 piece = kSecond / 50; frames != 0;) {
            const u64 now = std::min(piece, frames);
            file_->silence(now);
            frames -= now;
        }
    }

    std::string path_;
    std::unique_ptr<WavFile> file_;
};

TEST_F(WavTest, SilenceAtTheEndIsNotThereUntilTheEnd) {
    silence(3600 * kSecond);
    EXPECT_EQ(fs::file_size(path_), kHeader);
    play(kSecond, 77);
    EXPECT_EQ(frames_in_header(), 3601 * kSecond) << "what is killed now has left its sound";
    EXPECT_EQ(left(3600 * kSecond - 1), 0);
    EXPECT_EQ(left(3600 * kSecond), 77);
    silence(1800 * kSecond);
    EXPECT_EQ(fs::file_size(path_), kHeader + 3601 * kSecond * kFrame);
    EXPECT_EQ(frames_in_header(), 3601 * kSecond);
    file_.reset();
    EXPECT_EQ(fs::file_size(path_), kHeader + 5401 * kSecond * kFrame);
    EXPECT_EQ(frames_in_header(), 5401 * kSecond);
    EXPECT_EQ(left(5401 * kSecond - 1), 0);
    EXPECT_EQ(left(3601 * kSecond - 1), 77);
}

TEST_F(WavTest, AShortSoundIsInTheHeaderSoonToo) {
    play(kSecond / 10, 5);
    EXPECT_EQ(frames_in_header(), 0u);
    silence(kSecond / 2);
    EXPECT_EQ(frames_in_header(), kSecond / 10);
    EXPECT_EQ(left(kSecond / 10 - 1), 5);
}

TEST_F(WavTest, WithoutAnySoundItIsAsLongAsTheRun) {
    silence(10 * kSecond);
    file_.reset();
    EXPECT_EQ(fs::file_size(path_), kHeader + 10 * kSecond * kFrame);
    EXPECT_EQ(frames_in_header(), 10 * kSecond);
}

TEST_F(WavTest, NothingAtAllIsAHeader) {
    file_.reset();
    EXPECT_EQ(fs::file_size(path_), kHeader);
}

TEST_F(WavTest, ItEndsWhereItsSizesDo) {
    silence(4 * 3600 * kSecond);
    play(kSecond, 5);
    EXPECT_EQ(fs::file_size(path_), kHeader) << "three hours are over";
}

}  // namespace
}  // namespace mynah
