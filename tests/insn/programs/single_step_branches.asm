; sdm: vol. 3B 17.4.3 (IA32_DEBUGCTL.BTF: TF traps behind taken branches only; the trap clears BTF)
; bochs: differs, it has no BTF
; qemu: differs, it has no BTF
; cpu: pentium3 qemu64 max
; expect: dword[0x5f8]=0x3020
; outcomes: 1ffff 1 0 4000 1ffff 1 1ffff 1
%include "pm32.inc"
%include "try.inc"
%macro step_branches 1
    xor eax, eax
    mov dr6, eax
    mov ecx, 0x1D9
    mov eax, %1
    xor edx, edx
    wrmsr
    mov ecx, 3
    mov esi, SCRATCH
    pushfd
    or dword [esp], 0x100
    popfd
%endmacro
%macro note_place 1                        ; was the trap there?
    call note_outcome
    xor eax, eax
    cmp dword [FAULT_LOG + 8], %1
    sete al
    note eax
%endmacro
main32:
    start_outcomes
    expect_fault .jumped
    step_branches 2
    rep lodsb
    test esp, esp
    jz .not_taken
    jmp .target
.not_taken:
    nop
.target:
    nop
.jumped:
    note_place .target
    mov ecx, 0x1D9
    rdmsr
    note eax
    mov eax, dr6
    and eax, 0xE00F
    note eax
    expect_fault .returned
    step_branches 2
    push dword .behind
    ret
    nop
.behind:
    nop
.returned:
    note_place .behind
    expect_fault .each                     ; without BTF: behind the first
    step_branches 0
    nop
.second:
    nop
.each:
    note_place .second
    finish
try_routines
