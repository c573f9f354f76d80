// The deterministic clock on real guests: Debian's amd64 and i386 kernels booted directly. A run is a
// function of its inputs, whichever engine it is on (the first is interpreted, the others are translated),
// and a machine saved at any instruction in one engine goes on in the other as if nothing had happened.
//
// The hashes are taken when the guest has switched itself off (for snapshots: at a fixed instruction count),
// over all of guest RAM, and over every byte sent to the first serial port until then. MYNAH_LONG=1: more
// runs and snapshots.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <thread>

#include "machine/machine.h"
#include "machine/snapshot_file.h"

namespace mynah {
namespace {

namespace fs = std::filesystem;

class SerialRecorder final : public CharBackend {
  public:
    void write(std::span<const u8> data) override { bytes.insert(bytes.end(), data.begin(), data.end()); }
    bool read(u8&) override { return false; }
    bool input_waiting() override { return false; }
    std::vector<u8> bytes;
};

struct Digest {
    u64 instructions = 0, ram = 0, serial = 0;
    bool operator==(const Digest&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Digest& d) {
    return out << std::dec << d.instructions << " instructions, RAM " << std::hex << d.ram << ", serial "
               << d.serial;
}

bool long_run() {
    return std::getenv("MYNAH_LONG") != nullptr;
}

class Determinism : public ::testing::Test {
  protected:
    void SetUp() override {
        const char* folder = std::getenv("MYNAH_GUESTS");
        guests_ = folder != nullptr ? folder : "build/guests";
        if (!fs::exists(kernel()) || !fs::exists(initrd())) {
            GTEST_SKIP() << "no guests in " << guests_ << "; run scripts/guests/all";
        }
    }

    std::string kernel() const { return (guests_ / "kernels/amd64-6.1").string(); }
    std::string initrd() const { return (guests_ / "initrd/busybox-amd64.gz").string(); }

    struct Run {
        std::unique_ptr<SerialRecorder> serial = std::make_unique<SerialRecorder>();
        std::unique_ptr<Log> log = std::make_unique<Log>();
        std::unique_ptr<Machine> machine;

        Digest digest() const {
            return {machine->instructions(), machine->ram_hash(), hash_bytes(serial->bytes)};
        }
        std::string output() const { return {serial->bytes.begin(), serial->bytes.end()}; }
    };

    MachineConfig guest32() const {
        MachineConfig c = guest();
        c.cpu = "max";
        c.kernel = (guests_ / "kernels/i386-686-pae").string();
        c.initrd = (guests_ / "initrd/busybox-i386.gz").string();
        return c;
    }

    static bool there(const MachineConfig& c) { return fs::exists(c.kernel) && fs::exists(c.initrd); }

    // The decompressor writes to the serial port, too.
    MachineConfig guest() const {
        MachineConfig c;
        c.memory = 128 * MiB;
        c.cpu = "x86-64-v2";
        c.clock = ClockMode::deterministic;
        c.kernel = kernel();
        c.initrd = initrd();
        c.append = "console=ttyS0 earlyprintk=ttyS0";
        return c;
    }

    static Run start(const MachineConfig& config) {
        Run run;
        auto machine = Machine::create(
            config, {.monotonic_ns = [] { return u64{0}; }, .serials = {run.serial.get()}}, *run.log);
        EXPECT_TRUE(machine.ok()) << machine.error().message;
        if (machine.ok()) run.machine = std::move(*machine);
        return run;
    }

    // Until the guest switches itself off.
    static void run_to_power_off(Run& run) {
        constexpr u64 kFarTooMany = 60'000'000'000;
        run.machine->run_until(kFarTooMany, true);
        EXPECT_EQ(run.machine->run_state(), RunState::finished) << run.output();
    }

