// An image of any format: a medium, and what tools want to know of it.
#pragma once

#include "base/block_backend.h"

namespace mynah {

class DiskImage : public BlockBackend {
  public:
    virtual const char* format() const = 0;
    // Bytes from `offset` on that are known to read as zeroes without looking; 0: look.
    virtual u64 zeroes_at(u64 /*offset*/) { return 0; }

    // Whether devices may offer the guest to give space back.
    void offer_discard(bool on) { discard_ = on; }
    bool can_discard() const final { return discard_ && !read_only(); }

  private:
    bool discard_ = false;
};

}  // namespace mynah
