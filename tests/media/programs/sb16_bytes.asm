; The SB 2.0's way: 8 bits, mono, auto-initialized DMA, time constant. 1,000,000 / 45 Hz, 50 samples a period:
; 444.4 Hz, for a second. Then, in single cycles with the SB16's command, 500 Hz for half a second.
%include "rom.inc"
%include "sb16.inc"

BUFFER equ 0x1000
LENGTH equ 2000
SINGLE equ 11000                ; bytes: half a second at 22,000 Hz, 44 a period

main:
    mov cx, 50
    call make_square
    call dsp_reset
    jc .end
    dsp 0xE1
    call dsp_read
    cmp al, 4
    jne .end
    call dsp_read
    call enable_block
    mov al, 0x59                ; channel 1: auto-initialize, from memory
    mov bx, LENGTH - 1
    call program_dma
    dsp 0xD1
    dsp 0x40
    dsp 256 - 45
    dsp 0x48
    dsp (LENGTH / 2 - 1) & 0xFF
    dsp (LENGTH / 2 - 1) >> 8
    dsp 0x1C
    mov ax, 21
    call wait_blocks
    dsp 0xDA
    mov ax, 22
    call wait_blocks
    sleep 250

    mov cx, 44
    call make_square
    mov word [BLOCKS], 0
    mov al, 0x49                ; single
    mov bx, SINGLE - 1
    call program_dma
    dsp 0x41
    dsp 22000 >> 8
    dsp 22000 & 0xFF
    dsp 0xC0
    dsp 0x00
    dsp (SINGLE - 1) & 0xFF
    dsp (SINGLE - 1) >> 8
    mov ax, 1
    call wait_blocks
    sleep 250
.end:
    finish

; AL: mode, BX: count.
program_dma:
    push ax
    mov al, 5
    out 0x0A, al
    xor al, al
    out 0x0C, al
    pop ax
    out 0x0B, al
    xor al, al
    out 0x02, al
    out 0x02, al
    mov al, BUFFER >> 12
    out 0x83, al
    mov al, bl
    out 0x03, al
    mov al, bh
    out 0x03, al
    mov al, 1
    out 0x0A, al
    ret

; A square wave of CX samples a period in the buffer.
make_square:
    push es
    mov ax, BUFFER
    mov es, ax
    xor di, di
    mov bx, cx
    shr bx, 1
.period:
    push cx
    mov al, 0xC0
    mov cx, bx
    rep stosb
    mov al, 0x40
    mov cx, bx
    rep stosb
    pop cx
    cmp di, SINGLE
    jb .period
    pop es
    ret

%include "rom_end.inc"
