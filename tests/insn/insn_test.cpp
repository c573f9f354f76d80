// Runs every program of tests/insn/programs and checks its header's expectations.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "base/log.h"
#include "cpu/cpu.h"
#include "machine/lockstep.h"
#include "support/engine.h"

namespace mynah {
namespace {

using test::Engine;
using test::EngineUse;

constexpr u64 kMemory = 4 * MiB;
constexpr u64 kLoadAddress = 0x7C00;
constexpr u64 kBudget = 5'000'000;
constexpr u64 kOutcomes = 0x3000;  // inc/try.inc

class BareHost final : public CpuHost {
  public:
    u32 port_read(u16 port, unsigned width) override {
        u32 v = 0;
        for (unsigned i = 0; i < width; ++i) v |= u32{ports_[static_cast<u16>(port + i)]} << (8 * i);
        return v;
    }
    void port_write(u16 port, u32 value, unsigned width) override {
        for (unsigned i = 0; i < width; ++i)
            ports_[static_cast<u16>(port + i)] = static_cast<u8>(value >> (8 * i));
    }
    u8 interrupt_acknowledge() override { return 0x20; }
    // An instruction takes 1 ns; a halted processor waits for its timer at once.
    Nanoseconds now() override { return cpu ? cpu->instructions() + skipped_ : 0; }
    void arm_apic_timer(Nanoseconds deadline) override {
        deadline_ = deadline;
        signal([at = deadline - skipped_](Cpu& c) { c.stop_at(at); });
    }
    void cancel_apic_timer() override { deadline_ = kNever; }
    void broadcast_eoi(u8) override {}
    void set_ferr(bool) override {}
    bool ignne() override { return false; }
    u64 random() override { return random_ = random_ * 6364136223846793005u + 1442695040888963407u; }

    // Runs until HLT with nothing to wait for, or until the budget is spent.
    Exit run() {
        for (;;) {
            const u64 to_deadline = deadline_ > now() ? deadline_ - now() : 0;
            const u64 budget = std::min<u64>(slice, to_deadline);
            const Exit exit = lockstep != nullptr ? lockstep->run(budget) : cpu->run(budget);
            if (lockstep != nullptr && lockstep->diverged()) return exit;
            if (exit == Exit::halted && deadline_ != kNever && deadline_ > now())
                skipped_ += deadline_ - now();
            if (deadline_ <= now()) {
                deadline_ = kNever;
                signal(&Cpu::apic_timer_expired);
                if (exit == Exit::halted && !cpu->wakeable()) return exit;
            } else if (exit != Exit::budget) {
                return exit;
            }
            if (cpu->instructions() >= kBudget) return exit;
        }
    }

    Cpu* cpu = nullptr;
    Lockstep* lockstep = nullptr;
    u64 slice = 100'000;

