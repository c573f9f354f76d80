// A vector that is filled and emptied over and over: what was in it stays until it is written again, and its
// growth is not in line.
#pragma once

#include <vector>

#include "base/types.h"

namespace mynah {

template <class T>
class ReusedList {
  public:
    u32 size() const { return size_; }
    bool empty() const { return size_ == 0; }
    void clear() { size_ = 0; }
    // One more: as something was that has been here before.
    T& next() {
        if (size_ == room_) [[unlikely]]
            grow();
        return items_[size_++];
    }
    // The same, `n` more in a row.
    T* next(u32 n) {
        while (room_ - size_ < n) grow();
        size_ += n;
        return end() - n;
    }
    // By value: what is in line keeps nothing for after the growth.
    void push_back(T item) {
        if (size_ == room_) [[unlikely]]
            return grow_for(item);
        items_[size_++] = item;
    }
    void pop_back() { --size_; }

    T& operator[](u32 n) { return items_[n]; }
    const T& operator[](u32 n) const { return items_[n]; }
    T& back() { return items_[size_ - 1]; }
    T* begin() { return items_.data(); }
    T* end() { return items_.data() + size_; }

  private:
    [[gnu::noinline]] void grow_for(T item) {
        grow();
        items_[size_++] = item;
    }
    [[gnu::noinline]] void grow() {
        room_ = room_ == 0 ? 1024 : 2 * room_;
        items_.resize(room_);
    }

    std::vector<T> items_;
    u32 size_ = 0, room_ = 0;
};

}  // namespace mynah
