// What is in a compressed cluster.
#pragma once

#include <span>
#include <vector>

#include "base/result.h"
#include "block/qcow2/format.h"

namespace mynah::qcow2 {

// Fills all of `out`. Error: damaged, or made with a library that this build lacks.
Status unpack(Compression kind, std::span<const u8> packed, std::span<u8> out);
// Empty: it does not get smaller. Error: this build lacks the library.
Result<std::vector<u8>> pack(Compression kind, std::span<const u8> data);

}  // namespace mynah::qcow2
