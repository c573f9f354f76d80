#include "devices/virtio/queue.h"

#include <bit>

namespace mynah {

namespace {

constexpr u16 kNext = 1, kWrite = 2, kIndirect = 4;
constexpr u16 kNoInterrupt = 1;  // of the available ring
constexpr u16 kNoNotify = 1;     // of the used ring
constexpr u32 kDescriptor = 16, kUsedElement = 8;
// Offsets in both rings.
constexpr u64 kIndex = 2, kRing = 4;

struct Descriptor {
    u64 address;
    u32 length;
    u16 flags, next;
};

Descriptor load_descriptor(VirtioMemory& memory, u64 at) {
    u8 raw[kDescriptor];
    memory.read(at, raw);
    return {load_le<u64>(raw), load_le<u32>(raw + 8), load_le<u16>(raw + 12), load_le<u16>(raw + 14)};
}

// No ring may reach over the end of the address space.
u64 ring_address(u64 address, u64 alignment) {
    return address & ~(alignment - 1) & ((u64{1} << 56) - 1);
}

}  // namespace

void VirtioQueue::set_size(u16 size) {
    if (!enabled_ && std::has_single_bit(size) && size <= most_) size_ = size;
}

void VirtioQueue::set_descriptors(u64 address) {
    if (!enabled_) descriptors_ = ring_address(address, 16);
}

void VirtioQueue::set_available(u64 address) {
    if (!enabled_) available_ = ring_address(address, 2);
}

void VirtioQueue::set_used(u64 address) {
    if (!enabled_) used_ = ring_address(address, 4);
}

bool VirtioQueue::empty(VirtioMemory& memory) const {
    return memory.load<u16>(available_ + kIndex) == next_available_;
}

VirtioQueue::Next VirtioQueue::pop(VirtioMemory& memory, VirtioRingFeatures features, VirtioChain& chain) {
    const u16 waiting = static_cast<u16>(memory.load<u16>(available_ + kIndex) - next_available_);
    if (waiting == 0) return Next::none;
    if (waiting > size_) return Next::broken;
    const u16 head = memory.load<u16>(available_ + kRing + 2u * (next_available_ & (size_ - 1u)));
    if (!follow(memory, features, head, chain)) return Next::broken;
    ++next_available_;
    return Next::chain;
}

bool VirtioQueue::follow(VirtioMemory& memory, VirtioRingFeatures features, u16 head, VirtioChain& chain) {
    chain.head = head;
    chain.readable.clear();
    chain.writable.clear();
    chain.readable_bytes = chain.writable_bytes = 0;
    return head < size_ && follow(memory, descriptors_, size_, head, features.indirect, chain);
}

// A chain in one table. False: it has a loop, leaves the table, or is otherwise malformed (2.4.5).
bool VirtioQueue::follow(VirtioMemory& memory, u64 table, u32 entries, u32 at, bool may_indirect,
                         VirtioChain& chain) {
    for (u32 count = 0;; ++count) {
        if (at >= entries || count >= entries) return false;
        const Descriptor d = load_descriptor(memory, table + u64{at} * kDescriptor);
        if (d.address + d.length < d.address) return false;
        if (d.flags & kIndirect) {
            // The last of its chain, and none within an indirect table (2.4.5.3.1).
            const u32 inner = d.length / kDescriptor;
            if (!may_indirect || (d.flags & kNext) || inner == 0 || d.length % kDescriptor != 0) return false;
            return follow(memory, d.address, inner, 0, false, chain);
        }
        const bool writable = (d.flags & kWrite) != 0;
        if (!writable && !chain.writable.empty()) return false;
        if (d.length != 0) {
            if (chain.readable.size() + chain.writable.size() >= kMostSegments) return false;
            (writable ? chain.writable : chain.readable).push_back({d.address, d.length});
            (writable ? chain.writable_bytes : chain.readable_bytes) += d.length;
        } else if (count >= kMostSegments) {
            return false;
        }
        if (!(d.flags & kNext)) return true;
        at = d.next;
    }
}

void VirtioQueue::push(VirtioMemory& memory, u16 head, u32 written) {
    u8 element[kUsedElement];
    store_le(element, u32{head});
    store_le(element + 4, written);
    memory.write(used_ + kRing + u64{kUsedElement} * (used_index_ & (size_ - 1u)), element);
    ++used_index_;
}

bool VirtioQueue::publish(VirtioMemory& memory, VirtioRingFeatures features) {
    if (used_index_ == published_) return false;
    const u16 before = published_;
    published_ = used_index_;
    memory.store<u16>(used_ + kIndex, used_index_);
    if (!features.event_index) return !(memory.load<u16>(available_) & kNoInterrupt);
    // 2.4.7.2: when the index passed the one that the driver waits for.
    const u16 event = memory.load<u16>(available_ + kRing + 2u * size_);
    return static_cast<u16>(used_index_ - event - 1) < static_cast<u16>(used_index_ - before);
}

void VirtioQueue::want_notifications(VirtioMemory& memory, VirtioRingFeatures features, bool wanted) {
    if (features.event_index) {
        // An event index in the past asks for none.
        if (wanted)
            memory.store<u16>(used_ + kRing + u64{kUsedElement} * size_,
                              memory.load<u16>(available_ + kIndex));
    } else {
        memory.store<u16>(used_, wanted ? 0 : kNoNotify);
    }
}

void VirtioQueue::reset() {
    *this = VirtioQueue(most_);
}

void VirtioQueue::visit(Archive& ar) {
    ar.all(size_, enabled_, vector_, descriptors_, available_, used_, next_available_, used_index_,
           published_);
    if (!ar.loading()) return;
    if (!std::has_single_bit(size_) || size_ > most_) {
        ar.fail("virtqueue out of range");
        reset();
    }
    descriptors_ = ring_address(descriptors_, 16);
    available_ = ring_address(available_, 2);
    used_ = ring_address(used_, 4);
}

}  // namespace mynah
