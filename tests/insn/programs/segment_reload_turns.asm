; sdm: vol. 3A 3.4.3 (FS that changes between selectors has each time what the descriptor says by then)
; expect: ebx=0 eax=0x22222222 ecx=0x11111111 edx=0x33333333 esi=100 ebp=0
%include "pm32.inc"
main32:
    mov dword [0x20000], 0x11111111
    mov dword [0x20100], 0x22222222
    mov dword [0x20200], 0x33333333
    mov dword [gdt_extra], 0x0100FFFF      ; base 100h
    mov dword [gdt_extra + 4], 0x00CF9300
    mov ebx, 100
    xor esi, esi
    xor ebp, ebp
again:
    mov eax, DATA32
    mov fs, ax
    mov ecx, [fs:0x20000]
    mov eax, EXTRA
    push eax
    pop fs
    mov eax, [fs:0x20000]
    ; Base 200h, then 100h again.
    mov byte [gdt_extra + 3], 2
    mov dword [selector], EXTRA
    mov fs, [selector]
    mov edx, [fs:0x20000]
    mov byte [gdt_extra + 3], 1
    ; A null selector is loaded, and faults when it is used.
    push dword 0
    pop fs
    expect_fault null_faulted
    mov edi, [fs:0x20000]
    inc ebp
null_faulted:
    inc esi
    dec ebx
    jnz again
    finish
selector: dd 0
