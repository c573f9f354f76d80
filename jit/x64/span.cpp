// Accesses through the same base and index. Those of a block that lie close together are checked as one,
// where the first of them is: are they all in one page of the TLB? What follows finds the host address in the
// state, needs no look-up, and keeps the host's flags. Where the check fails for good the block's rest is a
// region of its own that looks every access up.
#include <algorithm>
#include <array>
#include <limits>
#include <span>

#include "cpu/insn_table.h"
#include "jit/x64/translator.h"

namespace mynah::x64 {

namespace {

// Bytes that are checked together.
constexpr i64 kMostChecked = 240;
constexpr u32 kAllRegisters = 0xFFFF;
constexpr u32 bit(unsigned g) {
    return u32{1} << g;
}

// What an operation writes besides the registers that its operands name.
constexpr std::array<u16, kOps> kAlsoWritten = [] {
    std::array<u16, kOps> written;
    written.fill(kAllRegisters);
    constexpr std::array nothing = {
        Op::ADD,   Op::OR,       Op::ADC,   Op::SBB,   Op::AND,    Op::SUB,   Op::XOR,   Op::CMP,
        Op::TEST,  Op::INC,      Op::DEC,   Op::NEG,   Op::NOT,    Op::IMUL2, Op::IMUL3, Op::ROL,
        Op::ROR,   Op::RCL,      Op::RCR,   Op::SHL,   Op::SHR,    Op::SAR,   Op::SHLD,  Op::SHRD,
        Op::MOV,   Op::MOVZX,    Op::MOVSX, Op::LEA,   Op::MOVSXD, Op::BT,    Op::BTS,   Op::BTR,
        Op::BTC,   Op::BSF,      Op::BSR,   Op::BSWAP, Op::POPCNT, Op::LZCNT, Op::TZCNT, Op::CMOVCC,
        Op::SETCC, Op::JCC,      Op::CLC,   Op::STC,   Op::CMC,    Op::CLD,   Op::STD,   Op::NOP,
        Op::PAUSE, Op::PREFETCH, Op::ENDBR, Op::LFENCE};
    for (const Op op : nothing) written[static_cast<size_t>(op)] = 0;
    for (size_t op = static_cast<size_t>(Op::MOVD); op < kOps; ++op) written[op] = 0;
    for (const Op op : {Op::MUL, Op::IMUL, Op::DIV, Op::IDIV})
        written[static_cast<size_t>(op)] = bit(rax) | bit(rdx);
    written[static_cast<size_t>(Op::CBW)] = written[static_cast<size_t>(Op::FPU)] = bit(rax);
    written[static_cast<size_t>(Op::CWD)] = bit(rdx);
    written[static_cast<size_t>(Op::PUSH)] = written[static_cast<size_t>(Op::POP)] = bit(rsp);
    return written;
}();

// Does it perhaps write one of `registers`? Most instructions name none of them.
bool may_write(const Insn& i, u32 registers) {
    const u32 also = kAlsoWritten[static_cast<size_t>(i.op)];
    if ((also & registers) != 0 || also == kAllRegisters) return true;
    const u32 named = bit(i.reg % kHighByte) | bit(i.rm % kHighByte);
    const bool no_more = (i.flags & (insn_flag::modrm | insn_flag::vex)) == insn_flag::modrm;
    if (no_more && (named & registers) == 0) return false;
    return (named_written(i) & registers) != 0;
}

bool same_place(const Insn& a, const Insn& b) {
    return a.base == b.base && a.index == b.index && a.scale == b.scale && a.seg == b.seg;
}

}  // namespace

// May its memory operand be checked together with others?
bool Translator::spannable(const Insn& i) const {
    if (i.asize != mode_.code_size || !i.has(insn_flag::modrm)) return false;
    if (mode_.code_size != 8 && i.seg != Seg::ds && i.seg != Seg::ss && i.seg != Seg::es) return false;
    // Of the stack's page more is known.
    return !hoist_ || !on_stack(i) || i.op >= Op::MOVD;
}

// From its base and index.
i64 Translator::span_offset(const Entry& e) const {
    return i64{e.insn.disp} + (e.insn.base == kRip ? e.offset + e.insn.length : 0);
}

// The next access of the block behind instruction `n` of the region through the same registers, while they
// stay what they are; 0: there is none.
u32 Translator::next_in_place(u32 n) const {
    const Entry* const insns = region_->insns.data();
    const Insn& place = insns[n].insn;
    const u32 registers = (bit(place.base) | bit(place.index)) & kAllRegisters;
    const u32 end = block_->first + block_->count;
    for (const Insn* i = &place; !may_write(*i, registers); i = &insns[n].insn) {
        if (++n == end) return 0;
        const Insn& next = insns[n].insn;
        if (next.base == place.base && next.memory() && spannable(next))
            return same_place(next, place) ? n : 0;
    }
    return 0;
}

// Bytes and kind of its memory operand; 0: none that lets itself be checked.
unsigned Translator::memory_operand(const Insn& i, bool& write) const {
    for (const Operand& o : row_of(i).operands) {
        if (o.kind != OperandKind::E && o.kind != OperandKind::M && o.kind != OperandKind::W) continue;
        write = o.write;
        return operand_bytes(i, o, mode_.code_size);
    }
    return 0;
}

const Translator::Span* Translator::span_of(i64 offset, unsigned size, bool write) const {
    const u32 n = block_->first + index_;
    if (n > spans_end_) return nullptr;
    const Insn& i = entry_->insn;
    for (const Span& s : std::span(spans_).first(spans_known_)) {
        if (n <= s.last && offset >= s.low && offset + size <= s.low + s.length && s.write >= write &&
            same_place(i, *s.insn))
            return &s;
    }
    return nullptr;
}

// Null: the access is alone.
Translator::Span* Translator::new_span(i64 offset, unsigned size, bool write) {
    const u32 first = block_->first + index_;
    // Behind STI nothing leaves but by the interpreter.
    if (index_ == attend_at_ || !spannable(entry_->insn)) return nullptr;
    u32 next = next_in_place(first);
    if (next == 0) return nullptr;
    Span span{.last = first, .low = offset, .length = size, .write = write, .insn = &entry_->insn};
    constexpr i64 kLowest = std::numeric_limits<i32>::min();
    for (; next != 0; next = next_in_place(next)) {
        const Entry& e = region_->insns[next];
        bool writes = false;
        const unsigned bytes = memory_operand(e.insn, writes);
        const i64 at = span_offset(e);
        const i64 low = std::min(span.low, at), high = std::max(span.low + span.length, at + bytes);
        if (bytes == 0 || high - low > kMostChecked || entry_->insn.disp - (offset - low) < kLowest) break;
        span.last = next;
        span.low = low;
        span.length = high - low;
        span.write |= writes;
    }
    if (span.last == first) return nullptr;
    const auto known = spans_.begin() + spans_known_;
    const auto slot = std::find_if(spans_.begin(), known, [&](const Span& s) { return s.last < first; });
    if (slot == spans_.end()) return nullptr;
    if (slot == known) ++spans_known_;
    spans_end_ = std::max(spans_end_, span.last);
    *slot = span;
    return &*slot;
}

void Translator::forget_spans() {
    spans_known_ = 0;
    spans_end_ = 0;
}

Mem Translator::span_slot(const Span& s) const {
    return in_state(s_.spans + static_cast<i32>(8 * (&s - spans_.data())));
}

// Like access(), which asks for it. False: the access is to be looked up by itself.
bool Translator::access_in_span(const Insn& i, unsigned size, bool write, bool flags_stay, bool aligned,
                                Mem& host) {
    if (!spannable(i)) return false;
    const i64 offset = span_offset(*entry_);
    if (const Span* s = span_of(offset, size, write); s != nullptr) {
        const bool check = aligned && (s->alignment < size || (offset - s->first) % size != 0);
        if (check || !(flags_stay || may_lose_flags(i))) spare_flags();
        if (check) {
            effective_address(i);
            add_segment(i.seg, size, write);
            check_alignment(size);
        }
        const u8 number = static_cast<u8>(s - spans_.data());
        if (!(in_rax_ == InRax{InRax::span, number})) e_.load(RAX, span_slot(*s));
        left_in_rax(InRax::span, number);
        host = at(RAX, static_cast<i32>(offset - s->low));
        return true;
    }
    Span* const s = new_span(offset, size, write);
    if (s == nullptr) return false;
    const u8 inside = static_cast<u8>(offset - s->low);
    spare_flags();
    Insn all = i;
    all.disp -= inside;
    effective_address(all);
    add_segment(i.seg, size, write);
    if (aligned) {
        check_alignment(size, inside);
        s->alignment = size;
        s->first = offset;
    }
    look_up(static_cast<unsigned>(s->length), s->write, Stub::span);
    e_.store(span_slot(*s), RAX);
    left_in_rax(InRax::span, static_cast<u8>(s - spans_.data()));
    host = at(RAX, inside);
    // Without room there is no call site, and no region.
    if (e_.full()) return true;
    CallSite& site = sites_.back();
    site.span = true;
    site.span_writes = write;
    site.span_at = inside;
    return true;
}

// The check failed: in one page it may yet be had.
void Translator::emit_span_stub(const Stub& s) {
    constexpr unsigned kXor = 6;
    const CallSite site = sites_[s.site];  // settle_before() makes more
    const Label apart = e_.label();
    e_.rm(plain(0x03, true), RAX, at(RCX));  // back to the linear address
    settle_before(s, true);
    e_.lea(RCX, at(RAX, site.size - 1), false);
    e_.alu(kXor, RCX, RAX, false);
    e_.rr(plain(0xF7), 0, RCX);  // TEST ECX, page
    e_.imm32(kPageSize);
    e_.jcc(kNE, apart);
    call_with_site(s.site, thunks_.miss, e_.offset_of(s.resume));
    e_.bind(apart);
    e_.lea(kBudget, at(kBudget, static_cast<i32>(site.given_back)));
    link_to(site.rip, true);
}

}  // namespace mynah::x64
