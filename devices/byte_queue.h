// A small fixed first-in first-out buffer of bytes.
#pragma once

#include <array>

#include "base/archive.h"
#include "base/types.h"

namespace mynah {

template <unsigned capacity>
class ByteQueue {
  public:
    bool empty() const { return count_ == 0; }
    unsigned size() const { return count_; }
    unsigned room() const { return capacity - count_; }
    void clear() { head_ = count_ = 0; }
    // Dropped when full.
    void push(u8 byte) {
        if (count_ < capacity) bytes_[(head_ + count_++) % capacity] = byte;
    }
    // 0 when empty.
    u8 pop() {
        if (empty()) return 0;
        const u8 byte = bytes_[head_];
        head_ = static_cast<u8>((head_ + 1) % capacity);
        --count_;
        return byte;
    }
    void replace_last(u8 byte) {
        if (!empty()) bytes_[(head_ + count_ - 1) % capacity] = byte;
    }
    void visit(Archive& ar) {
        ar.all(bytes_, head_, count_);
        if (head_ >= capacity || count_ > capacity) {
            ar.fail("queue out of range");
            clear();
        }
    }

  private:
    static_assert(capacity > 0 && capacity < 256);
    std::array<u8, capacity> bytes_{};
    u8 head_ = 0;
    u8 count_ = 0;
};

}  // namespace mynah
