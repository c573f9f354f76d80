#include "support/translation.h"

#include <fmt/format.h>

#include <array>

#include "base/check.h"

namespace mynah::test {

namespace {

constexpr i32 kGpr = 0x1000, kVec = 0x2000, kSegments = 0x3000, kOthers = 0x4000;
constexpr u32 kBufferBytes = 512 * 1024;

constexpr std::array kGprNames = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                  "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
constexpr std::array kSegmentNames = {"es", "cs", "ss", "ds", "fs", "gs"};
constexpr std::array kSegmentParts = {"base", "read_end", "write_end"};

// In the order of kOthers, 32 bytes each.
struct Field {
    i32 x64::StateOffsets::*member;
    const char* name;
};
constexpr std::array kFields = {
    Field{&x64::StateOffsets::rip, "rip"},
    Field{&x64::StateOffsets::eflags, "eflags"},
    Field{&x64::StateOffsets::mxcsr, "mxcsr"},
    Field{&x64::StateOffsets::budget, "budget"},
    Field{&x64::StateOffsets::space, "space"},
    Field{&x64::StateOffsets::targets, "targets"},
    Field{&x64::StateOffsets::value, "value"},
    Field{&x64::StateOffsets::flags, "flags"},
    Field{&x64::StateOffsets::vectors_loaded, "vectors_loaded"},
    Field{&x64::StateOffsets::x87_loaded, "x87_loaded"},
    Field{&x64::StateOffsets::host_mxcsr, "host_mxcsr"},
    Field{&x64::StateOffsets::host_stack, "host_stack"},
    Field{&x64::StateOffsets::stack_page, "stack_page"},
    Field{&x64::StateOffsets::stack_limit, "stack_limit"},
    Field{&x64::StateOffsets::x87_control, "x87_control"},
    Field{&x64::StateOffsets::x87_fdp, "x87_fdp"},
    Field{&x64::StateOffsets::x87_last, "x87_last"},
    Field{&x64::StateOffsets::x87_operand, "x87_operand"},
    Field{&x64::StateOffsets::read_table, "read_table"},
    Field{&x64::StateOffsets::write_table, "write_table"},
    Field{&x64::StateOffsets::fetch_table, "fetch_table"},
    Field{&x64::StateOffsets::spans, "spans"},
    Field{&x64::StateOffsets::attention, "attention"},
    Field{&x64::StateOffsets::interrupt_waits, "interrupt_waits"},
};

x64::StateOffsets made_up_offsets() {
    x64::StateOffsets o{};
    o.gpr = kGpr;
    o.vec = kVec;
    for (unsigned n = 0; n < 8; ++n) o.segment[n] = kSegments + static_cast<i32>(32 * n);
    for (unsigned n = 0; n < kFields.size(); ++n) o.*kFields[n].member = kOthers + static_cast<i32>(32 * n);
    return o;
}

std::string with_offset(std::string name, u64 offset) {
    if (offset != 0) name += fmt::format("+{}", offset);
    return name;
}

}  // namespace

Translation::Translation(bool overflow_of_last_step)
    : buffer_(kBufferBytes),
      offsets_(made_up_offsets()),
      translator_({encoder_, 0, offsets_, thunks_, sites_, links_, overflow_of_last_step}) {
    encoder_.start(buffer_.data(), buffer_.data() + kRegionAt);
    thunks_ = x64::generate_thunks(encoder_, 0, offsets_, {}, nullptr, false);
    MYNAH_CHECK(!encoder_.full());
    forget();
}

ModeBits Translation::flat_mode(u8 code_size) {
    ModeBits m;
    m.code_size = m.stack_size = code_size;
    m.descriptors = m.supervisor = m.flat = m.flat_cs = m.sse = m.avx = m.x87 = true;
    return m;
}

bool Translation::find(Region& region, const u8* page, u64 page_rip, u32 entry, const ModeBits& mode) {
    region.key = {page + entry, page_rip + entry, 0};
    region.page_rip = page_rip;
    return finder_.find(region, page, entry, {.code_size = mode.code_size, .descriptors = mode.descriptors},
                        mode);
}

bool Translation::translate(Region& region, const ModeBits& mode) {
    encoder_.start(buffer_.data() + kRegionAt, buffer_.data() + buffer_.size());
    return translator_.translate(region, mode);
}

void Translation::forget() {
    sites_.assign(1, {});  // 0 is none
    links_.clear();
}

std::string Translation::name_of_code(u64 offset) const {
    const std::pair<const u8*, const char*> names[] = {
        {thunks_.exit, "exit"},
        {thunks_.lookup, "lookup"},
        {thunks_.link, "link"},
        {thunks_.miss, "miss"},
        {thunks_.read_miss, "miss"},
        {thunks_.write_miss, "miss"},
        {thunks_.interpret, "interpret"},
        {thunks_.transfer, "transfer"},
        {thunks_.attend, "attend"},
        {thunks_.load_vectors, "load_vectors"},
        {thunks_.load_x87, "load_x87"},
        {thunks_.stack_read_miss, "stack_read_miss"},
        {thunks_.stack_write_miss, "stack_write_miss"},
        {thunks_.stack_range, "stack_range"},
    };
    for (const auto& [code, name] : names) {
        if (code == buffer_.data() + offset) return name;
    }
    return {};
}

std::string Translation::name_of_state(u64 offset) {
    if (offset >= kGpr && offset < kGpr + 16 * 8)
        return with_offset(kGprNames[(offset - kGpr) / 8], (offset - kGpr) % 8);
    if (offset >= kVec && offset < kVec + 16 * 32)
        return with_offset(fmt::format("vec{}", (offset - kVec) / 32), (offset - kVec) % 32);
    if (offset >= kSegments && offset < kSegments + 6 * 32) {
        const u64 n = offset - kSegments;
        return fmt::format("{}.{}", kSegmentNames[n / 32], kSegmentParts[n % 32 / 8]);
    }
    if (offset >= kOthers && offset < kOthers + 32 * kFields.size())
        return with_offset(kFields[(offset - kOthers) / 32].name, (offset - kOthers) % 32);
    return fmt::format("0x{:x}", offset);
}

}  // namespace mynah::test
