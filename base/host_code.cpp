#include "base/host_code.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace mynah {

Result<HostCode> HostCode::create(u64 size) {
    const auto failed = [](const char* what) {
        return Error{std::string("cannot get memory for translated code: ") + what + ": " +
                     std::strerror(errno)};
    };
    // Anonymous rather than a memfd: perf looks for its map of symbols in such mappings only.
    void* p = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) return failed("mmap");
    HostCode code;
    code.writable_ = static_cast<u8*>(p);
    code.size_ = size;
    // An old size of 0 maps the same shared pages once more.
    void* x = mremap(p, 0, size, MREMAP_MAYMOVE);
    if (x == MAP_FAILED) return failed("mremap");
    code.executable_ = static_cast<u8*>(x);
    if (mprotect(x, size, PROT_READ | PROT_EXEC) != 0) return failed("mprotect");
    return code;
}

HostCode::~HostCode() {
    if (executable_ != nullptr) munmap(executable_, size_);
    if (writable_ != nullptr) munmap(writable_, size_);
}

}  // namespace mynah
