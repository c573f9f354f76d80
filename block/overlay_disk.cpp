#include "block/overlay_disk.h"

#include <algorithm>

namespace mynah {

Status OverlayDisk::read(u64 offset, std::span<u8> out) {
    while (!out.empty()) {
        const u64 number = offset / kCluster;
        const u64 within = offset % kCluster;
        auto it = clusters_.lower_bound(number);
        u64 n = std::min<u64>(out.size(), kCluster - within);
        if (it != clusters_.end() && it->first == number) {
            std::copy_n(it->second->begin() + static_cast<std::ptrdiff_t>(within), n, out.begin());
        } else {
            // Up to the next written cluster in one go.
            n = it == clusters_.end() ? out.size() : std::min<u64>(out.size(), it->first * kCluster - offset);
            const Status status = base_->read(offset, out.first(n));
            if (!status) return status;
        }
        offset += n;
        out = out.subspan(n);
    }
    return Ok{};
}

Status OverlayDisk::write(u64 offset, std::span<const u8> data) {
    while (!data.empty()) {
        const u64 number = offset / kCluster;
        const u64 within = offset % kCluster;
        const u64 n = std::min<u64>(data.size(), kCluster - within);
        std::unique_ptr<Cluster>& cluster = clusters_[number];
        if (!cluster) {
            auto fresh = std::make_unique<Cluster>();
            const u64 length = std::min(kCluster, size() - number * kCluster);
            const Status status = n == kCluster
                                      ? Status(Ok{})
                                      : base_->read(number * kCluster, std::span(*fresh).first(length));
            if (!status) {
                clusters_.erase(number);
                return status;
            }
            cluster = std::move(fresh);
        }
        std::copy_n(data.begin(), n, cluster->begin() + static_cast<std::ptrdiff_t>(within));
        offset += n;
        data = data.subspan(n);
    }
    return Ok{};
}

void OverlayDisk::visit(Archive& ar) {
    ar.section("overlay");
    u64 bytes = size();
    u64 count = clusters_.size();
    ar.all(bytes, count);
    if (bytes != size()) return ar.fail("made with an image of another size");
    if (count > bytes / kCluster + 1) return ar.fail("more clusters than the image has");
    if (!ar.loading()) {
        for (auto& [number, cluster] : clusters_) {
            u64 n = number;
            ar(n);
            ar.bytes(cluster->data(), cluster->size());
        }
        return;
    }
    if (!ar.ok()) return;
    std::map<u64, std::unique_ptr<Cluster>> loaded;
    for (u64 i = 0; i < count && ar.ok(); ++i) {
        u64 number = 0;
        auto cluster = std::make_unique<Cluster>();
        ar(number);
        ar.bytes(cluster->data(), cluster->size());
        if (number * kCluster >= bytes || number > bytes) return ar.fail("cluster beyond the image");
        loaded.emplace(number, std::move(cluster));
    }
    if (ar.ok()) clusters_ = std::move(loaded);
}

}  // namespace mynah
