#include "devices/virtio/memory.h"

#include <algorithm>
#include <cstring>

namespace mynah {

namespace {

u64 to_page_end(u64 address, u64 length) {
    return std::min(length, kPageSize - (address & kPageMask));
}

u64 page_of(u64 address) {
    return address & ~kPageMask;
}

}  // namespace

void VirtioMemory::read(u64 address, std::span<u8> out) const {
    while (!out.empty()) {
        const u64 n = to_page_end(address, out.size());
        const u8* host = map_.read_target(page_of(address)).host;
        if (host != nullptr) {
            std::memcpy(out.data(), host + (address & kPageMask), n);
        } else {
            std::memset(out.data(), 0xFF, n);
        }
        address += n;
        out = out.subspan(n);
    }
}

void VirtioMemory::write(u64 address, std::span<const u8> data) {
    while (!data.empty()) {
        const u64 n = to_page_end(address, data.size());
        if (map_.write_target(page_of(address)).host != nullptr) map_.write(address, data.first(n));
        address += n;
        data = data.subspan(n);
    }
}

std::span<u8> VirtioMemory::in_place(u64 address, u64 length) const {
    const auto both = [this](u64 page) -> u8* {
        u8* host = map_.write_target(page).host;
        return host != nullptr && map_.read_target(page).host == host ? host : nullptr;
    };
    u8* const first = both(page_of(address));
    if (first == nullptr || length == 0) return {};
    u64 n = to_page_end(address, length);
    while (n < length && both(address + n) == first + (address & kPageMask) + n)
        n += std::min(length - n, kPageSize);
    return {first + (address & kPageMask), n};
}

void VirtioMemory::wrote(u64 address, u64 length) {
    while (length != 0) {
        const u64 n = to_page_end(address, length);
        map_.notify_written(address, n);
        address += n;
        length -= n;
    }
}

}  // namespace mynah
