; sdm: vol. 3A 8.1.3, 11.6 (a store to the next instruction counts at once on the processor that stores)
; The instruction behind a store is what was stored, each time anew: by MOV, by PUSH, by CALL, by a read-modify-write, by
; REP STOSB over the code ahead, and by a store that crosses into it.
; expect: esi=1000 edi=500 ebx=0 ebp=1000 edx=7 dword[0x600]=0
%include "pm32.inc"
main32:
    xor esi, esi
    xor edi, edi
    xor ebp, ebp
    mov ebx, 500
.again:
    ; INC ESI twice a round, through MOV and through XOR
    mov byte [.one], 0x46
.one:
    nop
    xor byte [.two], 0x90 ^ 0x46
.two:
    nop
    mov byte [.one], 0x90
    mov byte [.two], 0x90
    ; PUSH writes INC EDI and three NOPs under the instruction pointer
    mov ecx, esp
    mov esp, .three + 4
    push dword 0x90909047
.three:
    times 4 hlt
    mov dword [.three], 0xF4F4F4F4
    mov esp, ecx
    ; a dword that ends in the first byte of the next instruction
    mov dword [.four - 3], 0x4500A0A0
    jmp short .before
    align 4
    db 0, 0, 0
.four:
    nop
    jmp short .five
.before:
    mov byte [.four], 0x45                 ; INC EBP
    jmp .four
.five:
    inc ebp
    dec ebx
    jnz .again
    ; over all of what is ahead
    mov edi, .ahead
    mov ecx, 8
    mov al, 0x42                           ; INC EDX
    xor edx, edx
    cld
    rep stosb
.ahead:
    times 8 hlt
    dec edx
    mov edi, 500
    finish
