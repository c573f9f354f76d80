; sdm: vol. 2A CALL, vol. 2B PUSH (an operand by ESP is read before ESP changes; what is pushed is not what the address was)
; expect: ebx=0 ecx=300 edx=300 esi=300 esp=0x170000
%include "pm32.inc"
main32:
    mov ebx, 300
    xor ecx, ecx
    xor edx, edx
    xor esi, esi
again:
    push dword target
    push ebx
    mov eax, [esp]
    call [esp + 4]
back:
    cmp eax, ebx
    jne .skip
    inc ecx
.skip:
    push dword [esp]
    pop eax
    push dword [esp + 4]
    cmp dword [esp], target
    jne .other
    inc edx
.other:
    add esp, 12
    dec ebx
    jnz again
    finish
target:
    cmp dword [esp], back
    jne .no
    inc esi
.no:
    ret
