// A whole machine around a 64 KiB firmware of our own: exit codes, reset, time, snapshots.
#include "machine/machine.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <initializer_list>

namespace mynah {
namespace {

namespace fs = std::filesystem;

class MachineTest : public ::testing::Test {
  protected:
    MachineTest()
        : rom_((fs::temp_directory_path() / ("mynah-rom-" + std::to_string(::getpid()))).string()) {}
    ~MachineTest() override { fs::remove(rom_); }

    // `code` runs at F000:0000 in real mode.
    void write_rom(const std::vector<int>& code) {
        std::vector<char> image(65536, '\xF4');
        size_t at = 0;
        for (const int b : code) image[at++] = static_cast<char>(b);
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
        c.isa_debug_exit = IsaDebugExitConfig{};
        return c;
    }

    std::unique_ptr<Machine> make(const MachineConfig& c) {
        auto machine = Machine::create(c, {.monotonic_ns = [] { return u64{0}; }, .serials = {}}, log_);
        EXPECT_TRUE(machine.ok()) << machine.error().message;
        return machine.ok() ? std::move(*machine) : nullptr;
    }

    std::string rom_;
    Log log_;
};

// DS = 0; counts word [500h] up to 64h; OUT 501h, 15h; HLT.
constexpr std::initializer_list<int> kCount = {0xFA, 0x31, 0xC0, 0x8E, 0xD8, 0xFF, 0x06, 0x00,
                                               0x05, 0x83, 0x3E, 0x00, 0x05, 0x64, 0x75, 0xF5,
                                               0xB0, 0x15, 0xBA, 0x01, 0x05, 0xEE, 0xF4};
// The same without end.
constexpr std::initializer_list<int> kCountForever = {0xFA, 0x31, 0xC0, 0x8E, 0xD8, 0xFF,
                                                      0x06, 0x00, 0x05, 0xEB, 0xFA};

TEST_F(MachineTest, DebugExitGivesItsCode) {
    write_rom(kCount);
    auto machine = make(config());
    ASSERT_TRUE(machine);
    machine->run_until(10'000, true);
    EXPECT_EQ(machine->run_state(), RunState::finished);
    EXPECT_EQ(machine->exit_code(), 0x15 << 1 | 1);
    EXPECT_EQ(machine->memory().read(0x500, 2), 0x64u);
    // The far jump, CLI, XOR, MOV, 100 times INC, CMP, JNE, then MOV, MOV, OUT.
    EXPECT_EQ(machine->instructions(), 1u + 3 + 300 + 3);
}

// A hundred times: EAX "VMXh", ECX 10, DX 5658h; IN EAX, DX. Then EBX and ECX to [500h] and [504h], AL to
// port 501h.
constexpr std::initializer_list<int> kVmPort = {
    0x31, 0xC0, 0x8E, 0xD8, 0xBD, 0x64, 0x00, 0x66, 0xB8, 0x68, 0x58, 0x4D, 0x56, 0x66,
    0xB9, 0x0A, 0x00, 0x00, 0x00, 0xBA, 0x58, 0x56, 0x66, 0xED, 0x4D, 0x75, 0xEC, 0x66,
    0x89, 0x1E, 0x00, 0x05, 0x66, 0x89, 0x0E, 0x04, 0x05, 0xBA, 0x01, 0x05, 0xEE, 0xF4};

TEST_F(MachineTest, VmPortExchangesRegisters) {
    write_rom(kVmPort);
    for (const AccelKind accel : {AccelKind::interp, AccelKind::jit, AccelKind::verify}) {
        for (const bool there : {true, false}) {
            MachineConfig c = config();
            c.accel = accel;
            c.vmport = there;
            auto machine = make(c);
            ASSERT_TRUE(machine);
            machine->run_until(10'000, true);
            ASSERT_EQ(machine->run_state(), RunState::finished);
            EXPECT_EQ(machine->exit_code(), ((there ? 6 : 0xFF) << 1 | 1) & 0xFFFF);
            EXPECT_EQ(machine->memory().read(0x500, 4), there ? 0x564D5868u : 0u);
            EXPECT_EQ(machine->memory().read(0x504, 4), there ? 2u : 10u);
            EXPECT_FALSE(machine->takes_positions());
        }
    }
}

struct Cable final : NetBackend {
    std::vector<std::vector<u8>> sent, waiting;
    void send(std::span<const u8> frame) override { sent.emplace_back(frame.begin(), frame.end()); }
    bool receive(std::vector<u8>& frame) override {
        if (waiting.empty()) return false;
        frame = waiting.back();
        waiting.pop_back();
        return true;
    }
};

TEST_F(MachineTest, CountsTheFramesOfItsAdapters) {
    // An NE2000 at 300h is set up to take everything, and sends 60 bytes.
    constexpr std::pair<int, int> outs[] = {{0x0, 0x21}, {0xE, 0x49}, {0xC, 0x1C}, {0xD, 0x00}, {0x1, 0x46},
                                            {0x2, 0x80}, {0x3, 0x46}, {0x0, 0x61}, {0x7, 0x47}, {0x0, 0x22},
                                            {0x4, 0x40}, {0x5, 60},   {0x6, 0},    {0x0, 0x26}};
    std::vector<int> code;
    for (const auto& [port, value] : outs)
        code.insert(code.end(), {0xBA, port, 0x03, 0xB0, value, 0xEE});  // MOV DX, MOV AL, OUT
    code.insert(code.end(), {0xEB, 0xFE});
    write_rom(code);
    MachineConfig c = config();
    c.nics.emplace_back().model = NicModel::ne2k_isa;
    Cable cable;
    MachineHost host{.monotonic_ns = [] { return u64{0}; }, .serials = {}};
    host.networks = {&cable};
    auto machine = Machine::create(c, std::move(host), log_);
    ASSERT_TRUE(machine.ok());
    EXPECT_EQ((*machine)->network_frames(), 0u);
    (*machine)->run_until(1'000'000, true);
    EXPECT_EQ(cable.sent.size(), 1u);
    EXPECT_EQ((*machine)->network_frames(), 1u);
    cable.waiting.assign(3, std::vector<u8>(60, 0xFF));
    (*machine)->network_input_ready(0);
    (*machine)->run_until(2'000'000, true);
    EXPECT_TRUE(cable.waiting.empty());
    EXPECT_EQ((*machine)->network_frames(), 4u);
}

TEST_F(MachineTest, RunUntilEndsOnTheInstruction) {
    write_rom(kCountForever);
    auto machine = make(config());
    ASSERT_TRUE(machine);
    for (const u64 n : {u64{1}, u64{2}, u64{77}, u64{78}, u64{100'003}}) {
        machine->run_until(n, true);
        EXPECT_EQ(machine->instructions(), n);
    }
}

TEST_F(MachineTest, ASnapshotContinuesAlike) {
    write_rom(kCountForever);
    auto machine = make(config());
    ASSERT_TRUE(machine);
    machine->run_until(12'345, true);
    const std::vector<u8> saved = machine->save();
    EXPECT_EQ(machine->save(), saved) << "saving changes nothing";
    machine->run_until(54'321, true);
    const u64 hash = machine->ram_hash();
    const std::vector<u8> end = machine->save();

    auto other = make(config());
    ASSERT_TRUE(other);
    const Status loaded = other->load(saved);
    ASSERT_TRUE(loaded.ok()) << loaded.error().message;
    EXPECT_EQ(other->save(), saved);
    other->run_until(54'321, true);
    EXPECT_EQ(other->ram_hash(), hash);
    EXPECT_EQ(other->save(), end);
}

// Where the power management ports lie now, the IDE bus master lay before, and the other way round.
TEST_F(MachineTest, ALoadMovesPortsThatChangePlaces) {
    const auto program = [](int pm_page, int ide_page) {
        std::vector<int> code;
        const auto config = [&](int function, int reg, std::initializer_list<int> value) {
            code.insert(code.end(), {0x66, 0xB8, reg, 8 | function, 0x00, 0x80});  // MOV EAX
            code.insert(code.end(), {0xBA, 0xF8, 0x0C, 0x66, 0xEF, 0x66, 0xB8});   // OUT CF8h; MOV EAX
            code.insert(code.end(), value);
            code.insert(code.end(), {0xBA, 0xFC, 0x0C, 0x66, 0xEF});  // OUT CFCh
        };
        config(1, 0x20, {0x01, ide_page, 0, 0});
        config(1, 0x04, {0x05, 0, 0, 0});
        config(3, 0x40, {0x01, pm_page, 0, 0});
        config(3, 0x80, {0x01, 0, 0, 0});
        // [500h] = timer at C008h, forever.
        code.insert(code.end(), {0xBA, 0x08, 0xC0, 0x66, 0xED, 0x66, 0xA3, 0x00, 0x05, 0xEB, 0xF6});
        return code;
    };
    write_rom(program(0xC0, 0xD0));
    auto machine = make(config());
    ASSERT_TRUE(machine);
    machine->run_until(10'000, true);
    ASSERT_NE(machine->memory().read(0x500, 4), 0xFFFFFFFFu);
    const std::vector<u8> saved = machine->save();

    write_rom(program(0xD0, 0xC0));
    auto other = make(config());
    ASSERT_TRUE(other);
    other->run_until(10'000, true);
    EXPECT_EQ(other->memory().read(0x500, 4), 0u);  // descriptor table of the second channel's master
    ASSERT_TRUE(other->load(saved).ok());
    EXPECT_EQ(other->save(), saved);
    machine->run_until(20'000, true);
    other->run_until(20'000, true);
    EXPECT_EQ(other->save(), machine->save());
}

TEST_F(MachineTest, ABadSnapshotChangesNothing) {
    write_rom(kCountForever);
    auto machine = make(config());
    ASSERT_TRUE(machine);
    machine->run_until(1000, true);
    const std::vector<u8> before = machine->save();
    std::vector<u8> bad = before;
    bad.resize(bad.size() / 2);
    EXPECT_FALSE(machine->load(bad).ok());
    EXPECT_EQ(machine->save(), before);
    MachineConfig other = config();
    other.memory = 4 * MiB;
    auto bigger = make(other);
    ASSERT_TRUE(bigger);
    const Status s = bigger->load(before);
    ASSERT_FALSE(s.ok());
    EXPECT_NE(s.error().message.find("-m 2"), std::string::npos) << s.error().message;
    other = config();
    other.icount_shift = 3;
    auto slower = make(other);
    ASSERT_TRUE(slower);
    const Status unit = slower->load(before);
    ASSERT_FALSE(unit.ok());
    EXPECT_NE(unit.error().message.find("shift=0"), std::string::npos) << unit.error().message;
}

TEST_F(MachineTest, ResetStartsAgainAndNoRebootEnds) {
    write_rom({0xB0, 0xFE, 0xE6, 0x64, 0xEB, 0xFE});  // 8042 command FEh: pulse reset
    MachineConfig c = config();
    c.reboot = false;
    auto machine = make(c);
    ASSERT_TRUE(machine);
    machine->run_until(100'000, true);
    EXPECT_EQ(machine->run_state(), RunState::finished);
    EXPECT_EQ(machine->exit_code(), 0);

    c.reboot = true;
    machine = make(c);
    ASSERT_TRUE(machine);
    machine->run_until(100'000, true);
    EXPECT_EQ(machine->run_state(), RunState::running);
}

TEST_F(MachineTest, ATripleFaultResets) {
    write_rom({0x2E, 0x0F, 0x01, 0x1E, 0x07, 0x00, 0xCC, 0, 0, 0, 0, 0, 0});  // LIDT CS:[7] (zeros), INT3
    MachineConfig c = config();
    c.reboot = false;
    auto machine = make(c);
    ASSERT_TRUE(machine);
    machine->run_until(1000, true);
    EXPECT_EQ(machine->run_state(), RunState::finished);
}

// INT3's handler is at FFFF:FFFF, where the fetch faults, and #GP's is there too: no instruction is ever
// executed.
TEST_F(MachineTest, AStormOfFaultsStillLetsTimePass) {
    write_rom(
        {0x31, 0xC0, 0x8E, 0xD8, 0xB8, 0xFF, 0xFF, 0xA3, 0x0C, 0x00, 0xA3, 0x0E, 0x00,    // vector 3
         0xA3, 0x34, 0x00, 0xA3, 0x36, 0x00,                                              // vector 13
         0xC7, 0x06, 0x18, 0x00, 0xFF, 0xFF, 0xC7, 0x06, 0x1A, 0x00, 0xFF, 0xFF, 0xCC});  // vector 6, INT3
    auto machine = make(config());
    ASSERT_TRUE(machine);
    machine->run_until(2000, true);
    EXPECT_EQ(machine->instructions(), 2000u);
    EXPECT_EQ(machine->run_state(), RunState::running);
}

// A kernel booted without firmware reads CMOS and fw_cfg as any other.
TEST_F(MachineTest, ADirectBootHasCmosAndFwCfg) {
    const std::initializer_list<int> kernel = {
        0x02, 0xB0, 0xAD, 0x1B, 0x00, 0x00, 0x01, 0x00, 0xFE, 0x4F, 0x51, 0xE4,  // multiboot, with addresses
        0x00, 0x00, 0x10, 0x00, 0x00, 0x00, 0x10, 0x00, 0x00, 0x00, 0x00, 0x00,  // header and image at 1 MiB
        0x00, 0x00, 0x00, 0x00, 0x20, 0x00, 0x10, 0x00,                          // entry behind the header
        0xB0, 0x35, 0xE6, 0x70, 0xE4, 0x71, 0xA2, 0x00, 0x05, 0x00, 0x00,        // [500h] = CMOS 35h
        0xB0, 0x10, 0xE6, 0x70, 0xE4, 0x71, 0xA2, 0x01, 0x05, 0x00, 0x00,        // [501h] = CMOS 10h
        0x66, 0xB8, 0x05, 0x00, 0x66, 0xBA, 0x10, 0x05, 0x66, 0xEF,              // select fw_cfg 5: CPUs
        0x66, 0x42, 0xEC, 0xA2, 0x02, 0x05, 0x00, 0x00,                          // [502h] = its first byte
        0x66, 0xBA, 0x01, 0x05, 0xEE, 0xF4};                                     // ends
    {
        std::ofstream file(rom_, std::ios::binary);
        for (const int b : kernel) file.put(static_cast<char>(b));
    }
    MachineConfig c = config();
    c.bios.clear();
    c.kernel = rom_;
    c.memory = 32 * MiB;
    c.drives.push_back({.interface = DriveInterface::floppy, .file = {}});
    auto machine = make(c);
    ASSERT_TRUE(machine);
    machine->run_until(10'000, true);
    ASSERT_EQ(machine->run_state(), RunState::finished);
    EXPECT_EQ(machine->memory().read(0x500, 1), 1u);     // 16 MiB above 16 MiB, in units of 64 KiB
    EXPECT_EQ(machine->memory().read(0x501, 1), 0x40u);  // one 1.44 MB drive
    EXPECT_EQ(machine->memory().read(0x502, 1), 1u);
}

// Keys that a guest makes must not be the same on every start; under the deterministic clock they must.
TEST_F(MachineTest, RandomNumbersStartFromTheHostUnlessTimeIsDeterministic) {
    write_rom({0x66, 0x0F, 0xC7, 0xF0, 0x66, 0xA3, 0x00, 0x05, 0xF4});  // RDRAND EAX; [500h] = EAX; HLT
    const auto first_number = [&](ClockMode clock, u64 random, u64 seed) {
        MachineConfig c = config();
        c.clock = clock;
        c.seed = seed;
        auto machine = Machine::create(
            c, {.monotonic_ns = [] { return u64{0}; }, .serials = {}, .random = random}, log_);
        if (!machine.ok()) return u64{0};
        (*machine)->run_until(100, false);
        return (*machine)->memory().read(0x500, 4);
    };
    EXPECT_NE(first_number(ClockMode::realtime, 1, 7), first_number(ClockMode::realtime, 2, 7));
    EXPECT_EQ(first_number(ClockMode::deterministic, 1, 7), first_number(ClockMode::deterministic, 2, 7));
    EXPECT_NE(first_number(ClockMode::deterministic, 1, 7), first_number(ClockMode::deterministic, 1, 8));
}

// A big transfer ends the slice: a guest that asks for one after the other must not make the emulator deaf.
TEST_F(MachineTest, WhatTakesTheHostLongEndsTheSlice) {
    write_rom({0xBA, 0x18, 0x05, 0x66, 0xB8, 0x00, 0x08, 0x00, 0x00, 0x66, 0x0F,
               0xC8,                      // DX = 518h; EAX = 800h,
               0x66, 0xEF, 0xEB, 0xFC});  // swapped; OUT, again
    auto machine = make(config());
    ASSERT_TRUE(machine);
    // Select item 0 and read 1 MiB of it.
    const u8 command[16] = {0, 0, 0, 8 | 2, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0};
    machine->memory().write(0x800, command);
    machine->run_slice(true);
    EXPECT_EQ(machine->memory().read(0x100000, 4), 0x554D4551u);  // "QEMU"
    EXPECT_LT(machine->instructions(), 10u);
    machine->run_slice(true);
    EXPECT_GT(machine->instructions(), 1000u);
}

TEST_F(MachineTest, EveryLogItemLogs) {
    // MOV EAX, CR0; MOV CR0, EAX; OUT 402h, "A\n"; IN from nowhere; LIDT [600h] (limit 0); INT3
    write_rom({0x0F, 0x20, 0xC0, 0x0F, 0x22, 0xC0, 0xBA, 0x02, 0x04, 0xB0, 'A', 0xEE,
               0xB0, 0x0A, 0xEE, 0xE4, 0x9F, 0x0F, 0x01, 0x1E, 0x00, 0x06, 0xCC});
    const std::string path = rom_ + ".log";
    const auto log_of = [&](const char* items) {
        {
            Log log;
            EXPECT_TRUE(log.enable(items).ok());
            EXPECT_TRUE(log.open(path).ok());
            MachineConfig c = config();
            c.reboot = false;
            auto machine = Machine::create(c, {.monotonic_ns = [] { return u64{0}; }, .serials = {}}, log);
            EXPECT_TRUE(machine.ok());
            if (machine.ok()) (*machine)->run_until(1000, true);
        }
        std::ifstream file(path);
        const std::string text{std::istreambuf_iterator<char>(file), {}};
        fs::remove(path);
        return text;
    };
    const auto lines = [](const std::string& s) { return std::count(s.begin(), s.end(), '\n'); };
    EXPECT_EQ(lines(log_of("exec")), 11);  // and the far jump
    EXPECT_NE(log_of("exec").find("f000:00000006"), std::string::npos) << log_of("exec");
    EXPECT_NE(log_of("in_asm").find("0x000f0006:"), std::string::npos) << log_of("in_asm");
    EXPECT_NE(log_of("cpu").find("EIP=00000006"), std::string::npos);
    EXPECT_NE(log_of("mmu").find("CR0=60000010"), std::string::npos);
    EXPECT_EQ(log_of("firmware"), "A\n");
    EXPECT_NE(log_of("unimp").find("009F"), std::string::npos) << log_of("unimp");
    EXPECT_NE(log_of("int").find("int 03"), std::string::npos) << log_of("int");
    const std::string reset = log_of("cpu_reset");
    EXPECT_NE(reset.find("triple fault"), std::string::npos) << reset;
    EXPECT_NE(reset.find("CPU Reset (CPU 0)\n"), std::string::npos) << reset;
}

TEST_F(MachineTest, UsersMistakesAreSentences) {
    write_rom(kCount);
    const auto message = [&](const MachineConfig& c) {
        auto machine = Machine::create(c, {.monotonic_ns = [] { return u64{0}; }, .serials = {}}, log_);
        return machine.ok() ? std::string() : machine.error().message;
    };
    MachineConfig c = config();
    c.bios = "/nonexistent/rom";
    EXPECT_NE(message(c).find("/nonexistent/rom"), std::string::npos);
    c = config();
    c.cpu = "z80";
    EXPECT_NE(message(c).find("z80"), std::string::npos);
    c = config();
    c.drives.push_back({.file = "/nonexistent/disk"});
    EXPECT_NE(message(c).find("/nonexistent/disk"), std::string::npos);
    c = config();
    c.drives = {{.file = rom_}, {.index = 1, .file = rom_}};
    EXPECT_NE(message(c).find("two drives"), std::string::npos) << message(c);
    c.drives[0].snapshot = c.drives[1].snapshot = true;
    EXPECT_EQ(message(c), "");
    c = config();
    c.cpus = 4;
    EXPECT_NE(message(c).find("-smp"), std::string::npos);
    c = config();
    c.isa_debug_exit->iobase = 0x3F8;
    EXPECT_NE(message(c).find("3F8"), std::string::npos);
}

}  // namespace
}  // namespace mynah
