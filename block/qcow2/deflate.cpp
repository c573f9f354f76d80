#include "block/qcow2/deflate.h"

#ifdef MYNAH_ZLIB
#include <zlib.h>
#endif
#ifdef MYNAH_ZSTD
#include <zstd.h>
#endif

namespace mynah::qcow2 {

namespace {

[[maybe_unused]] Error left_out(const char* library) {
    return Error{std::string("this build cannot read or write it, it was made without ") + library};
}

#ifdef MYNAH_ZLIB
// Raw deflate; 4 KiB windows are what all readers take.
constexpr int kReadWindow = -15, kWriteWindow = -12;

Status inflate_all(std::span<const u8> packed, std::span<u8> out) {
    z_stream z{};
    if (inflateInit2(&z, kReadWindow) != Z_OK) return Error{"out of memory"};
    z.next_in = const_cast<Bytef*>(packed.data());
    z.avail_in = static_cast<uInt>(packed.size());
    z.next_out = out.data();
    z.avail_out = static_cast<uInt>(out.size());
    const int code = inflate(&z, Z_FINISH);
    const bool full = z.avail_out == 0;
    inflateEnd(&z);
    if (!full || (code != Z_STREAM_END && code != Z_BUF_ERROR)) return Error{"its content is damaged"};
    return Ok{};
}

Result<std::vector<u8>> deflate_all(std::span<const u8> data) {
    z_stream z{};
    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kWriteWindow, 9, Z_DEFAULT_STRATEGY) != Z_OK)
        return Error{"out of memory"};
    std::vector<u8> out(data.size() - 1);
    z.next_in = const_cast<Bytef*>(data.data());
    z.avail_in = static_cast<uInt>(data.size());
    z.next_out = out.data();
    z.avail_out = static_cast<uInt>(out.size());
    const bool whole = deflate(&z, Z_FINISH) == Z_STREAM_END;
    out.resize(whole ? out.size() - z.avail_out : 0);
    deflateEnd(&z);
    return out;
}
#endif

#ifdef MYNAH_ZSTD
Status zstd_all(std::span<const u8> packed, std::span<u8> out) {
    ZSTD_DStream* stream = ZSTD_createDStream();
    if (stream == nullptr) return Error{"out of memory"};
    ZSTD_inBuffer in{packed.data(), packed.size(), 0};
    ZSTD_outBuffer to{out.data(), out.size(), 0};
    // What follows the frame is padding.
    bool fine = true;
    while (fine && to.pos < to.size && in.pos < in.size) {
        const size_t before = in.pos + to.pos;
        fine = !ZSTD_isError(ZSTD_decompressStream(stream, &to, &in)) && in.pos + to.pos != before;
    }
    ZSTD_freeDStream(stream);
    if (!fine || to.pos < to.size) return Error{"its content is damaged"};
    return Ok{};
}
#endif

}  // namespace

Status unpack(Compression kind, [[maybe_unused]] std::span<const u8> packed,
              [[maybe_unused]] std::span<u8> out) {
    if (kind == Compression::zstd) {
#ifdef MYNAH_ZSTD
        return zstd_all(packed, out);
#else
        return left_out("libzstd");
#endif
    }
#ifdef MYNAH_ZLIB
    return inflate_all(packed, out);
#else
    return left_out("zlib");
#endif
}

Result<std::vector<u8>> pack(Compression kind, [[maybe_unused]] std::span<const u8> data) {
    if (kind == Compression::zstd) {
#ifdef MYNAH_ZSTD
        std::vector<u8> out(ZSTD_compressBound(data.size()));
        const size_t n = ZSTD_compress(out.data(), out.size(), data.data(), data.size(), 3);
        out.resize(ZSTD_isError(n) || n >= data.size() ? 0 : n);
        return out;
#else
        return left_out("libzstd");
#endif
    }
#ifdef MYNAH_ZLIB
    return deflate_all(data);
#else
    return left_out("zlib");
#endif
}

}  // namespace mynah::qcow2
