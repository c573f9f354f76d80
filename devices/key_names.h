// Keys by QEMU's names (QKeyCode, as `sendkey` and QMP use them) with their scan codes.
#pragma once

#include <span>
#include <string_view>

#include "base/types.h"

namespace mynah {

struct Key {
    std::string_view name;
    u16 set1;  // make code; E0xxh for extended keys
    u8 set3;   // make code, 0: none
};

// All of them, in no special order. Names are unique, codes are not (asterisk and kp_multiply are one key).
std::span<const Key> keys();
// Null: no such key.
const Key* find_key(std::string_view name);
const Key* find_key(u16 set1);

// The set 2 make code (without its E0h) that keyboard controllers translate to this set 1 code.
u8 set2_of_set1(u8 set1);
// What keyboard controllers make of a byte from the keyboard (a make code without F0h before it).
u8 set1_of_set2(u8 set2);

}  // namespace mynah
