#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace mynah {

void check_failed(const char* what, const char* file, int line) {
    std::fprintf(stderr, "mynah: internal error: %s (%s:%d)\n", what, file, line);
    std::abort();
}

}  // namespace mynah
