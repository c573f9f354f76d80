// Which kind of image a file is.
#pragma once

#include <string_view>

#include "base/result.h"
#include "base/types.h"

namespace mynah {

enum class ImageFormat : u8 {
    probe,  // by the first bytes
    raw,
    qcow2,
};

// Error: another name than raw and qcow2.
Result<ImageFormat> parse_image_format(std::string_view name);

}  // namespace mynah
