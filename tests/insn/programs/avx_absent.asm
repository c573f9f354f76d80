; sdm: vol. 1 14.3, vol. 2A 2.4: without the feature its instructions are #UD; LZCNT and TZCNT are BSR and BSF
; cpu: x86-64-v2 core2duo
; expect: dword[0x5f8]=0x3030
; outcomes: 6ffff 6ffff 6ffff 6ffff 6ffff 6ffff 6ffff 6ffff 0 8 0 8
%include "lm64.inc"
%include "try.inc"
main64:
    start_outcomes
    try vaddps xmm0, xmm1, xmm2
    try vzeroupper
    try vpaddb ymm0, ymm1, ymm2
    try vfmadd132ps xmm0, xmm1, xmm2
    try vcvtph2ps xmm0, xmm1
    try andn eax, ebx, ecx
    try rorx eax, ebx, 3
    try movbe eax, [SCRATCH]
    mov ebx, 0x100
    try lzcnt eax, ebx
    note eax
    try tzcnt eax, ebx
    note eax
    finish
try_routines
