; vmmouse: says where VMware's mouse is, as X.Org's driver for it asks: "at X Y buttons B wheel W", until the right
; button is pressed.
%include "elf.inc"

%define MAGIC 0x564D5868
%define PORT 0x5658
%define POINTER_DATA 39
%define POINTER_STATUS 40
%define POINTER_COMMAND 41
%define READ_ID 0x45414552
%define DISABLE 0xF5
%define REQUEST_ABSOLUTE 0x53424152
%define RIGHT 0x10

; command, argument
%macro vmware 2
    mov ebx, %2
    mov ecx, %1
    mov eax, MAGIC
    mov edx, PORT
    in eax, dx
%endmacro

start:
    linux IOPL, 3
    vmware POINTER_COMMAND, READ_ID
    vmware POINTER_STATUS, 0
    test ax, ax
    jz none
    vmware POINTER_DATA, 1
    cmp eax, 0x3442554A
    jne none
    vmware POINTER_COMMAND, REQUEST_ABSOLUTE
    say "vmmouse: ready", 10
look:
    vmware POINTER_STATUS, 0
    cmp eax, 0xFFFF0000
    jae none
    cmp eax, 4
    jae event
    linux NANOSLEEP, pause, 0
    jmp look
event:
    vmware POINTER_DATA, 4
    mov [buttons], eax
    mov [across], ebx
    mov [down], ecx
    mov [wheel], edx
    say "at "
    mov eax, [across]
    call number
    mov eax, [down]
    call number
    say "buttons "
    mov eax, [buttons]
    call number
    say "wheel "
    mov eax, [wheel]
    call number
    say 10
    test byte [buttons], RIGHT
    jz look
    vmware POINTER_COMMAND, DISABLE
    say "vmmouse: done", 10
    linux EXIT, 0
none:
    say "vmmouse: none", 10
    linux EXIT, 1

; EAX in decimal, and a blank
number:
    mov edi, digits_end - 1
    mov ebp, edi
    mov byte [edi], ' '
    mov esi, 10
.digit:
    xor edx, edx
    div esi
    add dl, '0'
    dec edi
    mov [edi], dl
    test eax, eax
    jnz .digit
    sub ebp, edi
    inc ebp
    linux WRITE, 1, edi, ebp
    ret

pause:
    dd 0, 10000000
buttons: dd 0
across: dd 0
down: dd 0
wheel: dd 0
digits: times 12 db 0
digits_end:
    finish
