; Stores to the linear frame buffer at FD000000h, 640x200 in 32 bits: what [STEP] asks for, which the test sets.
%include "rom.inc"

STEP equ 0x504                  ; 0 while the guest works; the test sets the number of the next one
FRAMEBUFFER equ 0xFD000000
PITCH equ 640 * 4

; pci register, value
%macro pci 2
    mov eax, 0x80001000 | %1    ; bus 0, slot 2
    mov dx, 0xCF8
    out dx, eax
    mov eax, %2
    mov dx, 0xCFC
    out dx, eax
%endmacro
%macro dispi 2
    mov dx, 0x1CE
    mov ax, %1
    out dx, ax
    inc dx
    mov ax, %2
    out dx, ax
%endmacro

main:
    cli
    pci 0x10, FRAMEBUFFER
    pci 0x04, 3
    dispi 1, 640
    dispi 2, 200
    dispi 3, 32
    dispi 4, 0x41
    mov dx, 0x3DA
    in al, dx
    mov dx, 0x3C0
    mov al, 0x20
    out dx, al
    mov dword [STEP], 0
    lgdt [cs:gdt_pointer]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp 8:protected

align 8
gdt:
    dq 0
    dw 0xFFFF, 0x0000, 0x9B0F, 0x00CF  ; code at F0000h
    dw 0xFFFF, 0x0000, 0x9300, 0x00CF  ; data
gdt_pointer:
    dw $ - gdt - 1
    dd 0xF0000 + gdt

bits 32
protected:
    mov ax, 16
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov esp, 0x7000
next:
    mov eax, [STEP]
    cmp eax, 1
    je one_pixel
    cmp eax, 2
    je same_pixel
    cmp eax, 3
    je fill
    cmp eax, 4
    je copy
    cmp eax, 5
    je often
    pause
    jmp next
done:
    mov dword [STEP], 0
    jmp next

one_pixel:                      ; a white one at (3, 7)
    mov dword [FRAMEBUFFER + 7 * PITCH + 3 * 4], 0xFFFFFF
    jmp done
same_pixel:
    mov dword [FRAMEBUFFER + 7 * PITCH + 3 * 4], 0xFFFFFF
    jmp done
fill:                           ; lines 20 to 29 red
    mov edi, FRAMEBUFFER + 20 * PITCH
    mov eax, 0xFF0000
    mov ecx, 10 * 640
    cld
    rep stosd
    jmp done
copy:                           ; line 20 to line 100
    mov esi, FRAMEBUFFER + 20 * PITCH
    mov edi, FRAMEBUFFER + 100 * PITCH
    mov ecx, 640
    cld
    rep movsd
    jmp done
often:                          ; line 50, one pixel after the other, a hundred times over
    mov edx, 100
.again:
    mov ecx, 640
.pixel:
    mov [FRAMEBUFFER + 50 * PITCH + ecx * 4 - 4], edx
    loop .pixel
    dec edx
    jnz .again
    jmp done
%include "rom_end.inc"
