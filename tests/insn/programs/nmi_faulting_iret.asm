; sdm: vol. 3A 6.7.1 (an NMI waits until IRET, also one that faults)
; expect: dword[0x5f8]=0x3018
; outcomes: 1 1 2 d0000 2 2
%include "lm64.inc"
%include "try.inc"
APIC    equ 0x208000
main64:
    start_outcomes
    mov eax, 0xFEE00093
    mov [PT2 + 8 * 8], rax
    mov rax, cr3
    mov cr3, rax
    mov eax, on_nmi
    mov [IDT + 2 * 16], ax
    shr eax, 16
    mov [IDT + 2 * 16 + 6], ax
    xor ebx, ebx
    mov dword [APIC + 0xF0], 0x1FF
    mov dword [APIC + 0x300], 0x4400
    nop
    nop
    note ebx
    finish
on_nmi:
    inc ebx
    note ebx
    cmp ebx, 1
    jne .second
    mov dword [APIC + 0x300], 0x4400
    nop
    nop
    note ebx                               ; still blocked
    mov rbp, rsp
    push 0
    push 0
    push 2
    push 0
    push 0
    try iretq                              ; null CS: #GP; the NMI comes before the handler's first instruction
    note ebx
    mov rsp, rbp
.second:
    iretq
try_routines
