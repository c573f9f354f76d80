; sdm: vol. 3A 20.1.1 (a word at offset FFFFh exceeds the real-mode limit: interrupt 13)
; qemu: differs, it has no segment limits in real mode
; expect: word[0x500]=1 eax&0xff=0x55
%include "real.inc"
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov word [13 * 4], handler
    mov word [13 * 4 + 2], 0
    mov word [0x500], 0
fault:
    mov ax, [0xFFFF]
    mov al, 0xAA
    finish
handler:
    inc word [0x500]
    mov bp, sp
    cmp word [bp], fault       ; the frame points at the faulting instruction
    jne .end
    mov al, 0x55
.end:
    finish
