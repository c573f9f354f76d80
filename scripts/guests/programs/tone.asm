; tone RATE BITS CHANNELS HERTZ SAMPLES: a square wave through /dev/dsp (OSS); the right of two channels an octave
; higher. BITS: 8 (unsigned) or 16.
%include "elf.inc"

%define SPEED 0xC0045002
%define SETFMT 0xC0045005
%define CHANNELS 0xC0045006
%define MASTER_VOLUME 0xC0044D00
%define PCM_VOLUME 0xC0044D04
%define FULL 0x6464             ; percent, left and right
%define ROOM 0x8000

; what is asked for in EAX
%macro dsp 1
    mov [value], eax
    push eax
    linux IOCTL, [device], %1, value
    pop ecx
    test eax, eax
    js failed
    cmp [value], ecx
    jne failed
%endmacro

start:
    mov ebp, esp                ; argc, argv[0], ...
    cmp dword [ebp], 6
    jne failed
    xor edi, edi
.argument:
    mov esi, [ebp + 8 + 4 * edi]
    xor eax, eax
.digit:
    movzx edx, byte [esi]
    inc esi
    sub edx, '0'
    jb .end
    imul eax, eax, 10
    add eax, edx
    jmp .digit
.end:
    mov [rate + 4 * edi], eax
    inc edi
    cmp edi, 5
    jb .argument

    linux OPEN, name, 1, 0
    mov [device], eax
    test eax, eax
    js failed
    mov eax, [bits_wanted]      ; AFMT_U8 is 8, AFMT_S16_LE 16
    dsp SETFMT
    mov eax, [channels]
    dsp CHANNELS
    mov eax, [rate]
    dsp SPEED
    ; The driver begins with everything muted.
    mov dword [value], FULL
    linux IOCTL, [device], MASTER_VOLUME, value
    mov dword [value], FULL
    linux IOCTL, [device], PCM_VOLUME, value
    mov edi, end
make:
    mov eax, [hertz]
    mov ecx, left
    call sample
    cmp dword [channels], 2
    jb .made
    mov eax, [hertz]
    add eax, eax
    mov ecx, right
    call sample
.made:
    dec dword [samples]
    jz .flush
    cmp edi, end + ROOM
    jb make
.flush:
    mov esi, end
.more:
    sub edi, esi
    linux WRITE, [device], esi, edi
    test eax, eax
    js failed
    add edi, esi
    add esi, eax
    cmp esi, edi
    jb .more
    mov edi, end
    cmp dword [samples], 0
    jne make
    say "tone: done", 10
    linux EXIT, 0
failed:
    say "tone: failed", 10
    linux EXIT, 1

; The next sample of the wave of EAX Hz whose phase is at ECX, to EDI.
sample:
    add eax, [ecx]
    mov edx, eax
    sub edx, [rate]
    cmovae eax, edx
    mov [ecx], eax
    add eax, eax
    cmp eax, [rate]
    mov eax, 8000
    mov edx, -8000
    cmovae eax, edx
    cmp dword [bits_wanted], 8
    je .byte
    stosw
    ret
.byte:
    sar eax, 7
    xor al, 0x80
    stosb
    ret

name:
    db "/dev/dsp", 0
align 4
device: dd 0
value: dd 0
left: dd 0
right: dd 0
rate: dd 0
bits_wanted: dd 0
channels: dd 0
hertz: dd 0
samples: dd 0
    finish
