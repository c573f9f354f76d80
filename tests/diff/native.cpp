#include "diff/native.h"

#include <asm/ldt.h>
#include <asm/prctl.h>
#include <cpuid.h>
#include <sys/auxv.h>
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

bool make_segment(u16 selector, u64 base, u64 size, bool big, bool code) {
    user_desc d{};
    d.entry_number = selector >> 3;
    d.base_addr = static_cast<unsigned>(base);
    d.limit = static_cast<unsigned>(size - 1);
    d.seg_32bit = big;
    d.contents = code ? 2 : 0;
    d.useable = 1;
    return syscall(SYS_modify_ldt, 0x11, &d, sizeof d) == 0;  // 1 would clear AVL
}

bool has_descriptor(u16 selector) {
    u32 rights = 0;
    bool found = false;
    asm("lar %2, %0" : "+r"(rights), "=@ccz"(found) : "r"(u32{selector}));
    return found;
}

void load_data_segments(u16 s) {
    asm volatile("mov %0, %%ds; mov %0, %%es" : : "r"(static_cast<u32>(s)));
}

// While FS is the instruction's, nothing may touch thread-local storage: no library call, no stack protector.
#define MYNAH_NO_TLS __attribute__((no_stack_protector))

MYNAH_NO_TLS u64 segment_base(int operation, u64 value) {
    u64 result = SYS_arch_prctl;
    asm volatile("syscall" : "+a"(result) : "D"(operation), "S"(value) : "rcx", "r11", "memory");
    return result;
}

