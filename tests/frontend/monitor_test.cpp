// The human monitor and its console, on a machine around a 64 KiB firmware of our own.
#include "frontend/monitor.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <deque>
#include <filesystem>
#include <fstream>

namespace mynah {
namespace {

namespace fs = std::filesystem;

// A console whose input and output are strings.
class Console final : public CharBackend {
  public:
    void type(std::string_view s) { input_.insert(input_.end(), s.begin(), s.end()); }
    std::string take() { return std::exchange(output_, {}); }
    void write(std::span<const u8> data) override { output_.append(data.begin(), data.end()); }
    bool read(u8& byte) override {
        if (input_.empty()) return false;
        byte = static_cast<u8>(input_.front());
        input_.pop_front();
        return true;
    }
    bool input_waiting() override { return !input_.empty(); }

  private:
    std::deque<char> input_;
    std::string output_;
};

class MonitorTest : public ::testing::Test {
  protected:
    MonitorTest() : rom_((fs::temp_directory_path() / ("mynah-mon-" + std::to_string(::getpid()))).string()) {
        std::vector<char> image(65536, '\xF4');
        std::ofstream(rom_, std::ios::binary).write(image.data(), static_cast<std::streamsize>(image.size()));
        MachineConfig c;
        c.memory = 2 * MiB;
        c.bios = rom_;
        c.vga = false;
        c.clock = ClockMode::deterministic;
        c.drives.resize(2);
        c.drives[0].media = DriveMedia::cdrom;
        c.drives[0].index = 2;
        c.drives[1].interface = DriveInterface::floppy;
        auto made = Machine::create(c, {.monotonic_ns = [] { return u64{0}; }, .serials = {}}, log_);
        EXPECT_TRUE(made.ok()) << made.error().message;
        machine_ = std::move(*made);
    }
    ~MonitorTest() override { fs::remove(rom_); }

    std::string rom_;
    Log log_;
    std::unique_ptr<Machine> machine_;
};

TEST_F(MonitorTest, OnASharedTerminalItGreetsOnceAndThenShowsItsPrompt) {
    Monitor monitor(*machine_);
    Console terminal;
    MonitorConsole console(monitor, terminal, true);
    console.start(true);
    EXPECT_TRUE(terminal.take().starts_with("\r\nmynah "));
    terminal.type("sto");
    console.poll();
    terminal.take();
    console.start(true);
    EXPECT_EQ(terminal.take(), "\r\n(mynah) sto");
    terminal.type("p\r");
    console.poll();
    EXPECT_EQ(terminal.take(), "p\r\n(mynah) ");
    EXPECT_EQ(machine_->run_state(), RunState::paused);
}

TEST_F(MonitorTest, EachPeerOfASocketIsGreetedAndStartsItsOwnLine) {
    Monitor monitor(*machine_);
    Console socket;
    MonitorConsole console(monitor, socket, true);
    for (int peer = 0; peer < 2; ++peer) {
        console.start(false);
        const std::string greeting = socket.take();
        EXPECT_TRUE(greeting.starts_with("mynah ")) << greeting;
        EXPECT_TRUE(greeting.ends_with("\n(mynah) ")) << greeting;
        socket.type("half a line");
        console.poll();
        socket.take();
    }
}

TEST_F(MonitorTest, SendkeyTakesATimeToHold) {
    Monitor monitor(*machine_);
    EXPECT_EQ(monitor.execute("sendkey ctrl-alt-delete"), "");
    EXPECT_EQ(monitor.execute("sendkey a 500"), "");
    EXPECT_EQ(monitor.execute("sendkey a b"), "'b' is neither a number nor a register\n");
    EXPECT_NE(monitor.execute("sendkey a 0").find("1 to 60000 ms"), std::string::npos);
    EXPECT_EQ(monitor.execute("sendkey bogus"), "unknown key: 'bogus'\n");
}

TEST_F(MonitorTest, MediaAreChanged) {
    Monitor monitor(*machine_);
    EXPECT_EQ(monitor.execute("info block"), "ide1-cd0: [not inserted]\nfloppy0: [not inserted]\n");
    EXPECT_EQ(monitor.execute("change ide1-cd0 " + rom_), "");
    EXPECT_EQ(
        monitor.execute("change floppy " + rom_),
        "\"" + rom_ +
            "\" is given to two drives; only drives that do not write (-snapshot) can share an image\n");
    EXPECT_EQ(monitor.execute("info block"),
              "ide1-cd0: " + rom_ + " (raw) (read-only)\nfloppy0: [not inserted]\n");
    // What cannot be opened leaves the drive as it was.
    EXPECT_NE(monitor.execute("change cdrom /nowhere").find("/nowhere"), std::string::npos);
    EXPECT_NE(monitor.execute("info block").find(rom_), std::string::npos);
    EXPECT_EQ(monitor.execute("eject ide1-cd0"), "");
    EXPECT_EQ(monitor.execute("change floppy0 " + rom_), "");
    // The same one again, which is open for writing.
    EXPECT_EQ(monitor.execute("change floppy0 " + rom_), "");
    EXPECT_EQ(monitor.execute("info block"), "ide1-cd0: [not inserted]\nfloppy0: " + rom_ + " (raw)\n");
    EXPECT_EQ(monitor.execute("eject -f floppy"), "");
    EXPECT_EQ(monitor.execute("eject ide0-hd0"),
              "no medium of \"ide0-hd0\" can be changed; there are ide1-cd0, floppy0\n");
    EXPECT_EQ(monitor.execute("eject"), "a drive is wanted\n");
    EXPECT_EQ(monitor.execute("change cdrom"), "a drive and a file name are wanted\n");
}

TEST_F(MonitorTest, QuitLeavesNoPrompt) {
    Monitor monitor(*machine_);
    Console terminal;
    MonitorConsole console(monitor, terminal, true);
    terminal.type("quit\r");
    console.poll();
    EXPECT_EQ(terminal.take(), "quit\r\n");
    EXPECT_TRUE(monitor.finished());
}

}  // namespace
}  // namespace mynah
