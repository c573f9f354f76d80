// QEMU's "a=b,c=d" option values, and numbers with units.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace mynah {

struct KeyValue {
    std::string key;
    std::string value;
    bool has_value = false;  // a bare word: `key` holds it
};

// Splits at commas; a doubled comma is a literal one. A first part without '=' gets `implied_key`.
Result<std::vector<KeyValue>> parse_key_values(std::string_view text, std::string_view implied_key = {});

// Decimal, or hexadecimal with 0x.
Result<u64> parse_number(std::string_view text);
// "256" in `default_unit` bytes, "1G", "1.5G", "512M", "64K", "100B".
Result<u64> parse_size(std::string_view text, u64 default_unit);
// "on"/"off", "yes"/"no", "true"/"false", "y"/"n".
Result<bool> parse_switch(std::string_view text);

// Number of single edits (insert, delete, replace, swap neighbours) between two words.
unsigned edit_distance(std::string_view a, std::string_view b);
// The word closest to `word`, or nothing when none is close.
std::string_view closest(std::string_view word, const std::vector<std::string_view>& words);

}  // namespace mynah
