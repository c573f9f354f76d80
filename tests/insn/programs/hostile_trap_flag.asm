; sdm: vol. 3B 18.3.1.4 (single-step), vol. 2 POPF
; A loop that is hot when TF is set in its middle, stepped for some instructions, and let go again; over and over.
; expect: esi=3000 dword[0x1000]=600 ebx=0
%include "pm32.inc"
main32:
    mov eax, handler
    mov edi, IDT + 8
    mov [edi], ax
    shr eax, 16
    mov [edi + 6], ax
    mov dword [SCRATCH], 0
    xor esi, esi
    mov ebx, 100
.round:
    mov ecx, 30
.hot:
    inc esi
    cmp ecx, 15
    jne .no_trap
    mov dword [SCRATCH + 4], 6             ; stepped so often
    pushfd
    or dword [esp], 0x100
    popfd
.no_trap:
    dec ecx
    jnz .hot
    dec ebx
    jnz .round
    finish
handler:
    inc dword [SCRATCH]
    dec dword [SCRATCH + 4]
    jnz .on
    and dword [esp + 8], ~0x100
.on:
    iretd
