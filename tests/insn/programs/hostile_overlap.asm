; sdm: vol. 3A 2.1 (RIP may be anything: instructions begin wherever control goes)
; Two streams in the same bytes: MOV EAX, imm32, and what its immediate says; entered in turn by jumps, calls and returns.
; expect: esi=300 edi=150 eax=0x9090c6ff dword[0x1000]=0
%include "lm64.inc"
main64:
    mov dword [SCRATCH], 600
    xor esi, esi
    xor edi, edi
.again:
    mov edx, .whole
    mov ecx, [SCRATCH]
    and ecx, 1
    add edx, ecx
    test byte [SCRATCH], 2
    jnz .by_return
    jmp rdx
.by_return:
    push rdx
    ret
.whole:
    db 0xB8, 0xFF, 0xC6, 0x90, 0x90        ; MOV EAX, or INC ESI; NOP; NOP
    test byte [SCRATCH], 3
    jnz .next
    ; a short jump into its own displacement: EB FF C7 is JMP -1, then FF C7, INC EDI
    db 0xEB, 0xFF, 0xC7
.next:
    dec dword [SCRATCH]
    jnz .again
    finish
