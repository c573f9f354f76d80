; sdm: vol. 2 REP (a fault in the middle leaves RSI, RDI and RCX at the iteration that faulted)
; expect: dword[0x600]=1 dword[0x620]=14 dword[0x624]=2 dword[0x634]=0x201000 rcx=0x10 rsi=0x100ff0 rdi=0x201000 eax=0xaaaaaaaa
%include "lm64.inc"
main64:
    mov rdi, 0x100000
    mov ecx, 0x400
    mov eax, 0xAAAAAAAA
    rep stosd
    mov qword [PT2 + 8], 0                 ; 201000h is absent
    mov rax, cr3
    mov cr3, rax
    mov rsi, 0x100FE0
    mov rdi, 0x200FF0
    mov ecx, 0x20
    expect_fault .done
    rep movsb
.done:
    mov eax, [0x200FF8]
    finish
