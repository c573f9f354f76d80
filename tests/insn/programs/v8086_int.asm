; sdm: vol. 3B 20.2, 20.3 (INT n and other sensitive instructions fault in virtual-8086 mode with IOPL < 3; segments are pushed as data)
; expect: dword[0x600]=2 dword[0x620]=13 dword[0x624]=0 dword[0x630]&0x20000=0x20000 dword[0x640]=13 dword[0x644]=0
; expect: dword[0x500]=0x1234 dword[0x504]=0x1000 dword[0x62c]=0x500 dword[0x628]=0x8 dword[0x648]=0x0
%include "pm32.inc"
main32:
    ; real-mode style code at 500:0
    mov esi, v86_code
    mov edi, 0x5000
    mov ecx, v86_end - v86_code
    rep movsb
    expect_fault first
    push dword 0x1234                      ; GS
    push dword 0                           ; FS
    push dword 0x1000                      ; DS
    push dword 0                           ; ES
    push dword 0                           ; SS
    push dword 0x4000                      ; ESP
    push dword 0x20002                     ; VM, IOPL 0
    push dword 0x500
    push dword 0
    iretd
first:                                     ; the recorder reloaded ESP; look at what was on the ring-0 stack
    mov eax, [STACK0 - 4]                  ; GS
    mov [0x500], eax
    mov eax, [STACK0 - 12]                 ; DS
    mov [0x504], eax
    expect_fault second
    push dword 0
    push dword 0
    push dword 0
    push dword 0
    push dword 0
    push dword 0x4000
    push dword 0x20002
    push dword 0x500 + (v86_cli - v86_code) / 16
    push dword (v86_cli - v86_code) & 15
    iretd
second:
    finish
bits 16
align 16
v86_code:
    mov ax, 5
    mov bx, ax
    add ax, bx
    nop
    int 0x80
    hlt
align 16
v86_cli:
    cli
    hlt
v86_end:
