// decode() against Zydis: random bytes, every row under every prefix combination, and what compilers make.
// MYNAH_LONG=1 for the long version (10 million strings a mode), MYNAH_SEED=n for other strings.

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "base/bits.h"
#include "cpu/decoder.h"
#include "support/encode.h"
#include "support/zydis_oracle.h"

namespace mynah::test {
namespace {

bool long_run() {
    return std::getenv("MYNAH_LONG") != nullptr;
}

u64 seed(u64 of_test) {
    const char* text = std::getenv("MYNAH_SEED");
    return of_test + (text == nullptr ? 0 : std::strtoull(text, nullptr, 0) << 16);
}

// Counts, and shows the first few differences.
class Tally {
  public:
    explicit Tally(const char* what) : what_(what) {}
    void add(const Comparison& c) {
        ++counts_[static_cast<unsigned>(c.verdict)];
        if (c.verdict == Verdict::listed) ++reasons_[c.message];
        if (c.verdict == Verdict::different && shown_++ < 20) ADD_FAILURE() << c.message;
    }
    ~Tally() {
        EXPECT_LE(reasons_.size(), 30u);
        std::printf("  %llu %s: %llu the same, %llu invalid to both, %llu listed, %llu differences\n",
                    total(), what_, count(Verdict::same), count(Verdict::both_invalid),
                    count(Verdict::listed), count(Verdict::different));
        for (const auto& [reason, n] : reasons_)
            std::printf("  listed differences %6u: %s\n", n, reason.c_str());
    }
    unsigned long long total() const { return counts_[0] + counts_[1] + counts_[2] + counts_[3]; }

