; sdm: vol. 3B 18.3 (single steps through REP, INT, POPF, IRET, MOV SS; breakpoints and RF; data and port breakpoints; DR6.BS, BD, DR7.GD)
; bochs: differs, it leaves RF in the images of steps within REP and of general detect as it was
; expect: dword[0x5f8]=0x31e4
; outcomes: 1 4000 2 4000 9 4000 a 4000 ffff 0 2014000 0 1014000 2 4000 3 4000 a 4000 b 4000 ffff 2 4000 3
; outcomes: 4000 a 4000 b 4000 ffff aaaa 3 4000 a 4000 b 4000 ffff 3 4000 a 4000 b 4000 ffff 2 4000 9 4000 a
; outcomes: 4000 ffff 1 4000 ffff 1 4000 2 4000 9 4000 a 4000 ffff 2 4000 3 4000 a 4000 b 4000 ffff 2 4000 3
; outcomes: 4000 a 4000 b 4000 ffff 0 3000001 2 2 fffe fffc f 1 22 1 27 2 31 2 37 2 47 1010002 49 2 50 1 58 2
; outcomes: 5f 2 fffb 4 1 7 1 fffa 0 12000 400 1 0 fff9
%include "pm32.inc"
%include "try.inc"
; A handler of its own logs each #DB: EIP - base, DR6, CX, and in the log RF of the image; it returns with RF set.
main32:
    start_outcomes
    mov eax, on_debug
    mov [IDT + 8], ax
    shr eax, 16
    mov [IDT + 14], ax
    mov eax, on_int
    mov [IDT + 0x90 * 8], ax
    mov word [IDT + 0x90 * 8 + 4], 0xEF00  ; a trap gate: TF is cleared, too
%macro step 1+
    call clear
    mov dword [base], %%code
    pushfd
    or dword [esp], 0x100
    popfd
%%code:
    %1
    pushfd
    and dword [esp], ~0x100
    popfd
    note 0xFFFF
%endmacro
    step nop
    mov ecx, 3
    mov esi, 0x10000
    mov edi, 0x10010
    step rep movsb                         ; a trap for each iteration
    mov ecx, 0
    step rep movsb
    step int 0x90                          ; not in the handler, but after its IRET
    mov eax, ss
    step mov ss, eax                       ; none behind it
    push ss
    step pop ss
    push dword 2
    step popfd                             ; TF off by POPFD: still one trap, of POPFD
    step {cli}
    step {mov eax, ds}
    step mov ds, eax
    ; instruction breakpoints
    call clear
    mov dword [base], b1
    mov eax, b1
    mov dr0, eax
    mov eax, b2
    mov dr1, eax
    mov eax, 0x0000000A                    ; G0, G1
    mov dr7, eax
    mov ecx, 3
    mov esi, 0x10000
    mov edi, 0x10010
b1: rep movsb                              ; once, not for each iteration
b2: nop
    call off
    note 0xFFFE
    ; MOV SS holds back, an instruction breakpoint behind it is lost
    mov dword [base], b4
    mov eax, b4
    mov dr0, eax
    mov eax, 2
    mov dr7, eax
    mov eax, ss
    mov ss, eax
b4: nop
    call off
    note 0xFFFC
    ; data: length 4 at 10000h, writes; length 2 at 10008h, both
    mov eax, 0x10000
    mov dr0, eax
    mov eax, 0x10008
    mov dr1, eax
    mov eax, 0x007D000A
    mov dr7, eax
    mov dword [base], d0
d0: mov eax, [0x10000]
d1: mov dword [0xFFFD], 1                  ; touches the first byte
d2: mov dword [0xFFFC], 1                  ; ends before
d3: mov word [0x10003], 1
d4: mov eax, [0x10005]                     ; touches 10008h
d5: mov al, [0x1000A]
d6: mov al, [0x10009]
d7: push dword [0x10008]
d8: pop eax
    mov esi, 0x10000
    mov edi, 0x10008
    mov ecx, 2
d9: rep movsb                              ; a trap behind each iteration that hits
d10:
    xadd [0x10000], eax
d12:
    mov eax, ss
    mov [0x10008], ax
d13:
    mov ss, [0x10008]                      ; the trap waits for the instruction behind
d14:
    nop
d15:
    call off
    note 0xFFFB
    ; ports
    mov eax, cr4
    or eax, 8
    mov cr4, eax
    mov eax, 0x80
    mov dr0, eax
    mov eax, 0x0002000A & ~8
    mov dr7, eax
    mov dword [base], p0
p0: in al, 0x81
p1: out 0x80, al
p2: in ax, 0x7F
p3: call off
    note 0xFFFA
    ; GD
    mov eax, 0x2000
    mov dr7, eax
    mov dword [base], g0
g0: mov eax, dr0                           ; #DB with BD before it; the handler clears GD by entering
    mov eax, dr7
    note eax
    call off
    ; INT1: BS and so on are not touched
    call clear
    mov dword [base], i0
i0: db 0xF1
    note 0xFFF9
    finish
base: dd 0
clear:
    push eax
    xor eax, eax
    mov dr6, eax
    pop eax
    ret
off:
    push eax
    xor eax, eax
    mov dr7, eax
    mov dr6, eax
    pop eax
    ret
on_int:
    note 0xAAAA
    iretd
on_debug:
    push eax
    mov eax, [esp + 4]
    sub eax, [base]
    note eax
    mov eax, dr6
    and eax, 0xE00F
    test dword [esp + 12], 0x10000
    jz .clear
    or eax, 0x10000
.clear:
    shl ecx, 24
    or eax, ecx
    shr ecx, 24
    note eax
    xor eax, eax
    mov dr6, eax
    pop eax
    or dword [esp + 8], 0x10000
    iretd
try_routines
