; sdm: vol. 3A 4.10.4 (INVLPG: from the next instruction on the new mapping counts)
; Code that maps another frame under itself and goes on there; and back.
; expect: esi=200 edi=200 ebx=0
%include "lm64.inc"
main64:
    ; two frames with the same code, but for what follows INVLPG
    mov esi, .code
    mov edi, 0x30000
    mov ecx, .end - .code
    rep movsb
    mov esi, .code
    mov edi, 0x31000
    mov ecx, .end - .code
    rep movsb
    mov byte [0x31000 + (.differs - .code) + 1], 0xC7  ; INC ESI becomes INC EDI
    xor esi, esi
    xor edi, edi
    mov ebx, 400
    mov eax, 0x31007
    mov ebp, 0x30000
.again:
    call rbp
    xor eax, 0x30007 ^ 0x31007
    dec ebx
    jnz .again
    finish
.code:
    mov [PT + 8 * 0x30], rax
    invlpg [0x30000]
.differs:
    inc esi
    ret
.end:
