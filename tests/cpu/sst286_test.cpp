// Captures of single instructions on a real 80286 in real mode (shared/data/sst286 beside the project, or the
// directory named by MYNAH_SST286; its README describes the format). Every test but those marked DIFF must
// agree.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/bits.h"
#include "cpu/harness.h"

namespace mynah {
namespace {

namespace fs = std::filesystem;

fs::path data_directory() {
    if (const char* named = std::getenv("MYNAH_SST286")) return named;
    for (const char* p : {"../shared/data/sst286", "shared/data/sst286"})
        if (fs::exists(fs::path(p) / "forms")) return p;
    return {};
}

std::vector<u8> unpack(const fs::path& file) {
    std::vector<u8> out;
    std::FILE* pipe = popen(("gzip -dc '" + file.string() + "'").c_str(), "r");
    if (pipe == nullptr) return out;
    std::array<u8, 65536> buffer;
    while (const size_t n = std::fread(buffer.data(), 1, buffer.size(), pipe))
        out.insert(out.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(n));
    pclose(pipe);
    return out;
}

enum Register { ax, bx, cx, dx, cs, ss, ds, es, sp, bp, si, di, ip, flags, kRegisters };
constexpr const char* kNames[] = {"ax", "bx", "cx", "dx", "cs", "ss", "ds",
                                  "es", "sp", "bp", "si", "di", "ip", "flags"};

struct State {
    std::array<u16, kRegisters> regs{};
    u16 present = 0;
    std::vector<std::pair<u32, u8>> ram;
};

struct Capture {
    u32 number = 0;
    std::string name;
    State before, after;
    u16 flags_mask = 0xFFFF;
    bool exception = false;
    u8 vector = 0;
    u32 pushed_flags = 0;
    u16 diff = 0;
};

// A span of chunks: f(name, payload) for each.
template <class F>
void each_chunk(std::span<const u8> data, F f) {
    while (data.size() >= 8) {
        const std::string name(reinterpret_cast<const char*>(data.data()), 4);
        const u32 length = load_le<u32>(data.data() + 4);
        if (length > data.size() - 8) return;
        f(name, data.subspan(8, length));
        data = data.subspan(8 + length);
    }
}

void parse_registers(std::span<const u8> data, State& s) {
    s.present = load_le<u16>(data.data());
    const u8* p = data.data() + 2;
    for (unsigned n = 0; n < kRegisters; ++n)
        if (s.present >> n & 1) {
            s.regs[n] = load_le<u16>(p);
            p += 2;
        }
}

// The register file of a RMSK chunk: the flags mask.
u16 parse_mask(std::span<const u8> data) {
    State s;
    parse_registers(data, s);
    return s.present >> flags & 1 ? s.regs[flags] : 0xFFFF;
}

State parse_state(std::span<const u8> data, u16* mask) {
    State s;
    each_chunk(data, [&](const std::string& name, std::span<const u8> d) {
        if (name == "REGS") parse_registers(d, s);
        if (name == "RMSK" && mask != nullptr) *mask &= parse_mask(d);
        if (name == "RAM ") {
            const u32 n = load_le<u32>(d.data());
            for (u32 k = 0; k < n; ++k) s.ram.emplace_back(load_le<u32>(&d[4 + 5 * k]), d[8 + 5 * k]);
        }
    });
    return s;
}

std::vector<Capture> parse(std::span<const u8> file) {
    std::vector<Capture> tests;
    u16 file_mask = 0xFFFF;
    each_chunk(file, [&](const std::string& name, std::span<const u8> d) {
        if (name == "RMSK") file_mask = parse_mask(d);
        if (name != "TEST") return;
        Capture t;
        t.number = load_le<u32>(d.data());
        t.flags_mask = file_mask;
        each_chunk(d.subspan(4), [&](const std::string& part, std::span<const u8> p) {
            if (part == "NAME")
                t.name.assign(reinterpret_cast<const char*>(p.data() + 4), load_le<u32>(p.data()));
            if (part == "INIT") t.before = parse_state(p, nullptr);
            if (part == "FINA") t.after = parse_state(p, &t.flags_mask);
            if (part == "DIFF") t.diff = load_le<u16>(p.data());
            if (part == "EXCP") {
                t.exception = true;
                t.vector = p[0];
                t.pushed_flags = load_le<u32>(&p[1]);
            }
        });
        tests.push_back(std::move(t));
    });
    return tests;
}

class Chip {
  public:
    // Empty: agrees.
    std::string run(const Capture& t) {
        CpuState& s = box_.state();
        box_.cpu->reset();
        std::vector<u32> touched;
        for (const auto& [address, value] : t.before.ram) {
            box_.memory->write(address, value, 1);
            touched.push_back(address);
        }
        const auto& r = t.before.regs;
        constexpr std::array<std::pair<Register, Gpr>, 8> kGprs{
            {{ax, rax}, {bx, rbx}, {cx, rcx}, {dx, rdx}, {sp, rsp}, {bp, rbp}, {si, rsi}, {di, rdi}}};
        constexpr u64 kUpper = 0x5A5A0000;
        for (const auto& [from, to] : kGprs) s.gpr[to] = kUpper | r[from];
        constexpr std::array<std::pair<Register, Seg>, 4> kSegs{
            {{cs, Seg::cs}, {ss, Seg::ss}, {ds, Seg::ds}, {es, Seg::es}}};
        for (const auto& [from, to] : kSegs) {
            s.seg(to).selector = r[from];
            s.seg(to).base = u64{r[from]} << 4;
            s.seg(to).limit = 0xFFFF;
        }
        s.rip = r[ip];
        s.write_eflags(r[flags] & 0x0FFFu);
        box_.cpu->state_changed();
        const Exit exit = box_.cpu->run(200'000);

        std::string error;
        auto expect = [&](const char* what, u64 have, u64 want) {
            if (have != want && error.empty())
                error = fmt::format("{}: {:04x} instead of {:04x}", what, have, want);
        };
        auto wanted = [&](Register n) {
            return t.after.present >> n & 1 ? t.after.regs[n] : n == flags ? u16(r[n] & 0xFFF) : r[n];
        };
        if (exit != Exit::halted) error = fmt::format("exit {}", static_cast<int>(exit));
        for (const auto& [from, to] : kGprs) {
            expect(kNames[from], s.gpr[to] & 0xFFFF, wanted(from));
            expect("upper half", s.gpr[to] & ~u64{0xFFFF}, kUpper);
        }
        for (const auto& [from, to] : kSegs) expect(kNames[from], s.seg(to).selector, wanted(from));
        expect("ip", s.rip, wanted(ip));
        const u16 mask = t.flags_mask & 0x0FFF;
        expect("flags", s.read_eflags() & mask, wanted(flags) & mask);
        // EXCP's own address is one too low for odd SP.
        const u32 frame_flags = (u32{wanted(ss)} << 4) + ((wanted(sp) + 4u) & 0xFFFF);
        for (const auto& [address, value] : t.after.ram) {
            touched.push_back(address);
            u64 have = box_.memory->read(address, 1), want = value;
            if (t.exception && (address == frame_flags || address == frame_flags + 1)) {
                const unsigned shift = 8 * (address - frame_flags);
                const u64 byte_mask = mask >> shift & 0xFF;
                have &= byte_mask;
                want &= byte_mask;
            }
            expect(fmt::format("[{:05x}]", address).c_str(), have, want);
        }
        for (const u32 address : touched) box_.memory->write(address, 0, 1);
        return error;
    }

  private:
    test::Box box_{2 * MiB};
};

TEST(Sst286, EveryCapture) {
    const fs::path directory = data_directory();
    if (directory.empty()) GTEST_SKIP() << "no data: set MYNAH_SST286 to the directory sst286";
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(directory / "forms"))
        if (entry.path().extension() == ".gz") files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    ASSERT_FALSE(files.empty());
    Chip chip;
    unsigned run = 0, failed = 0, skipped = 0;
    std::map<std::string, unsigned> failures;
    for (const fs::path& file : files) {
        const std::vector<u8> data = unpack(file);
        for (const Capture& t : parse(data)) {
            if (t.diff != 0) {
                ++skipped;
                continue;
            }
            ++run;
            const std::string error = chip.run(t);
            if (error.empty()) continue;
            ++failed;
            if (++failures[file.filename().string()] <= 2)
                ADD_FAILURE() << file.filename().string() << " " << t.number << " " << t.name << ": "
                              << error;
        }
    }
    std::printf("sst286: %u captures run, %u differences, %u left out (DIFF)\n", run, failed, skipped);
    EXPECT_GT(run, 37'000u);
    EXPECT_EQ(failed, 0u);
}

}  // namespace
}  // namespace mynah
