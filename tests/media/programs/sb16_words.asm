; 440 Hz on the left and 880 Hz on the right for a second: 16 bits, stereo, auto-initialized DMA at 22,000 Hz.
%include "rom.inc"
%include "sb16.inc"

FRAMES equ 2000                 ; in the buffer at 1000:0000: 40 and 80 periods
BUFFER equ 0x1000

main:
    call make_sine
    call dsp_reset
    jc .end
    call enable_block
    ; Channel 5: words, auto-initialize, from memory.
    mov al, 5
    out 0xD4, al
    xor al, al
    out 0xD8, al
    mov al, 0x59
    out 0xD6, al
    mov al, (BUFFER * 16 / 2) & 0xFF
    out 0xC4, al
    mov al, (BUFFER * 16 / 2) >> 8 & 0xFF
    out 0xC4, al
    mov al, BUFFER >> 12
    out 0x8B, al
    mov al, (FRAMES * 2 - 1) & 0xFF
    out 0xC6, al
    mov al, (FRAMES * 2 - 1) >> 8
    out 0xC6, al
    mov al, 1
    out 0xD4, al
    sleep 250
    dsp 0x41
    dsp 22000 >> 8
    dsp 22000 & 0xFF
    dsp 0xB6
    dsp 0x30
    dsp (FRAMES - 1) & 0xFF     ; an interrupt each half of the buffer, in samples of either side
    dsp (FRAMES - 1) >> 8
    mov ax, 21                  ; 21 * 1000 / 22000 s, and one more before it ends
    call wait_blocks
    dsp 0xD9
    mov ax, 22
    call wait_blocks
    sleep 250
.end:
    finish

; Word n of the buffer: 16000 * sin(2 pi n 440 / 22000), and the other side at twice that.
make_sine:
    push es
    mov ax, BUFFER
    mov es, ax
    xor di, di
    mov word [0x600], 16000
    mov word [0x602], 25        ; half a period of the left side, in frames
    mov word [0x604], 0
.next:
    fninit
    fldpi
    fimul word [0x604]
    fidiv word [0x602]
    fld st0
    fsin
    fimul word [0x600]
    fistp word [es:di]
    fadd st0, st0
    fsin
    fimul word [0x600]
    fistp word [es:di + 2]
    add di, 4
    inc word [0x604]
    cmp word [0x604], FRAMES
    jne .next
    pop es
    ret

%include "rom_end.inc"
