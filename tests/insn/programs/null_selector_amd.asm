; sdm: AMD64 APM vol. 2 4.5.3 (64-bit mode): a null selector in FS or GS leaves the base on AMD's processors of this age
; bochs: differs, it clears the base whatever the vendor
; qemu: differs, it clears the base whatever the vendor
; cpu: qemu64
; expect: dword[0x5f8]=0x3008
; outcomes: 500000 500000
%include "lm64.inc"
%include "try.inc"
main64:
    start_outcomes
    mov ecx, 0xC0000101
    mov eax, 0x500000
    xor edx, edx
    wrmsr
    xor eax, eax
    mov gs, ax
    rdmsr
    note eax
    mov ecx, 0xC0000100
    mov eax, 0x500000
    wrmsr
    push 3
    pop fs
    rdmsr
    note eax
    finish
try_routines
