// qemu-img, whose word on an image is not ours. Tests that need it are skipped where it is not installed.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/types.h"

namespace mynah::test {

bool have_qemu_img();

// Runs `qemu-img ARGUMENTS`; its exit code. `output`: what it said.
int qemu_img(const std::string& arguments, std::string* output = nullptr);

#define REQUIRE_QEMU_IMG() \
    if (!have_qemu_img()) GTEST_SKIP() << "qemu-img is missing (scripts/install-deps --test)"

// A folder that goes with the test.
class Folder : public testing::Test {
  protected:
    Folder();
    ~Folder() override;
    std::string path(const std::string& name) const { return (folder_ / name).string(); }
    std::string write_file(const std::string& name, const std::vector<u8>& bytes) const;
    static std::vector<u8> read_file(const std::string& path);

    std::filesystem::path folder_;
};

}  // namespace mynah::test
