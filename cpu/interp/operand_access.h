// Operands for the functions that are not hot enough for code of their own per form.
#pragma once

#include "cpu/core.h"

namespace mynah {

template <class T>
[[nodiscard]] bool read_rm(Core& c, const Insn& i, T& v) {
    if (i.memory()) return c.load_operand<T>(i, v);
    v = c.reg<T>(i.rm);
    return true;
}

template <class T>
[[nodiscard]] bool write_rm(Core& c, const Insn& i, T v) {
    if (i.memory()) return c.store_operand<T>(i, v);
    c.set_reg<T>(i.rm, v);
    return true;
}

// Read, then write at the same place. After begin() succeeded nothing faults.
template <class T>
class Update {
  public:
    Update(Core& c, const Insn& i) : c_(c), i_(i) {}
    [[nodiscard]] bool begin(T& v) {
        if (i_.memory()) return begin_at(i_.seg, c_.effective_address(i_), v);
        v = c_.reg<T>(i_.rm);
        return true;
    }
    [[nodiscard]] bool begin_at(Seg seg, u64 offset, T& v) {
        place_ = c_.fast_store(seg, offset, sizeof(T));
        if (place_ != nullptr) {
            v = load_le<T>(place_);
            return true;
        }
        if (!c_.load_for_update_miss(seg, offset, sizeof(T))) return false;
        v = load_le<T>(c_.scratch());
        return true;
    }
    void end(T v) {
        if (!i_.memory()) {
            c_.set_reg<T>(i_.rm, v);
        } else if (place_ != nullptr) {
            store_le(place_, v);
        } else {
            store_le(c_.scratch(), v);
            c_.update_miss(sizeof(T));
        }
    }

  private:
    Core& c_;
    const Insn& i_;
    u8* place_ = nullptr;
};

// f.operator()<T>() for the operand size.
template <class F>
auto by_size(unsigned size, F f) {
    switch (size) {
        case 1:
            return f.template operator()<u8>();
        case 2:
            return f.template operator()<u16>();
        case 4:
            return f.template operator()<u32>();
        default:
            return f.template operator()<u64>();
    }
}
template <class F>
auto by_word_size(unsigned size, F f) {
    switch (size) {
        case 2:
            return f.template operator()<u16>();
        case 4:
            return f.template operator()<u32>();
        default:
            return f.template operator()<u64>();
    }
}

inline u64 cut_to(u64 v, unsigned size) {
    return size == 8   ? v
           : size == 4 ? static_cast<u32>(v)
           : size == 2 ? static_cast<u16>(v)
                       : static_cast<u8>(v);
}
// A write of `size` bytes to an address register: 2 bytes keep the rest, 4 clear it.
inline void set_sized(Core& c, unsigned n, u64 v, unsigned size) {
    if (size == 2) {
        c.set_reg<u16>(n, static_cast<u16>(v));
    } else {
        c.state.gpr[n] = cut_to(v, size);
    }
}

}  // namespace mynah
