// One ISA DMA channel as a device sees it: request, transfer, terminal count (8237A data sheet,
// DREQ/DACK/TC).
#pragma once

#include <functional>
#include <span>

#include "base/types.h"

namespace mynah {

class DmaChannel {
  public:
    virtual ~DmaChannel() = default;

    enum class Direction : u8 { to_memory, from_memory, verify };
    struct Moved {
        size_t bytes = 0;  // fewer than asked: masked, disabled, wrong direction, or count exhausted
        bool terminal_count = false;  // the count ran out with the last of them
    };

    // The device's DREQ pin, as status registers show it.
    virtual void set_request(bool level) = 0;
    // Whether a transfer would move something now: unmasked, controller enabled, not at terminal count.
    virtual bool ready() const = 0;
    virtual Direction direction() const = 0;
    // Device to memory, for a channel programmed so (or for verify, which moves nothing but counts).
    virtual Moved write(std::span<const u8> data) = 0;
    // Memory to device. Bytes beyond Moved::bytes are left as they are.
    virtual Moved read(std::span<u8> out) = 0;
    // Called when a transfer became possible (unmasked, enabled) while the request pin is on.
    virtual void on_ready(std::function<void()> ready) = 0;
};

}  // namespace mynah