  private:
    void signal(const std::function<void(Cpu&)>& what) {
        if (lockstep != nullptr)
            lockstep->tell(what);
        else
            what(*cpu);
    }
    static constexpr Nanoseconds kNever = ~Nanoseconds{0};
    Nanoseconds deadline_ = kNever;
    Nanoseconds skipped_ = 0;
    std::vector<u8> ports_ = std::vector<u8>(65536, 0xFF);
    u64 random_ = 1;
};

struct Program {
    std::string name;
    std::vector<std::string> models{"max"};
    std::vector<std::string> expectations;
    unsigned outcomes = 0;
};

Program parse_header(const std::filesystem::path& path) {
    Program p{path.stem().string(), {"max"}, {}, 0};
    std::ifstream in(path);
    for (std::string line; std::getline(in, line) && line.starts_with(';');) {
        std::istringstream words(line.substr(1));
        std::string key, word;
        words >> key;
        if (key == "cpu:") p.models.clear();
        while (words >> word) {
            if (key == "cpu:") p.models.push_back(word);
            if (key == "expect:") p.expectations.push_back(word);
            if (key == "outcomes:") {
                p.expectations.push_back(
                    fmt::format("dword[{:#x}]=0x{}", kOutcomes + 4 * p.outcomes++, word));
            }
        }
    }
    return p;
}

std::vector<Program> programs() {
    std::vector<Program> found;
    for (const auto& entry : std::filesystem::directory_iterator(INSN_SOURCES)) {
        if (entry.path().extension() == ".asm") found.push_back(parse_header(entry.path()));
    }
    std::sort(found.begin(), found.end(), [](const Program& a, const Program& b) { return a.name < b.name; });
    return found;
}

u64 number(std::string_view text) {
    const bool hex = text.starts_with("0x");
    u64 v = 0;
    const auto [end, error] =
        std::from_chars(text.data() + (hex ? 2 : 0), text.data() + text.size(), v, hex ? 16 : 10);
    EXPECT_TRUE(error == std::errc() && end == text.data() + text.size()) << "bad number " << text;
    return v;
}

// "eax", "rsp", "eflags", "byte[0x500]"...
u64 value_of(std::string_view what, const CpuState& s, PhysicalMap& memory) {
    if (const size_t bracket = what.find('['); bracket != std::string_view::npos) {
        const std::string_view size = what.substr(0, bracket);
        const u64 address = number(what.substr(bracket + 1, what.size() - bracket - 2));
        return memory.read(address, size == "byte" ? 1 : size == "word" ? 2 : size == "dword" ? 4 : 8);
    }
    static const std::vector<std::string> kNames{"ax", "cx", "dx", "bx", "sp", "bp", "si", "di"};
    static const std::vector<std::string> kSegments{"es", "cs", "ss", "ds", "fs", "gs"};
    for (size_t i = 0; i < kNames.size(); ++i) {
        if (what == kNames[i]) return static_cast<u16>(s.gpr[i]);
        if (what == "e" + kNames[i]) return static_cast<u32>(s.gpr[i]);
        if (what == "r" + kNames[i]) return s.gpr[i];
    }
    for (unsigned i = 8; i < 16; ++i) {
        if (what == "r" + std::to_string(i)) return s.gpr[i];
    }
    for (size_t i = 0; i < kSegments.size(); ++i) {
        if (what == kSegments[i]) return s.segs[i].selector;
    }
    if (what == "eflags") return s.read_eflags();
    if (what == "cr0") return s.cr0;
    if (what == "cr2") return s.cr2;
    if (what == "cr3") return s.cr3;
    if (what == "cr4") return s.cr4;
    if (what == "dr6") return s.dr[6];
    if (what == "dr7") return s.dr[7];
    if (what == "tr") return s.seg(Seg::tr).selector;
    ADD_FAILURE() << "unknown name " << what;
    return 0;
}

void check(const std::string& expectation, const CpuState& s, PhysicalMap& memory) {
    const size_t equals = expectation.find('=');
    ASSERT_NE(equals, std::string::npos) << expectation;
    std::string_view left = std::string_view(expectation).substr(0, equals);
    u64 mask = ~u64{0};
    if (const size_t amp = left.find('&'); amp != std::string_view::npos) {
        mask = number(left.substr(amp + 1));
        left = left.substr(0, amp);
    }
    EXPECT_EQ(value_of(left, s, memory) & mask, number(std::string_view(expectation).substr(equals + 1)))
        << std::hex << expectation;
}

// A bare machine with one program in it.
struct Bare {
    BareHost host;
    Log log;
    EngineUse use;
    std::unique_ptr<PhysicalMap> memory;
    std::unique_ptr<Lockstep> lockstep;
    std::unique_ptr<Cpu> cpu;

