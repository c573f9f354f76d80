; sdm: vol. 1 19.5.2 (with CPL > IOPL the TSS's bitmap decides on each port of an access, also beyond its limit)
; expect: dword[0x600]=4 dword[0x620]=13 dword[0x624]=0 dword[0x640]=13 dword[0x660]=13 dword[0x680]=0x80 ebx=4
%include "pm32.inc"
main32:
    xor ebx, ebx
    mov word [gdt + TSS32], 0x80 + 16      ; limit: ports 0 to 127 and the final byte
    and byte [gdt + TSS32 + 5], 0xFD       ; available again
    mov ax, TSS32
    ltr ax
    mov word [TSS + 102], 0x80
    mov edi, TSS + 0x80
    mov ecx, 16
    xor eax, eax
    rep stosb
    mov byte [edi], 0xFF
    mov byte [TSS + 0x80 + 4], 0x02        ; port 21h denied
%macro user 1
    push dword UDATA32
    push dword STACK3
    push dword 0x202
    push dword UCODE32
    push dword %1
    iretd
%endmacro
    expect_fault .denied
    user .one
.one:
    in al, 0x20                            ; allowed
    in ax, 0x20                            ; 21h is not
.denied:
    inc ebx
    expect_fault .byte
    user .two
.two:
    out 0x21, al
.byte:
    inc ebx
    expect_fault .beyond
    user .three
.three:
    mov dx, 0x100
    in al, dx                              ; beyond the TSS's limit
.beyond:
    inc ebx
    expect_fault .allowed
    user .four
.four:
    in al, 0x23
    int 0x80
.allowed:
    inc ebx
    finish
