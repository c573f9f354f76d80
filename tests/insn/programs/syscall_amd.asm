; sdm: AMD64 APM vol. 3 SYSCALL, SYSRET: on AMD's processors also in compatibility mode (CSTAR); SYSENTER there is #UD
; bochs: differs, its SYSENTER works in long mode on models of AMD's too
; cpu: qemu64
; expect: dword[0x5f8]=0x302c
; outcomes: 83ffff cafe 202 10 200018 3202 23002b 6ffff 6ffff 6ffff d0000
%include "lm64.inc"
%include "try.inc"
%undef USER_FLAGS
%define USER_FLAGS 0x3202                  ; IOPL 3
main64:
    start_outcomes
    set_msr 0xC0000081, ((0x23 << 16 | CODE64) << 32)
    set_msr 0xC0000082, 0x500000           ; never taken here
    set_msr 0xC0000083, kernel
    set_msr 0xC0000084, 0x3000             ; IOPL
    expect_fault .compat
    mov ecx, compat
    mov r11, 0x3202
    o32 sysret
.compat:
    call note_outcome
    note edi                               ; what came through
    note r9d                               ; RFLAGS in the kernel
    note r13d                              ; RCX: how far into `compat`
    note r10d                              ; SS, CS there
    note ecx                               ; RFLAGS back in the program
    note edx                               ; CS, SS there
    mov ecx, 0x174
    mov eax, CODE64
    xor edx, edx
    wrmsr
    try sysenter
    try sysexit
    set_msr 0xC0000080, 0x900              ; SCE off
    try syscall
    set_msr 0xC0000080, 0x901
    try_user o64 sysret
    finish
kernel:
    pushfq
    pop r9
    mov r13, rcx
    sub r13, compat
    mov r10d, ss
    shl r10d, 16
    mov eax, cs
    or r10d, eax
    o32 sysret
try_routines
bits 32
compat:
    mov ecx, 0                             ; 16 bytes to the end of SYSCALL
    mov edi, 0xCAFE
    nop
    nop
    nop
    nop
    syscall
    pushfd
    pop eax
    mov ecx, eax
    mov eax, ss
    mov edx, eax
    mov eax, cs
    shl eax, 16
    or edx, eax
    int 0x83
