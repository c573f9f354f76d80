// What no compiler makes: code in registers of a device, more code than any cache holds. (Bytes at random as
// code: sequence_test.cpp.) The engines must agree on all of it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "cpu/harness.h"

namespace mynah::test {
namespace {

std::vector<u8> saved(Box& box) {
    Archive ar;
    box.cpu->visit_state(ar);
    return ar.data();
}

void expect_alike(Box& interpreted, Box& translated) {
    EXPECT_EQ(saved(interpreted), saved(translated))
        << interpreted.cpu->describe_registers() << "translated:\n"
        << translated.cpu->describe_registers();
    EXPECT_TRUE(std::ranges::equal(interpreted.memory->ram(), translated.memory->ram()));
}

// Registers that give another byte of code each time that they are read.
class CodeInRegisters final : public MmioHandler {
  public:
    explicit CodeInRegisters(std::vector<u8> code) : code_(std::move(code)) {}
    u64 read(u64 offset, unsigned width) override {
        ++reads;
        u64 v = 0;
        for (unsigned n = 0; n < width; ++n) v |= u64{byte(offset + n)} << (8 * n);
        return v;
    }
    void write(u64 offset, u64 value, unsigned) override { written ^= value + offset; }
    u64 reads = 0, written = 0;

  private:
    // INC EAX (FF C0) becomes INC ECX (FF C1) in every third read.
    u8 byte(u64 at) const {
        const u8 b = at < code_.size() ? code_[at] : u8{0x90};
        return b == 0xC0 && reads % 3 == 0 ? u8{0xC1} : b;
    }
    std::vector<u8> code_;
};

TEST(Hostile, ExecutesFromRegistersOfADevice) {
    constexpr u64 kWindow = 0x2000000;
    u64 reads[2], written[2];
    std::unique_ptr<Box> boxes[2];
    for (unsigned n = 0; n < 2; ++n) {
        boxes[n] = std::make_unique<Box>(16 * MiB, "max", n == 0 ? Engine::interp : Engine::jit);
        Box& box = *boxes[n];
        // INC EAX; MOV [EDX], EAX; RET
        CodeInRegisters code({0xFF, 0xC0, 0x89, 0x02, 0xC3});
        box.memory->map_mmio(kWindow, 0x1000, code, "code");
        box.flat();
        // CALL ESI; DEC EBX; JNZ; HLT
        box.write(0x1000, {0xFF, 0xD6, 0x4B, 0x75, 0xFB, 0xF4});
        CpuState& s = box.state();
        s.rip = 0x1000;
        s.gpr[rsp] = 0x8000;
        s.gpr[rsi] = kWindow;
        s.gpr[rdx] = kWindow + 0x100;
        s.gpr[rbx] = 500;
        EXPECT_EQ(box.cpu->run(100'000), Exit::halted);
        EXPECT_EQ(s.gpr[rax] + s.gpr[rcx], 500u);
        reads[n] = code.reads;
        written[n] = code.written;
    }
    expect_alike(*boxes[0], *boxes[1]);
    EXPECT_EQ(reads[0], reads[1]);
    EXPECT_EQ(written[0], written[1]);
    fmt::print("{}\n", boxes[1]->use.describe());
}

// The device has the interpreter execute the push as a whole; what comes after may not take for granted what
// translated code would have found out about the stack.
TEST(Hostile, PushesFromRegistersOfADevice) {
    constexpr u64 kWindow = 0x2000000;
    std::unique_ptr<Box> boxes[2];
    for (unsigned n = 0; n < 2; ++n) {
        boxes[n] = std::make_unique<Box>(16 * MiB, "max", n == 0 ? Engine::interp : Engine::jit);
        Box& box = *boxes[n];
        CodeInRegisters registers({1, 2, 3, 4});
        box.memory->map_mmio(kWindow, 0x1000, registers, "registers");
        box.flat();
        // PUSH [ESI]; POP EDX; HLT
        box.write(0x1000, {0xFF, 0x36, 0x5A, 0xF4});
        CpuState& s = box.state();
        s.rip = 0x1000;
        s.gpr[rsp] = 0x8000;
        s.gpr[rsi] = kWindow;
        EXPECT_EQ(box.cpu->run(100), Exit::halted);
        EXPECT_EQ(s.gpr[rdx], 0x04030201u);
    }
    expect_alike(*boxes[0], *boxes[1]);
}

// A generator in guest code makes new functions all the time, far more than a small cache holds.
TEST(Hostile, FillsTheCodeCache) {
    for (const u64 cache : {u64{1}, 256 * KiB, 64 * MiB}) {
        SCOPED_TRACE(cache);
        Box one(16 * MiB, "max", Engine::interp);
        Box two(16 * MiB, "max", Engine::jit, {.code_bytes = cache});
        for (Box* box : {&one, &two}) {
            box->flat();
            // EDI: where; EBX: how many. Each is ADD EAX, n; XOR EAX, n; RET, and is called three times.
            box->write(0x1000, {0xC6, 0x07, 0x05,                    // MOV BYTE [EDI], 5
                                0x89, 0x5F, 0x01,                    // MOV [EDI+1], EBX
                                0xC6, 0x47, 0x05, 0x35,              // MOV BYTE [EDI+5], 35h
                                0x89, 0x5F, 0x06,                    // MOV [EDI+6], EBX
                                0xC6, 0x47, 0x0A, 0xC3,              // MOV BYTE [EDI+10], C3h
                                0xFF, 0xD7, 0xFF, 0xD7, 0xFF, 0xD7,  // CALL EDI
                                0x83, 0xC7, 0x0B,                    // ADD EDI, 11
                                0x81, 0xE7, 0xFF, 0xFF, 0x3F, 0x00,  // AND EDI, 3FFFFFh
                                0x81, 0xCF, 0x00, 0x00, 0x40, 0x00,  // OR EDI, 400000h
                                0x4B, 0x75, 0xD9, 0xF4});            // DEC EBX; JNZ; HLT
            CpuState& s = box->state();
            s.rip = 0x1000;
            s.gpr[rsp] = 0x8000;
            s.gpr[rdi] = 0x400000;
            s.gpr[rbx] = 20'000;
            s.gpr[rax] = 0;
            EXPECT_EQ(box->cpu->run(10'000'000), Exit::halted);
            EXPECT_EQ(s.gpr[rbx], 0u);
        }
        expect_alike(one, two);
        fmt::print("cache of {} bytes: {}\n", cache, two.use.describe());
    }
}

}  // namespace
}  // namespace mynah::test
