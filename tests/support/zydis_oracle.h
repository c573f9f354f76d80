// decode() against Zydis: length, mnemonic and visible operands.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "base/types.h"

namespace mynah::test {

enum class Verdict : u8 { same, both_invalid, listed, different };

struct Comparison {
    Verdict verdict = Verdict::same;
    u8 length = 0;        // by decode(); 0 if it is none
    std::string message;  // of a difference; the reason of a listed one
};

// The decoder modes are Intel's, with all features that our table has and none that it has not.
class ZydisOracle {
  public:
    explicit ZydisOracle(u8 code_size);
    ~ZydisOracle();
    ZydisOracle(const ZydisOracle&) = delete;
    ZydisOracle& operator=(const ZydisOracle&) = delete;
    Comparison compare(std::span<const u8> code) const;
    // The row's flag columns against Zydis's: arithmetic flags and DF. Empty: the same.
    std::string compare_flags(std::span<const u8> code) const;

  private:
    struct Impl;
    Impl* impl_;
    u8 code_size_;
};

}  // namespace mynah::test
