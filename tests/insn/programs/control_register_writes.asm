; sdm: vol. 2 MOV to CR, WRMSR, vol. 3A 2.5 (which values of CR0, CR3, CR4, CR8, EFER and others are refused)
; expect: dword[0x5f8]=0x3140
; outcomes: d0000 d0000 d0000 d0000 0 80010033 0 80000013 0 d0000 d0000 d0000 0 0 d0000 0 0 d0000 0 d0000
; outcomes: d0000 0 f d0000 0 6ffff 6ffff 6ffff 6ffff 0 d00 d0000 d0000 0 d0000 0 d0000 d0000 d0000 d0000
; outcomes: d0000 d0000 0 d0000 d0000 0 d0000 d0000 d0000 d0000 d0000 d0000 d0000 d0000 d0000 80ffff d0000
; outcomes: d0000 d0000 d0000 d0000 d0000 d0000 6ffff d0000 d0000 80ffff 80ffff 80ffff 80ffff d0000 d0000
; outcomes: d0000 d0000 d0000 d0000 6ffff 6ffff 0 6ffff
%include "lm64.inc"
%include "try.inc"
main64:
    start_outcomes
%macro try_cr 2
    mov rax, %2
    try mov %1, rax
%endmacro
%macro try_msr 2
    mov ecx, %1
    mov rax, %2
    mov rdx, rax
    shr rdx, 32
    try wrmsr
%endmacro
    try_cr cr0, 0x00010033                 ; PG off in 64-bit mode
    try_cr cr0, 0x80010032                 ; PG without PE
    try_cr cr0, 0xA0010033                 ; NW without CD
    try_cr cr0, 0x180010033                ; upper half
    try_cr cr0, 0x80010033
    mov rax, cr0
    note eax
    try_cr cr0, 0x9FFAFFD3                 ; reserved bits in the lower half are ignored
    mov rax, cr0
    note eax
    try_cr cr0, 0x80010033
    try_cr cr4, 0x600                      ; PAE off
    try_cr cr4, 0x8620                     ; a reserved bit
    try_cr cr4, 0x100000620
    try_cr cr4, 0x6A0
    try_cr cr4, 0x20620                    ; PCIDE with CR3[11:0] = 0
    try_cr cr0, 0x00010033
    try_cr cr4, 0x620
    mov rax, cr3
    or rax, 1
    try mov cr3, rax
    try_cr cr4, 0x20620                    ; PCIDE with CR3[11:0] != 0
    try_cr cr3, PML4
    try_cr cr3, 1 << 52 | PML4
    try_cr cr3, 1 << 63 | PML4             ; without PCIDE
    try_cr cr8, 15
    mov rax, cr8
    note eax
    try_cr cr8, 16
    try_cr cr8, 0
    try db 0x0F, 0x22, 0xC8                ; CR1
    try db 0x0F, 0x22, 0xE8                ; CR5
    try db 0x0F, 0x20, 0xF0                ; CR6
    try db 0x44, 0x0F, 0x22, 0xC8          ; CR9
    try_msr 0xC0000080, 0xD00              ; LMA is no one's to write; it stays
    mov ecx, 0xC0000080
    rdmsr
    note eax
    try_msr 0xC0000080, 0x801              ; LME off under paging
    try_msr 0xC0000080, 0x903              ; reserved
    try_msr 0xC0000080, 0x901
    try_msr 0xC0000082, 0x800000000000     ; LSTAR not canonical
    try_msr 0xC0000082, -1
    try_msr 0xC0000100, 0x800000000000
    try_msr 0xC0000101, 0x800000000000
    try_msr 0xC0000102, 0x800000000000
    try_msr 0x175, 0x800000000000
    try_msr 0x176, 0x800000000000
    try_msr 0x277, 0x0007040600070402      ; PAT: 2 is no type
    try_msr 0x277, 0x0007040600070406
    try_msr 0x2FF, 0x2
    try_msr 0xFE, 0
    try mov dr6, rax
    mov rax, 1 << 32
    try mov dr6, rax
    try mov dr7, rax
    try_user mov rax, cr0
    try_user mov cr3, rax
    try_user mov rax, dr0
    try_user rdmsr
    try_user wrmsr
    try_user clts
    try_user lmsw ax
    try_user smsw ax
    try_user invlpg [0]
    try_user wbinvd
    try_user hlt
    try_user lgdt [0x500]
    try_user lldt ax
    try_user ltr ax
    try_user swapgs
    try_user monitor
    try_user o64 sysret
    try_user sysexit
    try_user rdtsc
    try_user str ax
    try_user sldt ax
    try_user sgdt [0x500]
    mov rax, cr4
    or eax, 0x80C                          ; UMIP, TSD, DE
    mov cr4, rax
    try_user smsw ax
    try_user str ax
    try_user sldt ax
    try_user sgdt [0x500]
    try_user sidt [0x500]
    try_user rdtsc
    try_user mov rax, dr4                  ; DE: #UD before #GP
    try mov rax, dr4
    try str ax
    try_user db 0xF0, 0x0F, 0x20, 0xC0     ; LOCK MOV CR0
    finish
try_routines
