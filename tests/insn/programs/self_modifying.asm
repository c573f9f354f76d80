; sdm: vol. 3A 8.1.3, 11.6 (a store to the very next instruction takes effect on it; also through another linear address and by REP)
; expect: dword[0x600]=0 eax=0x22222222 ebx=5 ecx=0 edx=0x44444444 esi=100
%include "lm64.inc"
main64:
    mov dword [rel .imm + 1], 0x22222222
.imm:
    mov eax, 0x11111111
    ; the same page by an alias
    mov qword [PT2 + 8 * 8], 0x8007        ; 208000h -> 8000h, next to this code
    mov rcx, cr3
    mov cr3, rcx
    lea rdi, [rel .alias + 1]
    mov ecx, edi
    and ecx, 0xFFF
    and edi, 0xFFFFF000
    shl rdi, 0
    mov r8, rdi
    shr r8, 12
    mov r9, r8
    shl r9, 12
    or r9, 7
    mov [PT2 + 8 * 8], r9
    invlpg [0x208000]
    lea rdi, [rcx + 0x208000]
    mov dword [rdi], 5
.alias:
    mov ebx, 1
    ; by REP STOSB, over an instruction ahead
    lea rdi, [rel .rep + 1]
    mov al, 0x44
    mov ecx, 4
    rep stosb
.rep:
    mov edx, 0
    ; a loop whose immediate grows each time round
    xor esi, esi
    mov ecx, 100
.again:
    add esi, 1
    nop
    dec ecx
    jnz .again
    mov eax, [rel .imm + 1]
    finish
