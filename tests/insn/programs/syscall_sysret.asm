; sdm: vol. 3A 5.8.8 (SYSCALL: RCX and R11 take RIP and RFLAGS, SFMASK clears flags, CS and SS from STAR; SYSRET goes back to CPL 3)
; expect: dword[0x600]=1 dword[0x620]=0x80 dword[0x62c]=0x33 ebx=2 edx=0x18 esi=0x20 edi=0x0 r8=0x202 ebp=0x2b
%include "lm64.inc"
main64:
    xor ebx, ebx
    mov ecx, 0xC0000081                    ; STAR: SYSCALL 18h/20h, SYSRET base 23h: SS 2Bh, CS 33h
    xor eax, eax
    mov edx, (0x23 << 16) | CODE64
    wrmsr
    mov ecx, 0xC0000082
    mov eax, kernel
    xor edx, edx
    wrmsr
    mov ecx, 0xC0000084
    mov eax, 0x200
    xor edx, edx
    wrmsr
    push UDATA
    push STACK3
    push 0x202
    push UCODE64
    push user
    expect_fault back
    iretq
user:
    syscall
after:
    inc ebx
    mov ebp, ss
    int 0x80
back:
    finish
kernel:
    inc ebx
    mov edx, cs
    mov esi, ss
    pushfq
    pop rdi
    and edi, 0x200
    mov r8, r11
    o64 sysret
