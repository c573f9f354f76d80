; sdm: vol. 2C VPGATHERDD (elements fault from the lowest on; those done are in the destination, their mask is clear; the
; sdm: instruction is restartable; masked elements do not fault), VMASKMOV
; cpu: x86-64-v3 max
; qemu: differs, VMASKMOV accesses the lanes that are masked out
; expect: dword[0x5f8]=0x310c
; outcomes: e0000 121000 11 22 33 ee ee ee ee ee f8 0 11 22 33 55 44 66 55 11 0 0 11 22 33 ee 44 ee ee 11 0 0 11
; outcomes: 22 33 44 0 0 0 0 0 0 ee ee ee ee ee ee ee ee 0 0 33 44 0 0 0 0 0 0 3 e0000 e0002 33 0 ffffffff
; outcomes: ffffffff
%include "lm64.inc"
%include "try.inc"
INDEX equ SCRATCH
MASK  equ SCRATCH + 32
DEST  equ SCRATCH + 64
HOLE  equ 0x121000
main64:
    start_outcomes
    mov rax, cr4
    or eax, 0x40000
    mov cr4, rax
    xor ecx, ecx
    xor edx, edx
    mov eax, 7
    xsetbv
    mov dword [HOLE - 16], 0x11
    mov dword [HOLE - 12], 0x22
    mov dword [HOLE - 8], 0x33
    mov dword [HOLE - 4], 0x44
    mov dword [HOLE], 0x55
    mov dword [HOLE + 4], 0x66
%macro hole 1
    mov qword [PT + 8 * (HOLE >> 12)], %1
    invlpg [HOLE]
%endmacro
%macro indices 8
    mov dword [INDEX], %1
    mov dword [INDEX + 4], %2
    mov dword [INDEX + 8], %3
    mov dword [INDEX + 12], %4
    mov dword [INDEX + 16], %5
    mov dword [INDEX + 20], %6
    mov dword [INDEX + 24], %7
    mov dword [INDEX + 28], %8
%endmacro
%macro show 0
    vmovups [DEST], ymm2
    vmovups [MASK], ymm1
%assign n 0
%rep 8
    note [DEST + n]
%assign n n + 4
%endrep
    vmovmskps ebp, ymm1
    note ebp
%endmacro
%macro prepare 0
    mov eax, 0xEE
    vmovd xmm2, eax
    vpbroadcastd ymm2, xmm2
    vpcmpeqd ymm1, ymm1, ymm1
    vmovups ymm0, [INDEX]
    mov esi, HOLE
%endmacro
    ; the fourth of eight faults, then goes on
    indices -4, -3, -2, 0, -1, 1, 0, -4
    hole 0
    prepare
    try vpgatherdd ymm2, [rsi + 4 * ymm0], ymm1
    mov rax, cr2
    note eax
    show
    hole HOLE | 7
    try vpgatherdd ymm2, [rsi + 4 * ymm0], ymm1
    show
    ; masked elements do not fault, and keep what was there
    hole 0
    prepare
    mov dword [MASK], 0x80000000
    mov dword [MASK + 4], 0xFFFFFFFF
    mov dword [MASK + 8], 0x80000001
    mov dword [MASK + 12], 0x7FFFFFFF      ; only the sign counts
    mov dword [MASK + 16], -1
    mov dword [MASK + 20], 0
    mov dword [MASK + 24], 0
    mov dword [MASK + 28], -1
    vmovups ymm1, [MASK]
    try vgatherdps ymm2, [rsi + 4 * ymm0], ymm1
    show
    ; the 128-bit form clears what is above, in the mask too
    prepare
    indices -4, -3, -2, -1, 0, 0, 0, 0
    vmovups ymm0, [INDEX]
    try vpgatherdd xmm2, [rsi + 4 * xmm0], xmm1
    show
    ; all masked: no access at all
    prepare
    vpxor xmm1, xmm1, xmm1
    mov rsi, 0x800000000000
    try vpgatherdd ymm2, [rsi + 4 * ymm0], ymm1
    show
    ; VMASKMOV: the lanes behind the page's end
    prepare
    mov dword [MASK], -1
    mov dword [MASK + 4], -1
    mov dword [MASK + 8], 0
    mov dword [MASK + 12], 0
    vmovups xmm1, [MASK]
    mov rax, HOLE - 8
    try vmaskmovps xmm2, xmm1, [rax]
    show
    mov dword [MASK + 8], -1
    vmovups xmm1, [MASK]
    mov rax, HOLE - 8
    try vmaskmovps xmm2, xmm1, [rax]
    mov rax, HOLE - 8
    vpcmpeqd xmm3, xmm3, xmm3
    try vmaskmovps [rax], xmm1, xmm3       ; nothing is written
    note [HOLE - 8]
    mov dword [MASK + 8], 0
    vmovups xmm1, [MASK]
    mov rax, HOLE - 8
    try vpmaskmovd [rax], xmm1, xmm3
    note [HOLE - 8]
    note [HOLE - 4]
    finish
try_routines
