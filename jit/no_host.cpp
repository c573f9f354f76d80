// Hosts without a backend.
#include "jit/jit.h"

namespace mynah::Jit {

bool supported() {
    return false;
}

std::unique_ptr<Accelerator> create(Core&, PhysicalMap&, const JitOptions&) {
    return nullptr;
}

}  // namespace mynah::Jit
