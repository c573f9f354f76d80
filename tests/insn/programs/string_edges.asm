; sdm: vol. 2 MOVS, STOS, SCAS, CMPS, LODS, REP (16-bit wrap, DF, overrides, overlap, zero counts, ends of REPE and REPNE, count and flags after)
; expect: dword[0x5f8]=0x3158
; outcomes: 0 10010 10011 54 0 11000000 0 10014 10017 54 20100 1030201 70f0b07 17130f0b 0 ffff 10002 54 20100
; outcomes: 4030201 130f0e0d 0 1000a 10008 0 130f130f 130f130f 0 1000a 10014 54 17161514 55555555 55555555 0
; outcomes: 10040 10050 95 ffff0000 10040 10050 4 33 10040 10031 44 0 10040 10064 84 0 10040 10064 44 0 10050
; outcomes: 10050 44 13 10005 10085 881 0 10005 12340002 4 dddd2211 8877dddd 0 56780002 104 0 dddddddd d0000 1
; outcomes: ffff 100 4 d0000 3 10000 104 dd 0 1ffff 0
%include "pm32.inc"
%include "try.inc"
%macro regs 0
    note ecx
    note esi
    note edi
    pushfd
    pop eax
    and eax, 0x8D5
    note eax
%endmacro
%macro fill 0
    cld
    mov edi, 0x10000
    mov ecx, 256
    xor eax, eax
%%f:
    stosb
    inc al
    loop %%f
%endmacro
main32:
    start_outcomes
    fill
    mov esi, 0x10000                       ; overlap forward by 1: propagates the first byte
    mov edi, 0x10001
    mov ecx, 16
    rep movsb
    regs
    note [0x10000]
    note [0x1000E]
    fill
    mov esi, 0x10000                       ; overlap of dwords by 3
    mov edi, 0x10003
    mov ecx, 5
    rep movsd
    regs
    note [0x10000]
    note [0x10004]
    note [0x10010]
    note [0x10014]
    fill
    std                                    ; backwards, overlapping: a true move
    mov esi, 0x1000F
    mov edi, 0x10012
    mov ecx, 16
    rep movsb
    regs
    note [0x10000]
    note [0x10004]
    note [0x10010]
    mov esi, 0x10012                       ; backwards, propagating
    mov edi, 0x10010
    mov ecx, 4
    rep movsw
    regs
    note [0x1000A]
    note [0x10010]
    fill
    mov eax, 0x55555555
    mov edi, 0x10020
    mov ecx, 3
    std
    rep stosd
    cld
    regs
    note [0x10014]
    note [0x10018]
    note [0x10020]
    mov esi, 0x10040                       ; nothing with a zero count, flags kept
    mov edi, 0x10050
    xor ecx, ecx
    cmp ecx, 1
    repe cmpsb
    regs
    mov ecx, 0xFFFF0000                    ; a 16-bit count: CX
    a16 rep movsb
    regs
    mov eax, 0x30                          ; REPNE SCASB finds
    mov edi, 0x10000
    mov ecx, 100
    fill
    mov al, 0x30
    mov edi, 0x10000
    mov ecx, 100
    repne scasb
    regs
    mov al, 0xEE                           ; does not find within the count
    mov edi, 0x10000
    mov ecx, 100
    repne scasb
    regs
    mov al, 0x63                           ; finds with the last
    mov edi, 0x10000
    mov ecx, 100
    repne scasb
    regs
    mov esi, 0x10000
    mov edi, 0x10000
    mov ecx, 20
    repe cmpsd
    regs
    mov byte [0x10085], 0x77
    mov esi, 0x10004
    mov edi, 0x10084
    mov ecx, 20
    repe cmpsb                             ; differs at once
    regs
    ; 16-bit addresses wrap in the segment
    mov dword [gdt_extra], 0x0000FFFF      ; base 20000h
    mov dword [gdt_extra + 4], 0x00409302
    mov ax, EXTRA
    mov es, ax
    mov fs, ax
    mov dword [0x2FFFC], 0x44332211
    mov dword [0x20000], 0x88776655
    mov eax, 0xAABBCCDD
    mov edi, 0x1234FFFE
    mov ecx, 4
    a16 rep stosb
    regs
    note [0x2FFFC]
    note [0x20000]
    mov esi, 0x5678FFFE                    ; override for the source alone
    mov edi, 0x100
    mov ecx, 4
    db 0x64
    a16 rep movsb
    regs
    note [0x20100]
    mov esi, 0xFFFF                        ; a word over the edge of the segment
    mov edi, 0x100
    mov ecx, 1
    try db 0x64, 0x67, 0x66, 0xF3, 0xA5
    regs
    mov esi, 0xFFFC                        ; the third word is beyond the limit with 32-bit addresses
    mov edi, 0x100
    mov ecx, 5
    try db 0x64, 0x66, 0xF3, 0xA5
    note ecx
    note esi
    note edi
    mov ax, DATA32
    mov es, ax
    mov esi, 0x102
    mov eax, 0
    fs lodsb
    note eax
    mov edi, 0x10010
    mov dx, 0x600
    mov ecx, 0
    rep insb
    note ecx
    ; LOOP and JCXZ by address size
    mov ecx, 0x10000
    a16 loop .over
.over:
    note ecx
    xor edx, edx
    mov ecx, 0x10000
    a16 jcxz .zero
    inc edx
.zero:
    note edx
    finish
try_routines
