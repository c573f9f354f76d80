; sdm: vol. 3A 3.3.5 (linear addresses wrap at 4 GiB), vol. 1 3.3.7
; A code segment whose base is FFFF0000h: the program runs behind the wrap, with data there as well.
; expect: esi=100 edi=100 dword[0x1000]=200 dword[0x600]=0
%include "pm32.inc"
main32:
    mov dword [gdt_extra], 0x0000FFFF
    mov dword [gdt_extra + 4], 0xFFCF9BFF  ; code, base FFFF0000h, 4 GiB
    mov dword [gdt_extra + 8], 0x0000FFFF
    mov dword [gdt_extra + 12], 0xFFCF93FF
    xor esi, esi
    xor edi, edi
    mov dword [SCRATCH], 0
    mov ecx, 100
    mov ax, EXTRA + 8
    mov fs, ax
    jmp EXTRA:wrapped + 0x10000
wrapped:
    inc esi
    inc dword [fs:SCRATCH + 0x10000]
    call near routine
    dec ecx
    jnz wrapped
    jmp CODE32:back
routine:
    inc edi
    inc dword [SCRATCH]
    ret
back:
    finish
