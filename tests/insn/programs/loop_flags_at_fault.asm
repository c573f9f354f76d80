; sdm: vol. 3A 6.5 (a fault in a loop's first instruction pushes the flags that led there: of the entry, or of going round)
; expect: r12=0 r13=300 r14=300 r15=300 ebp=300 rbx=0 dword[0x218014]=0x40f2c000
%include "lm64.inc"
FLAGS equ 0x8D5
main64:
    mov dword [PT2 + 0x98], 0              ; 213000h
    invlpg [0x213000]
    mov rax, 0x3FF0000000000000
    mov [0x218000], rax
    mov r12d, 300
    xor ebp, ebp
    xor ebx, ebx
    xor r13d, r13d
    xor r14d, r14d
    xor r15d, r15d
    xorps xmm1, xmm1
again:
    mov dword [FAULT_COUNT], 0
    mov edi, 0x216000
    ; Going round: 213000h below 216000h.
    mov esi, 0x210000
    expect_fault round
    cmp esi, esi
.next:
    mov al, [rsi]
    add esi, 0x1000
    cmp esi, edi
    jne .next
    inc ebx
round:
    mov eax, [FAULT_LOG + 16]
    and eax, FLAGS
    cmp eax, 0x85
    jne entered
    inc r13d
entered:
    mov dword [FAULT_COUNT], 0
    ; On the way in.
    mov esi, 0x213000
    expect_fault first
    test esi, esi
    stc
.next:
    mov al, [rsi]
    add esi, 0x1000
    cmp esi, edi
    jne .next
    inc ebx
first:
    mov eax, [FAULT_LOG + 16]
    and eax, FLAGS
    cmp eax, 0x05
    jne third
    inc r14d
third:
    mov dword [FAULT_COUNT], 0
    ; A subtraction, whose operand is gone: 2 - 1 is not 0.
    mov ecx, 3
    mov esi, 0x211000
    expect_fault counted
.next:
    mov al, [rsi]
    lea esi, [rsi + 0x1000]
    sub ecx, 1
    jnz .next
    inc ebx
counted:
    mov eax, [FAULT_LOG + 16]
    and eax, FLAGS
    or eax, ecx                            ; 1, and no flag
    cmp eax, 1
    jne fourth
    inc r15d
fourth:
    ; Vectors.
    mov esi, 0x218000
    mov ecx, 256
.next:
    movsd xmm0, [rsi]
    addsd xmm1, xmm0
    sub ecx, 1
    jnz .next
    ucomisd xmm1, xmm0
    jb never
    inc ebp
never:
    dec r12d
    jnz again
    movsd [0x218010], xmm1
    finish
