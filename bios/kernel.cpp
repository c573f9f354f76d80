#include "bios/kernel.h"

#include <fmt/format.h>

#include "bios/elf.h"

namespace mynah {

Result<BootImage> load_kernel(const KernelRequest& request) {
    const std::span<const u8> file = request.kernel;
    if (is_linux_image(file)) return load_linux(request);
    if (const auto header = find_multiboot_header(file)) {
        // A 64-bit ELF cannot be entered by multiboot; such kernels have a PVH note too, or an address
        // header.
        const auto elf = looks_like_elf(file) ? parse_elf(file) : Result<ElfFile>(Error{""});
        const bool has_addresses = field<u32>(file, *header + 4) & 0x10000;
        if (!elf.ok() || !elf->is_64 || has_addresses || !pvh_entry(*elf))
            return load_multiboot(request, *header);
    }
    if (looks_like_elf(file)) return load_pvh(request);
    if (file.size() >= 2 && file[0] == 0x1F && file[1] == 0x8B) {
        return Error{
            fmt::format("kernel \"{}\" is compressed with gzip; unpack it with gunzip first", request.name)};
    }
    return Error{fmt::format("kernel \"{}\" is not a bzImage, multiboot or PVH image", request.name)};
}

Error kernel_error(const KernelRequest& request, std::string_view why) {
    if (why.starts_with("it ")) why.remove_prefix(3);
    return Error{fmt::format("kernel \"{}\" {}", request.name, why)};
}

std::vector<std::string> split_modules(std::string_view list) {
    std::vector<std::string> out;
    if (list.empty()) return out;
    out.emplace_back();
    for (size_t i = 0; i < list.size(); ++i) {
        if (list[i] != ',') {
            out.back() += list[i];
        } else if (i + 1 < list.size() && list[i + 1] == ',') {
            out.back() += list[i++];
        } else {
            out.emplace_back();
        }
    }
    return out;
}

}  // namespace mynah
