; sdm: vol. 2A 2.2.1.2 (AH to BH are not there with a REX prefix, which other registers need)
; expect: ebx=0 ecx=0x190 esi=0x12c edx=0x5a00 edi=0x12c00 esp=0x170000
%include "pm32.inc"
main32:
    mov ebx, 300
    xor ecx, ecx
    xor esi, esi
    xor edi, edi
    mov edx, 0x5A00
again:
    ; Several accesses to the stack, in between something else than their address in the host's way.
    push dword 0x1100
    push ebx
    mov [esp + 1], dh
    mov eax, [esi * 2 + 0x20000]
    mov [esp + 5], dh
    cmp byte [esp + 5], 0x5A
    jne .no
    inc esi
.no:
    mov eax, [esi * 2 + 0x20000]
    add [esp + 4], dh
    mov eax, [esi * 2 + 0x20000]
    mov ch, [esp + 4]
    cmp ch, 0x5A
    jne .other
    add edi, 0x100
.other:
    mov ecx, [esp + 4]
    shr ecx, 8
    add ecx, ecx
    and ecx, 0xFF0
    add ecx, 0xE0
    add esp, 8
    dec ebx
    jnz again
    finish
