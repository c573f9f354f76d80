// Guest code to host code, by guest instruction: the functions of the C library, each a region of its own.
#include <benchmark/benchmark.h>

#include "cpu/decoder.h"
#include "support/code_sample.h"
#include "support/translation.h"

namespace mynah::bench {
namespace {

enum class Part : u8 { find, whole };

void per_instruction(benchmark::State& state, u64 instructions, u64 regions, u64 guest_bytes,
                     u64 host_bytes) {
    state.counters["each"] = benchmark::Counter(static_cast<double>(instructions),
                                                benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
    state.counters["insns/region"] = static_cast<double>(instructions) / static_cast<double>(regions);
    if (host_bytes != 0)
        state.counters["host/guest"] = static_cast<double>(host_bytes) / static_cast<double>(guest_bytes);
}

void translate_code(benchmark::State& state, Part part) {
    const bool wide = state.range(0) == 64;
    const CodeSample sample = c_library(wide);
    if (sample.entries.empty()) return state.SkipWithError("there is no C library of this width");
    test::Translation translation;
    const ModeBits mode = test::Translation::flat_mode(wide ? 8 : 4);
    // Every eighth function: code from all over, without having the host's caches decide.
    constexpr u64 kEvery = 8;
    u64 instructions = 0, regions = 0, guest_bytes = 0, host_bytes = 0;
    for (auto _ : state) {
        for (u64 n = 0; n < sample.entries.size(); n += kEvery) {
            const u64 page = sample.entries[n] & ~kPageMask;
            Region region;
            if (!translation.find(region, &sample.bytes[page], sample.address + page,
                                  static_cast<u32>(sample.entries[n] - page), mode))
                continue;
            if (part == Part::whole && !translation.translate(region, mode)) continue;
            ++regions;
            instructions += region.insns.size();
            host_bytes += region.code_bytes;
            for (const RegionBlock& b : region.blocks) guest_bytes += b.end - b.begin;
        }
        translation.forget();
    }
    per_instruction(state, instructions, regions, guest_bytes, host_bytes);
}
BENCHMARK_CAPTURE(translate_code, find_region, Part::find)->Arg(64)->Arg(32);
BENCHMARK_CAPTURE(translate_code, whole, Part::whole)->Arg(64)->Arg(32);

}  // namespace
}  // namespace mynah::bench
