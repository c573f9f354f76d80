#include "machine/snapshot_file.h"

#include <fmt/format.h>
#include <zstd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>

#include "base/bits.h"

namespace mynah {

namespace {

struct Header {
    std::array<char, 8> magic{'M', 'Y', 'N', 'A', 'H', 'V', 'M', '\x1A'};
    u32 version = 3;
    u32 reserved = 0;
    u64 size = 0;  // of the archive, uncompressed
    u64 hash = 0;
};

constexpr u64 kLargestArchive = u64{1} << 40;

struct CloseFile {
    void operator()(std::FILE* f) const { std::fclose(f); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

// Piece by piece: a size that only the file claims is not believed. Nothing: not a frame of `size` bytes.
std::optional<std::vector<u8>> unpack(std::span<const u8> packed, u64 size) {
    struct Free {
        void operator()(ZSTD_DCtx* c) const { ZSTD_freeDCtx(c); }
    };
    const std::unique_ptr<ZSTD_DCtx, Free> context(ZSTD_createDCtx());
    std::vector<u8> out, piece(MiB);
    ZSTD_inBuffer in{packed.data(), packed.size(), 0};
    size_t more = 1;
    while (more != 0) {
        ZSTD_outBuffer to{piece.data(), piece.size(), 0};
        const size_t before = in.pos;
        more = ZSTD_decompressStream(context.get(), &to, &in);
        const bool stuck = to.pos == 0 && in.pos == before;
        if (ZSTD_isError(more) != 0 || stuck || out.size() + to.pos > size) return std::nullopt;
        out.insert(out.end(), piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(to.pos));
    }
    if (out.size() != size || in.pos != in.size) return std::nullopt;
    return out;
}

}  // namespace

u64 hash_bytes(std::span<const u8> data, u64 seed) {
    constexpr u64 kPrime = 0x100000001B3;
    u64 h = seed;
    size_t i = 0;
    for (; i + 8 <= data.size(); i += 8) {
        h = (h ^ load_le<u64>(data.data() + i)) * kPrime;
        h ^= h >> 29;
    }
    for (; i < data.size(); ++i) h = (h ^ data[i]) * kPrime;
    return h;
}

Status write_snapshot_file(const std::string& path, std::span<const u8> archive) {
    Header header;
    header.size = archive.size();
    header.hash = hash_bytes(archive);
    std::vector<u8> packed(ZSTD_compressBound(archive.size()));
    const size_t n = ZSTD_compress(packed.data(), packed.size(), archive.data(), archive.size(), 1);
    if (ZSTD_isError(n) != 0)
        return Error{fmt::format("cannot compress the snapshot: {}", ZSTD_getErrorName(n))};

    const std::string aside = path + ".part";
    std::FILE* f = std::fopen(aside.c_str(), "wb");
    if (f == nullptr)
        return Error{fmt::format("cannot write the snapshot \"{}\": {}", path, std::strerror(errno))};
    bool ok = std::fwrite(&header, sizeof header, 1, f) == 1;
    ok = ok && std::fwrite(packed.data(), 1, n, f) == n;
    ok = std::fclose(f) == 0 && ok;
    if (ok && std::rename(aside.c_str(), path.c_str()) == 0) return Ok{};
    const int reason = errno;
    std::remove(aside.c_str());
    return Error{fmt::format("cannot write the snapshot \"{}\": {}", path, std::strerror(reason))};
}

Result<std::vector<u8>> read_snapshot_file(const std::string& path) {
    const File f(std::fopen(path.c_str(), "rb"));
    if (!f) return Error{fmt::format("cannot open the snapshot \"{}\": {}", path, std::strerror(errno))};
    Header header;
    const Header expected;
    if (std::fread(&header, sizeof header, 1, f.get()) != 1 || header.magic != expected.magic) {
        return Error{fmt::format("\"{}\" is not a mynah snapshot", path)};
    }
    if (header.version != expected.version) {
        return Error{fmt::format("the snapshot \"{}\" was made by another version of mynah", path)};
    }
    const Error damaged{fmt::format("the snapshot \"{}\" is damaged", path)};
    if (header.size > kLargestArchive) return damaged;

    std::vector<u8> packed;
    std::array<u8, 65536> chunk;
    while (const size_t n = std::fread(chunk.data(), 1, chunk.size(), f.get())) {
        packed.insert(packed.end(), chunk.begin(), chunk.begin() + static_cast<std::ptrdiff_t>(n));
    }
    if (ZSTD_getFrameContentSize(packed.data(), packed.size()) != header.size) return damaged;
    auto archive = unpack(packed, header.size);
    if (!archive || hash_bytes(*archive) != header.hash) return damaged;
    return std::move(*archive);
}

}  // namespace mynah
