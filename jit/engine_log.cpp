// What people see of translated code: -d out_asm, names for Linux perf.
#include <fmt/format.h>

#include "cpu/decoder.h"
#include "jit/engine.h"

namespace mynah {

namespace {

u32 host_length(std::span<const u8> code) {
    Insn i;
    const DecodeStatus s = decode(code, {.code_size = 8, .descriptors = true}, i);
    return s == DecodeStatus::ok ? i.length : 1;
}

// Where the code of a block ends.
u32 host_end(const Region& r, size_t block) {
    return block + 1 < r.blocks.size() ? r.host_offsets[r.blocks[block + 1].first] : r.stubs_offset;
}

}  // namespace

// A line for each block: start, length, name.
void JitEngine::name_for_perf(const Region& r) {
    for (size_t n = 0; n < r.blocks.size(); ++n) {
        const RegionBlock& b = r.blocks[n];
        const u32 from = r.host_offsets[b.first];
        const u32 to = host_end(r, n);
        fmt::print(perf_map_.get(), "{:x} {:x} guest_{:x}\n", reinterpret_cast<u64>(r.code + from), to - from,
                   r.page_rip + b.begin);
    }
    fmt::print(perf_map_.get(), "{:x} {:x} guest_{:x}_stubs\n",
               reinterpret_cast<u64>(r.code + r.stubs_offset), r.code_bytes - r.stubs_offset, r.key.rip);
    std::fflush(perf_map_.get());
}

void JitEngine::log_code(const Region& r) const {
    const Log& log = core_.log;
    const unsigned bits = mode_bits(r.key.mode).code_size * 8u;
    core_.log.write(fmt::format("region at {:x}, {} instructions, {} bytes of code", r.key.rip,
                                r.insns.size(), r.code_bytes));
    const u8* page = r.key.host - (r.key.rip - r.page_rip);
    const auto host_lines = [&](u32 from, u32 to) {
        while (from < to) {
            const std::string line =
                log.disassemble({r.code + from, to - from}, reinterpret_cast<u64>(r.code + from), 64);
            core_.log.write("    " + line);
            const u32 length = host_length({r.code + from, to - from});
            from += length;
        }
    };
    for (size_t n = 0; n < r.blocks.size(); ++n) {
        const RegionBlock& b = r.blocks[n];
        for (u32 k = b.first; k < b.first + b.count; ++k) {
            const Entry& e = r.insns[k];
            core_.log.write(log.disassemble({page + e.offset, e.insn.length}, r.rip_of(e), bits));
            host_lines(r.host_offsets[k], k + 1 < b.first + b.count ? r.host_offsets[k + 1] : host_end(r, n));
        }
    }
    core_.log.write("  stubs:");
    host_lines(r.stubs_offset, r.code_bytes);
}

}  // namespace mynah
