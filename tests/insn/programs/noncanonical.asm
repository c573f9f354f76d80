; sdm: vol. 1 3.3.7.1 (non-canonical addresses: #GP(0), through RSP or RBP #SS(0), never a page fault)
; expect: dword[0x600]=4 dword[0x620]=13 dword[0x624]=0 dword[0x640]=12 dword[0x644]=0 dword[0x660]=12 dword[0x680]=13 ebx=4
%include "lm64.inc"
main64:
    xor ebx, ebx
    mov byte [IDT + 12 * 16 + 4], 1        ; #SS comes with a bad RSP: IST1
    mov rax, 0x0000800000000000
    expect_fault .a
    mov ecx, [rax]
    jmp .end
.a: inc ebx
    mov rbp, rax
    expect_fault .b
    mov ecx, [rbp + 8]
    jmp .end
.b: inc ebx
    expect_fault .c
    mov rsp, 0x0000900000000000
    push rax
    jmp .end
.c: inc ebx
    expect_fault .d
    mov rax, 0x00007FFFFFFFFFFF
    mov ecx, [rax]                         ; begins canonical, ends beyond
    jmp .end
.d: inc ebx
.end:
    finish
