; sdm: vol. 2 PREFETCHW; AMD64 APM vol. 3 PREFETCHW: wherever there is long mode, with the CPUID bit or without
; cpu: qemu64 core2duo x86-64-v2 max
; expect: dword[0x5f8]=0x300c
; outcomes: 0 0 0
%include "lm64.inc"
%include "try.inc"
main64:
    start_outcomes
    try prefetchw [0x1000]
    mov rbx, 0x800000000000
    try prefetchw [rbx]                    ; no fault, whatever the address
    try db 0x0F, 0x0D, 0x03                ; PREFETCH
    finish
try_routines
