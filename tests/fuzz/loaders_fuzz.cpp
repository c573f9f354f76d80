// Kernel files are hostile: no input may crash a loader, and what one accepts must lie in RAM.
#include "base/check.h"
#include "bios/kernel.h"
#include "bios/rom.h"
#include "bios/vga_text.h"

using namespace mynah;

extern "C" int LLVMFuzzerTestOneInput(const u8* data, size_t size) {
    KernelRequest r;
    r.name = "k";
    r.kernel.assign(data, data + size);
    r.command_line = "console=ttyS0";
    r.modules.push_back({Bytes(100), "m"});
    r.e820 = e820_map({32 * MiB, 0}, 8192);
    const auto image = load_kernel(r);
    if (image.ok()) {
        for (const MemorySegment& s : image->segments) {
            MYNAH_CHECK(s.size >= s.data.size());
            MYNAH_CHECK(s.address < 32 * MiB && s.size <= 32 * MiB - s.address);
        }
    }
    (void)make_option_rom("o", r.kernel);
    (void)find_font(r.kernel);
    return 0;
}
