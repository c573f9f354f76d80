; sdm: vol. 3A 11.4.4, 11.5, 11.6.1, 11.8, 6.7.1 (local APIC: self-IPI, TPR, priorities, EOI; NMI blocked until IRET; timer with HLT; x2APIC MSRs)
; bochs: differs, its x2APIC has no logical ID
; expect: dword[0x5f8]=0x30d4
; outcomes: 51 1 20000 20000 40 51 2 4 31 3 0 31 20000 30 61 3131 31 4 1 10051 2 202 2 5 2 61 6 0 61 61 61 7
; outcomes: 51 8 fee00900 0 0 0 0 50014 0 1 d0000 d0000 d0000 0 2 0 51 0 9 d0000 d0000
%include "lm64.inc"
%include "try.inc"
APIC    equ 0x208000
%macro vector 2
    mov edi, %1
    mov eax, %2
    call set_gate
%endmacro
main64:
    start_outcomes
    mov eax, 0xFEE00093
    mov [PT2 + 8 * 8], rax
    mov rax, cr3
    mov cr3, rax
    vector 2, on_nmi
    vector 0x31, on_31
    vector 0x51, on_51
    vector 0x61, on_61
    vector 0xFF, on_ff
    mov esi, APIC
    mov dword [rsi + 0xF0], 0x1FF          ; enabled, spurious vector FFh
    ; self-IPI by the ICR: shorthand 01
    sti
    mov dword [rsi + 0x300], 0x40051
    nop
    nop
    note 0x1
    cli
    mov dword [rsi + 0x300], 0x40031
    mov dword [rsi + 0x300], 0x40051
    note dword [rsi + 0x210]                     ; IRR 20h-3Fh
    note dword [rsi + 0x220]                     ; IRR 40h-5Fh
    mov dword [rsi + 0x80], 0x40           ; TPR lets 51h in alone
    note dword [rsi + 0xA0]                      ; PPR
    sti
    nop
    nop
    note 0x2
    mov rax, cr8
    note eax
    xor eax, eax
    mov cr8, rax                           ; now 31h
    nop
    note 0x3
    note dword [rsi + 0x80]
    ; nesting: the handler of 31h (on_31) enables interrupts; 61h comes in, another 31h waits
    mov dword [nested], 1
    mov dword [rsi + 0x300], 0x40031
    nop
    nop
    note 0x4
    mov dword [nested], 0
    ; vectors below 10h are errors
    mov dword [rsi + 0x280], 0
    mov dword [rsi + 0x300], 0x40005
    mov dword [rsi + 0x280], 0
    mov eax, [rsi + 0x280]
    and eax, 0x60                          ; ESR: send or receive illegal vector
    setnz al
    movzx eax, al
    note eax
    cli
    ; software-disabled: LVTs are masked
    mov dword [rsi + 0xF0], 0x0FF
    mov dword [rsi + 0x320], 0x51
    note dword [rsi + 0x320]
    mov dword [rsi + 0xF0], 0x1FF
    ; NMI by self-IPI: blocked until IRET
    mov dword [nmis], 0
    mov dword [rsi + 0x310], 0
    mov dword [rsi + 0x300], 0x4400        ; to ID 0, NMI
    nop
    nop
    note 0x5
    note dword [nmis]
    ; one-shot timer and HLT
    mov dword [rsi + 0x3E0], 0xB           ; by 1
    mov dword [rsi + 0x320], 0x61
    mov dword [rsi + 0x380], 20000
    sti
    hlt
    note 0x6
    note dword [rsi + 0x390]
    cli
    ; periodic
    mov dword [rsi + 0x320], 0x20061
    mov dword [rsi + 0x380], 20000
    sti
    hlt
    hlt
    hlt
    cli
    mov dword [rsi + 0x380], 0
    mov dword [rsi + 0x320], 0x10061
    note 0x7
    ; STI; HLT with an interrupt waiting: HLT goes first, then it wakes
    mov dword [rsi + 0x300], 0x40051
    sti
    hlt
    note 0x8
    cli
    ; x2APIC
    mov ecx, 0x1B
    rdmsr
    note eax
    or eax, 0x400
    try wrmsr
    mov ecx, 0x802
    try rdmsr
    note eax
    mov ecx, 0x803
    try rdmsr
    and eax, 0xFF00FF
    note eax
    mov ecx, 0x80D                         ; LDR
    try rdmsr
    note eax
    mov ecx, 0x802                         ; read-only
    try wrmsr
    mov ecx, 0x80E                         ; DFR is none
    try rdmsr
    mov ecx, 0x808                         ; TPR
    mov eax, 0x100
    xor edx, edx
    try wrmsr
    mov eax, 0x20
    try wrmsr
    mov rax, cr8
    note eax
    xor eax, eax
    try wrmsr
    mov ecx, 0x83F                         ; SELF IPI
    mov eax, 0x51
    sti
    try wrmsr
    nop
    note 0x9
    mov ecx, 0x80B                         ; EOI: 0 alone
    mov eax, 1
    try wrmsr
    mov ecx, 0x1B                          ; back to xAPIC is illegal
    rdmsr
    and eax, ~0x400
    try wrmsr
    finish
nested: dd 0
nmis:   dd 0
x2:     dd 0
set_gate:
    shl edi, 4
    add edi, IDT
    mov [rdi], ax
    shr eax, 16
    mov [rdi + 6], ax
    ret
on_51:
    note 0x51
    push rax
    push rcx
    push rdx
    mov ecx, 0x1B
    rdmsr
    test eax, 0x400
    jnz .x2
    mov dword [APIC + 0xB0], 0
    jmp .end
.x2:
    mov ecx, 0x80B
    xor eax, eax
    xor edx, edx
    wrmsr
.end:
    pop rdx
    pop rcx
    pop rax
    iretq
on_31:
    note 0x31
    cmp dword [nested], 0
    je .end
    dec dword [nested]
    note dword [rsi + 0x110]                     ; ISR
    note dword [rsi + 0xA0]
    mov dword [rsi + 0x300], 0x40031
    mov dword [rsi + 0x300], 0x40061
    sti
    nop
    nop
    cli
    note 0x3131
.end:
    mov dword [rsi + 0xB0], 0
    iretq
on_61:
    note 0x61
    mov dword [rsi + 0xB0], 0
    iretq
on_ff:
    note 0xFF
    iretq
on_nmi:
    inc dword [nmis]
    note 0x02
    cmp dword [nmis], 1
    jne .end
    mov dword [rsi + 0x300], 0x4400        ; another: waits for IRET
    nop
    nop
    note 0x0202
.end:
    iretq
try_routines
