; 440 Hz for a second, a pause of half a second, 880 Hz for half a second, through the PC speaker.
%include "rom.inc"

; tone pulses
%macro tone 1
    mov al, 0xB6                ; counter 2: mode 3
    out 0x43, al
    mov al, (%1) & 0xFF
    out 0x42, al
    mov al, (%1) >> 8
    out 0x42, al
    in al, 0x61
    or al, 3
    out 0x61, al
%endmacro
%macro quiet 0
    in al, 0x61
    and al, 0xFC
    out 0x61, al
%endmacro

main:
    sleep 250
    tone 1193182 / 440
    sleep 1000
    quiet
    sleep 500
    tone 1193182 / 880
    sleep 500
    quiet
    sleep 250
    finish
%include "rom_end.inc"
