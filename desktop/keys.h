// The host's keys as the guest's: positions by USB usage (which SDL's scancodes are), and characters as a US
// keyboard types them.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace mynah {

// QEMU's name of the key with this usage of the keyboard page (HID Usage Tables, page 07h); empty: a PC has
// none.
std::string_view key_of_usage(unsigned usage);

// Keys to be pressed together; none: the layout has no such character.
std::vector<std::string_view> keys_of_character(char c);

}  // namespace mynah
