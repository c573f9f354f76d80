// Writing host instructions, the mix of one guest load with its look-up in the TLB, a flags store and a jump:
// the encoder here, and asmjit's Assembler where that is installed.
#include <benchmark/benchmark.h>

#include <vector>

#include "jit/x64/encoder.h"

#ifdef MYNAH_HAVE_ASMJIT
#include <asmjit/x86.h>
#endif

namespace mynah::bench {
namespace {

constexpr u64 kRepeats = 64, kEach = 13;
constexpr i32 kState = 0x1234;

void count(benchmark::State& state) {
    state.counters["each"] = benchmark::Counter(static_cast<double>(state.iterations() * kRepeats * kEach),
                                                benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void emit_own(benchmark::State& state) {
    using namespace x64;
    std::vector<u8> buffer(64 * KiB);
    Encoder e;
    for (auto _ : state) {
        e.start(buffer.data(), buffer.data() + buffer.size());
        for (u64 n = 0; n < kRepeats; ++n) {
            const Label miss = e.label();
            e.byte(0x9F);                                             // LAHF
            e.rr({.byte = 0x90, .map = 1, .byte_rm = true}, 0, RAX);  // SETO AL
            e.store(in_state(kState), RAX, false);
            e.lea(RAX, {.base = RBX, .index = RDI, .scale = 2, .disp = 24});
            e.rorx(RCX, RAX, 8, false);
            e.alu(4, RCX, in_state(kState + 8), false);
            e.alu(0, RCX, in_state(kState + 16));
            e.alu(5, RAX, at(RCX));
            e.alu_imm(7, RAX, 0xFF8);
            e.jcc(kA, miss);
            e.alu(0, RAX, at(RCX, 8));
            e.load(RDX, at(RAX));
            e.bind(miss);
            e.vex_rm({.byte = 0x58, .map = 1, .prefix = 0xF2}, 3, 4, at(RAX, 16));  // VADDSD
        }
        e.resolve();
        benchmark::DoNotOptimize(buffer.data());
    }
    count(state);
}
BENCHMARK(emit_own);

#ifdef MYNAH_HAVE_ASMJIT
void emit_asmjit(benchmark::State& state) {
    using namespace asmjit;
    using namespace asmjit::x86;
    CodeHolder holder;
    Assembler a;
    const Environment environment = Environment::host();
    const auto in_gs = [](i32 disp, u32 size) {
        Mem m(u64{static_cast<u32>(disp)}, size);
        m.setSegment(gs);
        m.setAddrType(Mem::AddrType::kAbs);
        return m;
    };
    for (auto _ : state) {
        holder.init(environment);
        holder.attach(&a);
        for (u64 n = 0; n < kRepeats; ++n) {
            const asmjit::Label miss = a.newLabel();
            a.lahf();
            a.seto(al);
            a.mov(in_gs(kState, 4), eax);
            a.lea(rax, ptr(rbx, rdi, 2, 24));
            a.rorx(ecx, eax, 8);
            a.and_(ecx, in_gs(kState + 8, 4));
            a.add(rcx, in_gs(kState + 16, 8));
            a.sub(rax, ptr(rcx));
            a.cmp(rax, 0xFF8);
            a.ja(miss);
            a.add(rax, ptr(rcx, 8));
            a.mov(rdx, ptr(rax));
            a.bind(miss);
            a.vaddsd(xmm3, xmm4, ptr(rax, 16));
        }
        benchmark::DoNotOptimize(a.bufferPtr());
        holder.reset();
    }
    count(state);
}
BENCHMARK(emit_asmjit);
#endif

}  // namespace
}  // namespace mynah::bench
