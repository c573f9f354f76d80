; sdm: vol. 3A 6.15 interrupt 17 (alignment is checked at CPL 3 with CR0.AM and EFLAGS.AC; error code 0)
; qemu: differs, it does not check alignment
; expect: dword[0x600]=2 dword[0x620]=17 dword[0x624]=0 dword[0x640]=0x80 ebx=1
%include "pm32.inc"
main32:
    xor ebx, ebx
    mov eax, cr0
    or eax, 0x40000
    mov cr0, eax
    mov eax, [0x2001]                      ; CPL 0: not checked
    expect_fault .checked
    push dword UDATA32
    push dword STACK3
    push dword 0x40202
    push dword UCODE32
    push dword .user
    iretd
.user:
    mov ax, UDATA32
    mov ds, ax
    mov al, [0x2001]                       ; bytes are always aligned
    mov eax, [0x2001]
.checked:
    inc ebx
    expect_fault .end
    int 0x80
.end:
    finish
