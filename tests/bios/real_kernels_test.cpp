// The loaders against Debian's kernels, where scripts/guests has fetched them.
#include <gtest/gtest.h>

#include "bios/files.h"
#include "bios/kernel.h"

namespace mynah {
namespace {

struct Case {
    const char* path;
    const char* format;  // the beginning of BootImage::format

    friend void PrintTo(const Case& c, std::ostream* out) { *out << c.path; }
};

class RealKernels : public ::testing::TestWithParam<Case> {};

TEST_P(RealKernels, Load) {
    const std::string path = std::string("build/guests/") + GetParam().path;
    auto file = read_file(path, "kernel", GiB);
    if (!file.ok()) GTEST_SKIP() << path << " is not there; scripts/guests fetches it";
    KernelRequest r;
    r.name = path;
    r.kernel = std::move(*file);
    r.command_line = "console=ttyS0";
    r.modules.push_back({Bytes(4 * MiB), "initrd"});
    r.e820 = e820_map({512 * MiB, 0}, 65536);
    auto image = load_kernel(r);
    ASSERT_TRUE(image.ok()) << image.error().message;
    EXPECT_TRUE(image->format.starts_with(GetParam().format)) << image->format;
    // Nothing overlaps, and everything lies in RAM.
    for (size_t i = 0; i < image->segments.size(); ++i) {
        const MemorySegment& a = image->segments[i];
        EXPECT_TRUE(std::any_of(r.e820.begin(), r.e820.end(), [&](const E820Entry& e) {
            return e.type == E820Type::ram && a.address >= e.base && a.address + a.size <= e.end();
        })) << a.name;
        for (size_t j = 0; j < i; ++j) {
            const MemorySegment& b = image->segments[j];
            EXPECT_TRUE(a.address >= b.address + b.size || b.address >= a.address + a.size)
                << a.name << ' ' << b.name;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(
    Debian, RealKernels,
    ::testing::Values(Case{"kernels/amd64-6.1", "bzImage, boot protocol 2.15, 64-bit"},
                      Case{"kernels/amd64-6.12", "bzImage, boot protocol 2.15, 64-bit"},
                      Case{"kernels/i386-686", "bzImage, boot protocol 2.15, 32-bit"},
                      Case{"kernels/i386-686-pae", "bzImage, boot protocol 2.15, 32-bit"},
                      Case{"kernels/vmlinux-amd64-6.1", "PVH, ELF64"},
                      Case{"memtest/memtest86+x64.bin", "bzImage"},
                      Case{"memtest/memtest86+ia32.bin", "bzImage"}, Case{"xen/xen", "multiboot, ELF32"}));

}  // namespace
}  // namespace mynah
