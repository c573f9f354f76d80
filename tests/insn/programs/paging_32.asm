; sdm: vol. 3A 4.3 (4 MiB pages, PSE-36, reserved bit 21), 4.4 (PAE: PDPTEs are loaded and checked by MOV CR3; reserved bits), 2.5 CR4.PSE
; expect: dword[0x5f8]=0x3054
; outcomes: 0 12345678 0 12345678 e0000 e0009 0 a7 e7 0 12345678 e0009 e0009 0 d0000 d0000 0 d0000 d0000 0
; outcomes: e0000
%include "pm32.inc"
%include "try.inc"
DIR     equ 0x100000
PDPT_   equ 0x102000
PD_     equ 0x103000
main32:
    start_outcomes
    mov edi, DIR
    mov ecx, 0x3000
    xor eax, eax
    rep stosd
    mov dword [DIR], 0x87
    mov dword [DIR + 4], 0x87              ; 400000h -> 0
    mov dword [DIR + 8], 0x101007          ; 800000h: a table
    mov dword [0x101000 + 3 * 4], 0x3007
    mov dword [0x3800], 0x12345678
    mov eax, cr4
    or eax, 0x10
    mov cr4, eax
    mov eax, DIR
    mov cr3, eax
    mov eax, cr0
    or eax, 0x80000000
    mov cr0, eax
    try mov eax, [0x403800]
    note eax
    try mov eax, [0x803800]
    note eax
    try mov eax, [0x804000]
    mov dword [DIR + 4], 0x200087          ; bit 21 reserved
    mov eax, cr3
    mov cr3, eax
    try mov eax, [0x403800]
    mov dword [DIR + 4], 0x1087            ; PAT
    mov eax, cr3
    mov cr3, eax
    try mov eax, [0x403800]
    ; D of a large page
    mov dword [DIR + 4], 0x87
    mov eax, cr3
    mov cr3, eax
    mov eax, [0x403800]
    note dword [DIR + 4]
    mov dword [0x403804], 1
    note dword [DIR + 4]
    ; without PSE the bit means nothing: the entry is a table at 0
    mov dword [DIR + 4], 0x101087
    mov eax, cr3
    mov cr3, eax
    jmp .low                               ; this code needs its page: go by a table
.low:
    ; PAE
    mov eax, cr0
    and eax, 0x7FFFFFFF
    mov cr0, eax
    mov dword [PDPT_], PD_ | 1
    mov dword [PD_], 0x83 | 4              ; 2 MiB pages
    mov dword [PD_ + 8], 0x200087
    mov dword [PD_ + 16], 0x87             ; 400000h -> 0
    mov eax, cr4
    or eax, 0x20
    mov cr4, eax
    mov eax, PDPT_
    mov cr3, eax
    mov eax, cr0
    or eax, 0x80000000
    mov cr0, eax
    try mov eax, [0x403800]
    note eax
    mov dword [PD_ + 16], 0x2087           ; reserved
    mov eax, cr3
    mov cr3, eax
    try mov eax, [0x403800]
    mov dword [PD_ + 16], 0x87
    mov dword [PD_ + 20], 0x80000000       ; XD without NXE
    mov eax, cr3
    mov cr3, eax
    try mov eax, [0x403800]
    mov dword [PD_ + 20], 0
    mov dword [PDPT_], PD_ | 3             ; R/W is reserved in a PDPTE: not looked at until CR3 is loaded
    invlpg [0x403800]
    try mov eax, [0x403800]
    mov eax, cr3
    try mov cr3, eax
    mov dword [PDPT_], PD_ | 1
    mov dword [PDPT_ + 8], 0x1E1           ; bits 5 to 8
    try mov cr3, eax
    mov dword [PDPT_ + 8], 0x1E0           ; not present: nothing is reserved
    try mov cr3, eax
    mov dword [PDPT_ + 12], 0x00080000
    mov dword [PDPT_ + 8], 1
    try mov cr3, eax
    mov dword [PDPT_ + 12], 0
    mov dword [PDPT_ + 8], 0
    mov eax, cr4                           ; CR4.PGE reloads them, too
    or eax, 0x80
    mov dword [PDPT_ + 16], 3
    try mov cr4, eax
    mov dword [PDPT_ + 16], 0
    try mov cr4, eax
    try mov eax, [0x40000000]              ; PDPT[1] is absent
    finish
try_routines
