; sdm: vol. 3B 17.2, 17.3 (instruction breakpoints are faults before it, data breakpoints traps after it; DR6 says which; RF skips one)
; expect: dword[0x600]=2 dword[0x620]=1 dword[0x628]=0 dword[0x640]=1 dword[0x648]=0 dword[0x500]&0xf=1 dword[0x504]&0xf=2 ebx=1
%include "pm32.inc"
main32:
    xor ebx, ebx
    mov eax, .target
    mov dr0, eax
    mov eax, 0x2004
    mov dr1, eax
    xor eax, eax
    mov dr6, eax
    mov eax, 0x00D00405                    ; L0: execute; L1: write, 4 bytes
    mov dr7, eax
    expect_fault .hit
    nop
.target:
    inc ebx
    mov dword [0x2004], 5
.behind:
    jmp .end
.hit:
    mov eax, dr6
    mov [0x500], eax
    sub dword [FAULT_LOG + 8], .target
    xor eax, eax
    mov dr6, eax
    expect_fault .data
    push dword 0x10002                     ; RF: past the breakpoint
    push dword CODE32
    push dword .target
    iretd
.data:
    mov eax, dr6
    mov [0x504], eax
    sub dword [FAULT_LOG + 32 + 8], .behind
.end:
    xor eax, eax
    mov dr7, eax
    finish
