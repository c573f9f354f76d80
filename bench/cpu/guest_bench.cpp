// What single events cost a guest: 64-bit loops of one kind of thing, interpreted and translated. `each` is
// the time for one of it; the loop's own jump is part of it.
#include <benchmark/benchmark.h>

#include <functional>
#include <string>
#include <vector>

#include "cpu/harness.h"

namespace mynah::bench {
namespace {

using test::Box;
using test::Engine;
using Code = std::vector<u8>;

constexpr u64 kCode = 0x10000, kOther = 0x14000, kHandler = 0x18000, kData = 0x200000, kStack = 0x80000;
constexpr u64 kGdt = 0x1000, kIdt = 0x2000;
// The first GiB is mapped here as well.
constexpr u64 kHigh = 0xFFFF'8000'0000'0000;
constexpr u64 kUnmapped = 0x80'0000'0000;

struct Program {
    std::string name;
    u64 instructions;  // once around the loop
    u64 events;        // likewise
    std::function<void(Box&)> set_up;
    u64 slice = 1'000'000;  // instructions of a call of run()
};

Code repeat(const Code& code, unsigned times) {
    Code out;
    for (unsigned n = 0; n < times; ++n) out.insert(out.end(), code.begin(), code.end());
    return out;
}

// `code` behind its last byte jumps to its first.
Code loop(Code code) {
    const u32 back = 0u - static_cast<u32>(code.size() + 5);
    code.push_back(0xE9);
    for (unsigned n = 0; n < 4; ++n) code.push_back(static_cast<u8>(back >> 8 * n));
    return code;
}

// E8 or E9 from one address to another.
Code near(u8 opcode, u64 from, u64 to) {
    const u32 distance = static_cast<u32>(to - (from + 5));
    Code code{opcode};
    for (unsigned n = 0; n < 4; ++n) code.push_back(static_cast<u8>(distance >> 8 * n));
    return code;
}

Code calls(u64 target, unsigned times) {
    Code code;
    for (unsigned n = 0; n < times; ++n) {
        const Code one = near(0xE8, kCode + code.size(), target);
        code.insert(code.end(), one.begin(), one.end());
    }
    return loop(code);
}

void page_faults(Box& box) {
    box.memory->write(kGdt + 8, 0x00AF'9B00'0000'FFFF, 8);
    box.memory->write(kGdt + 16, 0x00CF'9300'0000'FFFF, 8);
    box.memory->write(kIdt + 14 * 16, 0x0000'8E00'0008'0000 | (kHandler & 0xFFFF) | (kHandler >> 16) << 48,
                      8);
    box.memory->write(kIdt + 14 * 16 + 8, 0, 8);
    CpuState& s = box.state();
    s.gdtr = {kGdt, 0x17};
    s.idtr = {kIdt, 0xFFF};
    s.gpr[rsi] = kUnmapped;
    box.write(kCode, loop(repeat({0x48, 0x8B, 0x06}, 16)));  // mov rax,[rsi]
    // add rsp,8; add qword [rsp],3; iretq
    box.write(kHandler, {0x48, 0x83, 0xC4, 0x08, 0x48, 0x83, 0x04, 0x24, 0x03, 0x48, 0xCF});
}

// mov [f+1],ecx; call f; inc ecx; jmp -- with f: mov eax,imm32; ret
void rewrite(Box& box, u64 f) {
    Code code{0x89, 0x0D};
    const u32 distance = static_cast<u32>(f + 1 - (kCode + 6));
    for (unsigned n = 0; n < 4; ++n) code.push_back(static_cast<u8>(distance >> 8 * n));
    const Code call = near(0xE8, kCode + code.size(), f);
    code.insert(code.end(), call.begin(), call.end());
    code.insert(code.end(), {0xFF, 0xC1});
    box.write(kCode, loop(code));
    box.write(f, {0xB8, 0, 0, 0, 0, 0xC3});
}

std::vector<Program> programs() {
    const auto code = [](const Code& bytes) { return [bytes](Box& box) { box.write(kCode, bytes); }; };
    std::vector<Program> all;
    // add rax,rbx
    all.push_back({"add", 65, 64, code(loop(repeat({0x48, 0x01, 0xD8}, 64)))});
    // mov rax,[rsi+8]
    all.push_back({"tlb_hit_load", 17, 16, code(loop(repeat({0x48, 0x8B, 0x46, 0x08}, 16)))});
    // mov [rdi+8],rax
    all.push_back({"tlb_hit_store", 17, 16, code(loop(repeat({0x48, 0x89, 0x47, 0x08}, 16)))});
    // mov rax,[rax]
    all.push_back({"tlb_hit_chase", 17, 16, [](Box& box) {
                       box.write(kCode, loop(repeat({0x48, 0x8B, 0x00}, 16)));
                       box.memory->write(kData, kData, 8);
                       box.state().gpr[rax] = kData;
                   }});
    // mov rax,[rsi]; mov rax,[rdi]: both need the same entry
    all.push_back({"tlb_miss", 17, 16, [](Box& box) {
                       box.write(kCode, loop(repeat({0x48, 0x8B, 0x06, 0x48, 0x8B, 0x07}, 8)));
                       box.state().gpr[rdi] = kHigh + kData;
                   }});
    // There and back.
    all.push_back({"jump_to_page", 2, 2, [](Box& box) {
                       box.write(kCode, near(0xE9, kCode, kOther));
                       box.write(kOther, near(0xE9, kOther, kCode));
                   }});
    // jmp rbx; jmp rdx
    all.push_back({"jump_indirect", 2, 2, [](Box& box) {
                       box.write(kCode, {0xFF, 0xE3});
                       box.write(kOther + 0x40, {0xFF, 0xE2});
                       box.state().gpr[rbx] = kOther + 0x40;
                       box.state().gpr[rdx] = kCode;
                   }});
    // A linked call: in the page.
    all.push_back({"call_ret_linked", 17, 8, [](Box& box) {
                       box.write(kCode, calls(kCode + 0x200, 8));
                       box.write(kCode + 0x200, {0xC3});
                   }});
    all.push_back({"call_ret_to_page", 17, 8, [](Box& box) {
                       box.write(kCode, calls(kOther + 0x200, 8));
                       box.write(kOther + 0x200, {0xC3});
                   }});
    // call rbx
    all.push_back({"call_ret_indirect", 17, 8, [](Box& box) {
                       box.write(kCode, loop(repeat({0xFF, 0xD3}, 8)));
                       box.write(kOther + 0x200, {0xC3});
                       box.state().gpr[rbx] = kOther + 0x200;
                   }});
    // run() of one block: the run loop, entering, 16 instructions, leaving.
    all.push_back({"enter_exit", 16, 1, code(loop(repeat({0x48, 0x01, 0xD8}, 15))), 16});
    // str eax: one that the interpreter executes
    all.push_back({"call_out", 17, 16, code(loop(repeat({0x0F, 0x00, 0xC8}, 16)))});
    // mov [rdi],eax, in a page with code elsewhere
    all.push_back({"write_beside_code", 17, 16, [](Box& box) {
                       box.write(kCode, loop(repeat({0x89, 0x07}, 16)));
                       box.state().gpr[rdi] = kCode + 0x800;
                   }});
    all.push_back({"write_code_in_own_page", 6, 1, [](Box& box) { rewrite(box, kCode + 0x200); }});
    all.push_back({"write_code_elsewhere", 6, 1, [](Box& box) { rewrite(box, kOther + 0x200); }});
    all.push_back({"page_fault", 16 * 3 + 1, 16, page_faults});
    // mov cr3,rax
    all.push_back({"cr3_load", 17, 16, [](Box& box) {
                       box.write(kCode, loop(repeat({0x0F, 0x22, 0xD8}, 16)));
                       box.state().gpr[rax] = box.state().cr3;
                   }});
    return all;
}

void run_program(benchmark::State& state, const Program& p, Engine engine) {
    if (engine == Engine::jit && !Jit::supported()) return state.SkipWithError("no translator on this host");
    // Code has to be hot as in a machine: where it is written again and again that makes the difference.
    Box box(16 * MiB, "max", engine, {}, Cpu::kHeat);
    box.flat(8);
    CpuState& s = box.state();
    s.rip = kCode;
    s.gpr[rsi] = s.gpr[rdi] = kData;
    s.gpr[rsp] = kStack;
    p.set_up(box);
    box.cpu->state_changed();
    if (box.cpu->run(100 * p.instructions) != Exit::budget) return state.SkipWithError("the loop ended");
    const u64 before = box.cpu->instructions();
    for (auto _ : state) benchmark::DoNotOptimize(box.cpu->run(p.slice));
    const double around =
        static_cast<double>(box.cpu->instructions() - before) / static_cast<double>(p.instructions);
    if (around < 1) return state.SkipWithError("the loop ended");
    state.counters["each"] = benchmark::Counter(around * static_cast<double>(p.events),
                                                benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

const bool registered = [] {
    for (const Program& p : programs()) {
        for (const Engine engine : {Engine::interp, Engine::jit}) {
            const std::string name = "guest/" + p.name + (engine == Engine::jit ? "/jit" : "/interp");
            benchmark::RegisterBenchmark(
                name.c_str(), [p, engine](benchmark::State& state) { run_program(state, p, engine); });
        }
    }
    return true;
}();

}  // namespace
}  // namespace mynah::bench
