// The translator by itself, without a processor: regions of code in memory become host code that nobody runs.
// Offsets of the state are made up, so that a listing can name them. x86-64 hosts only.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "jit/x64/translator.h"

namespace mynah::test {

class Translation {
  public:
    // As on a host that has x64::host_overflow_of_last_step(), or not.
    explicit Translation(bool overflow_of_last_step = true);

    // What 32-bit and 64-bit kernels run in: flat segments, SSE and AVX enabled.
    static ModeBits flat_mode(u8 code_size);

    // Finds and translates the region at offset `entry` of `page`, whose RIP is `page_rip`. False if there is
    // nothing to translate.
    bool find(Region& region, const u8* page, u64 page_rip, u32 entry, const ModeBits& mode);
    bool translate(Region& region, const ModeBits& mode);
    // Forgets the call sites and links of what was translated.
    void forget();

    // The listing's addresses are offsets in the buffer.
    std::span<const u8> code() const { return buffer_; }
    static constexpr u32 kRegionAt = 8192;
    // Thunks by offset, and what GS addresses.
    std::string name_of_code(u64 offset) const;
    static std::string name_of_state(u64 offset);

  private:
    RegionFinder finder_;
    std::vector<u8> buffer_;
    x64::StateOffsets offsets_;
    x64::Encoder encoder_;
    x64::Thunks thunks_;
    std::vector<CallSite> sites_;
    std::deque<Link> links_;
    x64::Translator translator_;
};

}  // namespace mynah::test
