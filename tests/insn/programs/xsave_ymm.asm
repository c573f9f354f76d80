; sdm: vol. 1 13.4, 13.7-13.10 (XSAVE, XRSTOR, XSAVEOPT of YMM_Hi128: offset 576, initial state), vol. 2A CPUID leaf 0Dh
; cpu: x86-64-v3 max
; qemu: differs, it saves a component in its initial state as if it were in use
; expect: dword[0x5f8]=0x30a4
; outcomes: 3 7 240 340 100 240 0 7 1234 1234 1f80 0 0 1234 0 1234 0 0 1234 1234 0 1234 0 0 0 1234 0 2 0 0 77 0
; outcomes: 2 d0000 0 9abc 9abc d0000 0 e0002 0
%include "lm64.inc"
%include "try.inc"
AREA equ 0x2000
HOLE equ 0x121000
main64:
    start_outcomes
    mov rax, cr4
    or eax, 0x40000
    mov cr4, rax
    mov eax, 1
    cpuid
    shr ecx, 27
    and ecx, 3
    note ecx                               ; OSXSAVE and AVX
%macro leaf_d 1
    mov eax, 13
    mov ecx, %1
    cpuid
%endmacro
    leaf_d 0
    and eax, 7
    note eax                               ; x87, SSE, AVX
    note ebx                               ; by XCR0: 576
    xor ecx, ecx
    xor edx, edx
    mov eax, 7
    xsetbv
    leaf_d 0
    note ebx                               ; 832
    leaf_d 2
    note eax
    note ebx
%macro x 2                                 ; instruction, components
    mov eax, %2
    xor edx, edx
    try %1 [AREA]
%endmacro
%macro ymm_state 0
    vmovd eax, xmm3
    note eax
    vextractf128 xmm4, ymm3, 1
    vmovd eax, xmm4
    note eax
%endmacro
%macro fill 1
    mov eax, %1
    vmovd xmm3, eax
    vinsertf128 ymm3, ymm3, xmm3, 1
%endmacro
    ; what is saved, where
    mov edi, AREA
    mov ecx, 104
    xor eax, eax
    rep stosq
    fill 0x1234
    x xsave, 7
    note [AREA + 512]                      ; XSTATE_BV: x87 is in its initial state or not
    note [AREA + 160 + 48]
    note [AREA + 576 + 48]
    note [AREA + 24]                       ; MXCSR
    vzeroall
    x xrstor, 4                            ; the upper halves alone
    ymm_state
    vzeroall
    x xrstor, 2
    ymm_state
    vzeroall
    x xrstor, 7
    ymm_state
    ; a component that is not in XSTATE_BV takes its initial state
    mov dword [AREA + 512], 3
    x xrstor, 7
    ymm_state
    mov dword [AREA + 512], 4
    x xrstor, 7
    ymm_state
    ; bits that are not asked for stay
    fill 0x5678
    vzeroupper
    mov dword [AREA + 512], 7
    x xsave, 4
    mov eax, [AREA + 512]
    and eax, 6
    note eax
    note [AREA + 576 + 48]                 ; initial or not, XSAVE writes it
    mov dword [AREA + 576 + 48], 0x77
    x xsaveopt, 4
    note [AREA + 576 + 48]                 ; XSAVEOPT does not
    ; without XCR0[2] it is not there
    fill 0x9ABC
    xor ecx, ecx
    xor edx, edx
    mov eax, 3
    xsetbv
    mov dword [AREA + 512], 0
    x xsave, 7
    mov eax, [AREA + 512]
    and eax, 6
    note eax
    mov dword [AREA + 512], 4
    x xrstor, 7                            ; #GP
    mov dword [AREA + 512], 3
    x xrstor, 7
    xor ecx, ecx
    mov eax, 7
    xsetbv
    ymm_state                              ; the upper half was left alone
    ; the area's end counts
    mov eax, 4
    xor edx, edx
    try xsave [AREA + 32]
    mov qword [PT + 8 * (HOLE >> 12)], 0
    invlpg [HOLE]
    mov eax, 3
    try xsave [HOLE - 576]
    mov eax, 7
    try xsave [HOLE - 576]
    mov eax, 7
    try xrstor [HOLE - 576]
    finish
try_routines
