; sdm: vol. 1 3.3.7.1, vol. 3A 6.15 #GP: an instruction that reaches over the end of the lower canonical half
; expect: dword[0x5f8]=0x300c
; outcomes: d0000 ffffffff 7fff
%include "lm64.inc"
%include "try.inc"
main64:
    start_outcomes
    ; The last page of the lower half is 60000h. What lies behind it by its low 48 bits is mapped as well.
    mov rax, [PML4]
    mov [PML4 + 255 * 8], rax
    mov [PML4 + 256 * 8], rax
    mov rax, [PDPT]
    mov [PDPT + 511 * 8], rax
    mov rax, [PD]
    mov [PD + 511 * 8], rax
    mov qword [PT + 511 * 8], 0x60007
    mov rax, cr3
    mov cr3, rax
    mov byte [0x60FFF], 0xB8               ; MOV EAX, imm32, whose last four bytes have no address
    mov rcx, 0x7FFFFFFFFFFF
    try jmp rcx
    note dword [FAULT_LOG + 24]
    note dword [FAULT_LOG + 28]
    finish
try_routines
