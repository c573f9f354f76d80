// Counts the accesses to a medium, for the light of the drive.
#pragma once

#include <memory>

#include "base/block_backend.h"

namespace mynah {

class MeteredDisk final : public BlockBackend {
  public:
    // `accesses` outlives the object.
    MeteredDisk(std::unique_ptr<BlockBackend> medium, u64& accesses)
        : medium_(std::move(medium)), accesses_(accesses) {}

    u64 size() const override { return medium_->size(); }
    bool read_only() const override { return medium_->read_only(); }
    Status read(u64 offset, std::span<u8> out) override {
        ++accesses_;
        return medium_->read(offset, out);
    }
    Status write(u64 offset, std::span<const u8> data) override {
        ++accesses_;
        return medium_->write(offset, data);
    }
    Status flush() override { return medium_->flush(); }
    bool can_discard() const override { return medium_->can_discard(); }
    Status discard(u64 offset, u64 bytes) override { return medium_->discard(offset, bytes); }

    void will_read(u64 offset, u64 bytes) override { medium_->will_read(offset, bytes); }
    void will_flush() override { medium_->will_flush(); }
    bool busy() const override { return medium_->busy(); }
    Status settle() override { return medium_->settle(); }

    void start(const std::shared_ptr<DiskRequest>& request) override {
        if (request->kind != DiskRequest::Kind::flush) ++accesses_;
        medium_->start(request);
    }
    bool ended(const DiskRequest& request) override { return medium_->ended(request); }
    bool waits() const override { return medium_->waits(); }
    void wait_for_started() override { medium_->wait_for_started(); }
    bool read_at_once(u64 offset, std::span<u8> out) override {
        if (!medium_->read_at_once(offset, out)) return false;
        ++accesses_;
        return true;
    }

  private:
    std::unique_ptr<BlockBackend> medium_;
    u64& accesses_;
};

}  // namespace mynah
