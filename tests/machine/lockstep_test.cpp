// -accel verify with an accelerator that is the interpreter, but errs once.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "cpu/core.h"
#include "cpu/interp/block.h"
#include "machine/machine.h"

namespace mynah {
namespace {

namespace fs = std::filesystem;

// Interprets a block; after the one in which `at` instructions are reached, does the damage.
class Erring final : public Accelerator {
  public:
    using Damage = std::function<void(Core&)>;
    Erring(Core& core, u64 at, Damage damage) : core_(core), at_(at), damage_(std::move(damage)) {}

    bool run(const Block& b) override {
        Core& c = core_;
        const u64 before = c.retired;
        c.block_limit = c.retired + b.count;
        c.block = &b;
        c.block_rip = c.state.rip;
        c.block_retired = c.retired;
        for (const Entry* e = b.entries; e != nullptr;) e = e->step(c, e);
        if (damage_ && before < at_ && at_ <= c.retired) damage_(c);
        return true;
    }
    void drop_all() override {}
    std::string describe() const override { return "erring\n"; }
    std::string explain(u64 rip) const override { return rip == 0x5 ? "explained\n" : ""; }

  private:
    Core& core_;
    u64 at_;
    Damage damage_;
};

class LockstepTest : public ::testing::Test {
  protected:
    LockstepTest()
        : rom_((fs::temp_directory_path() / ("mynah-lockstep-" + std::to_string(::getpid()))).string()),
          log_file_(rom_ + ".log") {
        EXPECT_TRUE(log_->open(log_file_).ok());
    }
    ~LockstepTest() override {
        fs::remove(rom_);
        fs::remove(log_file_);
    }

    // `code` runs at F000:0000 in real mode.
    void write_rom(const std::vector<int>& code) {
        std::vector<char> image(65536, '\xF4');
        for (size_t at = 0; at < code.size(); ++at) image[at] = static_cast<char>(code[at]);
        const int jump[] = {0xEA, 0x00, 0x00, 0x00, 0xF0};
        for (size_t i = 0; i < 5; ++i) image[0xFFF0 + i] = static_cast<char>(jump[i]);
        std::ofstream(rom_, std::ios::binary).write(image.data(), static_cast<std::streamsize>(image.size()));
    }

    MachineConfig config() const {
        MachineConfig c;
        c.memory = 2 * MiB;
        c.bios = rom_;
        c.vga = false;
        c.clock = ClockMode::deterministic;
        c.accel = AccelKind::verify;
        c.isa_debug_exit = IsaDebugExitConfig{};
        return c;
    }

    std::unique_ptr<Machine> make(const MachineConfig& c, u64 at, Erring::Damage damage) {
        MachineHost host;
        host.monotonic_ns = [] { return u64{0}; };
        host.accelerator = [at, damage](Core& core, PhysicalMap&) {
            return std::make_unique<Erring>(core, at, damage);
        };
        auto machine = Machine::create(c, std::move(host), *log_);
        EXPECT_TRUE(machine.ok()) << machine.error().message;
        return machine.ok() ? std::move(*machine) : nullptr;
    }

