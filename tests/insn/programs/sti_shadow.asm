; sdm: vol. 2 STI, vol. 3A 6.8.3 (one instruction after STI and after MOV SS runs before a trap or interrupt; here: a TF trap after MOV SS)
; expect: dword[0x600]=1 dword[0x620]=1 ebx=2 dword[0x628]=0x0 edx=1
%include "pm32.inc"
main32:
    xor ebx, ebx
    xor edx, edx
    mov ecx, DATA32
    pushfd
    or dword [esp], 0x100
    expect_fault trapped
    popfd                                  ; TF on: the trap comes after the next instruction...
    mov ss, ecx                            ; ...but this one holds it back for one more
    mov ebx, 2
behind:
    mov ebx, 3
    jmp done
trapped:
    mov eax, [FAULT_LOG + 8]
    sub eax, behind
    mov [FAULT_LOG + 8], eax
    inc edx
done:
    finish
