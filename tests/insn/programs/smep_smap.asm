; sdm: vol. 3A 4.6.1 (SMEP: no supervisor fetch from user pages; SMAP: no access unless EFLAGS.AC; implicit ones never)
; expect: dword[0x600]=2 dword[0x620]=14 dword[0x624]=0x11 dword[0x640]=14 dword[0x644]=1 ebx=2 eax=0x77
%include "lm64.inc"
main64:
    xor ebx, ebx
    mov edi, PT                            ; this code, its data and the stack: supervisor
    mov ecx, 512
.page:
    and qword [rdi], ~4
    add rdi, 8
    dec ecx
    jnz .page
    mov edi, PT2 + 0x100 * 8               ; 300000h: the tables
    mov ecx, 0x20
.table:
    and qword [rdi], ~4
    add rdi, 8
    dec ecx
    jnz .table
    mov byte [0x240000], 0xC3              ; RET, in a user page
    mov dword [0x240010], 0x77
    mov rax, cr3
    mov cr3, rax
    mov rax, cr4
    or eax, 0x300000
    mov cr4, rax
    expect_fault .fetch
    mov eax, 0x240000
    call rax
    jmp .end
.fetch:
    inc ebx
    expect_fault .read
    mov eax, [0x240010]
    jmp .end
.read:
    inc ebx
    stac
    mov eax, [0x240010]
    clac
.end:
    finish
