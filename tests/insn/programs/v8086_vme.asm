; sdm: vol. 3B 20.3, 20.4 (VME: redirected INT n, VIF for IF in CLI, STI, PUSHF, POPF, IRET; #GP with VIP or TF), vol. 2 INT n
; expect: dword[0x5f8]=0x3148
; outcomes: 6ffff 65 b0002 3202 3002 d0000 17 30002 80ffff 19 23002 6ffff 65 33002 6ffff 65 30202 6ffff 65
; outcomes: b0202 d0000 1c 130202 6ffff 65 b0002 3202 6ffff 65 30202 3002 6ffff 65 b0202 d0000 29 130202 6ffff
; outcomes: 65 130202 d0000 34 30202 d0000 3d 30202 d0000 41 30202 6ffff 65 b0202 d0000 4d 130202 d0000 5d
; outcomes: 30202 d0000 5f 33002 d0000 63 33002 d0000 19 b0202 6ffff 65 33002 6ffff 65 33202 6ffff 65 33202
; outcomes: 40ffff 2 23002 3ffff 65 20002
%include "pm32.inc"
%include "try.inc"
BITMAP  equ TSS + 104          ; 32 bytes of redirection, then the I/O bitmap
main32:
    start_outcomes
    mov word [gdt + TSS32], 104 + 32 + 1 - 1
    and byte [gdt + TSS32 + 5], 0xFD
    mov ax, TSS32
    ltr ax
    mov word [TSS + 102], 104 + 32
    mov edi, BITMAP
    mov ecx, 8
    xor eax, eax
    rep stosd
    mov byte [BITMAP + 32], 0xFF
    or byte [BITMAP + 0x80 / 8], 1         ; INT 80h goes to the protected-mode handler
    or byte [BITMAP + 0x81 / 8], 2
    mov esi, v86_code
    mov edi, 0x5000
    mov ecx, v86_end - v86_code
    rep movsb
    mov dword [0x40 * 4], 0x05000000 | (int40 - v86_code)
    mov eax, cr4
    or eax, 1
    mov cr4, eax
; label, EFLAGS besides VM
%macro v86 2
    expect_fault %%after
    push dword 0
    push dword 0
    push dword 0
    push dword 0
    push dword 0
    push dword 0x4000
    push dword 0x20002 | %2
    push dword 0x500
    push dword %1 - v86_code
    iretd
%%after:
    call note_outcome
    mov eax, [FAULT_LOG + 8]
    note eax
    mov eax, [FAULT_LOG + 16]
    and eax, 0x1B7302
    note eax
%endmacro
    v86 c_int, 0x80000                     ; VIF set, IOPL 0: through the program's own table
    movzx eax, word [0x2000]
    note eax                               ; the image INT pushed: IF is VIF, IOPL 3
    movzx eax, word [0x2002]
    note eax                               ; flags in the handler
    v86 c_int80, 0                         ; not redirected, IOPL 0: #GP
    v86 c_int80, 0x3000                    ; IOPL 3: to the gate
    v86 c_int, 0x3000                      ; redirected also with IOPL 3
    v86 c_cli, 0x80200                     ; VIF cleared, IF stays
    v86 c_sti, 0x200                       ; VIF set
    v86 c_sti, 0x100200                    ; VIP: #GP
    v86 c_pushf, 0x80000
    movzx eax, word [0x2004]
    note eax
    v86 c_pushf, 0x200
    movzx eax, word [0x2004]
    note eax
    v86 c_popf_if, 0x200
    v86 c_popf_if, 0x100200                ; VIP and IF in the image: #GP
    v86 c_popf_0, 0x100200                 ; no IF: passes
    v86 c_popf_tf, 0x200                   ; TF in the image: #GP
    v86 c_popfd, 0x200                     ; 32 bits: #GP
    v86 c_pushfd, 0x200
    v86 c_iret_if, 0x200
    v86 c_iret_if, 0x100200
    v86 c_iretd, 0x200
    v86 c_in, 0x3000                       ; ports by the bitmap whatever IOPL
    v86 c_hlt, 0x3000
    ; without VME
    mov eax, cr4
    and eax, ~1
    mov cr4, eax
    v86 c_cli, 0x80200
    v86 c_cli, 0x3200
    v86 c_popfd, 0x3200
    v86 c_iretd, 0x3200
    v86 c_int, 0x3000
    v86 c_int3, 0                          ; INT3 needs no IOPL
    finish
try_routines
bits 16
align 16
v86_code:
c_int:
    int 0x40
    jmp end
int40:
    push bp
    mov bp, sp
    mov ax, [bp + 6]
    mov [0x2000], ax
    mov ax, 0
    pushf
    pop ax
    mov [0x2002], ax
    pop bp
    iret
c_int80:
    int 0x80
c_cli:
    cli
    jmp end
c_sti:
    sti
    jmp end
c_pushf:
    pushf
    pop ax
    mov [0x2004], ax
    jmp end
c_popf_if:
    push word 0x202
    popf
    jmp end
c_popf_0:
    push word 2
    popf
    jmp end
c_popf_tf:
    push word 0x102
    popf
    jmp end
c_popfd:
    push dword 0x40202
    popfd
    jmp end
c_pushfd:
    pushfd
    jmp end
c_iret_if:
    push word 0x202
    push word 0x500
    push word end - v86_code
    iret
c_iretd:
    push dword 0x41202
    push dword 0x500
    push dword end - v86_code
    iretd
c_in:
    in al, 0
    jmp end
c_hlt:
    hlt
c_int3:
    int3
end:
    db 0x0F, 0x0B
v86_end:
