#include "frontend/dates.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>

namespace mynah {

i64 seconds_since_1970(int year, int month, int day, int hour, int minute, int second) {
    using namespace std::chrono;
    const sys_days date = std::chrono::year(year) / month / 1;
    return (i64{date.time_since_epoch().count()} + day - 1) * 86400 + hour * 3600 + minute * 60 + second;
}

HostTime host_time() {
    const std::time_t now = std::time(nullptr);
    const i64 utc = static_cast<i64>(now);
    const std::tm* t = std::localtime(&now);
    if (t == nullptr) return {utc, utc};
    return {utc, seconds_since_1970(t->tm_year + 1900, t->tm_mon + 1, t->tm_mday, t->tm_hour, t->tm_min,
                                    t->tm_sec)};
}

Result<i64> parse_date(std::string_view text) {
    const Error error{
        fmt::format("\"{}\" is not utc, localtime or a date such as 2024-01-31T12:00:00", text)};
    static constexpr std::string_view pattern = "0000-11-22T33:44:55";
    if (text.size() != 10 && text.size() != pattern.size()) return error;
    std::array<int, 6> f{};
    for (size_t i = 0; i < text.size(); ++i) {
        const char p = pattern[i];
        if (p < '0' || p > '9') {
            if (text[i] != p) return error;
            continue;
        }
        if (text[i] < '0' || text[i] > '9') return error;
        int& n = f[static_cast<size_t>(p - '0')];
        n = n * 10 + (text[i] - '0');
    }
    const auto [year, month, day, hour, minute, second] = f;
    const std::chrono::year_month_day date{std::chrono::year(year),
                                           std::chrono::month(static_cast<unsigned>(month)),
                                           std::chrono::day(static_cast<unsigned>(day))};
    if (year < 1970 || !date.ok() || hour > 23 || minute > 59 || second > 59) return error;
    return seconds_since_1970(year, month, day, hour, minute, second);
}

}  // namespace mynah
