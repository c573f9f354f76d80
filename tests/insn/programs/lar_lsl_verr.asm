; sdm: vol. 2 LAR, LSL, VERR, VERW, ARPL (which types and privileges set ZF, what is loaded, no faults but of memory)
; expect: dword[0x5f8]=0x30c4
; outcomes: c09b00 ffffffff 70 c09300 ffffffff 78 11101111 22222222 0 c09c00 ffffffff 60 1000 ffff 70 8c00
; outcomes: 22222222 40 8200 ff 60 11101111 22222222 0 8b00 67 60 11101111 22222222 0 c09c00 ffffffff 60
; outcomes: c0f300 ffffffff 78 8500 22222222 40 11101111 22222222 0 11101111 22222222 0 13 40 0 d0000
%include "pm32.inc"
%include "try.inc"
%macro each 1
    mov ecx, %1
    mov eax, 0x11111111
    lar eax, cx
    pushfd
    pop edx
    and eax, 0xFFF0FFFF                    ; undefined bits
    note eax
    and edx, 0x40
    mov ebp, edx
    mov eax, 0x22222222
    lsl eax, ecx
    note eax
    pushfd
    pop edx
    and edx, 0x40
    shr edx, 1
    or ebp, edx
    verr cx
    pushfd
    pop edx
    and edx, 0x40
    shr edx, 2
    or ebp, edx
    verw cx
    pushfd
    pop edx
    and edx, 0x40
    shr edx, 3
    or ebp, edx
    note ebp                               ; 40h LAR, 20h LSL, 10h VERR, 8 VERW
%endmacro
main32:
    start_outcomes
    mov dword [gdt_extra], 0x0000FFFF      ; 40h: conforming, not readable, 4 GiB
    mov dword [gdt_extra + 4], 0x00CF9C00
    mov dword [gdt_extra + 8], 0x0000FFFF  ; 48h: read-only data, not present
    mov dword [gdt_extra + 12], 0x00001000
    mov dword [gdt_extra + 16], 0x00080000 ; 50h: call gate, DPL 0
    mov dword [gdt_extra + 20], 0x00008C00
    mov dword [gdt_extra + 24], 0x000000FF ; 58h: LDT
    mov dword [gdt_extra + 28], 0x00008200
    each CODE32
    each DATA32
    each 0
    each 0x40
    each 0x48
    each 0x50
    each 0x58
    each 0x60
    each TSS32
    each DATA32 | 3                        ; RPL 3 > DPL 0
    each 0x43                              ; conforming: no privilege check, but not readable
    each UDATA32
    mov word [gdt_extra + 28], 0x8500      ; task gate: LAR alone
    each 0x58
    mov byte [gdt_extra + 29], 0x8E        ; interrupt gate: neither
    each 0x58
    mov byte [gdt_extra + 29], 0x00
    each 0x58
    mov bx, 0x10
    mov cx, 0x0B
    arpl bx, cx
    pushfd
    pop edx
    and edx, 0x40
    note ebx
    note edx
    arpl bx, cx
    pushfd
    pop edx
    and edx, 0x40
    note edx
    expect_fault .beyond
    mov dword [gdt_extra], 0x00000FFF
    mov dword [gdt_extra + 4], 0x00409300
    mov ax, 0x40
    mov es, ax
    lar eax, [es:0xFFF]                    ; the operand's own fault
.beyond:
    call note_outcome
    finish
try_routines
