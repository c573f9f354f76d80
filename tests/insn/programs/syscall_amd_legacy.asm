; sdm: AMD64 APM vol. 3 SYSCALL, SYSRET in legacy mode: EIP from STAR, IF and RF cleared, SYSRET sets IF; #UD on Intel's
; cpu: qemu64
; expect: dword[0x5f8]=0x3024
; outcomes: 6ffff 83ffff 40cd7 4 100008 40606 33002b d0000 6ffff
%include "pm32.inc"
%include "try.inc"
%undef USER_FLAGS
%define USER_FLAGS 0x40ED7                 ; AC, arithmetic flags, IF, DF
%macro set_efer 1
    mov ecx, 0xC0000080
    mov eax, %1
    xor edx, edx
    wrmsr
%endmacro
main32:
    start_outcomes
    try syscall                            ; EFER.SCE is off
    set_efer 1
    mov ecx, 0xC0000081
    mov eax, kernel
    mov edx, 0x00280008
    wrmsr
    try_user {jmp user}
    note ebx                               ; EFLAGS in the kernel
    note ebp                               ; ECX: how far into `user`
    note edi                               ; SS, CS there
    note esi                               ; EFLAGS back in the program (SHL changed some)
    note edx                               ; SS, CS there
    try_user sysret
    set_efer 0
    try sysret
    finish
user:
    nop
    nop
    syscall
    pushfd
    pop esi
    mov edx, ss
    shl edx, 16
    mov dx, cs
    int 0x83
kernel:
    pushfd
    pop ebx
    lea ebp, [ecx - user]
    mov edi, ss
    shl edi, 16
    mov di, cs
    sysret
try_routines
