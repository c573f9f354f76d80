// Points in time for -rtc, as seconds since 1970.
#pragma once

#include <string_view>

#include "base/result.h"
#include "base/types.h"

namespace mynah {

// The host's time: as UTC, and as local time shows it.
struct HostTime {
    i64 utc = 0;
    i64 local = 0;
};
HostTime host_time();

// "2024-01-31" or "2024-01-31T12:34:56".
Result<i64> parse_date(std::string_view text);
// Proleptic Gregorian; month 1-12, day from 1.
i64 seconds_since_1970(int year, int month, int day, int hour, int minute, int second);

}  // namespace mynah
