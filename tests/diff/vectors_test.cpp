// The recorded results of an x86 processor, on whatever host this runs.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "cpu/decoder.h"
#include "cpu/system/cpu_model.h"
#include "diff/guest.h"
#include "diff/vectors.h"

namespace mynah::test {
namespace {

std::string compare(const Recorded& r, const Outcome& ours, std::span<const u8> filled,
                    std::span<const u8> memory) {
    const Outcome& host = r.end;
    if (ours.vector != host.vector) return fmt::format("fault {}, recorded {}", ours.vector, host.vector);
    const u64 mask = r.start.code_size == 8 ? ~u64{0} : 0xFFFFFFFF;
    for (unsigned n = 0; n < (r.start.code_size == 8 ? 16u : 8u); ++n)
        if ((ours.state.gpr[n] ^ host.state.gpr[n]) & mask)
            return fmt::format("register {} is {:x}, recorded {:x}", n, ours.state.gpr[n], host.state.gpr[n]);
    if ((ours.state.rip ^ host.state.rip) & mask)
        return fmt::format("rip is {:x}, recorded {:x}", ours.state.rip, host.state.rip);
    if (host.vector >= 0) {
        if (host.vector == 14 && (ours.cr2 != host.cr2 || ours.error_code != host.error_code))
            return fmt::format("#PF {:x} at {:x}, recorded {:x} at {:x}", ours.error_code, ours.cr2,
                               host.error_code, host.cr2);
        return {};
    }
    if ((ours.state.eflags ^ host.state.eflags) & r.flags)
        return fmt::format("flags are {:x}, recorded {:x}", ours.state.eflags & r.flags,
                           host.state.eflags & r.flags);
    if (r.floating) {
        const auto fx = counted(ours.state, r.keeps_c1);
        for (unsigned at = 0; at < 512; ++at)
            if (fx[at] != host.state.fx[at])
                return fmt::format("byte {} of FXSAVE is {:02x}, recorded {:02x}", at, fx[at],
                                   host.state.fx[at]);
    }
    for (unsigned at = 0; r.wide && at < host.state.upper.size(); ++at)
        if (ours.state.upper[at] != host.state.upper[at])
            return fmt::format("byte {} of the upper halves is {:02x}, recorded {:02x}", at,
                               ours.state.upper[at], host.state.upper[at]);
    std::vector<u8> expected(filled.begin(), filled.end());
    for (const MemoryChange& m : r.memory)
        if (m.at + m.bytes.size() <= expected.size())
            std::memcpy(&expected[m.at], m.bytes.data(), m.bytes.size());
    for (size_t at = 0; at < expected.size(); ++at)
        if (memory[at] != expected[at])
            return fmt::format("[{:x}] is {:02x}, recorded {:02x}", kData + at, memory[at], expected[at]);
    return {};
}

bool repeats(const Insn& i) {
    return i.op >= Op::MOVS && i.op <= Op::OUTS && (i.has(insn_flag::rep) || i.has(insn_flag::repne));
}

void replay(Engine engine) {
    const std::vector<u8> file = read_compressed(MYNAH_DIFF_VECTORS);
    ASSERT_FALSE(file.empty()) << MYNAH_DIFF_VECTORS;
    std::vector<u8> filled(kDataSize);
    Random random(kFillSeed);
    fill(filled, random);
    GuestCpu guest("max", engine);
    unsigned count = 0, wrong = 0, branches = 0, beside_code = 0;
    std::set<u16> rows;
    for (std::span<const u8> rest = file; !rest.empty() && wrong < 20; ++count) {
        auto r = take_record(rest);
        ASSERT_TRUE(r) << "record " << count;
        Insn insn;
        const DecodeMode mode{.code_size = r->start.code_size,
                              .descriptors = true,
                              .features = find_cpu_model("max")->features.gating()};
        ASSERT_EQ(decode(r->code, mode, insn), DecodeStatus::ok) << "record " << count;
        r->start.repeats = repeats(insn);
        rows.insert(insn.row);
        std::memcpy(guest.data().data(), filled.data(), kDataSize);
        guest.write_code(r->start.code_address(), r->code);
        const u64 behind = r->start.rip + r->code.size();
        const u64 mask = r->start.code_size == 8 ? ~u64{0} : r->start.code_size == 4 ? 0xFFFFFFFF : 0xFFFF;
        // Run again and again an instruction has a jump behind it, which one that reads its own segment may
        // see.
        const bool reads_code = insn.memory() && insn.seg == Seg::cs && r->start.code_size != 8;
        if (engine != Engine::interp && reads_code) {
            ++beside_code;
            continue;
        }
        if (engine != Engine::interp && r->end.vector < 0 && ((r->end.state.rip ^ behind) & mask) != 0) {
            ++branches;
            continue;
        }
        const Outcome ours =
            engine == Engine::interp ? guest.run(r->start) : guest.run_block(r->start, r->code.size());
        const std::string difference = compare(*r, ours, filled, guest.data());
        if (difference.empty()) continue;
        ++wrong;
        std::string bytes;
        for (const u8 b : r->code) bytes += fmt::format("{:02x} ", b);
        ADD_FAILURE() << fmt::format("record {} ({} bit): {}at {:x}: {}", count, r->start.code_size * 8,
                                     bytes, r->start.rip, difference);
    }
    fmt::print("{} recorded executions of {} rows, {} differences\n", count - branches - beside_code,
               rows.size(), wrong);
    if (engine != Engine::interp)
        fmt::print("{} branches and {} that read the code segment left out; {}\n", branches, beside_code,
                   guest.box().use.describe());
    EXPECT_GE(count, 9000u);
    EXPECT_GE(rows.size(), 1300u);
}

TEST(Vectors, Replay) {
    replay(Engine::interp);
}

// Each as a block that is translated at once.
TEST(Vectors, ReplayTranslated) {
    replay(Engine::jit);
}

}  // namespace
}  // namespace mynah::test
