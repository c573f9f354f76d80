#include "desktop/keys.h"

#include <array>

namespace mynah {

namespace {

struct Usage {
    u16 usage;
    std::string_view key;
};

// HID Usage Tables 1.4, chapter 10; letters and digits are worked out.
constexpr Usage kUsages[] = {
    {0x28, "ret"},         {0x29, "esc"},          {0x2A, "backspace"},
    {0x2B, "tab"},         {0x2C, "spc"},          {0x2D, "minus"},
    {0x2E, "equal"},       {0x2F, "bracket_left"}, {0x30, "bracket_right"},
    {0x31, "backslash"},   {0x32, "backslash"},    {0x33, "semicolon"},
    {0x34, "apostrophe"},  {0x35, "grave_accent"}, {0x36, "comma"},
    {0x37, "dot"},         {0x38, "slash"},        {0x39, "caps_lock"},
    {0x3A, "f1"},          {0x3B, "f2"},           {0x3C, "f3"},
    {0x3D, "f4"},          {0x3E, "f5"},           {0x3F, "f6"},
    {0x40, "f7"},          {0x41, "f8"},           {0x42, "f9"},
    {0x43, "f10"},         {0x44, "f11"},          {0x45, "f12"},
    {0x46, "print"},       {0x47, "scroll_lock"},  {0x48, "pause"},
    {0x49, "insert"},      {0x4A, "home"},         {0x4B, "pgup"},
    {0x4C, "delete"},      {0x4D, "end"},          {0x4E, "pgdn"},
    {0x4F, "right"},       {0x50, "left"},         {0x51, "down"},
    {0x52, "up"},          {0x53, "num_lock"},     {0x54, "kp_divide"},
    {0x55, "kp_multiply"}, {0x56, "kp_subtract"},  {0x57, "kp_add"},
    {0x58, "kp_enter"},    {0x59, "kp_1"},         {0x5A, "kp_2"},
    {0x5B, "kp_3"},        {0x5C, "kp_4"},         {0x5D, "kp_5"},
    {0x5E, "kp_6"},        {0x5F, "kp_7"},         {0x60, "kp_8"},
    {0x61, "kp_9"},        {0x62, "kp_0"},         {0x63, "kp_decimal"},
    {0x64, "less"},        {0x65, "compose"},      {0x66, "power"},
    {0x67, "kp_equals"},   {0x76, "compose"},      {0x78, "stop"},
    {0x7F, "audiomute"},   {0x80, "volumeup"},     {0x81, "volumedown"},
    {0x85, "kp_comma"},    {0x87, "ro"},           {0x88, "katakanahiragana"},
    {0x89, "yen"},         {0x8A, "henkan"},       {0x8B, "muhenkan"},
    {0x93, "hiragana"},    {0x9A, "sysrq"},        {0xE0, "ctrl"},
    {0xE1, "shift"},       {0xE2, "alt"},          {0xE3, "meta_l"},
    {0xE4, "ctrl_r"},      {0xE5, "shift_r"},      {0xE6, "alt_r"},
    {0xE7, "meta_r"},
};

constexpr std::array<std::string_view, 26> kLetters = {"a", "b", "c", "d", "e", "f", "g", "h", "i",
                                                       "j", "k", "l", "m", "n", "o", "p", "q", "r",
                                                       "s", "t", "u", "v", "w", "x", "y", "z"};
constexpr std::array<std::string_view, 10> kDigits = {"1", "2", "3", "4", "5", "6", "7", "8", "9", "0"};

struct Character {
    char plain, shifted;
    std::string_view key;
};
constexpr Character kCharacters[] = {
    {'1', '!', "1"},
    {'2', '@', "2"},
    {'3', '#', "3"},
    {'4', '$', "4"},
    {'5', '%', "5"},
    {'6', '^', "6"},
    {'7', '&', "7"},
    {'8', '*', "8"},
    {'9', '(', "9"},
    {'0', ')', "0"},
    {'-', '_', "minus"},
    {'=', '+', "equal"},
    {'[', '{', "bracket_left"},
    {']', '}', "bracket_right"},
    {'\\', '|', "backslash"},
    {';', ':', "semicolon"},
    {'\'', '"', "apostrophe"},
    {'`', '~', "grave_accent"},
    {',', '<', "comma"},
    {'.', '>', "dot"},
    {'/', '?', "slash"},
    {' ', 0, "spc"},
    {'\n', 0, "ret"},
    {'\t', 0, "tab"},
    {'\b', 0, "backspace"},
    {'\x1B', 0, "esc"},
};

}  // namespace

std::string_view key_of_usage(unsigned usage) {
    if (usage >= 0x04 && usage < 0x04 + kLetters.size()) return kLetters[usage - 0x04];
    if (usage >= 0x1E && usage < 0x1E + kDigits.size()) return kDigits[usage - 0x1E];
    for (const Usage& u : kUsages) {
        if (u.usage == usage) return u.key;
    }
    return {};
}

std::vector<std::string_view> keys_of_character(char c) {
    if (c >= 'a' && c <= 'z') return {kLetters[static_cast<size_t>(c - 'a')]};
    if (c >= 'A' && c <= 'Z') return {"shift", kLetters[static_cast<size_t>(c - 'A')]};
    for (const Character& k : kCharacters) {
        if (k.plain == c) return {k.key};
        if (c != 0 && k.shifted == c) return {"shift", k.key};
    }
    return {};
}

}  // namespace mynah
