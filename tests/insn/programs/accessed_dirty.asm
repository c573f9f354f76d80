; sdm: vol. 3A 4.8 (accessed on any use, dirty on a write; a cleared bit is set again by the next use)
; expect: dword[0x500]=0x7 dword[0x504]=0x27 dword[0x508]=0x67 dword[0x50c]=0x27 eax&0xff=0x20
%include "lm64.inc"
main64:
    mov ebx, 0xFFF
    mov eax, [PT2 + 0x80]
    and eax, ebx
    mov [0x500], eax
    mov eax, [0x210000]
    mov eax, [PT2 + 0x80]
    and eax, ebx
    mov [0x504], eax
    mov dword [0x210000], 5
    mov eax, [PT2 + 0x80]
    and eax, ebx
    mov [0x508], eax
    and dword [PT2 + 0x80], ~0x60
    invlpg [0x210000]
    mov eax, [0x210000]
    mov eax, [PT2 + 0x80]
    and eax, ebx
    mov [0x50C], eax
    mov eax, [PD + 8]          ; upper levels get accessed, never dirty
    and eax, 0x60
    finish
