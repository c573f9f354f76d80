; sdm: vol. 3A 3.4.3, 9.9.2 (a load of a selector loads base, limit and rights from the descriptor, whatever changed them since)
; expect: ebx=2 ecx=0x11111111 edx=0x11111111
%include "pm32.inc"
main32:
    mov dword [0x20000], 0x11111111
    mov dword [0x20100], 0x22222222
    mov ebx, 2
again:
    mov eax, DATA32
    mov es, ax
    mov ecx, [es:0x20000]
    ; Real mode in this code segment: the same selector is base 100h.
    mov eax, cr0
    and al, 0xFE
    mov cr0, eax
    mov eax, DATA32
    mov es, ax
    mov edx, [es:0x20000]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    mov eax, DATA32
    mov es, ax
    mov edx, [es:0x20000]
    cmp ecx, edx
    jne done
    dec dword [count]
    jnz again
done:
    finish
count: dd 100
