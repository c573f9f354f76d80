; sdm: vol. 3A 4.8, 6.5 (accesses through one base register: each has its own page, rights, dirty bit and fault)
; expect: dword[0x210104]=303 dword[0x210140]=45150 dword[0x210ffc]=300 dword[0x250000]=300 dword[0x25001c]=600
; expect: dword[0x260000]=150 dword[0x261008]=150 dword[0x270000]=150
; expect: ebp=0 r12=0 r13=300 r14=300 r15=300 dword[0x210180]=0x3f800000 dword[0x21019c]=0x3f800000
%include "lm64.inc"
GONE equ 0x3FF000
main64:
    mov dword [PT2 + 0x88], 0x250007       ; 211000h is elsewhere
    mov dword [PT2 + 0x98], 0x213005       ; 213000h is read-only
    mov dword [PT2 + 0x1FF * 8], 0
    mov rax, cr3
    mov cr3, rax
    mov r12d, 300
    xor ebp, ebp
    xor r13d, r13d
    xor r14d, r14d
    xor r15d, r15d
again:
    mov dword [FAULT_COUNT], 0
    ; One page.
    mov rsi, 0x210100
    mov eax, [rsi]
    inc eax
    mov [rsi], eax
    add eax, 3
    mov [rsi + 4], eax
    sub eax, 3
    add [rsi + 0x40], eax
    add dword [rsi + 0x40], 1
    sub dword [rsi + 0x40], 1
    ; A page's end.
    mov rdi, 0x210FFC
    mov eax, [rdi]
    inc eax
    mov [rdi], eax
    mov [rdi + 4], eax
    add dword [rdi + 0x20], 2
    ; A fault before the write: the page stays clean.
    and dword [PT2 + 0x90], ~0x60
    invlpg [0x212000]
    expect_fault between
    mov rbx, 0x212000
    mov edx, [rbx + 0x10]
    mov ecx, [GONE]
    mov [rbx], edx
    ud2
between:
    test dword [PT2 + 0x90], 0x40
    jz clean
    inc ebp
clean:
    test dword [PT2 + 0x90], 0x20
    jz not_read
    inc r13d
not_read:
    ; It can be read, and not written.
    expect_fault read_only
    mov rbx, 0x213000
    mov edx, [rbx + 0x18]
    mov r8d, 5
    mov [rbx + 8], edx
    ud2
read_only:
    cmp r8d, 5
    jne no_fault
    cmp edx, 0
    jne no_fault
    inc r14d
no_fault:
    ; The page is another each time.
    mov eax, 0x260007
    test r12d, 1
    jz even
    mov eax, 0x270007
even:
    mov [PT2 + 0xA0], eax
    invlpg [0x214000]
    mov rbx, 0x214000
    mov ecx, [rbx]
    inc ecx
    mov [rbx], ecx
    ; The entry of the page's successor lies in a page of which more is written.
    mov rdx, PT2 + 0xA8
    mov dword [rdx], 0x261007
    mov dword [rdx + 4], 0
    invlpg [0x215000]
    test r12d, 1
    jz skip
    inc dword [0x215008]
skip:
    ; Alignment.
    mov eax, 0x3F800000
    movd xmm0, eax
    shufps xmm0, xmm0, 0
    mov rsi, 0x210180
    expect_fault misaligned
    movaps [rsi], xmm0
    movaps [rsi + 0x10], xmm0
    movaps xmm1, [rsi + 8]
    inc ebp
misaligned:
    cmp dword [FAULT_LOG + 2 * 32], 13
    jne other
    inc r15d
other:
    dec r12d
    jnz again
    finish
