; sdm: vol. 3A 6.9 table 6-2 (which of several faults of one instruction comes), vol. 2 2.3.11 (15 bytes), LOCK
; expect: dword[0x5f8]=0x3114
; outcomes: 6ffff e0002 6ffff 6ffff 6ffff 6ffff 0 6ffff e0002 d0000 d0000 e0000 e0000 d0000 6ffff 6ffff 6ffff
; outcomes: 6ffff 6ffff 6ffff 6ffff 6ffff 6ffff 6ffff 6ffff 0 d0000 d0000 d0000 e0011 d0000 e0010 ffffffff
; outcomes: e0010 203000 202ffe 6ffff e0010 d0000 7ffff 7ffff 7ffff 6ffff 0 7ffff 7ffff 0 7ffff 0 0 6ffff
; outcomes: 6ffff 7ffff 7ffff 6ffff e0000 e0002 ffff e0000 ffff 3ffff 3ffff 90ffff b0482 d0482 90ffff d0482
; outcomes: d001a 1ffff
%include "lm64.inc"
%include "try.inc"
main64:
    start_outcomes
    mov qword [PT2], 0                     ; 200000h: not present
    mov rax, 0x8000000000201007            ; 201000h: no-execute
    mov [PT2 + 8], rax
    mov qword [PT2 + 24], 0                ; 203000h: absent; 202FFxh: code up to its edge
    mov rax, cr3
    mov cr3, rax
    mov rdi, 0x200000
    mov r8, 0x800000000000
    try db 0xF0, 0x90                      ; LOCK NOP
    try lock add [rdi], eax                ; legal: the page fault
    try db 0xF0, 0x01, 0xC0                ; LOCK on a register
    try db 0xF0, 0x8B, 0x07                ; LOCK on a load
    try db 0xF0, 0x39, 0x07                ; LOCK CMP
    try db 0xF0, 0x0F, 0xA3, 0x07          ; LOCK BT
    try lock bts [rdi], eax
    try db 0xF0, 0x0F, 0xC7, 0xF0          ; LOCK RDRAND
    try lock cmpxchg16b [rdi]
    try cmpxchg16b [rdi + 8]               ; misaligned: #GP before the page fault
    try movaps xmm0, [rdi + 8]
    try movaps xmm0, [rdi]
    try movups xmm0, [rdi + 8]
    try movaps xmm0, [r8 + 8]              ; not canonical and misaligned: #GP
    try db 0x0F, 0x0B                      ; UD2
    try db 0x0F, 0xFF, 0x07                ; UD0
    try db 0x06                            ; not in 64-bit mode
    try db 0xD6
    try db 0x8E, 0xC8                      ; MOV CS
    try db 0x8C, 0xF0                      ; no segment register 6
    try db 0x8D, 0xC0                      ; LEA of a register
    try db 0x0F, 0xC7, 0xC8                ; CMPXCHG8B of a register
    try db 0xFF, 0xFF
    try db 0xC6, 0x0F, 0                   ; MOV group, /1
    try db 0x8F, 0x0F                      ; POP group, /1
    try db 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90
    try db 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90
    try db 0xF0, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90
    try db 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x48, 0x81, 0x07, 1, 0, 0, 0
    ; fetches
    mov rax, 0x201000
    try jmp rax
    try jmp r8                             ; not canonical: #GP at the jump
    mov rax, 0x7FFFFFFFFFFF
    try jmp rax                            ; canonical but absent
    note [FAULT_LOG + 24]
    ; an instruction that begins at 202FFEh and needs a byte of the absent page
    mov dword [0x202FFC], 0xC0819090       ; NOP NOP ADD EAX, imm32
    mov eax, 0x202FFC
    try jmp rax
    mov eax, [FAULT_LOG + 20]              ; CR2: the first missing byte; RIP: the instruction
    note eax
    mov eax, [FAULT_LOG + 8]
    note eax
    mov word [0x202FFE], 0x0B0F            ; UD2 ends at the edge: no page fault
    mov eax, 0x202FFE
    try jmp rax
    mov byte [0x202FFF], 0xF0              ; LOCK, then nothing: the page fault before #UD
    mov eax, 0x202FFF
    try jmp rax
    ; 15 prefixes up to the edge, the 16th byte absent
    mov edi, 0x202FF1
    mov ecx, 15
    mov al, 0x66
    rep stosb
    mov eax, 0x202FF1
    try jmp rax
    mov edi, 0x200000
    ; #NM, #UD and the operand's fault
    mov rax, cr0
    or eax, 8
    mov cr0, rax
    try movaps xmm0, [rdi + 8]             ; TS: #NM before #GP and #PF
    try fld qword [rdi]
    try paddb mm0, [rdi]
    try db 0xF0, 0xD9, 0x07                ; LOCK FLD: #UD before #NM
    try fwait
    try fxsave [rdi + 8]
    try db 0x0F, 0x5B, 0x07
    try sfence
    try ldmxcsr [rdi]
    try prefetchnta [rdi]
    try crc32 eax, byte [0x500]
    mov rax, cr0
    and eax, ~8
    or eax, 4
    mov cr0, rax
    try movaps xmm0, [rdi]                 ; EM: #UD
    try paddb mm0, [rdi]
    try fld qword [rdi]                    ; #NM
    try fxsave [rdi]
    mov rax, cr0
    and eax, ~4
    mov cr0, rax
    mov rax, cr4
    and eax, ~0x200
    mov cr4, rax
    try movaps xmm0, [rdi]                 ; no OSFXSR
    try paddb mm0, [rdi]
    try movnti [rdi], eax
    mov rax, cr4
    or eax, 0x200
    mov cr4, rax
    ; divide error against what else; the stack
    xor ecx, ecx
    try div ecx
    try div dword [rdi]
    mov eax, 0x80000000
    cdq
    mov ecx, -1
    try idiv ecx
    try int3
    try db 0xCD, 0x03
    try int 0x90
    mov byte [IDT + 0x90 * 16 + 5], 0x6E   ; not present
    try int 0x90
    mov byte [IDT + 0x90 * 16 + 5], 0x8C   ; a call gate
    try int 0x90
    mov byte [IDT + 0x90 * 16 + 5], 0x8E   ; DPL 0
    try int 0x90
    try_user int 0x90
    mov byte [IDT + 3 * 16 + 5], 0x8E
    try_user int3
    try_user db 0xF1                       ; INT1: no DPL check
    finish
try_routines
