; sdm: vol. 3A 5.8.5 (a call through a gate to more privilege copies parameters and switches stacks; RETF n releases both)
; expect: dword[0x600]=1 dword[0x620]=0x80 ebx=0x33221100 ecx=0x190000 edx=0x17ffe8 edi=0x2b esi=0x28
%include "pm32.inc"
main32:
    mov eax, inner
    mov [gdt_extra], ax
    mov word [gdt_extra + 2], CODE32
    mov word [gdt_extra + 4], 0xEC02      ; 386 call gate, DPL 3, two parameters
    shr eax, 16
    mov [gdt_extra + 6], ax
    push dword UDATA32
    push dword STACK3
    push dword 0x202
    push dword UCODE32
    push dword user
    expect_fault back
    iretd
user:
    push dword 0x3322
    push dword 0x1100
    call (EXTRA | 3):0
    mov ecx, esp
    int 0x80
back:
    finish
inner:
    mov edx, esp
    mov edi, [esp + 4]                     ; caller's CS
    mov ebx, [esp + 12]
    shl ebx, 16
    or ebx, [esp + 8]
    mov esi, cs
    and esi, 3
    mov eax, [esp + 20]                    ; caller's SS
    sub eax, UDATA32
    add esi, eax
    add esi, 0x28
    retf 8
