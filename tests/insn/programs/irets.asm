; sdm: vol. 2 IRET (to outer rings, to v8086, with NT, error codes; what stays of the segments and flags)
; expect: dword[0x5f8]=0x3088
; outcomes: d0000 b0048 d0010 d0000 d0068 81ffff 40 d0000 d0010 d0068 82ffff 0 33 0 81ffff 43 d0008 40202 0
; outcomes: a0000 a0010 a0078 a003c a0038 4444 3333 2222 1111 600 12344000 33202 500 10 6ffff
%include "pm32.inc"
%include "try.inc"
TSS2    equ 0x6000
%macro iret_same 2
    push dword 0x202
    push dword %1
    push dword %2
    iretd
%endmacro
%macro iret_outer 4                        ; CS EIP ESP SS
    push dword %4
    push dword %3
    push dword 0x202
    push dword %1
    push dword %2
    iretd
%endmacro
main32:
    start_outcomes
    mov dword [gdt_extra], 0x0000FFFF      ; 40h: conforming code, DPL 0
    mov dword [gdt_extra + 4], 0x00CF9E00
    mov dword [gdt_extra + 8], 0x0000FFFF  ; 48h: code, DPL 0, not present
    mov dword [gdt_extra + 12], 0x00CF1A00
    mov dword [gdt_extra + 16], 0x00007FFF ; 50h: code, limit 7FFFh
    mov dword [gdt_extra + 20], 0x00409A00
    mov ebp, esp
    try iret_same 0, 0
    mov esp, ebp
    try iret_same 0x48, 0
    mov esp, ebp
    try iret_same DATA32, 0
    mov esp, ebp
    try iret_same 0x50, 0x8000
    mov esp, ebp
    try iret_same 0x68, 0
    mov esp, ebp
    try iret_same 0x40, .int81
    mov esp, ebp
    mov eax, [FAULT_LOG + 12]
    note eax
    try iret_outer UCODE32, .int81, STACK3, 0
    mov esp, ebp
    try iret_outer UCODE32, .int81, STACK3, DATA32
    mov esp, ebp
    try iret_outer UCODE32, .int81, STACK3, 0x6B
    mov esp, ebp
    ; DS, ES, FS, GS of inner rings become null on the way out
    mov ax, UDATA32
    mov es, ax
    mov fs, ax
    try iret_outer UCODE32, .segments, STACK3, UDATA32
    mov esp, ebp
    mov ax, DATA32
    mov ds, ax
    mov es, ax
    mov fs, ax
    mov eax, [SCRATCH]
    note eax
    mov eax, [SCRATCH + 4]
    note eax
    mov eax, [SCRATCH + 8]
    note eax
    ; conforming, outwards
    try iret_outer 0x43, .int81, STACK3, UDATA32
    mov esp, ebp
    mov eax, [FAULT_LOG + 12]
    note eax
    try_user {iret_same CODE32, 0}
    ; a 16-bit IRET changes SP alone below, the lower flags only
    pushfd
    or dword [esp], 0x40000
    popfd
    push word 0x0202
    push word CODE32
    push word .sixteen
    try o16 iret
    jmp .behind
.sixteen:
    pushfd
    pop eax
    note eax
    push dword 2
    popfd
.behind:
    mov esp, ebp
    ; NT: through the back link
    mov dword [RESUME], 0
    call note_outcome
%macro iret_nt 1
    mov word [TSS], %1
    pushfd
    or dword [esp], 0x4000
    popfd
    iretd
%endmacro
    try iret_nt 0                          ; null link
    try iret_nt DATA32
    try iret_nt 0x78                       ; beyond the GDT
    try iret_nt TSS32 | 4                  ; not in the GDT
    and byte [gdt + TSS32 + 5], 0xFD
    try iret_nt TSS32                      ; not busy
    or byte [gdt + TSS32 + 5], 2
    push dword 2
    popfd
    mov esp, ebp
    ; to virtual-8086 mode: registers as popped, and EIP beyond 64 KiB
    mov dword [0x5000], 0x0B0F
    expect_fault .v86
    push dword 0x4444
    push dword 0x3333
    push dword 0x2222
    push dword 0x1111
    push dword 0x600
    push dword 0x12344000
    push dword 0x23202
    push dword 0x500
    push dword 0
    iretd
.v86:
    mov eax, [STACK0 - 4]
    note eax                               ; GS
    mov eax, [STACK0 - 8]
    note eax
    mov eax, [STACK0 - 12]
    note eax
    mov eax, [STACK0 - 16]
    note eax
    mov eax, [STACK0 - 20]
    note eax
    mov eax, [STACK0 - 24]                 ; ESP
    note eax
    mov eax, [STACK0 - 28]
    note eax
    mov eax, [STACK0 - 32]
    note eax
    mov eax, ds
    note eax
    call note_outcome
    finish
.int81:
    int 0x81
.segments:
    mov ax, UDATA32
    mov cx, ds
    mov ds, ax
    movzx ecx, cx
    mov [SCRATCH], ecx
    mov ecx, es
    mov [SCRATCH + 4], ecx
    mov ecx, gs
    mov [SCRATCH + 8], ecx
    int 0x82
try_routines
