#include "diff/vectors.h"

#include <zstd.h>

#include <cstring>
#include <fstream>
#include <iterator>

#include "base/bits.h"

namespace mynah::test {
namespace {

constexpr unsigned kFxWords = 52;  // 416 bytes

template <class T>
void put(std::vector<u8>& out, T v) {
    const size_t at = out.size();
    out.resize(at + sizeof v);
    store_le(&out[at], v);
}

struct Reader {
    std::span<const u8>& in;
    bool ok = true;
    template <class T>
    T take() {
        if (in.size() < sizeof(T)) {
            ok = false;
            return {};
        }
        const T v = load_le<T>(in.data());
        in = in.subspan(sizeof(T));
        return v;
    }
    std::vector<u8> bytes(size_t n) {
        if (in.size() < n) {
            ok = false;
            return {};
        }
        std::vector<u8> v(in.begin(), in.begin() + static_cast<std::ptrdiff_t>(n));
        in = in.subspan(n);
        return v;
    }
};

u16 changed_registers(const UserState& a, const UserState& b) {
    u16 mask = 0;
    for (unsigned n = 0; n < 16; ++n) mask |= static_cast<u16>((a.gpr[n] != b.gpr[n]) << n);
    return mask;
}

}  // namespace

std::array<u8, 512> counted(const UserState& s, bool keeps_c1) {
    std::array<u8, 512> r{};
    std::memcpy(r.data(), s.fx.data(), 5);
    if (keeps_c1) r[3] &= 0xFD;
    for (unsigned n = 0; n < 8; ++n) std::memcpy(&r[32 + 16 * n], &s.fx[32 + 16 * n], 10);
    std::memcpy(&r[24], &s.fx[24], 4);
    std::memcpy(&r[160], &s.fx[160], s.code_size == 8 ? 256 : 128);
    return r;
}

std::vector<MemoryChange> changes(std::span<const u8> before, std::span<const u8> after) {
    std::vector<MemoryChange> list;
    for (size_t at = 0; at < before.size(); ++at) {
        if (before[at] == after[at]) continue;
        // Runs end at four bytes that are the same.
        size_t end = at + 1;
        for (size_t k = end; k < before.size() && k < end + 4; ++k)
            if (before[k] != after[k]) end = k + 1;
        list.push_back({static_cast<u16>(at),
                        {after.begin() + static_cast<std::ptrdiff_t>(at),
                         after.begin() + static_cast<std::ptrdiff_t>(end)}});
        at = end;
    }
    return list;
}

void put_record(std::vector<u8>& out, const Recorded& r) {
    put(out, static_cast<u8>(r.code.size()));
    out.insert(out.end(), r.code.begin(), r.code.end());
    put(out, static_cast<u8>(static_cast<u8>(r.mode) | r.floating << 4 | r.keeps_c1 << 5 | r.wide << 6));
    put(out, r.seed);
    put(out, static_cast<u16>(r.start.code_address() - kCode));
    put(out, r.chosen);
    for (unsigned n = 0; n < 16; ++n)
        if (r.chosen >> n & 1) put(out, r.start.gpr[n]);
    put(out, static_cast<i8>(r.end.vector));
    const u16 registers = changed_registers(r.start, r.end.state);
    put(out, registers);
    for (unsigned n = 0; n < 16; ++n)
        if (registers >> n & 1) put(out, r.end.state.gpr[n]);
    put(out, r.end.state.rip - r.start.rip);
    if (r.end.vector >= 0) {
        if (r.end.vector == 14) {
            put(out, static_cast<u8>(r.end.error_code));
            put(out, r.end.cr2);
        }
        return;
    }
    put(out, r.flags);
    put(out, r.end.state.eflags & r.flags);
    if (r.floating) {
        const auto before = counted(r.start, r.keeps_c1);
        u64 words = 0;
        for (unsigned n = 0; n < kFxWords; ++n)
            words |= u64{std::memcmp(&before[8 * n], &r.end.state.fx[8 * n], 8) != 0} << n;
        put(out, words);
        for (unsigned n = 0; n < kFxWords; ++n)
            if (words >> n & 1) put(out, load_le<u64>(&r.end.state.fx[8 * n]));
    }
    if (r.wide) {
        u32 words = 0;
        const auto &before = r.start.upper, &after = r.end.state.upper;
        for (unsigned n = 0; n < 32; ++n)
            words |= u32{std::memcmp(&before[8 * n], &after[8 * n], 8) != 0} << n;
        put(out, words);
        for (unsigned n = 0; n < 32; ++n)
            if (words >> n & 1) put(out, load_le<u64>(&after[8 * n]));
    }
    put(out, static_cast<u8>(r.memory.size()));
    for (const MemoryChange& m : r.memory) {
        put(out, m.at);
        put(out, static_cast<u16>(m.bytes.size()));
        out.insert(out.end(), m.bytes.begin(), m.bytes.end());
    }
}

std::optional<Recorded> take_record(std::span<const u8>& in) {
    Reader reader{in};
    Recorded r;
    r.code = reader.bytes(reader.take<u8>());
    const u8 kind = reader.take<u8>();
    r.mode = static_cast<Mode>(kind & 3);
    r.floating = kind & 0x10;
    r.keeps_c1 = kind & 0x20;
    r.wide = kind & 0x40;
    r.seed = reader.take<u16>();
    r.start = random_state(r.seed, r.mode);
    r.start.rip = kCode + reader.take<u16>() - r.start.code_base();
    r.chosen = reader.take<u16>();
    for (unsigned n = 0; n < 16; ++n)
        if (r.chosen >> n & 1) r.start.gpr[n] = reader.take<u64>();
    r.end.state = r.start;
    r.end.vector = reader.take<i8>();
    const u16 registers = reader.take<u16>();
    for (unsigned n = 0; n < 16; ++n)
        if (registers >> n & 1) r.end.state.gpr[n] = reader.take<u64>();
    r.end.state.rip = r.start.rip + reader.take<u64>();
    if (r.end.vector >= 0) {
        if (r.end.vector == 14) {
            r.end.error_code = reader.take<u8>();
            r.end.cr2 = reader.take<u64>();
        }
    } else {
        r.flags = reader.take<u32>();
        r.end.state.eflags = reader.take<u32>();
        if (r.floating) {
            r.end.state.fx = counted(r.start, r.keeps_c1);
            const u64 words = reader.take<u64>();
            for (unsigned n = 0; n < kFxWords; ++n)
                if (words >> n & 1) store_le(&r.end.state.fx[8 * n], reader.take<u64>());
        }
        if (r.wide) {
            const u32 words = reader.take<u32>();
            for (unsigned n = 0; n < 32; ++n)
                if (words >> n & 1) store_le(&r.end.state.upper[8 * n], reader.take<u64>());
        }
        r.memory.resize(reader.take<u8>());
        for (MemoryChange& m : r.memory) {
            m.at = reader.take<u16>();
            m.bytes = reader.bytes(reader.take<u16>());
        }
    }
    if (!reader.ok) return std::nullopt;
    return r;
}

bool write_compressed(const std::string& path, std::span<const u8> bytes) {
    std::vector<char> packed(ZSTD_compressBound(bytes.size()));
    const size_t n = ZSTD_compress(packed.data(), packed.size(), bytes.data(), bytes.size(), 19);
    if (ZSTD_isError(n)) return false;
    std::ofstream file(path, std::ios::binary);
    return static_cast<bool>(file.write(packed.data(), static_cast<std::streamsize>(n)));
}

std::vector<u8> read_compressed(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    const std::vector<char> packed((std::istreambuf_iterator<char>(file)), {});
    const unsigned long long size = ZSTD_getFrameContentSize(packed.data(), packed.size());
    if (size > 64 * MiB) return {};
    std::vector<u8> bytes(size);
    const size_t n = ZSTD_decompress(bytes.data(), bytes.size(), packed.data(), packed.size());
    if (ZSTD_isError(n) || n != size) return {};
    return bytes;
}

}  // namespace mynah::test
