// Any bytes, any mode: decode() stays within them, and what it returns is consistent.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "cpu/decoder.h"
#include "cpu/insn_table.h"

using namespace mynah;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    static constexpr u8 kSizes[] = {2, 4, 8, 8};
    const DecodeMode mode{kSizes[data[0] & 3], (data[0] & 4) != 0,
                          data[0] & 8 ? ~u64{0} : u64{data[1]} * 0x0101010101010101};
    // An exact copy, so that a read beyond the end is seen.
    const std::vector<u8> code(data + 2, data + size);
    Insn i;
    const DecodeStatus status = decode(code, mode, i);
    MYNAH_CHECK(i.length <= 15 && i.length <= code.size());
    if (status != DecodeStatus::ok) return 0;
    MYNAH_CHECK(i.length > 0 && i.row < insn_table().size() && i.op == row_of(i).op);
    MYNAH_CHECK(i.osize == 1 || i.osize == 2 || i.osize == 4 || i.osize == 8);
    MYNAH_CHECK(i.asize == 2 || i.asize == 4 || i.asize == 8);
    MYNAH_CHECK(i.base <= kRip && i.index <= kNoRegister && i.scale < 4 && i.reg < 20 && i.rm < 20);
    MYNAH_CHECK(!mnemonic(i).empty());
    // The same bytes and nothing behind them decode the same; one byte less is not enough.
    Insn again;
    MYNAH_CHECK(decode(std::span(code).first(i.length), mode, again) == DecodeStatus::ok &&
                again.length == i.length);
    MYNAH_CHECK(decode(std::span(code).first(i.length - 1u), mode, again) == DecodeStatus::truncated);
    return 0;
}
