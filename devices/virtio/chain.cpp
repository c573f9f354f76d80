#include "devices/virtio/chain.h"

#include <algorithm>

namespace mynah {

VirtioCursor::VirtioCursor(VirtioMemory& memory, std::span<const VirtioSegment> segments)
    : memory_(memory), segments_(segments) {
    for (const VirtioSegment& s : segments) left_ += s.length;
}

template <class Each>
u64 VirtioCursor::walk(u64 bytes, Each each) {
    u64 done = 0;
    while (done < bytes && !segments_.empty()) {
        const VirtioSegment& s = segments_.front();
        const u64 n = std::min(bytes - done, s.length - offset_);
        each(s.address + offset_, done, n);
        done += n;
        offset_ += n;
        if (offset_ < s.length) break;
        segments_ = segments_.subspan(1);
        offset_ = 0;
    }
    left_ -= done;
    return done;
}

u64 VirtioCursor::read(std::span<u8> out) {
    return walk(out.size(), [&](u64 address, u64 at, u64 n) { memory_.read(address, out.subspan(at, n)); });
}

u64 VirtioCursor::write(std::span<const u8> data) {
    return walk(data.size(),
                [&](u64 address, u64 at, u64 n) { memory_.write(address, data.subspan(at, n)); });
}

u64 VirtioCursor::skip(u64 bytes) {
    return walk(bytes, [](u64, u64, u64) {});
}

std::span<u8> VirtioCursor::in_place(u64 most) const {
    if (segments_.empty()) return {};
    const VirtioSegment& s = segments_.front();
    return memory_.in_place(s.address + offset_, std::min(most, s.length - offset_));
}

void VirtioCursor::wrote_in_place(u64 bytes) {
    walk(bytes, [&](u64 address, u64, u64 n) { memory_.wrote(address, n); });
}

}  // namespace mynah