    // What is reported when the damage is done as soon as `at` instructions are reached.
    std::string report(u64 at, Erring::Damage damage) {
        auto machine = make(config(), at, std::move(damage));
        if (!machine) return "";
        machine->run_until(100'000, true);
        EXPECT_EQ(machine->run_state(), RunState::finished);
        EXPECT_EQ(machine->exit_code(), 1);
        return log();
    }
    // Ends the log, too.
    std::string log() {
        log_ = std::make_unique<Log>();
        std::ifstream in(log_file_);
        return {std::istreambuf_iterator<char>(in), {}};
    }

    std::string rom_;
    std::string log_file_;
    std::unique_ptr<Log> log_ = std::make_unique<Log>();
};

#define EXPECT_HAS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

// DS = 0; counts word [500h] up to 1F4h; OUT 501h, 15h; HLT. The loop is 3 instructions, from offset 5 on,
// the first of them the fifth instruction since power-on.
const std::vector<int> kCount = {0xFA, 0x31, 0xC0, 0x8E, 0xD8, 0xFF, 0x06, 0x00, 0x05, 0x81, 0x3E, 0x00,
                                 0x05, 0xF4, 0x01, 0x75, 0xF4, 0xB0, 0x15, 0xBA, 0x01, 0x05, 0xEE, 0xF4};

TEST_F(LockstepTest, AgreesWhenNothingIsWrong) {
    write_rom(kCount);
    auto machine = make(config(), 0, {});
    ASSERT_TRUE(machine);
    machine->run_until(10'000, true);
    EXPECT_EQ(machine->exit_code(), 0x15 << 1 | 1) << log();
    EXPECT_EQ(machine->memory().read(0x500, 2), 0x1F4u);
    EXPECT_EQ(log(), "");
}

TEST_F(LockstepTest, FindsARegister) {
    write_rom(kCount);
    const std::string text = report(4 + 3 * 60 - 1, [](Core& c) { c.state.gpr[rsi] ^= 0x40; });
    EXPECT_HAS(text, "after 184 instructions");
    EXPECT_HAS(text, "cs:rip f000:f, bytes 75 f4");  // the JNE
    EXPECT_HAS(text, "rsi: 40, interpreted 0");
    EXPECT_HAS(text, "explained");
}

TEST_F(LockstepTest, FindsAFlag) {
    write_rom(kCount);
    const std::string text = report(4 + 3 * 60 - 1, [](Core& c) { c.state.eflags ^= eflags::ac; });
    EXPECT_HAS(text, "after 184 instructions");
    EXPECT_HAS(text, "eflags: ");
}

TEST_F(LockstepTest, FindsAByteOfMemory) {
    write_rom(kCount);
    const std::string text =
        report(4 + 3 * 100 - 1, [](Core& c) { (void)c.store_linear<u8>(0x1F0003, 0x77); });
    EXPECT_HAS(text, "after 304 instructions");
    EXPECT_HAS(text, "memory from 1f0003 on, 1 bytes of the page: 77");
}

TEST_F(LockstepTest, FindsTheInstructionCount) {
    write_rom(kCount);
    const std::string text = report(4 + 3 * 100 - 1, [](Core& c) { ++c.retired; });
    EXPECT_HAS(text, "instructions: 305, interpreted 304");
}

// OUT 80h in a loop of 4 instructions: INC AX, OUT 80h, NOP, JMP.
const std::vector<int> kOut = {0xFA, 0x40, 0xE6, 0x80, 0x90, 0xEB, 0xFA};

TEST_F(LockstepTest, FindsAnotherValueWritten) {
    write_rom(kOut);
    const std::string text = report(2 + 4 * 50, [](Core& c) { c.state.gpr[rax] += 1; });
    EXPECT_HAS(text, "and not before");
    EXPECT_HAS(text, "rax: ");
}

TEST_F(LockstepTest, FindsAnAccess) {
    write_rom(kOut);
    auto machine = make(config(), 2 + 4 * 50, [](Core& c) { c.host.port_write(0x80, 1, 1); });
    ASSERT_TRUE(machine);
    machine->run_until(100'000, true);
    EXPECT_EQ(machine->exit_code(), 1);
    EXPECT_HAS(log(), "expected OUT of 1 (1 bytes) to port 80 at 202 instructions");
}

// Timer interrupts through the 8259A, their acknowledgement and end: a handler counts at [600h].
TEST_F(LockstepTest, PassesInterruptsOn) {
    write_rom({
        0x66, 0xB9, 0x1B, 0x00, 0x00, 0x00, 0x66, 0x31, 0xC0, 0x66, 0x31, 0xD2, 0x0F, 0x30,  // no local APIC
        0xFA, 0x31, 0xC0, 0x8E, 0xD8, 0x8E, 0xD0, 0xBC, 0x00, 0x10,                          // stack at 1000h
        0xC7, 0x06, 0x20, 0x00, 0x80, 0x00, 0xC7, 0x06, 0x22, 0x00, 0x00, 0xF0,  // INT 8: F000:0080
        0xB0, 0x11, 0xE6, 0x20, 0xB0, 0x08, 0xE6, 0x21, 0xB0, 0x04, 0xE6, 0x21,  // ICW1 to ICW3
        0xB0, 0x01, 0xE6, 0x21, 0xB0, 0xFE, 0xE6, 0x21,                          // ICW4, mask
        0xB0, 0x34, 0xE6, 0x43, 0xB0, 0x20, 0xE6, 0x40, 0xB0, 0x00, 0xE6, 0x40,  // PIT: every 32 ticks
        0xFB, 0x40, 0x3D, 0x00, 0x80, 0x75, 0xFA, 0xF4, 0xEB, 0xF6,              // count; HLT; again
    });
    std::vector<char> handler = {'\xFF', '\x06', '\x00', '\x06', '\x50', '\xB0',
                                 '\x20', '\xE6', '\x20', '\x58', '\xCF'};
    std::fstream file(rom_, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(0x80);
    file.write(handler.data(), static_cast<std::streamsize>(handler.size()));
    file.close();
    auto machine = make(config(), 0, {});
    ASSERT_TRUE(machine);
    machine->run_until(3'000'000, true);
    EXPECT_EQ(machine->run_state(), RunState::running) << log();
    EXPECT_GT(machine->memory().read(0x600, 2), 50u);
    // A snapshot and back, in the middle of it.
    const std::vector<u8> saved = machine->save();
    machine->run_until(4'000'000, true);
    ASSERT_TRUE(machine->load(saved).ok());
    machine->run_until(5'000'000, true);
    machine->reset();
    machine->run_until(6'000'000, true);
    EXPECT_EQ(machine->run_state(), RunState::running) << log();
}

// The firmware: shadowed ROM, PCI, VGA, disks, A20.
TEST_F(LockstepTest, RunsSeaBios) {
    MachineConfig c = config();
    c.memory = 16 * MiB;
    c.bios.clear();
    c.vga = true;
    MachineHost host;
    host.monotonic_ns = [] { return u64{0}; };
    host.accelerator = [](Core& core, PhysicalMap&) {
        return std::make_unique<Erring>(core, 0, Erring::Damage{});
    };
    auto machine = Machine::create(c, std::move(host), *log_);
    if (!machine.ok()) GTEST_SKIP() << machine.error().message;
    (*machine)->run_until(30'000'000, true);
    EXPECT_EQ((*machine)->run_state(), RunState::running) << log();
    EXPECT_EQ(log(), "");
}

}  // namespace
}  // namespace mynah
