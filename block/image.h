// Images by file name: which format, and the chain of backing files below.
#pragma once

#include <memory>
#include <string>

#include "block/disk_image.h"
#include "block/image_file.h"
#include "block/image_format.h"
#include "block/qcow2/qcow2.h"

namespace mynah {

struct ImageUse {
    ImageFormat format = ImageFormat::probe;
    HostFile::Access access = HostFile::Access::read_only;
    u64 minimum = 512;  // bytes of the medium
};

// Error: one line that says which file and why: missing, locked, damaged, too short, a backing file that is
// missing or part of a loop.
Result<std::unique_ptr<DiskImage>> open_image(const std::string& path, const ImageUse& use);

// The same for qcow2 alone, with its own operations. `repairing`: as Qcow2::open(). `with_backing`: false
// leaves the backing file aside (what is not in the image reads as zeroes).
Result<std::unique_ptr<Qcow2>> open_qcow2(const std::string& path, HostFile::Access access, bool with_backing,
                                          bool repairing = false);

// Where an image's backing file is: names are relative to the image's folder. Error: not a file's name.
Result<std::string> backing_path(const std::string& image, const std::string& backing);

}  // namespace mynah
