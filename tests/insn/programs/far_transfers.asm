; sdm: vol. 2 JMP, CALL, RET; vol. 3A 5.8 (conforming code keeps CPL; error codes of null, limit, type, privilege and presence)
; expect: dword[0x5f8]=0x309c
; outcomes: d0000 d0000 d0060 d0010 b0048 d0000 d0004 d0058 d0028 d0038 d0000 b0048 d0000 d0008 0 8 0 40 0 40
; outcomes: 80ffff 43 d0008 80ffff 5b 82ffff 43 d0000 b0048 d0010 d0000 d0000 d0008 d0000 d0010 d0028 81ffff
; outcomes: 2b d0008
%include "pm32.inc"
%include "try.inc"
main32:
    start_outcomes
    mov dword [gdt_extra], 0x0000FFFF      ; 40h: conforming code, DPL 0
    mov dword [gdt_extra + 4], 0x00CF9E00
    mov dword [gdt_extra + 8], 0x0000FFFF  ; 48h: code, DPL 0, not present
    mov dword [gdt_extra + 12], 0x00CF1A00
    mov dword [gdt_extra + 16], 0x00007FFF ; 50h: code, limit 7FFFh
    mov dword [gdt_extra + 20], 0x00409A00
    mov dword [gdt_extra + 24], 0x0000FFFF ; 58h: code, DPL 3, conforming
    mov dword [gdt_extra + 28], 0x00CFFE00
    push dword UDATA32
    pop ds
    push dword UDATA32
    pop es
    try jmp 0:0
    try jmp 3:0
    try jmp 0x60:0                         ; beyond the GDT
    try jmp DATA32:0
    try jmp 0x48:0
    try jmp 0x50:0x8000
    try jmp 0x4:0                          ; no LDT
    try jmp 0x5B:0                         ; more DPL than CPL
    try jmp UCODE32:0
    try jmp TSS32:0                        ; busy
    try call 0:0
    try call 0x48:0
    try call 0x50:0x8000
    try call (CODE32 | 3):there            ; RPL 3 > CPL 0
    try call CODE32:there
    note ebp
    try call 0x40:there
    note ebp
    try call 0x43:there                    ; conforming: RPL is no matter
    note ebp
    try_user {call 0x40:there}             ; conforming DPL 0 from CPL 3: CPL stays 3
    note ebp
    try_user {call CODE32:there}
    try_user {call 0x5B:there}
    note ebp
    try_user {jmp 0x40:.conforming}
    mov eax, [FAULT_LOG + 12]
    note eax
%macro retf_to 2
    push dword %1
    push dword %2
    retf
%endmacro
    mov ebp, esp
    try retf_to 0, 0
    mov esp, ebp
    try retf_to 0x48, 0
    mov esp, ebp
    try retf_to DATA32, 0
    mov esp, ebp
    try retf_to 0x50, 0x8000
    mov esp, ebp
    try retf_to 0x41, .here                ; conforming, RPL 1: to CPL 1 with what is on the stack as SS
    mov esp, ebp
    try retf_to CODE32 + 3, 0
    mov esp, ebp
%macro retf_out 4                          ; CS EIP ESP SS
    push dword %4
    push dword %3
    push dword %1
    push dword %2
    retf
%endmacro
    try retf_out UCODE32, .here, STACK3, 0
    mov esp, ebp
    try retf_out UCODE32, .here, STACK3, DATA32
    mov esp, ebp
    try retf_out UCODE32, .here, STACK3, UCODE32
    mov esp, ebp
    try retf_out UCODE32, .here, STACK3, UDATA32
    mov esp, ebp
    mov eax, [FAULT_LOG + 12]
    note eax
    try_user retf_to CODE32, 0
    jmp .end
.here:
    int 0x81
.conforming:
    int 0x82
.end:
    finish
there:
    mov ebp, cs
    retf
try_routines
