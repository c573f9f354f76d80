// Speed of the interpreter's shape on a mix of loads, stores, arithmetic, branches, calls.
//
// Prints millions of guest instructions a second for 32-bit flat and 64-bit paged code.
#include <cstdio>
#include <ctime>
#include <vector>

#include "../../tests/cpu/harness.h"

namespace {

using namespace mynah;

// The same bytes in both widths (pushes, pops and addresses are 64 bits wide in the second):
//   start: mov ecx,1000
//   l: mov eax,[esi+ecx*4]; add ebx,eax; mov [edi+ecx*4],ebx; cmp eax,ebx; jne n; xor eax,edx
//   n: add eax,1; movzx ebp,byte [esi+ecx]; and ebp,7fh; test bp,bp; lea ebp,[ebp+ecx*2+8]
//      push ebp; call f; pop ebp; sub ecx,1; jne l; jmp start
//   f: push ebx; mov ebx,[esp+8]; add ebx,eax; shr ebx,3; pop ebx; ret
const std::vector<u8> kCode = {0xB9, 0xE8, 0x03, 0x00, 0x00, 0x8B, 0x04, 0x8E, 0x01, 0xC3, 0x89, 0x1C, 0x8F,
                               0x39, 0xD8, 0x75, 0x02, 0x31, 0xD0, 0x83, 0xC0, 0x01, 0x0F, 0xB6, 0x2C, 0x0E,
                               0x83, 0xE5, 0x7F, 0x66, 0x85, 0xED, 0x8D, 0x6C, 0x4D, 0x08, 0x55, 0xE8, 0x08,
                               0x00, 0x00, 0x00, 0x5D, 0x83, 0xE9, 0x01, 0x75, 0xD5, 0xEB, 0xCE, 0x53, 0x8B,
                               0x5C, 0x24, 0x08, 0x01, 0xC3, 0xC1, 0xEB, 0x03, 0x5B, 0xC3};

void run(const char* name, u8 code_size, u64 count) {
    test::Box box;
    box.flat(code_size);
    box.write(0x10000, kCode);
    CpuState& s = box.state();
    s.rip = 0x10000;
    s.gpr[rsi] = 0x200000;
    s.gpr[rdi] = 0x300000;
    s.gpr[rsp] = 0x80000;
    s.gpr[rdx] = 5;
    box.cpu->state_changed();
    box.cpu->run(1'000'000);
    const std::clock_t start = std::clock();  // processor time: other work may run beside
    const Exit exit = box.cpu->run(count);
    const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    std::printf("%s: %.0f million instructions a second (exit %d)\n", name,
                static_cast<double>(count) / seconds / 1e6, static_cast<int>(exit));
}

}  // namespace

// argument: instructions
int main() {
    run("32-bit flat", 4, 200'000'000);
    run("64-bit paged", 8, 200'000'000);
}
