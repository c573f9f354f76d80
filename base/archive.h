// The snapshot visitor: one visit(Archive&) per object serves save, load and verify.
//
// A snapshot is a flat byte string: fields in visiting order, grouped in named, versioned sections. Errors
// are sticky: after the first one every further load leaves its target as it is. Whoever loads checks ok() at
// the end.
#pragma once

#include <array>
#include <concepts>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/types.h"

namespace mynah {

class Archive {
  public:
    enum class Mode : u8 { save, load, verify };

    // Saves into an own buffer; take it with data().
    Archive() : mode_(Mode::save) {}
    // Loads from, or compares with, `data`, which must outlive the archive.
    Archive(Mode mode, std::span<const u8> data) : mode_(mode), input_(data) {}

    Mode mode() const { return mode_; }
    bool loading() const { return mode_ == Mode::load; }
    bool ok() const { return error_.empty(); }
    // The first error: which section, and what was wrong (or, when verifying, differed).
    const std::string& error() const { return error_; }
    // Bytes read or written so far.
    size_t position() const { return mode_ == Mode::save ? output_.size() : position_; }
    const std::vector<u8>& data() const { return output_; }

    // Begins a named part. Loading a part with another name or a newer version is an error.
    void section(std::string_view name, u32 version = 1);
    // For values that a load finds out of range.
    void fail(std::string_view what);
    void bytes(void* data, size_t size);

    template <class T>
    requires(std::is_arithmetic_v<T> || std::is_enum_v<T>) void operator()(T& v) {
        if constexpr (std::is_same_v<T, bool>) {
            u8 byte = v;
            bytes(&byte, 1);
            v = byte != 0;
        } else {
            bytes(&v, sizeof v);
        }
    }
    void operator()(u128& v) { bytes(&v, sizeof v); }

    template <class T>
    requires requires(T& v, Archive& ar) { v.visit(ar); }
    void operator()(T& v) { v.visit(*this); }

    template <class T, size_t n>
    void operator()(std::array<T, n>& a) {
        for (T& v : a) (*this)(v);
    }
    template <class T, size_t n>
    void operator()(T (&a)[n]) {
        for (T& v : a) (*this)(v);
    }

    // At most `limit` elements: a damaged length must not allocate the world.
    template <class T>
    void operator()(std::vector<T>& v, u64 limit = 64 * MiB) {
        u64 n = v.size();
        (*this)(n);
        if (n > limit) return fail("length out of range");
        if (loading() && ok()) v.resize(n);
        if (ok()) {
            for (T& e : v) (*this)(e);
        }
    }
    void operator()(std::string& s);

    template <class T>
    void operator()(std::optional<T>& v) {
        bool has = v.has_value();
        (*this)(has);
        if (loading() && ok()) has ? (void)v.emplace() : v.reset();
        if (v) (*this)(*v);
    }

    // Several fields in one line: ar.all(a_, b_, c_).
    template <class... T>
    void all(T&... v) {
        ((*this)(v), ...);
    }

  private:
    Mode mode_;
    std::span<const u8> input_;
    size_t position_ = 0;
    std::vector<u8> output_;
    std::string section_;
    std::string error_;
};

}  // namespace mynah
