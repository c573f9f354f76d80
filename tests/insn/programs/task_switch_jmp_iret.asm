; sdm: vol. 3A 7.3 (CALL of a TSS: saves the state, sets NT, the back link and the busy bits; IRET with NT returns)
; expect: dword[0x600]=0 eax=0x11 ebx=0x77 ecx=0x38 edx=0x4000 esi=0x8b edi=0x89 ebp=0x8
%include "pm32.inc"
TSS2    equ 0x6000
main32:
    ; EXTRA: an available 386 TSS
    mov dword [gdt_extra], (TSS2 << 16) | 103
    mov dword [gdt_extra + 4], 0x00008900
    mov edi, TSS2
    mov ecx, 26
    xor eax, eax
    rep stosd
    mov dword [TSS2 + 32], task            ; EIP
    mov dword [TSS2 + 36], 2               ; EFLAGS
    mov dword [TSS2 + 56], 0x160000        ; ESP
    mov dword [TSS2 + 76], CODE32
    mov dword [TSS2 + 72], DATA32          ; ES
    mov dword [TSS2 + 80], DATA32          ; SS
    mov dword [TSS2 + 84], DATA32          ; DS
    mov dword [TSS2 + 88], DATA32
    mov dword [TSS2 + 92], DATA32
    mov dword [TSS2 + 52], 0x77            ; EBX
    mov eax, 0x11
    call EXTRA:0
    ; back: the registers are as at the call
    mov ebx, [0x500]
    mov ecx, [0x504]
    mov edx, [0x508]
    mov esi, [0x50C]
    movzx edi, byte [gdt_extra + 5]        ; available again
    mov ebp, [0x510]
    finish
task:
    mov [0x500], ebx
    movzx ecx, word [TSS2]                 ; back link
    mov [0x504], ecx
    pushfd
    pop edx
    and edx, 0x4000                        ; NT
    mov [0x508], edx
    movzx esi, byte [gdt_extra + 5]        ; busy
    mov [0x50C], esi
    mov eax, cr0
    and eax, 8                             ; TS
    mov [0x510], eax
    iretd
