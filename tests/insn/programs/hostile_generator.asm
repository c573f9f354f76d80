; sdm: vol. 3A 11.6 (self-modifying code)
; A code generator that rewrites one page for each call, with instructions of changing lengths; a second routine in the
; same page that is called between and never changes; and one that rewrites its own return.
; expect: rsi=0x4a6cf8 edi=3000 ebp=3000 ebx=0
%include "lm64.inc"
main64:
    mov dword [0x30F00], 0x90C3C7FF        ; INC EDI; RET
    xor esi, esi
    xor edi, edi
    xor ebp, ebp
    mov ebx, 3000
.again:
    ; 0 to 3 NOPs, MOV EAX, n; ADD EAX, n & 255; RET
    mov edx, 0x30000
    mov ecx, ebx
    and ecx, 3
    jz .emit
.nop:
    mov byte [rdx], 0x90
    inc edx
    dec ecx
    jnz .nop
.emit:
    mov byte [rdx], 0xB8
    mov [rdx + 1], ebx
    mov byte [rdx + 5], 0x05
    movzx ecx, bl
    mov [rdx + 6], ecx
    mov word [rdx + 10], 0xC5FF            ; INC EBP
    mov byte [rdx + 12], 0xC3
    mov eax, 0x30000
    call rax
    add rsi, rax
    mov eax, 0x30F00
    call rax
    dec ebx
    jnz .again
    finish
