; sdm: vol. 3A 5.9, vol. 2 POPF, IRET, CLI (what CPL 3 may do under IOPL 0 and 3), vol. 1 19.5.1
; expect: dword[0x5f8]=0x308c
; outcomes: d0000 d0000 d0000 d0000 d0000 d0000 d0000 80ffff 202 80ffff 244ed7 80ffff 4ed7 80ffff 204ed7
; outcomes: 80ffff 3002 80ffff 80ffff d0000 80ffff 3002 80ffff 3202 80ffff 3002 243cd7 240002 80ffff 80202
; outcomes: 80ffff 202 80ffff d0000 80ffff
%include "pm32.inc"
%include "try.inc"
main32:
    start_outcomes
    push dword UDATA32
    pop ds
    push dword UDATA32
    pop es
    mov word [TSS + 102], 104              ; no bitmap
    try_user cli
    try_user sti
    try_user {in al, 0x20}
    try_user {out 0x20, eax}
    try_user insb
    try_user outsb
    try_user hlt
%macro popfd_of 1
    push dword %1
    popfd
    pushfd
    pop ebp
%endmacro
%macro popf_of 1
    push word %1
    popf
    pushfd
    pop ebp
%endmacro
%macro iret_of 1
    pushfd
    push cs
    push dword %%next
    mov dword [esp + 8], %1
    iretd
%%next:
    pushfd
    pop ebp
%endmacro
    try_user popfd_of 0x3000               ; IF and IOPL stay
    note ebp
    try_user popfd_of 0x3F7ED7 & ~0x100    ; VM, VIF, VIP, RF stay
    note ebp
    try_user popf_of 0x7ED7 & ~0x100
    note ebp
    try_user iret_of 0x3B7ED7 & ~0x120100
    note ebp
%undef USER_FLAGS
%define USER_FLAGS 0x3202
    try_user cli
    mov eax, [FAULT_LOG + 16]
    note eax
    try_user sti
    try_user {in al, 0x80}
    try_user hlt
    try_user popfd_of 0x0002               ; IF may change, IOPL not
    note ebp
    try_user popf_of 0x0202
    note ebp
    try_user iret_of 0x0002
    note ebp
    pushfd                                 ; CPL 0: all
    push dword 0x247FD7 & ~0x4300
    popfd
    pushfd
    pop eax
    popfd
    note eax
    push dword 0x3F0002                    ; but VM, RF, VIF, VIP
    popfd
    pushfd
    pop eax
    note eax
    push dword 2
    popfd
    mov eax, cr4                           ; PVI: VIF for IF at CPL 3
    or eax, 2
    mov cr4, eax
%undef USER_FLAGS
%define USER_FLAGS 0x202
    try_user sti
    mov eax, [FAULT_LOG + 16]
    note eax
    try_user cli
    mov eax, [FAULT_LOG + 16]
    note eax
    try_user {pushfd}
%undef USER_FLAGS
%define USER_FLAGS 0x100202
    try_user sti                           ; VIP: #GP
    try_user cli
    finish
try_routines
