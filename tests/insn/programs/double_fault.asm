; sdm: vol. 3A 6.15 table 6-5 (#NP while delivering #GP is a double fault with error code 0, here on an IST stack)
; expect: dword[0x600]=1 dword[0x620]=8 dword[0x624]=0 ebx=1
%include "lm64.inc"
main64:
    xor ebx, ebx
    mov byte [IDT + 13 * 16 + 5], 0x6E     ; the gate of #GP: not present
    mov byte [IDT + 8 * 16 + 4], 1         ; IST1
    expect_fault .done
    mov rax, 0x0000800000000000
    mov ecx, [rax]
    jmp .end
.done:
    inc ebx
.end:
    finish
