// A machine on its own thread: commands, news and its end. The firmware is ours: it counts and halts.
#include "desktop/machine_thread.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>

namespace mynah {
namespace {

namespace fs = std::filesystem;

class MachineThreadTest : public ::testing::Test {
  protected:
    MachineThreadTest()
        : rom_((fs::temp_directory_path() / ("mynah-thread-" + std::to_string(::getpid()))).string()) {
        // OUT 99h: unclaimed; then HLT with interrupts off.
        write_rom({0xE6, 0x99, 0xFA, 0xF4, 0xEB, 0xFC});
    }
    ~MachineThreadTest() override { fs::remove(rom_); }

    void write_rom(const std::vector<int>& code) {
        std::vector<char> image(65536, '\xF4');
        for (size_t i = 0; i < code.size(); ++i) image[i] = static_cast<char>(code[i]);
        const int jump[] = {0xEA, 0x00, 0x00, 0x00, 0xF0};
        for (size_t i = 0; i < 5; ++i) image[0xFFF0 + i] = static_cast<char>(jump[i]);
        std::ofstream(rom_, std::ios::binary).write(image.data(), static_cast<std::streamsize>(image.size()));
    }
    MachineConfig config() const {
        MachineConfig c;
        c.memory = 2 * MiB;
        c.bios = rom_;
        return c;
    }
    // Waits for news that fit; the limit is for a broken program only.
    template <class Condition>
    bool wait_for(MachineThread& machine, Condition fits) {
        std::unique_lock lock(mutex_);
        return rung_.wait_for(lock, std::chrono::seconds(60), [&] { return fits(machine.news()); });
    }
    std::function<void()> bell() {
        return [this] {
            const std::lock_guard lock(mutex_);
            rung_.notify_all();
        };
    }

    std::string rom_;
    std::mutex mutex_;
    std::condition_variable rung_;
};

TEST_F(MachineThreadTest, ShowsAPictureAndTakesCommands) {
    MachineThread machine(config(), bell());
    ASSERT_TRUE(wait_for(machine, [](const MachineNews& n) { return n.frame != nullptr; }));
    EXPECT_EQ(machine.news().frame->width, 640u);
    machine.post([](Machine& m) -> Result<std::string> {
        m.pause();
        return std::string("paused now");
    });
    ASSERT_TRUE(wait_for(machine, [](const MachineNews& n) { return n.state == RunState::paused; }));
    EXPECT_EQ(machine.news().note, "paused now");
    EXPECT_EQ(machine.news().notes, 1u);
    EXPECT_TRUE(machine.take_errors().empty());
}

TEST_F(MachineThreadTest, ErrorsOfCommandsAreKept) {
    MachineThread machine(config(), bell());
    machine.post([](Machine& m) -> Result<std::string> { return m.load_file("/nowhere").error(); });
    std::vector<std::string> errors;
    ASSERT_TRUE(wait_for(machine, [&](const MachineNews&) {
        errors = machine.take_errors();
        return !errors.empty();
    }));
    EXPECT_NE(errors[0].find("/nowhere"), std::string::npos);
}

TEST_F(MachineThreadTest, AMachineThatCannotBeMadeSaysWhy) {
    MachineConfig c = config();
    c.bios = "/nowhere.bin";
    MachineThread machine(c, bell());
    ASSERT_TRUE(wait_for(machine, [](const MachineNews& n) { return n.ended; }));
    EXPECT_NE(machine.news().failure.find("/nowhere.bin"), std::string::npos);
}

TEST_F(MachineThreadTest, TheGuestEndsIt) {
    // OUT 501h, 15h
    write_rom({0xB0, 0x15, 0xBA, 0x01, 0x05, 0xEE, 0xF4});
    MachineConfig c = config();
    c.isa_debug_exit = IsaDebugExitConfig{};
    MachineThread machine(c, bell());
    ASSERT_TRUE(wait_for(machine, [](const MachineNews& n) { return n.ended; }));
    EXPECT_EQ(machine.news().exit_code, 0x15 << 1 | 1);
    EXPECT_EQ(machine.news().failure, "");
}

TEST_F(MachineThreadTest, LogsWhatIsNotSupported) {
    MachineThread machine(config(), bell());
    ASSERT_TRUE(wait_for(machine, [](const MachineNews& n) { return n.frame != nullptr; }));
    const auto logged = [&] {
        // Where there is no translator, that is said before.
        const auto lines = machine.log().lines();
        return std::any_of(lines.begin(), lines.end(), [](const GuestLog::Line& line) {
            return line.text.find("0099h") != std::string::npos;
        });
    };
    // The picture may be from before the first instruction.
    EXPECT_TRUE(wait_for(machine, [&](const MachineNews&) {
        machine.post([](Machine&) -> Result<std::string> { return std::string("again"); });
        return logged();
    }));
}

TEST_F(MachineThreadTest, TypesTextsOfAnyLengthUpToALimit) {
    MachineThread machine(config(), bell());
    machine.type(std::string(3000, 'x'));
    ASSERT_TRUE(wait_for(machine, [](const MachineNews& n) { return n.typing > 0; }));
    machine.type(std::string(70'000, 'x'));
    std::vector<std::string> errors;
    ASSERT_TRUE(wait_for(machine, [&](const MachineNews&) {
        errors = machine.take_errors();
        return !errors.empty();
    }));
    EXPECT_NE(errors[0].find("too long"), std::string::npos);
}

TEST_F(MachineThreadTest, EndsAtOnceHoweverIdleItIs) {
    for (int i = 0; i < 5; ++i) MachineThread machine(config(), [] {});
}

}  // namespace
}  // namespace mynah
