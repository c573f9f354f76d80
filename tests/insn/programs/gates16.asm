; sdm: vol. 3A 22 (16-bit interrupt, trap and call gates, the 286 TSS, 16-bit code and stacks in protected mode)
; expect: dword[0x5f8]=0x3068
; outcomes: 6 88e87 2 202 80ffff 17fff6 202 330000 80ffff 10000 17ffee 1111002b fffc2222 33 83 80ffff 3ff6
; outcomes: d0000 81 0 1234 5678 8 ffff1234 ffff6789 ffff0050
%include "pm32.inc"
%include "try.inc"
TSS16   equ 0x6000
STACK16 equ 0x4000
main32:
    start_outcomes
    mov dword [gdt_extra], (handler16)     ; 40h: call gate 286, DPL 3, 2 words
    mov dword [gdt_extra + 4], 0x0000E402
    mov word [gdt_extra + 2], 0x48
    mov dword [gdt_extra + 8], 0x0000FFFF  ; 48h: 16-bit code
    mov dword [gdt_extra + 12], 0x00009A00
    mov dword [gdt_extra + 16], (TSS16 << 16) | 0x2B
    mov dword [gdt_extra + 20], 0x00008100 ; 50h: available 286 TSS
    mov word [IDT + 0x90 * 8], int16
    mov word [IDT + 0x90 * 8 + 2], 0x48
    mov word [IDT + 0x90 * 8 + 4], 0xE600  ; 286 interrupt gate, DPL 3
    mov word [IDT + 0x90 * 8 + 6], 0xFFFF  ; not looked at
    mov word [IDT + 0x91 * 8], int16
    mov word [IDT + 0x91 * 8 + 2], 0x48
    mov word [IDT + 0x91 * 8 + 4], 0xE700  ; 286 trap gate
    mov word [TSS16 + 2], STACK16
    mov word [TSS16 + 4], DATA32
    ; from CPL 0 on a 32-bit stack: pushes words
    mov ebp, esp
    sti
    int 0x90
    cli
    sub ebp, [0x2000]
    note ebp
    note [0x2004]
    note [0x2008]
    sti
    int 0x91
    cli
    note [0x2008]
    push dword UDATA32
    pop ds
    ; from CPL 3 with a 386 TSS: to ESP0, frame of words
    try_user int 0x90
    note [0x2000]
    note [0x200C]
    note [0x2010]
    ; the gate with two words of parameters
%macro call_it 0
    push word 0x2222
    push word 0x1111
    db 0x9A
    dd 0x12345678
    dw EXTRA | 3
    mov ebx, esp
%endmacro
    try_user call_it
    note ebx
    note [0x2014]
    note [0x2018]
    note [0x201C]
    note [0x2020]
    ; the same under a 286 TSS: SP0 has 16 bits
    mov ax, 0x50
    ltr ax
    movzx eax, byte [gdt_extra + 21]
    note eax
    try_user int 0x90
    note [0x2000]
    try_user {in al, 0x80}                 ; no bitmap in it
    ; JMP to a 386 TSS and back from a 286 one: what is saved
    and byte [gdt + TSS32 + 5], 0xFD
    mov dword [TSS + 32], task
    mov dword [TSS + 36], 0x2
    mov dword [TSS + 56], 0x170000
    mov dword [TSS + 72], DATA32
    mov dword [TSS + 76], CODE32
    mov dword [TSS + 80], DATA32
    mov dword [TSS + 84], DATA32
    mov eax, 0xAAAA1234
    mov ebx, 0xBBBB5678
    jmp TSS32:0
in286:
    mov esp, 0x160000
    note eax
    note esi
    str ax
    note eax
    finish
task:
    mov dword [SCRATCH], 0
    movzx eax, byte [gdt_extra + 21]
    note eax
    movzx eax, word [TSS16 + 0x0E]
    sub eax, in286
    note eax
    movzx eax, word [TSS16 + 0x12]
    note eax
    movzx eax, word [TSS16 + 0x12 + 6]
    note eax
    movzx eax, word [TSS16 + 0x24]         ; CS
    note eax
    mov word [TSS16 + 0x1E], 0x6789        ; SI
    jmp 0x50:0
try_routines
bits 16
int16:                         ; on a 32-bit or a 16-bit stack
    push ds
    push eax
    mov ax, DATA32
    mov ds, ax
    a32 mov [dword 0x2000], esp
    add dword [dword 0x2000], 6
    mov eax, [esp + 6]         ; IP, CS
    a32 mov [dword 0x2004], eax
    pushfd
    pop eax
    and eax, 0x7202
    a32 mov [dword 0x2008], eax
    mov eax, [esp + 10]
    a32 mov [dword 0x200C], eax
    mov eax, [esp + 12]
    a32 mov [dword 0x2010], eax
    pop eax
    pop ds
    iret
handler16:
    push ds
    push eax
    mov ax, DATA32
    mov ds, ax
    a32 mov [dword 0x2014], esp
    mov eax, [esp + 8]         ; CS, first parameter
    a32 mov [dword 0x2018], eax
    mov eax, [esp + 12]
    a32 mov [dword 0x201C], eax
    movzx eax, word [esp + 16]
    a32 mov [dword 0x2020], eax
    pop eax
    pop ds
    retf 4
