// -snapshot: writes stay in memory, over a medium that is only read.
#pragma once

#include <array>
#include <map>
#include <memory>

#include "base/archive.h"
#include "base/block_backend.h"

namespace mynah {

class OverlayDisk final : public BlockBackend {
  public:
    explicit OverlayDisk(std::unique_ptr<BlockBackend> base) : base_(std::move(base)) {}

    u64 size() const override { return base_->size(); }
    bool read_only() const override { return false; }
    Status read(u64 offset, std::span<u8> out) override;
    Status write(u64 offset, std::span<const u8> data) override;
    Status flush() override { return Ok{}; }

    // What was written is part of the machine's state.
    void visit(Archive& ar);

  private:
    static constexpr u64 kCluster = 4096;
    using Cluster = std::array<u8, kCluster>;

    std::unique_ptr<BlockBackend> base_;
    std::map<u64, std::unique_ptr<Cluster>>
        clusters_;  // by cluster number, in order: a snapshot is repeatable
};

}  // namespace mynah
