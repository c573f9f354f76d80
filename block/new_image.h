// Image files that are made or made anew: written aside and put in place when all is there, so that a failure
// leaves what was there before.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "block/image.h"

namespace mynah {

class NewImage {
  public:
    // `path`: a new name, or a file that nobody uses and that is going to be replaced. Error: one line.
    static Result<NewImage> begin(const std::string& path);
    NewImage(NewImage&& other) noexcept;
    NewImage(const NewImage&) = delete;
    NewImage& operator=(const NewImage&) = delete;
    NewImage& operator=(NewImage&&) = delete;
    ~NewImage();  // without commit(): nothing has happened

    // The file to write to, once.
    std::unique_ptr<ImageFile> take_file() { return std::move(file_); }
    // What was written is on the storage (see flush()); from here on it has the name.
    Status commit();

  private:
    NewImage(std::string target, std::string aside, std::unique_ptr<ImageFile> file,
             std::optional<HostFile> replaced)
        : target_(std::move(target)),
          aside_(std::move(aside)),
          file_(std::move(file)),
          replaced_(std::move(replaced)) {}

    std::string target_, aside_;
    std::unique_ptr<ImageFile> file_;
    std::optional<HostFile> replaced_;  // keeps it locked
};

struct NewImageOptions {
    ImageFormat format = ImageFormat::raw;
    // qcow2: version, cluster_bits, refcount_order, compression, backing file.
    qcow2::Header header;
    bool compressed = false;
};

// An empty image of `bytes` (a multiple of 512).
Status create_image(const std::string& path, u64 bytes, const NewImageOptions& options);
// A copy of what `source` shows, without its zeroes.
Status convert_image(DiskImage& source, const std::string& path, const NewImageOptions& options);

}  // namespace mynah