  private:
    unsigned long long count(Verdict v) const { return counts_[static_cast<unsigned>(v)]; }
    const char* what_;
    unsigned long long counts_[4] = {};
    unsigned shown_ = 0;
    std::map<std::string, unsigned> reasons_;
};

// A VEX prefix of any kind for the row: its map and mandatory prefix, the rest most often what it asks for.
void append_vex(std::vector<u8>& code, const InsnRow& row, u8 mode, Random& random) {
    const unsigned map = static_cast<unsigned>(row.map), pp = static_cast<unsigned>(row.prefix);
    const bool strange = random.chance(8);
    const unsigned l = row.vex_l < 0 || strange ? random.below(2) : static_cast<unsigned>(row.vex_l);
    const unsigned w = row.rex_w < 0 || strange ? random.below(2) : static_cast<unsigned>(row.rex_w);
    const unsigned vvvv = random.chance(2) ? 15 : random.below(16);
    const unsigned rxb = mode == 8 ? random.below(8) : 6 + random.below(2);
    const unsigned last = vvvv << 3 | l << 2 | pp;
    if (map == 1 && w == 0 && random.chance(2)) {
        code.push_back(0xC5);
        code.push_back(static_cast<u8>((mode == 8 ? rxb >> 2 << 7 : 0x80 | 0x40) | last));
        return;
    }
    code.push_back(0xC4);
    code.push_back(static_cast<u8>(rxb << 5 | map));
    code.push_back(static_cast<u8>(w << 7 | last));
}

class DecoderZydis : public testing::TestWithParam<u8> {};

TEST_P(DecoderZydis, RandomBytes) {
    const ZydisOracle oracle(GetParam());
    Random random(seed(GetParam()));
    Tally tally("random strings");
    const unsigned n = long_run() ? 10'000'000 : 300'000;
    for (unsigned i = 0; i < n; ++i) {
        u8 code[16];
        store_le(code, random.next());
        store_le(code + 8, random.next());
        // Plain random bytes seldom reach the 0F maps with prefixes.
        unsigned at = 0;
        static constexpr u8 kPrefixes[] = {0x66, 0xF2, 0xF3, 0x67, 0xF0, 0x2E, 0x64, 0x48};
        while (at < 4 && random.chance(3)) code[at++] = kPrefixes[random.below(8)];
        if (random.chance(2)) code[at++] = 0x0F;
        // VEX, most of it in a map that there is, and half of it without a further operand.
        if (random.chance(3)) {
            const bool three = random.chance(2);
            code[at++] = three ? 0xC4 : 0xC5;
            if (three) {
                code[at] = static_cast<u8>((code[at] & 0xE0) |
                                           (random.chance(8) ? random.below(32) : 1 + random.below(3)));
                if (random.chance(2)) code[at + 1] |= 0x78;
            } else if (random.chance(2)) {
                code[at] |= 0x78;
            }
            if (GetParam() != 8) code[at] |= 0xC0;
        }
        tally.add(oracle.compare({code, 15}));
    }
}

// Every row, under every set of prefixes that can stand before it: operand size, address size, each segment,
// LOCK, REP, REPNE, REX bits. The row's own mandatory prefix comes last among them, or first.
TEST_P(DecoderZydis, EveryRowEveryPrefix) {
    const u8 mode = GetParam();
    const ZydisOracle oracle(mode);
    Random random(seed(77 + mode));
    Tally tally("prefixed rows");
    unsigned rows = 0;
    const unsigned rex_values = mode == 8 ? 17 : 1;
    for (const InsnRow& row : insn_table()) {
        if (!exists_in(row, mode)) continue;
        unsigned met = 0;
        for (unsigned set = 0; set < 2 * 2 * 7 * 2 * 3 * rex_values; ++set) {
            if (!long_run() && !random.chance(24)) continue;
            unsigned rest = set;
            const auto choose = [&rest](unsigned n) {
                const unsigned v = rest % n;
                rest /= n;
                return v;
            };
            std::vector<u8> code;
            // Those that VEX can't have come before it now and then.
            const bool any = !row.vex || random.chance(4);
            if (choose(2) && any) code.push_back(0x66);
            if (choose(2)) code.push_back(0x67);
            static constexpr u8 kSegments[] = {0, 0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65};
            if (const u8 s = kSegments[choose(7)]) code.push_back(s);
            if (choose(2) && any) code.push_back(0xF0);
            static constexpr u8 kRep[] = {0, 0xF2, 0xF3};
            if (const u8 r = kRep[choose(3)]; r && any) code.push_back(r);
            static constexpr u8 kMandatory[] = {0, 0x66, 0xF3, 0xF2, 0};
            if (const u8 m = row.vex ? u8{0} : kMandatory[static_cast<unsigned>(row.prefix)]) {
                code.insert(random.chance(2) ? code.begin() : code.end(), m);
            }
            if (const unsigned rex = choose(rex_values); rex && any)
                code.push_back(static_cast<u8>(0x3F + rex));
            if (row.vex) {
                append_vex(code, row, mode, random);
            } else {
                if (row.map != OpcodeMap::one_byte) code.push_back(0x0F);
                if (row.map == OpcodeMap::x0f38) code.push_back(0x38);
                if (row.map == OpcodeMap::x0f3a) code.push_back(0x3A);
            }
            code.push_back(static_cast<u8>(row.opcode + random.below(row.opcode_count)));
            if (row.modrm) {
                unsigned mod = random.below(4), reg = random.below(8), rm = random.below(8);
                if (row.mod == ModConstraint::memory) mod = random.below(3);
                if (row.mod == ModConstraint::reg) mod = 3;
                if (row.reg >= 0) reg = static_cast<unsigned>(row.reg);
                if (row.rm >= 0) rm = static_cast<unsigned>(row.rm);
                if ((row.has(row_attr::vsib) || row.has(row_attr::vsibh)) && !random.chance(4)) rm = 4;
                code.push_back(static_cast<u8>(mod << 6 | reg << 3 | rm));
            }
            while (code.size() < 24) code.push_back(static_cast<u8>(random.next()));
            tally.add(oracle.compare({code.data(), 15}));
            Insn insn;
            if (decode({code.data(), 15}, {mode, true}, insn) == DecodeStatus::ok && &row_of(insn) == &row)
                ++met;
        }
        if (long_run()) {
            EXPECT_GE(met, 10u) << row.encoding;
            ++rows;
        }
    }
    if (long_run()) std::printf("  %u rows, each met by decode() 10 times or more\n", rows);
}

// The generator makes what the row says: decode() finds the very row and the whole length, Zydis agrees.
TEST_P(DecoderZydis, GeneratedEncodings) {
    const u8 mode = GetParam();
    const ZydisOracle oracle(mode);
    Random random(seed(99 + mode));
    Tally tally("generated encodings");
    for (const InsnRow& row : insn_table()) {
        if (!exists_in(row, mode)) continue;
        unsigned made = 0;
        for (unsigned i = 0; i < (long_run() ? 2000u : 60u); ++i) {
            const Encoding e = encode_random(row, mode, random);
            if (!e) continue;
            ++made;
            tally.add(oracle.compare(e.span()));
            Insn insn;
            ASSERT_EQ(decode(e.span(), {mode, true}, insn), DecodeStatus::ok)
                << row.encoding << " " << unsigned{mode};
            EXPECT_EQ(insn.length, e.length) << row.encoding;
            EXPECT_EQ(row_of(insn).encoding, row.encoding);
        }
        EXPECT_GT(made, 10u) << row.encoding << " has too few encodings in mode " << unsigned{mode};
    }
}

TEST_P(DecoderZydis, FlagColumns) {
    const ZydisOracle oracle(GetParam());
    Random random(55);
    for (const InsnRow& row : insn_table()) {
        for (unsigned i = 0; i < 8; ++i) {
            if (const Encoding e = encode_random(row, GetParam(), random)) {
                EXPECT_EQ(oracle.compare_flags(e.span()), "") << row.encoding;
            }
        }
    }
}

using Code = std::vector<u8>;

std::vector<u8> read_file(const char* name) {
    std::ifstream file(name, std::ios::binary);
    return {(std::istreambuf_iterator<char>(file)), {}};
}

// The executable sections of an ELF file of this width; nothing if it is none.
std::vector<Code> executable_sections(const std::vector<u8>& image, bool wide) {
    std::vector<Code> sections;
    if (image.size() < 64 || std::memcmp(image.data(), wide ? "\177ELF\2" : "\177ELF\1", 5) != 0)
        return sections;
    const auto word = [&](u64 at) { return wide ? load_le<u64>(&image[at]) : load_le<u32>(&image[at]); };
    const u64 table = word(wide ? 40 : 32);
    const unsigned count = load_le<u16>(&image[wide ? 60 : 48]), each = wide ? 64 : 40;
    for (unsigned s = 0; s < count && table + u64{each} * (s + 1) <= image.size(); ++s) {
        const u64 header = table + u64{each} * s;
        const u64 flags = word(header + 8), offset = word(header + (wide ? 24 : 16)),
                  size = word(header + (wide ? 32 : 20));
        if (load_le<u32>(&image[header + 4]) != 1 || !(flags & 4)) continue;
        if (offset > image.size() || size > image.size() - offset) continue;
        const auto start = image.begin() + static_cast<std::ptrdiff_t>(offset);
        sections.emplace_back(start, start + static_cast<std::ptrdiff_t>(size));
    }
    return sections;
}

// What compilers make of Debian's programs: its 64-bit and 32-bit libraries, and SeaBIOS, whose image is
// 16-bit and 32-bit code, as both.
TEST_P(DecoderZydis, DebianBinaries) {
    const u8 mode = GetParam();
    const ZydisOracle oracle(mode);
    std::vector<Code> all;
    if (mode != 8) {
        Code bios = read_file("/usr/share/seabios/bios-256k.bin");
        if (!bios.empty()) all.push_back(std::move(bios));
    }
    const std::string folder = mode == 8 ? "/lib/x86_64-linux-gnu/" : "/lib32/";
    for (const char* name : {"libc.so.6", "libm.so.6", "libcrypto.so.3", "libstdc++.so.6", "libasan.so.8"}) {
        if (mode == 2) break;
        for (Code& code : executable_sections(read_file((folder + name).c_str()), mode == 8))
            all.push_back(std::move(code));
    }
    if (all.empty()) GTEST_SKIP() << "none of the binaries is here";
    Tally tally("instructions of Debian's binaries");
    for (const Code& code : all) {
        const u64 size = long_run() ? code.size() : std::min<u64>(code.size(), 400'000);
        for (u64 at = 0; at < size;) {
            const Comparison c = oracle.compare({&code[at], std::min<std::size_t>(15, size - at)});
            tally.add(c);
            at += c.length ? c.length : 1;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Modes, DecoderZydis, testing::Values(u8{2}, u8{4}, u8{8}),
                         [](const auto& p) { return std::to_string(p.param * 8) + "bit"; });

}  // namespace
}  // namespace mynah::test