// The signal handlers' business: one run at a time, in one thread.
struct Session {
    const UserState* in = nullptr;
    Outcome* out = nullptr;
    bool active = false;
    gregset_t registers{};
    std::array<u8, 4096> extended{};
    size_t extended_size = 0;
    u64 fs_base = 0;     // the C library's
    u64 gs_base = 0;     // the translator's
    bool upper = false;  // the processor has AVX
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

// Where XSAVE has the upper halves of YMM (CPUID.0Dh.2:EBX: so on every processor).
constexpr size_t kUpper = 576;
bool has_upper() {
    return session.extended_size >= kUpper + 256 && session.upper;
}

MYNAH_NO_TLS void load(ucontext_t* u, const UserState& s) {
    auto& g = u->uc_mcontext.gregs;
    for (unsigned n = 0; n < 16; ++n) g[kRegisters[n]] = static_cast<greg_t>(s.gpr[n]);
    g[REG_RIP] = static_cast<greg_t>(s.rip);
    g[REG_EFL] = static_cast<greg_t>(s.eflags | kTrapFlag | 0x200);
    const u16 data = s.data_selector();
    g[REG_CSGSFS] = static_cast<greg_t>((static_cast<u64>(g[REG_CSGSFS]) & 0x0000FFFFFFFF0000) |
                                        s.code_selector() | static_cast<u64>(data) << 48);
    u8* fx = reinterpret_cast<u8*>(u->uc_mcontext.fpregs);
    std::memcpy(fx, s.fx.data(), 416);
    if (session.extended_size > 512) {
        u64 present;
        std::memcpy(&present, fx + 512, 8);
        present |= 3;  // x87 and SSE are not in their initial state
        if (has_upper()) {
            present |= 4;
            std::memcpy(fx + kUpper, s.upper.data(), s.upper.size());
        }
        std::memcpy(fx + 512, &present, 8);
    }
    load_data_segments(data);
    if (s.code_size == 8) {
        segment_base(ARCH_SET_GS, s.gs_base);
        segment_base(ARCH_SET_FS, s.fs_base);
    } else {
        asm volatile("mov %0, %%gs; mov %0, %%fs" : : "r"(static_cast<u32>(data)));
    }
}

// Takes what the instruction left in the segment registers and gives the C library its own back.
MYNAH_NO_TLS void take_segments(const gregset_t& g, UserState& s) {
    u16 es, ds, fs, gs;
    asm volatile("mov %%es, %0; mov %%ds, %1; mov %%fs, %2; mov %%gs, %3"
                 : "=r"(es), "=r"(ds), "=r"(fs), "=r"(gs));
    if (session.in->code_size == 8) {
        segment_base(ARCH_GET_FS, reinterpret_cast<u64>(&s.fs_base));
        segment_base(ARCH_GET_GS, reinterpret_cast<u64>(&s.gs_base));
    }
    segment_base(ARCH_SET_FS, session.fs_base);
    segment_base(ARCH_SET_GS, session.gs_base);
    load_data_segments(kFlatData);
    const u64 packed = static_cast<u64>(g[REG_CSGSFS]);
    s.selectors = {es, static_cast<u16>(packed), static_cast<u16>(packed >> 48), ds, fs, gs};
}

void store(const ucontext_t* u, UserState& s) {
    const auto& g = u->uc_mcontext.gregs;
    for (unsigned n = 0; n < 16; ++n) s.gpr[n] = static_cast<u64>(g[kRegisters[n]]);
    s.rip = static_cast<u64>(g[REG_RIP]);
    s.eflags = static_cast<u32>(static_cast<u64>(g[REG_EFL]) & ~(kTrapFlag | kResumeFlag));
    const u8* fx = reinterpret_cast<const u8*>(u->uc_mcontext.fpregs);
    std::memcpy(s.fx.data(), fx, 512);
    s.upper.fill(0);
    if (session.extended_size > 512 && has_upper() && (fx[512] & 4)) {
        std::memcpy(s.upper.data(), fx + kUpper, s.upper.size());
    }
}

MYNAH_NO_TLS void on_signal(int, siginfo_t*, void* context) {
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
    if (stepped && session.in->repeats && static_cast<u64>(g[REG_RIP]) == session.in->rip) return;
    Outcome& out = *session.out;
    take_segments(g, out.state);
    store(u, out.state);
    out.state.code_size = session.in->code_size;
    out.state.segmented = session.in->segmented;
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
    segment_base(ARCH_GET_FS, reinterpret_cast<u64>(&session.fs_base));
    session.upper = has(Feature::avx);
    // 32-bit code needs data segments; 64-bit code does not look at them.
    load_data_segments(kFlatData);
    segments_ = make_segment(kLocalData32, kData, kDataSize, true, false) &&
                make_segment(kLocalData16, kData, kDataSize, false, false) &&
                make_segment(kLocalCode16, kCode, kCodeSize, false, true);
    // The processor may have another table than the one that was written.
    for (const u16 s : {kCode32, kFlatData, kCode64, kLocalData32, kLocalData16, kLocalCode16})
        segments_ = segments_ && has_descriptor(s);
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

bool NativeCpu::is_intel() {
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid(0, &a, &b, &c, &d) != 0 && b == signature_INTEL_ebx;
}

bool NativeCpu::has(Feature feature) {
    struct Leaf {
        unsigned a = 0, b = 0, c = 0, d = 0;
        explicit Leaf(unsigned leaf, unsigned sub = 0) { __get_cpuid_count(leaf, sub, &a, &b, &c, &d); }
    };
    const auto bit = [](unsigned word, unsigned n) { return (word >> n & 1) != 0; };
    const auto has_avx = [&] {
        if (!bit(Leaf(1).c, 27) || !bit(Leaf(1).c, 28)) return false;
        u32 low, high;
        asm("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
        return (low & 6) == 6;
    };
    switch (feature) {
        case Feature::sse3:
            return bit(Leaf(1).c, 0);
        case Feature::pclmulqdq:
            return bit(Leaf(1).c, 1);
        case Feature::ssse3:
            return bit(Leaf(1).c, 9);
        case Feature::cx16:
            return bit(Leaf(1).c, 13);
        case Feature::sse4_1:
            return bit(Leaf(1).c, 19);
        case Feature::sse4_2:
            return bit(Leaf(1).c, 20);
        case Feature::movbe:
            return bit(Leaf(1).c, 22);
        case Feature::popcnt:
            return bit(Leaf(1).c, 23);
        case Feature::aes:
            return bit(Leaf(1).c, 25);
        case Feature::avx:
            return has_avx();
        case Feature::aes_avx:
            return has_avx() && bit(Leaf(1).c, 25);
        case Feature::pclmulqdq_avx:
            return has_avx() && bit(Leaf(1).c, 1);
        case Feature::fma:
            return has_avx() && bit(Leaf(1).c, 12);
        case Feature::f16c:
            return has_avx() && bit(Leaf(1).c, 29);
        case Feature::avx2:
            return has_avx() && bit(Leaf(7).b, 5);
        case Feature::bmi1:
            return bit(Leaf(7).b, 3);
        case Feature::bmi2:
            return bit(Leaf(7).b, 8);
        case Feature::lzcnt:
            return bit(Leaf(0x80000001).c, 5);
        case Feature::xsave:
            return bit(Leaf(1).c, 27);  // OSXSAVE
        case Feature::rdrand:
            return bit(Leaf(1).c, 30);
        case Feature::fsgsbase:
            return (getauxval(AT_HWCAP2) & 2) != 0;
        case Feature::rdseed:
            return bit(Leaf(7).b, 18);
        case Feature::smap:
            return bit(Leaf(7).b, 20);
        case Feature::invpcid:
            return bit(Leaf(7).b, 10);
        case Feature::clflushopt:
            return bit(Leaf(7).b, 23);
        case Feature::lahf_lm:
            return bit(Leaf(0x80000001).c, 0);
        case Feature::prefetchw:
            return bit(Leaf(0x80000001).c, 8);
        case Feature::rdtscp:
            return bit(Leaf(0x80000001).d, 27);
        default:
            return true;  // what every x86-64 processor has
    }
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
    segment_base(ARCH_GET_GS, reinterpret_cast<u64>(&session.gs_base));
    std::raise(SIGUSR2);
    // The way back from a signal leaves NT and ID as POPF or IRET made them.
    constexpr u64 kLeft = u64{1} << 14 | u64{1} << 21;
    __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() & ~kLeft);
    return out;
}

}  // namespace mynah::test
