; sdm: vol. 3A 6.15 interrupts 6, 7, 16, 19; vol. 1 8.7, 11.5 (#XM or #UD by CR4.OSXMMEXCPT; #MF waits for the next x87 instruction; TS, EM, MP)
; expect: dword[0x5f8]=0x310c
; outcomes: 13ffff 1d84 3f800000 6ffff d0000 0 e001b084 0 0 0 0 10ffff 10ffff 10ffff 10ffff 0 0 10ffff 0 0 0 0
; outcomes: 0 0 0 0 0 0 0 0 0 0 7ffff 7ffff 6ffff 6ffff 7ffff 0 7ffff 7ffff 6ffff 6ffff 7ffff 0 7ffff 7ffff
; outcomes: 7ffff 7ffff 7ffff 7ffff 7ffff 7ffff 7ffff 7ffff 7ffff 0 7ffff 7ffff 6ffff 6ffff 7ffff 7ffff 7ffff
; outcomes: 7ffff 6ffff 6ffff 7ffff
%include "lm64.inc"
%include "try.inc"
main64:
    start_outcomes
    mov dword [SCRATCH], 0x1F80 & ~0x200   ; divide by zero unmasked
    ldmxcsr [SCRATCH]
    mov dword [SCRATCH + 4], 0x3F800000
    movss xmm0, [SCRATCH + 4]
    xorps xmm1, xmm1
    try divss xmm0, xmm1
    stmxcsr [SCRATCH]
    note [SCRATCH]
    movss [SCRATCH], xmm0
    note [SCRATCH]                         ; the destination stays
    mov rax, cr4
    and eax, ~0x400
    mov cr4, rax
    try divss xmm0, xmm1                   ; no OSXMMEXCPT: #UD
    mov rax, cr4
    or eax, 0x400
    mov cr4, rax
    mov dword [SCRATCH], 0x10000
    try ldmxcsr [SCRATCH]                  ; reserved bits
    mov dword [SCRATCH], 0x1F80
    ldmxcsr [SCRATCH]
    ; x87, CR0.NE = 1
    mov rax, cr0
    or eax, 0x20
    mov cr0, rax
    fninit
    mov word [SCRATCH], 0x37B              ; zero divide unmasked
    fldcw [SCRATCH]
    fld1
    fldz
    try fdivp                              ; pending only
    fnstsw ax
    note eax
    try fnstcw [SCRATCH]                   ; these do not wait
    try fnstenv [SCRATCH]
    try fldenv [SCRATCH]                   ; FNSTENV masked it: no #MF
    fnclex
    fldz
    fld1
    try fdivrp
    try fwait
    try fld1
    try db 0x0F, 0xFC, 0xC1                ; MMX waits
    try emms
    try fxsave [SCRATCH + 64]              ; does not
    try fxrstor [SCRATCH + 64]
    try fxch                               ; pending again by FXRSTOR
    try fninit
    ; TS, EM, MP
%macro matrix 1
    mov rax, cr0
    and eax, ~0xE
    or eax, %1
    mov cr0, rax
    try fwait
    try fnop
    try fnstsw ax
    try emms
    try movaps xmm0, xmm0
    try fxsave [SCRATCH + 64]
%endmacro
    matrix 0
    matrix 2
    matrix 4
    matrix 6
    matrix 8
    matrix 10
    matrix 12
    matrix 14
    finish
try_routines
