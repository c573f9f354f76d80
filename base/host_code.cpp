#include "base/host_code.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace mynah {

Result<HostCode> HostCode::create(u64 size) {
    auto memory = HostMemory::create(size, "translated-code");
    if (!memory) return memory.error();
    HostCode code;
    code.memory_ = std::move(*memory);
    void* p = mmap(nullptr, size, PROT_READ | PROT_EXEC, MAP_SHARED, code.memory_.fd(), 0);
    if (p == MAP_FAILED)
        return Error{std::string("cannot map memory for translated code: mmap: ") + std::strerror(errno)};
    code.executable_ = static_cast<const u8*>(p);
    return code;
}

HostCode::~HostCode() {
    if (executable_ != nullptr) munmap(const_cast<u8*>(executable_), memory_.size());
}

}  // namespace mynah
