; sdm: vol. 3A 4.7 (the page-fault error code: P, W/R, U/S, RSVD, I/D), 4.6 (WP, NX, U/S)
; qemu: differs, it leaves P clear in the code of a reserved-bit fault
; expect: dword[0x600]=5 ebx=5
; expect: dword[0x620]=14 dword[0x624]=0 dword[0x634]=0x200010
; expect: dword[0x640]=14 dword[0x644]=2 dword[0x654]=0x200018
; expect: dword[0x660]=14 dword[0x664]=3 dword[0x674]=0x201000
; expect: dword[0x680]=14 dword[0x684]=0x11 dword[0x694]=0x202000
; expect: dword[0x6a0]=14 dword[0x6a4]=9 dword[0x6b4]=0x203008
%include "lm64.inc"
main64:
    xor ebx, ebx
    mov qword [PT2], 0                     ; 200000h: not present
    mov qword [PT2 + 8], 0x201005          ; 201000h: read-only
    mov rax, 0x8000000000202007            ; 202000h: no-execute
    mov [PT2 + 16], rax
    mov rax, 0x0008000000203007            ; 203000h: a reserved address bit (51)
    mov [PT2 + 24], rax
    mov rax, cr3
    mov cr3, rax
    expect_fault .read
    mov eax, [0x200010]
    jmp .end
.read:
    inc ebx
    expect_fault .write
    mov dword [0x200018], 1
    jmp .end
.write:
    inc ebx
    expect_fault .read_only
    mov dword [0x201000], 1
    jmp .end
.read_only:
    inc ebx
    expect_fault .execute
    mov eax, 0x202000
    jmp rax
.execute:
    inc ebx
    expect_fault .reserved
    mov eax, [0x203008]
    jmp .end
.reserved:
    inc ebx
.end:
    finish
