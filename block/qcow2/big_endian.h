// Big-endian numbers in byte strings.
#pragma once

#include "base/types.h"

namespace mynah::qcow2 {

template <class T>
T load_be(const u8* p) {
    T v = 0;
    for (size_t i = 0; i < sizeof v; ++i) v = static_cast<T>(v << 8 | p[i]);
    return v;
}
template <>
inline u8 load_be(const u8* p) {
    return *p;
}

template <class T>
void store_be(u8* p, T v) {
    for (size_t i = sizeof v; i-- > 0; v = static_cast<T>(u64{v} >> 8)) p[i] = static_cast<u8>(v);
}

}  // namespace mynah::qcow2
