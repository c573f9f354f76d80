#include "frontend/key_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace mynah {

Result<std::vector<KeyValue>> parse_key_values(std::string_view text, std::string_view implied_key) {
    std::vector<KeyValue> out;
    std::string part;
    const auto finish = [&]() -> Status {
        const size_t equals = part.find('=');
        KeyValue kv;
        if (equals != std::string::npos) {
            kv = {part.substr(0, equals), part.substr(equals + 1), true};
        } else if (out.empty() && !implied_key.empty()) {
            kv = {std::string(implied_key), part, true};
        } else {
            kv = {part, "", false};
        }
        if (kv.key.empty()) return Error{fmt::format("\"{}\" has an empty part", text)};
        out.push_back(std::move(kv));
        part.clear();
        return Ok{};
    };
    for (size_t i = 0; i < text.size(); ++i) {
        if (text[i] != ',') {
            part += text[i];
        } else if (i + 1 < text.size() && text[i + 1] == ',') {
            part += text[i++];
        } else if (auto s = finish(); !s.ok()) {
            return s.error();
        }
    }
    if (auto s = finish(); !s.ok()) return s.error();
    return out;
}

Result<u64> parse_number(std::string_view text) {
    const bool hex = text.starts_with("0x") || text.starts_with("0X");
    const std::string_view digits = hex ? text.substr(2) : text;
    u64 value = 0;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), value, hex ? 16 : 10);
    if (error != std::errc() || end != digits.data() + digits.size() || digits.empty()) {
        return Error{fmt::format("\"{}\" is not a number", text)};
    }
    return value;
}

Result<u64> parse_size(std::string_view text, u64 default_unit) {
    const auto fail = [&] {
        return Error{
            fmt::format("\"{}\" is not a size; write a number with K, M, G or T, such as 512M", text)};
    };
    u64 unit = default_unit;
    std::string_view digits = text;
    if (!text.empty()) {
        static constexpr std::string_view letters = "BKMGT";
        const char last = text.back();
        const size_t at =
            letters.find(last >= 'a' && last <= 'z' ? static_cast<char>(last - 'a' + 'A') : last);
        if (at != std::string_view::npos) {
            unit = u64{1} << 10 * at;
            digits = text.substr(0, text.size() - 1);
        }
    }
    const size_t point = std::min(digits.find('.'), digits.size());
    const auto whole = parse_number(digits.substr(0, point));
    if (!whole.ok() || *whole > (u64{1} << 50) / unit) return fail();
    u64 size = *whole * unit;
    if (point < digits.size()) {
        const std::string_view fraction = digits.substr(point + 1);
        if (fraction.empty() || fraction.size() > 6 || digits.starts_with("0x")) return fail();
        const auto part = parse_number(fraction);
        if (!part.ok()) return fail();
        u64 scale = 1;
        for (size_t i = 0; i < fraction.size(); ++i) scale *= 10;
        size += static_cast<u64>(static_cast<u128>(*part) * unit / scale);
    }
    return size;
}

Result<bool> parse_switch(std::string_view text) {
    for (std::string_view yes : {"on", "yes", "true", "y"}) {
        if (text == yes) return true;
    }
    for (std::string_view no : {"off", "no", "false", "n"}) {
        if (text == no) return false;
    }
    return Error{fmt::format("\"{}\" is neither on nor off", text)};
}

unsigned edit_distance(std::string_view a, std::string_view b) {
    const size_t width = b.size() + 1;
    std::vector<unsigned> d((a.size() + 1) * width);
    for (size_t i = 0; i <= a.size(); ++i) {
        for (size_t j = 0; j <= b.size(); ++j) {
            unsigned& here = d[i * width + j];
            if (i == 0 || j == 0) {
                here = static_cast<unsigned>(i + j);
                continue;
            }
            here = std::min({d[(i - 1) * width + j] + 1, d[i * width + j - 1] + 1,
                             d[(i - 1) * width + j - 1] + (a[i - 1] != b[j - 1])});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                here = std::min(here, d[(i - 2) * width + j - 2] + 1);
            }
        }
    }
    return d.back();
}

std::string_view closest(std::string_view word, const std::vector<std::string_view>& words) {
    std::string_view best;
    unsigned least = static_cast<unsigned>(word.size() / 3 + 1);
    for (std::string_view w : words) {
        const unsigned distance = edit_distance(word, w);
        // More than half must be alike: "-k" is no "-m".
        if (2 * distance > std::max(word.size(), w.size())) continue;
        if (distance > least || (distance == least && !best.empty())) continue;
        least = distance;
        best = w;
    }
    return best;
}

}  // namespace mynah
