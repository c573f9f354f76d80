; sdm: vol. 3A 6.12.1 (an interrupt gate from CPL 3 takes SS:ESP from the TSS, pushes the old ones, clears IF; IRET returns)
; expect: dword[0x600]=1 dword[0x620]=0x80 dword[0x62c]=0x2b dword[0x630]&0x200=0x200 ebx=3
; expect: dword[0x500]=0x17ffec dword[0x504]=0x33 dword[0x508]=0x190000 dword[0x50c]=0
%include "pm32.inc"
main32:
    xor ebx, ebx
    mov dword [IDT + 0x81 * 8], handler
    mov word [IDT + 0x81 * 8 + 2], CODE32
    mov word [IDT + 0x81 * 8 + 4], 0xEE00
    mov eax, handler
    shr eax, 16
    mov [IDT + 0x81 * 8 + 6], ax
    push dword UDATA32
    push dword STACK3
    push dword 0x202
    push dword UCODE32
    push dword user
    expect_fault back
    iretd
user:
    mov ax, UDATA32
    mov ds, ax
    inc ebx
    int 0x81
    inc ebx
    int 0x80
back:
    inc ebx
    finish
handler:                       ; DS is the user's
    mov [0x500], esp
    mov eax, [esp + 16]
    mov [0x504], eax
    mov eax, [esp + 12]
    mov [0x508], eax
    pushfd
    pop eax
    and eax, 0x200
    mov [0x50C], eax
    iretd
