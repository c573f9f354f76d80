#include "bios/e820.h"

namespace mynah {

namespace {
constexpr u64 kPage = 4096;
}

u64 tables_base(const RamLayout& ram, u64 tables_size) {
    const u64 top = align_down(ram.below_4g, kPage);
    const u64 size = align_up(tables_size, kPage);
    return size < top ? top - size : 0;
}

E820Map e820_map(const RamLayout& ram, u64 tables_size) {
    E820Map map;
    const auto add = [&](u64 base, u64 end, E820Type type) {
        if (end > base) map.push_back({base, end - base, type});
    };
    add(0, std::min(kEbdaBase, ram.below_4g), E820Type::ram);
    add(kEbdaBase, 0xA0000, E820Type::reserved);
    add(kBiosSegment, MiB, E820Type::reserved);
    if (ram.below_4g > MiB) {
        const u64 tables = std::max(tables_base(ram, tables_size), MiB);
        add(MiB, tables, E820Type::ram);
        add(tables, ram.below_4g, E820Type::reserved);
    }
    add(0xFFFC0000, 4 * GiB, E820Type::reserved);  // firmware's flash
    add(4 * GiB, 4 * GiB + ram.above_4g, E820Type::ram);
    return map;
}

E820Map e820_for_firmware(const RamLayout& ram) {
    E820Map map{{0, ram.below_4g, E820Type::ram}};
    if (ram.above_4g) map.push_back({4 * GiB, ram.above_4g, E820Type::ram});
    return map;
}

Bytes e820_bytes(const E820Map& map) {
    ByteBuilder b;
    for (const E820Entry& e : map) {
        b.put64(e.base);
        b.put64(e.length);
        b.put32(static_cast<u32>(e.type));
    }
    return b.take();
}

}  // namespace mynah
