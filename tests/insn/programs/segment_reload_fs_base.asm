; sdm: vol. 3A 3.4.4 (a load of FS in 64-bit code loads the base from the descriptor, whatever a WRMSR made of it)
; expect: ebx=100 edx=0x11111111
%include "lm64.inc"
main64:
    mov dword [0x20000], 0x11111111
    mov dword [0x20100], 0x22222222
    xor ebx, ebx
again:
    mov eax, DATA32
    mov fs, ax
    mov ecx, 0xC0000100
    mov eax, 0x100
    xor edx, edx
    wrmsr
    mov eax, DATA32
    mov fs, ax
    mov edx, [fs:0x20000]
    cmp edx, 0x11111111
    jne done
    inc ebx
    cmp ebx, 100
    jne again
done:
    finish
