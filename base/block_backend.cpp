#include "base/block_backend.h"

#include <algorithm>

namespace mynah {

namespace {

constexpr u64 kZeroesAtOnce = 64 * KiB;

Status write_zeroes(BlockBackend& medium, u64 offset, u64 bytes) {
    const std::vector<u8> zeroes(std::min(bytes, kZeroesAtOnce));
    while (bytes != 0) {
        const u64 n = std::min<u64>(bytes, zeroes.size());
        if (Status s = medium.write(offset, std::span(zeroes).first(n)); !s) return s;
        offset += n;
        bytes -= n;
    }
    return Ok{};
}

}  // namespace

void BlockBackend::carry_out(DiskRequest& r) {
    r.result = Ok{};
    switch (r.kind) {
        // Media are not asked for nothing.
        case DiskRequest::Kind::read:
            if (r.bytes != 0) r.result = read(r.offset, std::span(r.data).first(r.bytes));
            return;
        case DiskRequest::Kind::write:
            if (r.bytes != 0) r.result = write(r.offset, std::span(r.data).first(r.bytes));
            break;
        case DiskRequest::Kind::zero:
            r.result = write_zeroes(*this, r.offset, r.bytes);
            break;
        case DiskRequest::Kind::flush:
            r.result = flush();
            return;
    }
    if (r.result && r.then_flush) r.result = flush();
}

void BlockBackend::start(const std::shared_ptr<DiskRequest>& request) {
    carry_out(*request);
    request->ended = true;
}

}  // namespace mynah
