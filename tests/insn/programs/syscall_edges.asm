; sdm: vol. 2 SYSCALL, SYSRET, SYSENTER, SYSEXIT, SWAPGS, RDFSBASE; vol. 3A 5.8.7, 5.8.8 (flags, selectors, non-canonical targets, compatibility mode, RF)
; expect: dword[0x5f8]=0x3084
; outcomes: 83ffff 40ed7 8d7 200018 40ed7 3c7ed7 33 6ffff d0000 23 6ffff d0000 81ffff 40cd7 200018 16f000
; outcomes: d0000 d0000 d0000 6ffff 6ffff 6ffff 0 0 1000 7fff 56789abc d0000 0 0 80ffff 0 0
%include "lm64.inc"
%include "try.inc"
main64:
    start_outcomes
    set_msr 0xC0000081, ((0x23 << 16 | CODE64) << 32)
    set_msr 0xC0000082, kernel
    set_msr 0xC0000084, 0x44700
    set_msr 0x174, 0x18                    ; SYSENTER: CS 18h, SS 20h; SYSEXIT: CS 28h/38h...
    set_msr 0x175, 0x16F000
    set_msr 0x176, enter_kernel
%undef USER_FLAGS
%define USER_FLAGS 0x40ED7                 ; AC, and all arithmetic flags; IF, DF
    try_user {syscall}
    pushfq
    note r8d                               ; R11
    note r9d                               ; RFLAGS in the kernel
    note r10d                              ; CS | SS << 16
    note r12d                              ; RFLAGS back in the program
    popfq
    ; SYSRET with flags it cannot set (VM, RF) and those it can
    expect_fault .back
    mov rcx, .ud
    mov r11, 0xFFFFFFFFFFFFFEFF & ~0x100
    o64 sysret
.ud:
    ud2
.back:
    mov eax, [FAULT_LOG + 16]
    and eax, ~0x10000                      ; the fault's own RF
    note eax
    note dword [FAULT_LOG + 12]
    call note_outcome
    push 2
    popfq
    mov rcx, 0x800000000000
    mov r11, 2
    try o64 sysret                         ; #GP at CPL 0
    ; to compatibility mode and back by SYSENTER; there SYSCALL is #UD
    expect_fault .compat
    mov ecx, compat
    mov r11, 2
    o32 sysret
.compat:
    note dword [FAULT_LOG + 12]
    call note_outcome
    ; SYSENTER from 64-bit code, SYSEXIT to both
    set_msr 0x174, 0
    try_user sysenter
    set_msr 0x174, CODE64
    mov edx, enter_user
    try_user sysenter
    note r8d
    note r9d
    note esi
    try_user sysexit
    mov rdx, 0x800000000000
    try o64 sysexit
    set_msr 0x174, 0
    try o64 sysexit
    set_msr 0xC0000080, 0x900              ; SCE off
    try_user syscall
    try o64 sysret
    set_msr 0xC0000080, 0x901
    ; FSGSBASE
    try rdfsbase rax
    mov rax, cr4
    or eax, 0x10000
    mov cr4, rax
    mov rax, 0x123456789ABC
    try wrgsbase rax
    set_msr 0xC0000102, 0x7FFF00001000
    try swapgs
    rdgsbase rax
    note eax
    shr rax, 32
    note eax
    mov ecx, 0xC0000102
    rdmsr
    note eax
    mov rax, 0x800000000000
    try wrfsbase rax
    mov rax, -1
    try wrfsbase eax                       ; 32 bits: zero-extended
    rdfsbase rax
    shr rax, 32
    note eax
    try_user rdgsbase rax
    mov ax, UDATA                          ; a selector load replaces the base
    mov gs, ax
    rdgsbase rax
    note eax
    mov rax, 0x500000
    wrgsbase rax
    xor eax, eax                           ; so does a null one on Intel's processors
    mov gs, ax
    rdgsbase rax
    note eax
    finish
kernel:
    mov r8, r11
    pushfq
    pop r9
    mov r10d, ss
    shl r10d, 16
    mov eax, cs
    or r10d, eax
    mov rcx, user_again
    o64 sysret
user_again:
    pushfq
    pop r12
    int 0x83
enter_kernel:
    pushfq
    pop r8
    mov r9d, ss
    shl r9d, 16
    mov eax, cs
    or r9d, eax
    mov esi, esp
    int 0x81
enter_user:
    int 0x82
try_routines
bits 32
compat:
    syscall
    hlt