    bool make(const std::string& model, Engine engine, const JitOptions& options = {}) {
        memory = std::move(*PhysicalMap::create(kMemory));
        auto made = Cpu::create(model, *memory, host, log, accelerator(engine, use, options), 0);
        EXPECT_TRUE(made.ok()) << made.error().message;
        if (made.ok()) cpu = std::move(*made);
        return made.ok();
    }
    bool make_lockstep(const std::string& model) {
        auto twice = std::move(*LockstepMemory::create(kMemory));
        auto made = Lockstep::create(model, *twice, host, log, accelerator(Engine::jit, use), 0);
        EXPECT_TRUE(made.ok()) << made.error().message;
        if (!made.ok()) return false;
        memory = std::move(twice);
        lockstep = std::move(*made);
        cpu = lockstep->take_first();
        host.lockstep = lockstep.get();
        return true;
    }
    Exit run(const std::vector<char>& code) {
        host.cpu = cpu.get();
        memory->write(kLoadAddress, {reinterpret_cast<const u8*>(code.data()), code.size()});
        Cpu& c = *cpu;
        c.reset();
        CpuState& s = c.state();
        for (unsigned i = 0; i < 6; ++i) {
            s.segs[i].selector = 0;
            s.segs[i].base = 0;
        }
        s.gpr[rsp] = 0x7C00;
        s.gpr[rdx] = 0;
        s.rip = kLoadAddress;
        c.state_changed();
        if (lockstep) lockstep->taken_over();
        return host.run();
    }
    // All that a snapshot would hold, but for memory.
    std::vector<u8> saved() {
        Archive ar;
        cpu->visit(ar);
        return ar.data();
    }
};

class InsnProgram : public ::testing::TestWithParam<Program> {
  protected:
    void SetUp() override {
        ASSERT_FALSE(GetParam().expectations.empty()) << "a program without expectations proves nothing";
        std::ifstream in(std::filesystem::path(INSN_BINARIES) / (GetParam().name + ".bin"), std::ios::binary);
        code_.assign(std::istreambuf_iterator<char>(in), {});
        ASSERT_FALSE(code_.empty());
    }
    void expect_end(Bare& bare, Exit exit) {
        CpuState& s = bare.cpu->state();
        EXPECT_EQ(exit, Exit::halted)
            << "did not reach HLT: cs:rip = " << std::hex << s.seg(Seg::cs).selector << ":" << s.rip;
        for (const std::string& e : GetParam().expectations) check(e, s, *bare.memory);
        if (HasFailure()) std::fputs(bare.cpu->describe_registers().c_str(), stderr);
    }
    // What the two engines left must be the same to the last bit.
    void expect_alike(Bare& interpreted, Bare& translated) {
        EXPECT_EQ(interpreted.cpu->instructions(), translated.cpu->instructions());
        EXPECT_EQ(interpreted.saved(), translated.saved())
            << interpreted.cpu->describe_registers() << "translated:\n"
            << translated.cpu->describe_registers();
        const auto a = interpreted.memory->ram(), b = translated.memory->ram();
        const auto [x, y] = std::ranges::mismatch(a, b);
        EXPECT_EQ(x, a.end()) << "memory from " << std::hex << x - a.begin() << " on";
    }
    std::vector<char> code_;
};

TEST_P(InsnProgram, EndsAsExpected) {
    for (const std::string& model : GetParam().models) {
        SCOPED_TRACE("-cpu " + model);
        Bare bare;
        ASSERT_TRUE(bare.make(model, Engine::interp));
        expect_end(bare, bare.run(code_));
    }
}

// With all code translated at once, in a large cache and in one that is always full, in long slices and in
// odd ones.
TEST_P(InsnProgram, EndsAlikeTranslated) {
    for (const std::string& model : GetParam().models) {
        for (const u64 slice : {100'000u, 7u}) {
            Bare interpreted;
            interpreted.host.slice = slice;
            ASSERT_TRUE(interpreted.make(model, Engine::interp));
            interpreted.run(code_);
            for (const u64 cache : {64 * MiB, u64{1}}) {
                SCOPED_TRACE(fmt::format("-cpu {}, slices of {}, tb-size {}", model, slice, cache));
                Bare translated;
                translated.host.slice = slice;
                ASSERT_TRUE(translated.make(model, Engine::jit, {.code_bytes = cache}));
                expect_end(translated, translated.run(code_));
                expect_alike(interpreted, translated);
                if (slice == 100'000 && cache != 1)
                    fmt::print("-cpu {}: {}\n", model, translated.use.describe());
            }
        }
    }
}

// Step by step, so that a difference is named.
TEST_P(InsnProgram, RunsInLockstep) {
    for (const std::string& model : GetParam().models) {
        SCOPED_TRACE("-cpu " + model);
        Bare bare;
        bare.host.slice = 500;
        ASSERT_TRUE(bare.make_lockstep(model));
        const Exit exit = bare.run(code_);
        ASSERT_FALSE(bare.lockstep->diverged()) << bare.lockstep->report();
        expect_end(bare, exit);
    }
}

INSTANTIATE_TEST_SUITE_P(Programs, InsnProgram, ::testing::ValuesIn(programs()),
                         [](const ::testing::TestParamInfo<Program>& program) { return program.param.name; });

}  // namespace
}  // namespace mynah
