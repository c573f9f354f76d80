; sdm: vol. 3A 4.10.4, 6.15 (#PF of a fetch: CR2 is where the second page begins)
; bochs: differs, it keeps an instruction that crosses into a page whose mapping has changed
; An instruction across two pages, the second of which is mapped to two frames in turn, and then to none.
; expect: esi=12900 dword[0x600]=1 dword[0x620]=14 dword[0x624]=0x10 dword[0x628]=0x20ffe dword[0x634]=0x21000 eax=0x77
%include "lm64.inc"
main64:
    mov word [0x20FFE], 0x01B8             ; MOV EAX, ......01h
    mov dword [0x21000], 0xC3000000        ; ... RET
    mov dword [0x22000], 0xC3000001
    xor esi, esi
    mov ebp, 100
.again:
    mov eax, 0x21007
    test ebp, 1
    jz .map
    mov eax, 0x22007
.map:
    mov [PT + 8 * 0x21], rax
    invlpg [0x21000]
    mov ebx, 0x20FFE
    call rbx
    add esi, eax
    dec ebp
    jnz .again
    mov qword [PT + 8 * 0x21], 0
    invlpg [0x21000]
    mov eax, 0x77
    expect_fault .gone
    call rbx
.gone:
    finish
