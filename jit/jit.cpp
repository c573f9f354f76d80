#include "jit/jit.h"

#include "jit/engine.h"
#include "jit/x64/host.h"

namespace mynah::Jit {

bool supported() {
    return x64::host_supported();
}

std::unique_ptr<Accelerator> create(Core& core, PhysicalMap& memory, const JitOptions& options) {
    return supported() ? JitEngine::create(core, memory, options) : nullptr;
}

}  // namespace mynah::Jit
