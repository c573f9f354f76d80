#include "diff/native.h"

#include <asm/ldt.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>

namespace mynah::test {
namespace {

constexpr u64 kTrapFlag = 0x100;
constexpr u64 kResumeFlag = 0x10000;
constexpr size_t kSignalStack = 1 << 18;
constexpr int kRegisters[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

// Entries of our LDT: the data window with a 32-bit and with a 16-bit stack pointer, the code window as
// 16-bit code.
enum LocalSegment : unsigned { data32, data16, code16 };
constexpr u16 selector(LocalSegment n) {
    return static_cast<u16>(n << 3 | 7);
}
constexpr u16 kFlatData = 0x2B;

bool make_segment(LocalSegment n, u64 base, u64 size, bool big, bool code) {
    user_desc d{};
    d.entry_number = n;
    d.base_addr = static_cast<unsigned>(base);
    d.limit = static_cast<unsigned>(size - 1);
    d.seg_32bit = big;
    d.contents = code ? 2 : 0;
    d.useable = 1;
    return syscall(SYS_modify_ldt, 1, &d, sizeof d) == 0;
}

void load_data_segments(u16 s) {
    asm volatile("mov %0, %%ds; mov %0, %%es" : : "r"(static_cast<u32>(s)));
}

// The signal handlers' business: one run at a time, in one thread.
struct Session {
    const UserState* in = nullptr;
    Outcome* out = nullptr;
    bool active = false;
    gregset_t registers{};
    std::array<u8, 4096> extended{};
    size_t extended_size = 0;
};
Session session;

// The kernel says in the frame how large its XSAVE area is (struct _fpx_sw_bytes at byte 464).
size_t extended_size(const ucontext_t* u) {
    const u8* fx = reinterpret_cast<const u8*>(u->uc_mcontext.fpregs);
    u32 magic, size;
    std::memcpy(&magic, fx + 464, 4);
    std::memcpy(&size, fx + 468, 4);
    return magic == 0x46505853 && size <= sizeof session.extended ? size : 512;
}

void load(ucontext_t* u, const UserState& s) {
    auto& g = u->uc_mcontext.gregs;
    for (unsigned n = 0; n < 16; ++n) g[kRegisters[n]] = static_cast<greg_t>(s.gpr[n]);
    g[REG_RIP] = static_cast<greg_t>(s.rip);
    g[REG_EFL] = static_cast<greg_t>(s.eflags | kTrapFlag | 0x200);
    const u16 code = s.code_size == 8 ? 0x33 : s.code_size == 4 ? 0x23 : selector(code16);
    const u16 data = !s.segmented ? kFlatData : selector(s.code_size == 2 ? data16 : data32);
    g[REG_CSGSFS] = static_cast<greg_t>((static_cast<u64>(g[REG_CSGSFS]) & 0x0000FFFFFFFF0000) | code |
                                        static_cast<u64>(data) << 48);
    load_data_segments(data);
    u8* fx = reinterpret_cast<u8*>(u->uc_mcontext.fpregs);
    std::memcpy(fx, s.fx.data(), 416);
    if (session.extended_size > 512) {
        u64 present;
        std::memcpy(&present, fx + 512, 8);
        present |= 3;  // x87 and SSE are not in their initial state
        std::memcpy(fx + 512, &present, 8);
    }
}

void store(const ucontext_t* u, UserState& s) {
    const auto& g = u->uc_mcontext.gregs;
    for (unsigned n = 0; n < 16; ++n) s.gpr[n] = static_cast<u64>(g[kRegisters[n]]);
    s.rip = static_cast<u64>(g[REG_RIP]);
    s.eflags = static_cast<u32>(static_cast<u64>(g[REG_EFL]) & ~(kTrapFlag | kResumeFlag));
    std::memcpy(s.fx.data(), u->uc_mcontext.fpregs, 512);
}

void on_signal(int, siginfo_t*, void* context) {
    auto* u = static_cast<ucontext_t*>(context);
    auto& g = u->uc_mcontext.gregs;
    if (!session.active) {
        // The raise() of run(): remember where it came from and go to the instruction.
        session.active = true;
        std::memcpy(session.registers, g, sizeof g);
        session.extended_size = extended_size(u);
        std::memcpy(session.extended.data(), u->uc_mcontext.fpregs, session.extended_size);
        load(u, *session.in);
        return;
    }
    const int vector = static_cast<int>(g[REG_TRAPNO]);
    const bool stepped = vector == 1;
    if (stepped && static_cast<u64>(g[REG_RIP]) == session.in->rip) {
        const u8* code = reinterpret_cast<const u8*>(session.in->code_address());
        for (unsigned n = 0; n < 14; ++n)
            if ((code[n] & 0xFE) == 0xF2) return;  // an iteration; go on
    }
    Outcome& out = *session.out;
    store(u, out.state);
    out.state.code_size = session.in->code_size;
    out.state.segmented = session.in->segmented;
    load_data_segments(kFlatData);
    out.vector = stepped ? -1 : vector;
    out.error_code = stepped ? 0 : static_cast<u64>(g[REG_ERR]);
    out.cr2 = vector == 14 ? static_cast<u64>(g[REG_CR2]) : 0;
    std::memcpy(g, session.registers, sizeof g);
    std::memcpy(u->uc_mcontext.fpregs, session.extended.data(), session.extended_size);
    session.active = false;
}

void* map_at(u64 address, u64 size, int protection) {
    void* p = mmap(reinterpret_cast<void*>(address), size, protection,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    return p == MAP_FAILED ? nullptr : p;
}

}  // namespace

NativeCpu::NativeCpu() {
    void* code = map_at(kCode, kCodeSize, PROT_READ | PROT_WRITE | PROT_EXEC);
    void* data = map_at(kData, kDataSize, PROT_READ | PROT_WRITE);
    signal_stack_ = std::malloc(kSignalStack);
    usable_ = code != nullptr && data != nullptr;
    stack_t stack{};
    stack.ss_sp = signal_stack_;
    stack.ss_size = kSignalStack;
    sigaltstack(&stack, nullptr);
    struct sigaction action {};
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigfillset(&action.sa_mask);
    for (const int s : {SIGUSR2, SIGTRAP, SIGSEGV, SIGBUS, SIGILL, SIGFPE}) sigaction(s, &action, nullptr);
    // 32-bit code needs data segments; 64-bit code does not look at them.
    load_data_segments(kFlatData);
    segments_ = make_segment(data32, kData, kDataSize, true, false) &&
                make_segment(data16, kData, kDataSize, false, false) &&
                make_segment(code16, kCode, kCodeSize, false, true);
}

NativeCpu::~NativeCpu() {
    for (const int s : {SIGUSR2, SIGTRAP, SIGSEGV, SIGBUS, SIGILL, SIGFPE}) std::signal(s, SIG_DFL);
    stack_t stack{};
    stack.ss_flags = SS_DISABLE;
    sigaltstack(&stack, nullptr);
    munmap(reinterpret_cast<void*>(kCode), kCodeSize);
    munmap(reinterpret_cast<void*>(kData), kDataSize);
    std::free(signal_stack_);
}

std::span<u8> NativeCpu::code() {
    return {reinterpret_cast<u8*>(kCode), kCodeSize};
}
std::span<u8> NativeCpu::data() {
    return {reinterpret_cast<u8*>(kData), kDataSize};
}

Outcome NativeCpu::run(const UserState& in) {
    Outcome out;
    session.in = &in;
    session.out = &out;
    session.active = false;
    std::raise(SIGUSR2);
    return out;
}

}  // namespace mynah::test
