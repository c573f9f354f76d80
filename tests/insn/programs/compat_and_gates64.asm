; sdm: vol. 3A 5.8.3.1, 6.14 (64-bit call gates, IST, stack alignment, null SS at CPL 0), vol. 2 IRETQ (null SS, compatibility mode), 9.2 (code in it)
; bochs: differs, its IRETQ takes a null SS of another RPL
; expect: dword[0x5f8]=0x3094
; outcomes: 80ffff 17ffe0 0 190000 2b 33 0 16fff0 d0048 d0000 d0008 d0058 d0038 d0000 81ffff d0000 d0000 d0000
; outcomes: d0058 d0000 d0000 d0000 23 82ffff 18ffec 18ffec 0 12345678 16ffb0 93e0 16fff3 19ffc0 93f9 c0000
; outcomes: a0038 0 d0000
%include "lm64.inc"
%include "try.inc"
main64:
    start_outcomes
    mov eax, inner
    mov [gdt_extra], ax                    ; 48h: 64-bit call gate, DPL 3
    mov word [gdt_extra + 2], CODE64
    mov word [gdt_extra + 4], 0xEC00
    shr eax, 16
    mov [gdt_extra + 6], ax
    mov qword [gdt_extra + 8], 0
    mov dword [gdt_extra + 16], 0x0000FFFF ; 58h: 64-bit code with D set
    mov dword [gdt_extra + 20], 0x00EF9A00
    mov dword [pointer], 0
    mov word [pointer + 4], EXTRA | 3
    try_user call dword far [pointer]
    note dword [0x2000]                    ; RSP in it
    note dword [0x2004]                    ; SS: null with RPL 0
    note dword [0x2008]                    ; old RSP
    note dword [0x200C]                    ; old SS
    note dword [0x2010]                    ; old CS
    try call dword far [pointer]               ; no change of stack: pushes 8-byte slots
    note dword [0x2000]
    mov dword [gdt_extra + 12], 0x100      ; a type in the upper half
    try call dword far [pointer]
    mov dword [gdt_extra + 12], 0
    mov dword [gdt_extra + 8], 0x8000      ; not canonical
    try call dword far [pointer]
    mov dword [gdt_extra + 8], 0
    mov word [gdt_extra + 2], CODE32       ; no 64-bit code
    try call dword far [pointer]
    mov word [gdt_extra + 2], CODE64
    mov word [pointer + 4], 0x58
    try jmp dword far [pointer]
    mov word [pointer + 4], TSS64
    try jmp dword far [pointer]                ; no task switches
    mov word [pointer + 4], 0
    try jmp dword far [pointer]
    ; IRETQ to CPL 0 with a null SS; to CPL 3 not
%macro iretq_to 3                          ; CS RIP SS
    push %3
    push 0x170000
    push 2
    push %1
    push %2
    iretq
%endmacro
    mov rbp, rsp
    try iretq_to CODE64, int81, 0
    mov rsp, rbp
    try iretq_to UCODE64, int81, 0
    mov rsp, rbp
    try iretq_to UCODE64, int81, 3
    mov rsp, rbp
    try iretq_to CODE32, int81, 0
    mov rsp, rbp
    try iretq_to 0x58, int81, 0
    mov rsp, rbp
    try iretq_to CODE64, int81, 3
    mov rsp, rbp
    mov rax, 0x800000000000
    mov [pointer], rax
%macro iretq_far 0
    push DATA32
    push 0x170000
    push 2
    push CODE64
    push qword [pointer]
    iretq
%endmacro
    try iretq_far
    mov rsp, rbp
    push 0x4002                            ; NT
    popfq
    try iretq_to CODE64, int81, DATA32
    mov rsp, rbp
    push 2
    popfq
    ; compatibility mode at CPL 3: 32-bit code with 64-bit interrupts around it
    mov rax, 0x1234567812345678
    mov r8, rax
    expect_fault .compat
    push UDATA
    push STACK3
    push 0x202
    push UCODE32
    push user32
    iretq
.compat:
    note dword [FAULT_LOG + 12]
    call note_outcome
    note dword [0x2014]
    note dword [0x2018]
    note dword [0x201C]
    mov rax, r8
    shr rax, 32
    note eax
    ; stack alignment of interrupts, and an IST from CPL 0
    mov eax, on_90
    mov [IDT + 0x90 * 16], ax
    shr eax, 16
    mov [IDT + 0x90 * 16 + 6], ax
    mov rsp, 0x16FFF3
    int 0x90
    mov eax, esp
    note eax
    mov byte [IDT + 0x90 * 16 + 4], 1
    int 0x90
    mov rax, 0x800000000000                ; a stack that is no address: #SS with EXT? INT n has none
    mov [TSS + 36], rax
    mov rsp, rbp
    try int 0x90
    mov word [gdt + TSS64], 42             ; the TSS ends before IST1
    and byte [gdt + TSS64 + 5], 0xFD
    mov ax, TSS64
    ltr ax
    try int 0x90
    ; MOV SS null at CPL 0 in 64-bit code; not with another RPL
    xor eax, eax
    try mov ss, ax
    mov ax, 3
    try mov ss, ax
    finish
align 8
pointer: dq 0
inner:
    push rax
    lea rax, [rsp + 8]
    mov [0x2000], eax
    mov eax, ss
    mov [0x2004], eax
    mov eax, [rsp + 24]
    mov [0x2008], eax
    mov eax, [rsp + 32]
    mov [0x200C], eax
    mov eax, [rsp + 16]
    mov [0x2010], eax
    pop rax
    retfq
on_90:
    note esp
    note dword [rsp + 24]
    iretq
int81:
    int 0x81
try_routines
bits 32
user32:
    mov ax, UDATA
    mov ds, ax
    mov es, ax
    mov eax, 0x80000000                    ; addresses are cut to 32 bits
    add eax, eax
    inc eax                                ; one byte
    dec eax
    mov eax, [eax + 0x500]
    mov esp, 0x18FFF0
    push eax
    mov [0x2014], esp
    mov ecx, 0xFFFFFFFF
    mov edx, [ecx + 0x2015]                ; wraps at 4 GiB
    mov [0x2018], edx
    xor ecx, ecx
    arpl cx, cx                            ; not MOVSXD
    aaa
    call next
next:
    pop eax
    sub eax, next
    mov [0x201C], eax
    syscall_is_ud:
    int 0x82
