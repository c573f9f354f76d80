; sdm: vol. 1 14.1.1, 14.3.1 (VEX.128 forms clear bits 255:128, SSE forms leave them), vol. 2C VZEROUPPER, VZEROALL
; cpu: x86-64-v3 max
; expect: dword[0x5f8]=0x3058
; outcomes: 3 3 2 2 3 3 1 1 1 1 0 1 1 1 1 1 3 3 1 1 0 0
%include "lm64.inc"
%include "try.inc"
main64:
    start_outcomes
    mov rax, cr4
    or eax, 0x40000
    mov cr4, rax
    xor ecx, ecx
    xor edx, edx
    mov eax, 7
    xsetbv
; Notes which halves of ymm0 are not zero: 1 the lower, 2 the upper.
%macro halves 1
    vmovups [SCRATCH], %1
    xor edi, edi
    mov rax, [SCRATCH]
    or rax, [SCRATCH + 8]
    setnz dil
    xor ecx, ecx
    mov rax, [SCRATCH + 16]
    or rax, [SCRATCH + 24]
    setnz cl
    lea edi, [rdi + 2 * rcx]
    note edi
%endmacro
%macro after 1+
    vpcmpeqd ymm0, ymm0, ymm0
    vpcmpeqd ymm1, ymm1, ymm1
    vpcmpeqd ymm9, ymm9, ymm9
    %1
    halves ymm0
%endmacro
    after nop
    after paddd xmm0, xmm1
    after xorps xmm0, xmm0
    after movss xmm0, [SCRATCH]
    after movaps xmm0, xmm1
    after cvtsi2sd xmm0, eax
    after vpaddd xmm0, xmm0, xmm1
    after vmovaps xmm0, xmm1
    after vmovss xmm0, xmm1, xmm1
    after vmovlps xmm0, xmm1, [SCRATCH]
    after vmovd xmm0, edx
    after vpinsrd xmm0, xmm1, edx, 2
    after vcvtsi2sd xmm0, xmm1, edx
    after vcvtpd2ps xmm0, ymm1
    after vextractf128 xmm0, ymm1, 1
    after vpslld xmm0, xmm1, 1
    after vpaddd ymm0, ymm1, ymm1
    after vbroadcastss ymm0, [SCRATCH]
    after vzeroupper
    halves ymm9
    after vzeroall
    halves ymm9
    finish
try_routines
