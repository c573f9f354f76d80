; sdm: vol. 3A 5.3, 5.4, 5.5 (limit, expand-down, type and privilege checks give #GP or #SS with the right code)
; expect: dword[0x600]=7 ebx=7
; expect: dword[0x620]=13 dword[0x624]=0 dword[0x640]=13 dword[0x644]=0 dword[0x660]=13 dword[0x664]=0
; expect: dword[0x680]=11 dword[0x684]=0x50 dword[0x6a0]=13 dword[0x6a4]=0x60 dword[0x6c0]=12 dword[0x6c4]=0
; expect: dword[0x6e0]=13 dword[0x6e4]=8 eax=0x5a5a5a5a
; qemu: differs, it has no segment limits
%include "pm32.inc"
main32:
    xor ebx, ebx
    mov dword [0x2000], 0x5A5A5A5A
    mov dword [gdt_extra], 0x00000FFF      ; 40h: data, limit FFFh
    mov dword [gdt_extra + 4], 0x00409300
    mov dword [gdt_extra + 8], 0x00000FFF  ; 48h: expand-down, valid above FFFh
    mov dword [gdt_extra + 12], 0x00409700
    mov dword [gdt_extra + 16], 0x0000FFFF ; 50h: not present
    mov dword [gdt_extra + 20], 0x00401300
    mov dword [gdt_extra + 24], 0x0000FFFF ; 58h: read-only data
    mov dword [gdt_extra + 28], 0x00CF9100
    mov ax, 0x40
    mov es, ax
    mov eax, [es:0xFFC]
    expect_fault .limit
    mov eax, [es:0xFFD]                    ; the last byte lies beyond the limit
    jmp .end
.limit:
    inc ebx
    mov ax, 0x48
    mov es, ax
    expect_fault .down
    mov eax, [es:0xFFF]
    jmp .end
.down:
    inc ebx
    mov ax, 0x58
    mov es, ax
    expect_fault .read_only
    mov dword [es:0x2000], 1
    jmp .end
.read_only:
    inc ebx
    mov ax, 0x50
    expect_fault .absent
    mov es, ax
    jmp .end
.absent:
    inc ebx
    mov ax, 0x60                           ; behind the GDT's limit
    expect_fault .beyond
    mov es, ax
    jmp .end
.beyond:
    inc ebx
    mov word [gdt_extra], 0x7FFF           ; a stack that the recorder can live with
    mov ax, 0x40
    expect_fault .stack
    mov ss, ax
    mov esp, 0x6FF0
    mov ebp, 0x7FFE
    mov eax, [ebp]
    jmp .end
.stack:
    mov ax, DATA32
    mov ss, ax
    inc ebx
    mov ax, CODE32                         ; execute-readable code is no stack
    expect_fault .code
    mov ss, ax
    jmp .end
.code:
    inc ebx
    mov ax, 0x48
    mov es, ax
    mov eax, [es:0x2000]                   ; above the limit: valid in an expand-down segment
.end:
    finish
