// A split virtqueue as its device sees it (VIRTIO 1.0, 2.4): the driver's descriptors and available ring, the
// device's used ring, all in guest memory and believed in nothing.
#pragma once

#include "base/archive.h"
#include "devices/virtio/chain.h"

namespace mynah {

// Ring features that were negotiated.
struct VirtioRingFeatures {
    bool indirect = false;
    bool event_index = false;
};

class VirtioQueue {
  public:
    // More pieces than this make no buffer: a bound for what one may cost.
    static constexpr unsigned kMostSegments = 1024;
    static constexpr u16 kNoVector = 0xFFFF;

    // `most`: the size offered, a power of two.
    explicit VirtioQueue(u16 most) : most_(most), size_(most) {}

    // --- the transport's registers ---
    u16 size() const { return size_; }
    u64 descriptors() const { return descriptors_; }
    u64 available() const { return available_; }
    u64 used() const { return used_; }
    bool enabled() const { return enabled_; }
    u16 vector() const { return vector_; }
    // All ignored while the queue is enabled, a size that is no power of two or too big always.
    void set_size(u16 size);
    void set_descriptors(u64 address);
    void set_available(u64 address);
    void set_used(u64 address);
    void enable() { enabled_ = true; }
    void set_vector(u16 vector) { vector_ = vector; }

    // --- work ---
    enum class Next : u8 { none, chain, broken };
    // The next buffer. `broken`: the driver wrote what cannot be, and chain is void.
    Next pop(VirtioMemory& memory, VirtioRingFeatures features, VirtioChain& chain);
    // The buffer that begins with descriptor `head`; false: there is none.
    bool follow(VirtioMemory& memory, VirtioRingFeatures features, u16 head, VirtioChain& chain);
    // Puts back the buffer that was popped last.
    void unpop() { --next_available_; }
    // Gives a buffer back, `written` bytes of its writable half filled. The driver sees it after publish().
    void push(VirtioMemory& memory, u16 head, u32 written);
    // Shows what was pushed. True: the driver wants an interrupt for it.
    bool publish(VirtioMemory& memory, VirtioRingFeatures features);
    // Whether no buffer waits.
    bool empty(VirtioMemory& memory) const;
    // Whether the driver should notify of further buffers.
    void want_notifications(VirtioMemory& memory, VirtioRingFeatures features, bool wanted);

    void reset();
    void visit(Archive& ar);

  private:
    bool follow(VirtioMemory& memory, u64 table, u32 entries, u32 at, bool may_indirect, VirtioChain& chain);

    u16 most_;
    u16 size_;
    bool enabled_ = false;
    u16 vector_ = kNoVector;
    u64 descriptors_ = 0, available_ = 0, used_ = 0;
    u16 next_available_ = 0;  // index of the next to pop
    u16 used_index_ = 0;      // what is pushed
    u16 published_ = 0;       // what the driver was shown
};

}  // namespace mynah
