; sdm: vol. 3A 3.4.2, 5.4.1 (a null selector may be loaded into DS but not used, nor loaded into SS)
; qemu: differs, it does not check null selectors on use
; expect: dword[0x600]=2 dword[0x620]=13 dword[0x624]=0 dword[0x640]=13 dword[0x644]=0 ebx=2
%include "pm32.inc"
main32:
    xor ebx, ebx
    xor eax, eax
    mov es, ax
    expect_fault used
    mov eax, [es:0x1000]
    jmp done
used:
    inc ebx
    xor eax, eax
    expect_fault loaded
    mov ss, ax
    jmp done
loaded:
    inc ebx
done:
    finish
