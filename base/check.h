// Invariants of our own. Guest input never reaches a failing check: it is tested and answered as hardware
// does.
#pragma once

namespace mynah {

[[noreturn]] void check_failed(const char* what, const char* file, int line);

}  // namespace mynah

// Stays on in release builds: a broken invariant ends the program loudly.
#define MYNAH_CHECK(condition) \
    ((condition) ? static_cast<void>(0) : ::mynah::check_failed(#condition, __FILE__, __LINE__))
