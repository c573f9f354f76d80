; sdm: vol. 3A 4.3 to 4.6 (reserved bits of 2 MiB and 1 GiB pages and of tables, CR0.WP, NX at CPL 3, U/S through all levels)
; expect: dword[0x5f8]=0x30c0
; outcomes: 0 12345678 e0009 0 12345678 e0009 0 e0009 e0000 0 e0009 e0009 e0009 0 e0011 e0009 e0005 0 e0003 0
; outcomes: e0007 0 80ffff e0007 e0003 e0005 80ffff e0007 e0003 e0000 0 27 67 5067 6067 e0007 11111111 606000
; outcomes: 0 d0000 d0000 0 d0000 0 d0000 0 0 310005
%include "lm64.inc"
%include "try.inc"
%macro flush 0
    mov rax, cr3
    mov cr3, rax
%endmacro
main64:
    start_outcomes
    mov rdi, 0x40000000                    ; 1 GiB up: PDPT[1]
    mov qword [PDPT + 8], 0x87             ; a 1 GiB page at 0
    mov dword [0x3800], 0x12345678
    flush
    try mov eax, [rdi + 0x3800]
    note eax
    mov qword [PDPT + 8], 0x2087           ; bit 13 is reserved
    flush
    try mov eax, [rdi + 0x3800]
    mov rdi, 0x600000                      ; PD[3]: a 2 MiB page at 0
    mov qword [PD + 24], 0x87
    flush
    try mov eax, [rdi + 0x3800]
    note eax
    mov qword [PD + 24], 0x2087
    flush
    try mov eax, [rdi + 0x3800]
    mov qword [PD + 24], 0x1087            ; PAT is not
    flush
    try mov eax, [rdi + 0x3800]
    mov qword [PD + 24], 0x87
    mov dword [PD + 28], 0x00080000        ; bit 51
    flush
    try mov eax, [rdi + 0x3800]
    mov qword [PD + 24], 0x86              ; not present: reserved bits are no matter
    mov dword [PD + 28], 0x00080000
    flush
    try mov eax, [rdi + 0x3800]
    mov qword [PD + 24], PT2 | 7            ; a table
    flush
    try mov eax, [rdi + 0x3800]
    mov dword [PD + 28], 0x00080000
    flush
    try mov eax, [rdi + 0x3800]
    mov qword [PDPT + 16], PD | 7
    mov dword [PDPT + 20], 0x00080000
    flush
    mov rsi, 0x80003800
    try mov eax, [rsi]
    mov qword [PML4 + 8], PDPT | 0x87      ; PS is reserved in the PML4
    flush
    mov rsi, 0x8000003800
    try mov eax, [rsi]
    mov qword [PML4 + 8], 0
    ; NX without EFER.NXE is reserved
    mov qword [PD + 24], 0x87
    mov dword [PD + 28], 0x80000000
    flush
    try mov eax, [rdi + 0x3800]            ; with it data is fine
    try jmp rdi
    mov ecx, 0xC0000080
    rdmsr
    and eax, ~0x800
    wrmsr
    flush
    try mov eax, [rdi + 0x3800]
    mov ecx, 0xC0000080
    rdmsr
    or eax, 0x800
    wrmsr
    ; U/S and R/W: every level counts; supervisor writes with WP
    mov qword [PD + 24], PT2 | 7
    mov qword [PT2 + 3 * 8], 0x3001         ; 603000h: supervisor, read-only
    flush
    try_user mov eax, [0x603800]
    try mov eax, [0x603800]
    try mov [0x603800], eax
    mov rax, cr0
    and eax, ~0x10000
    mov cr0, rax
    try mov [0x603800], eax                ; WP clear
    try_user {mov [0x603800], eax}
    mov qword [PT2 + 3 * 8], 0x3005         ; user, read-only
    flush
    try mov [0x603800], eax
    try_user mov eax, [0x603800]
    try_user {mov [0x603800], eax}
    mov rax, cr0
    or eax, 0x10000
    mov cr0, rax
    try mov [0x603800], eax
    mov qword [PT2 + 3 * 8], 0x3007
    mov qword [PD + 24], PT2 | 3            ; supervisor above
    flush
    try_user mov eax, [0x603800]
    mov qword [PD + 24], PT2 | 5            ; read-only above
    flush
    try_user mov eax, [0x603800]
    try_user {mov [0x603800], eax}
    try mov [0x603800], eax
    ; INVLPG after a change; a change of D without one is seen by a write
    mov qword [PD + 24], PT2 | 7
    flush
    mov eax, [0x604800]
    mov qword [PT2 + 4 * 8], 0
    invlpg [0x604800]
    try mov eax, [0x604800]
    mov qword [PT2 + 4 * 8], 0x4007         ; not present to present: no flush wanted
    try mov eax, [0x604800]
    mov eax, [PT2 + 4 * 8]
    and eax, 0xFFF
    note eax
    mov dword [0x604800], 1
    mov eax, [PT2 + 4 * 8]
    and eax, 0xFFF
    note eax
    ; string stores set D page by page
    mov qword [PT2 + 5 * 8], 0x5007
    mov qword [PT2 + 6 * 8], 0x6007
    flush
    mov edi, 0x605FF8
    mov esi, 0x604000
    mov ecx, 16
    rep movsb
    mov eax, [PT2 + 5 * 8]
    note eax
    mov eax, [PT2 + 6 * 8]
    note eax
    mov qword [PT2 + 5 * 8], 0x5007
    mov qword [PT2 + 6 * 8], 0x6003
    flush
    mov dword [0x5FFC], 0x11111111
    try_user {mov dword [0x605FFE], 0}     ; a split store writes nothing when its second page faults
    note dword [0x5FFC]
    note dword [FAULT_LOG + 20]
    ; PCID and INVPCID
    mov rax, cr4
    or eax, 0x20000
    mov cr4, rax
    mov qword [SCRATCH], 0
    mov qword [SCRATCH + 8], 0x604000
    xor ecx, ecx
    try invpcid rcx, [SCRATCH]
    mov ecx, 4
    try invpcid rcx, [SCRATCH]
    mov qword [SCRATCH], 0x1000
    mov ecx, 0
    try invpcid rcx, [SCRATCH]
    mov qword [SCRATCH], 1
    try invpcid rcx, [SCRATCH]
    mov rax, 0x800000000000
    mov [SCRATCH + 8], rax
    try invpcid rcx, [SCRATCH]
    inc ecx
    try invpcid rcx, [SCRATCH]
    try_user invpcid rcx, [SCRATCH]
    mov rax, PML4 | 5
    try mov cr3, rax
    bts rax, 63
    try mov cr3, rax
    mov rax, cr3
    note eax
    finish
try_routines
