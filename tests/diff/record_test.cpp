// MYNAH_RECORD=tests/diff/vectors/host.zst diff_tests --gtest_filter=Vectors.Record writes the vectors anew,
// from the host's processor. Only results that ours agrees with are written: the differences are
// diff_test.cpp's.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>

#include "diff/generate.h"
#include "diff/guest.h"
#include "diff/native.h"
#include "diff/vectors.h"

namespace mynah::test {
namespace {

// Registers of a generated case that the rest of it was made to fit.
u16 chosen_registers(const Case& c) {
    const Insn& i = c.insn;
    u32 mask = 1u << rsp;
    if (i.memory() && i.base < 16) mask |= 1u << i.base;
    if (i.memory() && i.index < 16) mask |= 1u << i.index;
    if (row_of(i).has(row_attr::bitstring) && i.memory()) mask |= 1u << (i.reg & 15);
    if (i.op >= Op::MOVS && i.op <= Op::SCAS) mask |= 1u << rsi | 1u << rdi | 1u << rcx;
    if (i.op == Op::SHLD || i.op == Op::SHRD) mask |= 1u << rcx;
    if (i.op == Op::LEAVE || i.op == Op::ENTER) mask |= 1u << rbp;
    if (i.op == Op::XLAT) mask |= 1u << rbx;
    if (i.op == Op::MASKMOVQ || i.op == Op::MASKMOVDQU) mask |= 1u << rdi;
    return static_cast<u16>(mask);
}

// Images have parts that differ by processor, POPF and PUSHF have the stepping's TF.
bool recordable(const InsnRow& row) {
    for (const std::string_view name : {"fnsave", "fnstenv", "frstor", "fldenv", "ldmxcsr"})
        if (row.mnemonic == name) return false;
    // The seed's vectors are no indices.
    if (row.has(row_attr::vsib) || row.has(row_attr::vsibh)) return false;
    if (row.has(row_attr::cpl0) || transcendental(row) || approximation(row.op) || uses_selectors(row.op))
        return false;
    switch (row.op) {
        // The time, the processor's name, random numbers, segment bases.
        case Op::RDTSC:
        case Op::RDTSCP:
        case Op::CPUID:
        case Op::XGETBV:
        case Op::RDRAND:
        case Op::RDSEED:
        case Op::RDFSBASE:
        case Op::RDGSBASE:
        case Op::WRFSBASE:
        case Op::WRGSBASE:
            return false;
        default:
            break;
    }
    return comparable(row) && !(row.op >= Op::FXSAVE && row.op <= Op::XSAVEC) && row.op != Op::PUSHF &&
           row.op != Op::POPF;
}

bool same(const Recorded& r, const Outcome& ours, u64 mask) {
    if (ours.vector != r.end.vector || ((ours.state.rip ^ r.end.state.rip) & mask)) return false;
    for (unsigned n = 0; n < 16; ++n)
        if ((ours.state.gpr[n] ^ r.end.state.gpr[n]) & mask) return false;
    if (ours.vector >= 0)
        return ours.vector != 14 || (ours.cr2 == r.end.cr2 && ours.error_code == r.end.error_code);
    if ((ours.state.eflags ^ r.end.state.eflags) & r.flags) return false;
    if (r.wide && ours.state.upper != r.end.state.upper) return false;
    return !r.floating || counted(ours.state, r.keeps_c1) == r.end.state.fx;
}

TEST(Vectors, Record) {
    const char* path = std::getenv("MYNAH_RECORD");
    if (path == nullptr) GTEST_SKIP() << "MYNAH_RECORD does not name a file";
    NativeCpu native;
    ASSERT_TRUE(native.usable() && native.has_segments());
    GuestCpu guest;
    std::vector<u8> filled(kDataSize), out;
    Random fill_random(kFillSeed);
    fill(filled, fill_random);
    Random random(2);
    unsigned count = 0, skipped = 0;
    for (const InsnRow& row : insn_table()) {
        if (!recordable(row)) continue;
        for (const Mode mode : {Mode::bits64, Mode::bits32, Mode::addresses16, Mode::bits16}) {
            if (!exists_in(row, code_size_of(mode))) continue;
            const unsigned wanted = mode == Mode::bits64 ? 4 : mode == Mode::bits32 ? 2 : 1;
            for (unsigned done = 0, tries = 0; done < wanted && tries < 200; ++tries) {
                Case c;
                if (!generate(row, mode, random, c)) continue;
                // A state's seed holds no segment bases.
                if (c.insn.seg == Seg::fs || c.insn.seg == Seg::gs) continue;
                Recorded r;
                r.code.assign(c.encoding.span().begin(), c.encoding.span().end());
                r.mode = mode;
                r.seed = static_cast<u16>(random.next());
                r.start = random_state(r.seed, mode);
                r.start.rip = c.state.rip;
                r.start.repeats = c.state.repeats;
                r.chosen = chosen_registers(c);
                for (unsigned n = 0; n < 16; ++n)
                    if (r.chosen >> n & 1) r.start.gpr[n] = c.state.gpr[n];
                c.state = r.start;
                r.floating = family_of(row) != Family::integer;
                r.wide = row.vex && r.floating;
                r.keeps_c1 =
                    row.mnemonic.find("comi") != std::string_view::npos && family_of(row) == Family::x87;
                r.flags = defined_flags(c);
                std::memcpy(native.data().data(), filled.data(), kDataSize);
                std::memcpy(guest.data().data(), filled.data(), kDataSize);
                std::memcpy(reinterpret_cast<void*>(r.start.code_address()), r.code.data(), r.code.size());
                guest.write_code(r.start.code_address(), r.code);
                r.end = native.run(r.start);
                const u64 mask = r.start.code_size == 8 ? ~u64{0} : 0xFFFFFFFF;
                for (u64& v : r.end.state.gpr) v &= mask;
                if (r.start.code_size != 8)
                    for (unsigned n = 8; n < 16; ++n) r.end.state.gpr[n] = r.start.gpr[n];
                r.end.state.rip &= mask;
                r.end.state.fx = counted(r.end.state, r.keeps_c1);
                if (r.end.vector < 0) r.memory = changes(filled, native.data());
                size_t changed = 0;
                for (const MemoryChange& m : r.memory) changed += m.bytes.size();
                const Outcome ours = guest.run(r.start);
                const bool memory = r.end.vector >= 0 ||
                                    std::memcmp(native.data().data(), guest.data().data(), kDataSize) == 0;
                // Half of the faults say no more than the other half.
                if (r.end.vector >= 0 && random.chance(2)) continue;
                if (changed > 100 || r.memory.size() > 20) continue;
                if (!memory || !same(r, ours, mask)) {
                    ++skipped;
                    continue;
                }
                put_record(out, r);
                ++done;
                ++count;
            }
        }
    }
    ASSERT_TRUE(write_compressed(path, out));
    fmt::print("{} records, {} bytes before compression, {} left out that differ\n", count, out.size(),
               skipped);
}

}  // namespace
}  // namespace mynah::test
