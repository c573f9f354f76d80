#include "diff/host_limits.h"

#include <cstring>

#include "base/bits.h"

namespace mynah::test {

namespace {

Outcome attempt(NativeCpu& native, std::initializer_list<u8> bytes, u8 code_size, u64 stack) {
    UserState s;
    s.code_size = code_size;
    s.rip = kCode;
    s.gpr[rsp] = stack;
    store_le<u16>(s.fx.data(), 0x37F);
    store_le<u32>(s.fx.data() + 24, 0x1F80);
    std::memcpy(native.code().data(), bytes.begin(), bytes.size());
    return native.run(s);
}

bool stepped_over(const Outcome& o, u64 length) {
    return o.vector < 0 && o.state.rip == kCode + length;
}

}  // namespace

HostLimits::HostLimits(NativeCpu& native) {
    constexpr u64 kStack = kData + kDataSize / 2;
    legacy_code_ = stepped_over(attempt(native, {0x90}, 4, kStack), 1);
    descriptors_ = legacy_code_ && native.has_segments();
    any_stack_pointer_ = stepped_over(attempt(native, {0x90}, 8, u64{1} << 63), 1);
    cpuid_ = stepped_over(attempt(native, {0x0F, 0xA2}, 8, kStack), 2);
    const Outcome o = attempt(native, {0xCD, 0x19}, 8, kStack);
    interrupts_ = o.vector == 13 && o.state.rip == kCode;
}

bool HostLimits::runs(Mode mode) const {
    if (mode == Mode::bits64) return true;
    return mode == Mode::bits32 ? legacy_code_ : descriptors_;
}

bool HostLimits::shows(const InsnRow& row) const {
    if (uses_selectors(row.op)) return descriptors_;
    return row.op == Op::CPUID ? cpuid_ : row.op == Op::INT ? interrupts_ : true;
}

bool HostLimits::enters(const UserState& s) const {
    return any_stack_pointer_ || s.code_size != 8 || sign_extend(s.gpr[rsp], 48) == s.gpr[rsp];
}

std::string HostLimits::describe() const {
    std::string text;
    if (!legacy_code_) text += " 32-bit code;";
    if (!descriptors_) text += " Linux's descriptors;";
    if (!any_stack_pointer_) text += " stack pointers that are not canonical;";
    if (!cpuid_) text += " CPUID step by step;";
    if (!interrupts_) text += " faults of INT n;";
    return text;
}

}  // namespace mynah::test
