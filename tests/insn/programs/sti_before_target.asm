; sdm: vol. 2B STI (what follows it runs once, whether STI or a jump leads there)
; expect: ebx=0 ecx=200 edx=200
%include "pm32.inc"
main32:
    mov ebx, 200
    xor ecx, ecx
    xor edx, edx
again:
    cli
    test bl, 1
    jz masked
    sti
masked:
    inc ecx
    cli
    test ecx, ecx
    jz never
    sti
never:
    cli
    inc edx
    dec ebx
    jnz again
    finish
