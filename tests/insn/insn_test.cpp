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

namespace mynah {
namespace {

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
        cpu->stop_at(deadline - skipped_);
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
            const Exit exit = cpu->run(std::min<u64>(100'000, to_deadline));
            if (exit == Exit::halted && deadline_ != kNever && deadline_ > now())
                skipped_ += deadline_ - now();
            if (deadline_ <= now()) {
                deadline_ = kNever;
                cpu->apic_timer_expired();
                if (exit == Exit::halted && !cpu->wakeable()) return exit;
            } else if (exit != Exit::budget) {
                return exit;
            }
            if (cpu->instructions() >= kBudget) return exit;
        }
    }

    Cpu* cpu = nullptr;

  private:
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

class InsnProgram : public ::testing::TestWithParam<Program> {};

TEST_P(InsnProgram, EndsAsExpected) {
    const Program& program = GetParam();
    ASSERT_FALSE(program.expectations.empty()) << "a program without expectations proves nothing";
    std::ifstream in(std::filesystem::path(INSN_BINARIES) / (program.name + ".bin"), std::ios::binary);
    const std::vector<char> code{std::istreambuf_iterator<char>(in), {}};
    ASSERT_FALSE(code.empty());

    for (const std::string& model : program.models) {
        SCOPED_TRACE("-cpu " + model);
        auto memory = PhysicalMap::create(kMemory);
        ASSERT_TRUE(memory.ok());
        BareHost host;
        Log log;
        auto cpu = Cpu::create(model, **memory, host, log);
        ASSERT_TRUE(cpu.ok()) << cpu.error().message;
        host.cpu = cpu->get();
        (*memory)->write(kLoadAddress, {reinterpret_cast<const u8*>(code.data()), code.size()});
        Cpu& c = **cpu;
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

        const Exit exit = host.run();
        EXPECT_EQ(exit, Exit::halted)
            << "did not reach HLT: cs:rip = " << std::hex << s.seg(Seg::cs).selector << ":" << s.rip;
        for (const std::string& e : program.expectations) check(e, s, **memory);
        if (HasFailure()) std::fputs(c.describe_registers().c_str(), stderr);
    }
}

INSTANTIATE_TEST_SUITE_P(Programs, InsnProgram, ::testing::ValuesIn(programs()),
                         [](const ::testing::TestParamInfo<Program>& program) { return program.param.name; });

}  // namespace
}  // namespace mynah
