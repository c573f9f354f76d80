// Images come from anywhere: none may crash mynah, hang it, or make it write what no guest asked for.
#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "block/memory_file.h"
#include "block/qcow2/qcow2.h"

using namespace mynah;
using namespace mynah::test;

namespace {

struct Input {
    const u8* data;
    size_t size;
    u64 next(size_t bytes) {
        u64 v = 0;
        const size_t n = std::min(bytes, size);
        std::memcpy(&v, data, n);
        data += n;
        size -= n;
        return v;
    }
};

// An image with something in it.
std::vector<u8> sound_image(Input& in) {
    qcow2::Header h;
    h.version = in.next(1) & 1 ? 2 : 3;
    h.cluster_bits = 9 + in.next(1) % 5;
    h.refcount_order = h.version == 2 ? 4 : in.next(1) % 7;
    h.size = (1 + in.next(1)) << h.cluster_bits;
    auto file = std::make_unique<MemoryFile>();
    MYNAH_CHECK(Qcow2::create(*file, h).ok());
    auto header = Qcow2::read_header(*file);
    MYNAH_CHECK(header.ok());
    MemoryFile* raw = file.get();
    auto image = Qcow2::open(std::move(file), *header, nullptr);
    MYNAH_CHECK(image.ok());
    const std::vector<u8> data(h.cluster_size(), 0x5A);
    for (u64 i = in.next(1) % 8; i-- > 0;) {
        const u64 at = in.next(1) << h.cluster_bits;
        if (at < h.size)
            (void)((i & 1) ? (*image)->write(at, data).ok() : (*image)->write_compressed(at, data).ok());
    }
    MYNAH_CHECK((*image)->flush().ok());
    return raw->bytes();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, size_t size) {
    Input in{data, size};
    const u64 kind = in.next(1);
    std::vector<u8> bytes;
    if (kind & 1) {
        const size_t n = std::min<size_t>(in.next(2), in.size);
        bytes.assign(in.data, in.data + n);
        in.next(0);
        in.data += n;
        in.size -= n;
        if (bytes.size() >= 4) std::memcpy(bytes.data(), "QFI\xFB", 4);
    } else {
        bytes = sound_image(in);
        // Damage, mostly in tables.
        for (u64 i = in.next(1) % 16; i-- > 0 && !bytes.empty();) {
            const u64 at = in.next(1) & 1 ? in.next(1) : in.next(3);
            const u64 value = in.next(8);
            for (u64 k = 0; k < 8; ++k)
                bytes[(at * 8 + k) % bytes.size()] = static_cast<u8>(value >> (56 - 8 * k));
        }
        if (kind & 2) bytes.resize(in.next(3) % (bytes.size() + 1));
    }
    auto file = std::make_unique<MemoryFile>(std::move(bytes), (kind & 4) != 0);
    file->limit = 16 * MiB;
    auto header = Qcow2::read_header(*file);
    if (!header.ok()) return 0;
    auto image = Qcow2::open(std::move(file), std::move(*header), nullptr, (kind & 8) != 0);
    if (!image.ok()) return 0;
    const u64 disk = (*image)->size();
    std::vector<u8> buffer;
    for (int i = 0; i < 64 && in.size != 0 && disk != 0; ++i) {
        const u64 operation = in.next(1);
        const u64 offset = (operation & 0x80 ? in.next(8) : in.next(2) * 512) % disk / 512 * 512;
        const u64 n = std::min((1 + in.next(1)) * 512, disk - offset);
        buffer.assign(n, static_cast<u8>(operation));
        switch (operation % 7) {
            case 0:
                (void)(*image)->read(offset, buffer).ok();
                break;
            case 1:
                (void)(*image)->discard(offset, n).ok();
                break;
            case 2:
                (void)(*image)->write_zeroes(offset, n).ok();
                break;
            case 3:
                (void)(*image)->flush().ok();
                break;
            case 4:
                MYNAH_CHECK((*image)->zeroes_at(offset) <= disk - offset);
                break;
            default:
                // What could be written is there; several clusters of a damaged image may be one in the file.
                if ((*image)->write(offset, buffer).ok() &&
                    offset % (*image)->header().cluster_size() + n <= (*image)->header().cluster_size()) {
                    std::vector<u8> back(n);
                    MYNAH_CHECK((*image)->read(offset, back).ok() && back == buffer);
                }
        }
    }
    (void)(*image)->check(kind & 16 && !(kind & 4) ? Qcow2::Repair::all : Qcow2::Repair::no).ok();
    return 0;
}
