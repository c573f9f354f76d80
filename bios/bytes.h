// Builds and reads little-endian structures of tables and file formats.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/bits.h"
#include "base/check.h"
#include "base/types.h"

namespace mynah {

using Bytes = std::vector<u8>;

// Appends at the end, patches at known offsets.
class ByteBuilder {
  public:
    size_t size() const { return data_.size(); }
    const Bytes& data() const { return data_; }
    Bytes take() { return std::move(data_); }

    void put8(u64 v) { put(v, 1); }
    void put16(u64 v) { put(v, 2); }
    void put32(u64 v) { put(v, 4); }
    void put64(u64 v) { put(v, 8); }
    void put(u64 v, unsigned width) {
        for (unsigned i = 0; i < width; ++i) data_.push_back(static_cast<u8>(v >> 8 * i));
    }
    void zeros(size_t n) { data_.insert(data_.end(), n, u8{0}); }
    void align(size_t alignment) { data_.resize(align_up(data_.size(), alignment)); }
    void bytes(std::span<const u8> b) { data_.insert(data_.end(), b.begin(), b.end()); }
    void text(std::string_view s) { data_.insert(data_.end(), s.begin(), s.end()); }
    // Exactly `width` characters: cut or filled up.
    void text(std::string_view s, size_t width, char fill) {
        for (size_t i = 0; i < width; ++i) data_.push_back(static_cast<u8>(i < s.size() ? s[i] : fill));
    }
    void patch(size_t offset, u64 v, unsigned width) {
        MYNAH_CHECK(offset + width <= data_.size());
        for (unsigned i = 0; i < width; ++i) data_[offset + i] = static_cast<u8>(v >> 8 * i);
    }

  private:
    Bytes data_;
};

// The byte that makes the sum of `data` zero, where that byte's place now holds 0.
inline u8 checksum8(std::span<const u8> data) {
    u8 sum = 0;
    for (u8 b : data) sum = static_cast<u8>(sum + b);
    return static_cast<u8>(-sum);
}

// [offset, offset + length) of `data`, or nothing when it does not lie inside; no overflow.
inline std::optional<std::span<const u8>> slice(std::span<const u8> data, u64 offset, u64 length) {
    if (offset > data.size() || length > data.size() - offset) return std::nullopt;
    return data.subspan(static_cast<size_t>(offset), static_cast<size_t>(length));
}

// The integer at `offset`, or 0 past the end: headers of old formats are short.
template <class T>
T field(std::span<const u8> data, u64 offset) {
    const auto s = slice(data, offset, sizeof(T));
    return s ? load_le<T>(s->data()) : T{0};
}

}  // namespace mynah
