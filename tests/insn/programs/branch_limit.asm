; sdm: vol. 2 JMP, Jcc, CALL, LOOP (a target beyond the CS limit: #GP(0) at the branch); running past the limit faults behind
; expect: dword[0x5f8]=0x3034
; outcomes: d0000 1 d0000 1 d0000 1 d0000 1 5 d0000 1 0 1
%include "pm32.inc"
%include "try.inc"
; Runs %2 in a code segment that ends at `beyond`, and notes the fault and whether it has the address of %1.
%macro try_limited 2+
    expect_fault %%after
    jmp EXTRA:%1
%%after:
    call note_outcome
    xor eax, eax
    cmp dword [FAULT_LOG + 8], %2
    sete al
    note eax
%endmacro
main32:
    start_outcomes
    mov eax, beyond - 1
    mov [gdt_extra], ax
    mov dword [gdt_extra + 2], 0x9B000000
    mov word [gdt_extra + 6], 0x0040
    try_limited jump, jump
    try_limited condition, condition.branch
    try_limited call_it, call_it
    mov ecx, 5
    try_limited loop_it, loop_it
    note ecx                               ; as it was
    try_limited last, beyond               ; the one behind the last instruction
    expect_fault .none
    jmp EXTRA:fits
.none:
    call note_outcome
    note eax
    finish
try_routines
align 64
jump:
    jmp short beyond
condition:
    cmp eax, eax
.branch:
    je beyond
call_it:
    call beyond
loop_it:
    loop beyond
fits:
    mov eax, 1
    mov dword [RESUME], 0
    jmp CODE32:main32.none
last:
    nop
beyond:
    hlt
