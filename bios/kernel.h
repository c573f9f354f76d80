// Direct boot of a kernel file, whatever its format: Linux bzImage, multiboot 1, PVH ELF.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bios/boot_image.h"
#include "bios/e820.h"

namespace mynah {

// An initial RAM disk or multiboot module, with the words that follow its name in -initrd.
struct BootModule {
    Bytes data;
    std::string command_line;  // "name args"
};

struct KernelRequest {
    std::string name;  // as the user gave it, for messages
    Bytes kernel;
    std::string command_line;
    std::vector<BootModule> modules;
    E820Map e820;
    PhysicalAddress rsdp = 0;       // 0: no ACPI
    bool cpu_has_long_mode = true;  // takes a kernel's 64-bit entry where it has one
};

// Places kernel, modules and parameters in RAM. Errors are whole sentences that name the file.
Result<BootImage> load_kernel(const KernelRequest& request);

// The single loaders; load_kernel() chooses by what the file is.
bool is_linux_image(std::span<const u8> file);
Result<BootImage> load_linux(const KernelRequest& request);
// Offset of a multiboot header in the first 8 KiB.
std::optional<u64> find_multiboot_header(std::span<const u8> file);
Result<BootImage> load_multiboot(const KernelRequest& request, u64 header);
Result<BootImage> load_pvh(const KernelRequest& request);

// 'kernel "name" <why>'; a leading "it " of `why` goes.
Error kernel_error(const KernelRequest& request, std::string_view why);

// Splits -initrd "a args,b args" at commas (a doubled comma is a literal one).
std::vector<std::string> split_modules(std::string_view list);

}  // namespace mynah
