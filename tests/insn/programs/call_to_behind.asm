; sdm: vol. 2A CALL, vol. 2B RET, JMP (the next instruction is a target like others, also where the stack is in two pages)
; expect: ebx=0 ecx=300 edx=300 esi=300 edi=300 esp=0x170000
%include "pm32.inc"
main32:
    mov ebx, 300
    xor ecx, ecx
    xor edx, edx
    xor esi, esi
    xor edi, edi
    jmp again
    times 0x8FD0 - 0x7C00 - ($ - $$) int3
again:
    inc ecx
    ; 9000h is in another region: here one ends with the call.
    mov esp, 0x160002
    jmp short last
    times 0x8FFB - 0x7C00 - ($ - $$) int3
last:
    call next
next:
    cmp dword [esp], next
    jne .no
    inc edx
.no:
    mov esp, 0x15FFFE
    mov dword [esp], .returned
    ret
.returned:
    inc esi
    mov esp, 0x15FFFE
    mov dword [esp], .jumped
    jmp [esp]
.jumped:
    inc edi
    mov esp, 0x170000
    dec ebx
    jnz again
    finish