    // Boots `config` again and again; every second run shares the host with busy threads.
    static void expect_alike(MachineConfig config, unsigned runs, const std::string& must_print) {
        Digest first;
        for (unsigned n = 0; n < runs; ++n) {
            std::atomic<bool> stop = false;
            std::vector<std::thread> busy;
            for (unsigned i = 0; n % 2 == 1 && i < 2 * std::thread::hardware_concurrency(); ++i) {
                busy.emplace_back([&] {
                    while (!stop) {
                    }
                });
            }
            // The engines must agree as well.
            config.accel = n == 0 ? AccelKind::interp : AccelKind::jit;
            Run run = start(config);
            if (run.machine) run_to_power_off(run);
            stop = true;
            for (std::thread& thread : busy) thread.join();
            ASSERT_TRUE(run.machine);
            ASSERT_NE(run.output().find(must_print), std::string::npos) << run.output();
            const Digest digest = run.digest();
            std::cout << "run " << n << (n % 2 == 1 ? ", host busy: " : ", host idle: ") << digest << "\n";
            std::cout << run.machine->info_jit();
            if (n == 0) first = digest;
            EXPECT_EQ(digest, first) << "run " << n;
        }
    }

    fs::path guests_;
};

TEST_F(Determinism, BootsAreAlikeWhateverTheHostDoes) {
    MachineConfig config = guest();
    config.append += " mynah.run=cat_/proc/uptime_/proc/interrupts;poweroff_-f";
    expect_alike(config, long_run() ? 5 : 2, "reboot: Power down");
}

TEST_F(Determinism, BootsOf32BitKernelsAreAlike) {
    MachineConfig config = guest32();
    if (!there(config)) GTEST_SKIP() << "no " << config.kernel << " or its initrd; run scripts/guests/all";
    config.append += " mynah.run=cat_/proc/uptime_/proc/interrupts;poweroff_-f";
    expect_alike(config, long_run() ? 5 : 2, "reboot: Power down");
}

// 100 MiB of data in a machine of 96 MiB: the kernel swaps to an IDE disk, whose transfers and interrupts
// then decide what is in memory.
TEST_F(Determinism, BootsUnderMemoryPressureAreAlike) {
    MachineConfig config = guest();
    config.memory = 96 * MiB;
    config.initrd = (guests_ / "initrd/swap-amd64.gz").string();
    if (!fs::exists(config.initrd)) GTEST_SKIP() << "no " << config.initrd << "; run scripts/guests/all";
    config.append += " mynah.run=pressure_100;poweroff_-f";
    const fs::path disk = fs::path(::testing::TempDir()) / "mynah-determinism-swap.img";
    std::ofstream(disk).close();
    fs::resize_file(disk, 256 * MiB);
    config.drives.push_back({.file = disk.string(), .snapshot = true});
    expect_alike(config, long_run() ? 5 : 2, "pressure: done");
    fs::remove(disk);
}

TEST_F(Determinism, SavedInOneEngineRestoredInTheOther) {
    const u64 end = 200'000'000;
    const unsigned snapshots = long_run() ? 20 : 3;
    struct Saved {
        u64 at;
        std::vector<u8> bytes, serial;
    };
    for (MachineConfig config : {guest(), guest32()}) {
        if (!there(config)) continue;
        Digest first;
        for (const auto& [saver, restorer] :
             {std::pair{AccelKind::interp, AccelKind::jit}, std::pair{AccelKind::jit, AccelKind::interp}}) {
            std::mt19937_64 random(20261121);
            std::vector<u64> at(snapshots);
            for (u64& a : at) a = random() % end;
            std::sort(at.begin(), at.end());
            config.accel = saver;
            Run whole = start(config);
            ASSERT_TRUE(whole.machine);
            std::vector<Saved> saved;
            for (const u64 a : at) {
                whole.machine->run_until(a, true);
                saved.push_back({a, whole.machine->save(), whole.serial->bytes});
            }
            whole.machine->run_until(end, true);
            if (saver == AccelKind::interp) first = whole.digest();
            EXPECT_EQ(whole.digest(), first);

            config.accel = restorer;
            for (const Saved& s : saved) {
                Run run = start(config);
                ASSERT_TRUE(run.machine);
                const Status loaded = run.machine->load(s.bytes);
                ASSERT_TRUE(loaded.ok()) << loaded.error().message;
                run.serial->bytes = s.serial;
                EXPECT_EQ(run.machine->instructions(), s.at);
                run.machine->run_until(end, true);
                EXPECT_EQ(run.digest(), first) << "saved at " << s.at << ", " << config.kernel;
            }
        }
    }
}

}  // namespace
}  // namespace mynah
