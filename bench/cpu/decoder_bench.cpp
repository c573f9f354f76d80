// decode() on compilers' code, by instruction.
#include <benchmark/benchmark.h>

#include <algorithm>

#include "cpu/decoder.h"
#include "support/code_sample.h"

namespace mynah::bench {
namespace {

void decode_code(benchmark::State& state) {
    const bool wide = state.range(0) == 64;
    const CodeSample sample = c_library(wide);
    if (sample.entries.empty()) return state.SkipWithError("there is no C library of this width");
    const DecodeMode mode{.code_size = static_cast<u8>(wide ? 8 : 4), .descriptors = true};
    // A stretch that stays in the caches.
    const u64 begin = sample.entries[sample.entries.size() / 2];
    const std::span<const u8> code = std::span(sample.bytes).subspan(begin);
    const u64 end = std::min<u64>(64 * KiB, code.size() - 15);
    u64 count = 0;
    for (auto _ : state) {
        for (u64 at = 0; at < end;) {
            Insn insn;
            (void)decode(code.subspan(at), mode, insn);
            benchmark::DoNotOptimize(insn);
            at += std::max<u64>(insn.length, 1);
            ++count;
        }
    }
    state.counters["each"] = benchmark::Counter(static_cast<double>(count),
                                                benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(decode_code)->Arg(64)->Arg(32);

}  // namespace
}  // namespace mynah::bench
