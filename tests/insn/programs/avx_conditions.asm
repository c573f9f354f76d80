; sdm: vol. 2A 2.4 (exception classes of VEX-encoded instructions), vol. 1 13.3 (CR4.OSXSAVE and XCR0)
; cpu: x86-64-v3 max
; qemu: differs, CR0.EM makes VEX forms #UD, VMOVD takes VEX.L, VADDSS does not
; expect: dword[0x5f8]=0x3100
; outcomes: 6ffff 6ffff 6ffff 6ffff 0 6ffff 6ffff 6ffff 6ffff 0 6ffff 6ffff 6ffff 6ffff 0 6ffff 6ffff 6ffff
; outcomes: 6ffff 0 6ffff 6ffff 6ffff 6ffff 0 d0000 d0000 d0000 0 0 0 0 0 7ffff 7ffff 7ffff 7ffff 0 0 0 0 0 0 0
; outcomes: 0 0 0 0 d0000 0 d0000 d0000 d0000 0 0 0 6ffff 6ffff 6ffff 6ffff 0 6ffff 6ffff 0
%include "lm64.inc"
%include "try.inc"
main64:
    start_outcomes
%macro set_cr4_osxsave 1
    mov rax, cr4
    and eax, ~0x40000
    or eax, %1 << 18
    mov cr4, rax
%endmacro
%macro set_xcr0 1
    xor ecx, ecx
    xor edx, edx
    mov eax, %1
    xsetbv
%endmacro
%macro set_cr0 1                           ; EM and TS
    mov rax, cr0
    and eax, ~0xC
    or eax, %1
    mov cr0, rax
%endmacro
%macro each 0
    try vaddps ymm0, ymm1, ymm2
    try vzeroupper
    try vmovd xmm0, eax
    try vstmxcsr [SCRATCH]
    try andn eax, ebx, ecx                 ; none of this concerns general registers
%endmacro
    each                                   ; no OSXSAVE
    set_cr0 8
    each                                   ; #UD before #NM
    set_cr0 0
    set_cr4_osxsave 1
    set_xcr0 1
    each
    set_xcr0 3
    each
    set_cr0 8
    each
    set_cr0 0
    xor ecx, ecx
    xor edx, edx
    mov eax, 5
    try xsetbv                             ; AVX without SSE
    mov eax, 6
    try xsetbv                             ; no x87
    mov eax, 15
    try xsetbv                             ; not there
    set_xcr0 7
    each
    set_cr0 8
    each                                   ; #NM
    set_cr0 4
    each                                   ; EM is not looked at
    set_cr0 0
    mov rax, cr4
    and eax, ~0x200
    mov cr4, rax
    each                                   ; nor is OSFXSR
    mov rax, cr4
    or eax, 0x200
    mov cr4, rax
    ; alignment
    try vmovaps ymm0, [SCRATCH + 16]
    try vmovaps xmm0, [SCRATCH + 16]
    try vmovdqa [SCRATCH + 16], ymm0
    try vmovntps [SCRATCH + 16], ymm0
    try vmovntdqa ymm0, [SCRATCH + 16]
    try vmovups ymm0, [SCRATCH + 1]
    try vaddps ymm0, ymm1, [SCRATCH + 1]
    try vpcmpestri xmm0, [SCRATCH + 1], 0
    ; encodings
    try db 0x66, 0xC5, 0xF4, 0x58, 0xC2    ; a prefix that VEX stands for
    try db 0xF3, 0xC5, 0xF4, 0x58, 0xC2
    try db 0x48, 0xC5, 0xF4, 0x58, 0xC2
    try db 0xF0, 0xC5, 0xF4, 0x58, 0xC2
    try db 0x3E, 0xC5, 0xF4, 0x58, 0xC2    ; a segment is none
    try db 0xC5, 0xF4, 0x28, 0xC2          ; VMOVAPS has no second source
    try db 0xC5, 0xFD, 0x6E, 0xC0          ; VMOVD has no 256-bit form
    try db 0xC5, 0xF6, 0x58, 0xC2          ; VADDSS: VEX.L is ignored
    finish
try_routines
