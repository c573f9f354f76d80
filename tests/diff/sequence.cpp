#include "diff/sequence.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/bits.h"
#include "cpu/decoder.h"
#include "cpu/insn_table.h"
#include "cpu/system/cpu_model.h"
#include "diff/random_state.h"
#include "support/encode.h"

namespace mynah::test {
namespace {

enum class Kind : u8 { integer, flags, stack, strings, x87, sse, system, count };

Kind kind_of(const InsnRow& row) {
    if (row.op == Op::FPU || row.op == Op::FWAIT) return Kind::x87;
    if (row.op >= Op::MOVD || row.op == Op::EMMS || (row.op >= Op::FXSAVE && row.op <= Op::STMXCSR))
        return Kind::sse;
    if (row.op >= Op::MOVS && row.op <= Op::OUTS) return Kind::strings;
    switch (row.op) {
        case Op::PUSH:
        case Op::POP:
        case Op::PUSHA:
        case Op::POPA:
        case Op::PUSHF:
        case Op::POPF:
        case Op::ENTER:
        case Op::LEAVE:
            return Kind::stack;
        default:
            break;
    }
    if (row.op >= Op::JCC && row.op <= Op::RET) return Kind::system;
    if (row.op >= Op::JMP_FAR && row.op <= Op::BOUND) return Kind::system;
    if (row.op >= Op::PUSH_SREG || row.has(row_attr::cpl0)) return Kind::system;
    return row.flags_written != 0 || row.flags_read != 0 ? Kind::flags : Kind::integer;
}

// What would take the processor away from its surroundings for good, or wait for something.
bool left_out(const InsnRow& row) {
    switch (row.op) {
        case Op::HLT:
        case Op::MWAIT:
        case Op::MONITOR:
        case Op::WRMSR:
        case Op::RSM:
            return true;
        default:
            return !find_cpu_model("max")->has(row.feature);
    }
}

const std::vector<const InsnRow*>& rows_of(Kind kind) {
    using Rows = std::array<std::vector<const InsnRow*>, static_cast<size_t>(Kind::count)>;
    static const Rows kRows = [] {
        Rows rows;
        for (const InsnRow& row : insn_table())
            if (!left_out(row)) rows[static_cast<size_t>(kind_of(row))].push_back(&row);
        return rows;
    }();
    return kRows[static_cast<size_t>(kind)];
}

constexpr u32 kPointers = 1u << rbx | 1u << rbp | 1u << rsi | 1u << rdi | 1u << 8 | 1u << 13;

class Generator {
  public:
    explicit Generator(u64 seed, bool one_base = false) : random_(seed), one_base_(one_base) {
        out_.seed = seed;
        out_.layout = layout_of(static_cast<Setting>(random_.below(static_cast<u32>(Setting::count))));
        size_ = out_.layout.code_size;
        smc_ = random_.chance(6);
        wild_ = random_.chance(4);
    }

    Sequence run() {
        make_state();
        // Often so that the code crosses a page.
        const u64 begin =
            world::code + (random_.chance(2) ? 0x1000 - random_.below(160) : 16 * random_.below(64));
        at_ = begin;
        const unsigned count = 10 + random_.below(50);
        top_ = out_.slots.size();
        emit_stack_pointer();
        while (out_.slots.size() < count) emit_one();
        emit_loop_end();
        out_.end = at_;
        slot({0xF4});
        const size_t routines = out_.body = out_.slots.size();
        for (unsigned n = 0; n < 2; ++n) {
            routines_.push_back(out_.slots.size());
            for (unsigned k = 2 + random_.below(4); k > 0; --k) emit_plain();
            random_.chance(5) ? slot({0xC2, static_cast<u8>(4 * random_.below(3)), 0}) : slot({0xC3});
        }
        resolve(routines);
        return std::move(out_);
    }

    Sequence run_noise() {
        make_state();
        at_ = world::code + random_.below(0x1000);
        constexpr unsigned kSlots = 60, kBytes = 16;
        for (unsigned n = 0; n < kSlots; ++n) {
            std::vector<u8> b(kBytes);
            for (u8& v : b) v = static_cast<u8>(random_.next());
            // Short branches, so that it stays for a while.
            if (random_.chance(2)) b[random_.below(kBytes)] = static_cast<u8>(0x70 | random_.below(16));
            slot(std::move(b));
        }
        out_.body = kSlots;
        out_.end = at_;
        slot({0xF4});
        return std::move(out_);
    }

  private:
    struct Reference {
        size_t slot;
        unsigned at, size;  // of the displacement or address in the slot
        bool relative;
        bool call;
        bool forward;
    };

    u64 data_offset(u64 linear) const { return linear - out_.layout.data_base; }
    u64 code_offset(u64 linear) const { return linear - out_.layout.code_base; }

    void slot(std::vector<u8> bytes) {
        const u64 n = bytes.size();
        out_.slots.push_back({at_, std::move(bytes)});
        at_ += n;
    }

    void make_state() {
        CpuState& s = out_.start;
        enter(s, out_.layout);
        for (unsigned n = 0; n < 16; ++n)
            s.gpr[n] = n < 8 || size_ == 8 ? interesting(random_) & (size_ == 8 ? ~u64{0} : 0xFFFFFFFF) : 0;
        for (unsigned n = 0; n < 16; ++n)
            if (kPointers >> n & 1) s.gpr[n] = pointer();
        s.gpr[rcx] = random_.below(20);
        s.gpr[rsp] = stack_top();
        u32 flags = eflags::fixed | (static_cast<u32>(random_.next()) & eflags::arithmetic);
        if (random_.chance(4)) flags |= eflags::df;
        if (random_.chance(20)) flags |= eflags::tf;
        if (random_.chance(2)) flags |= eflags::intr;
        if (random_.chance(2)) flags |= eflags::iopl;
        s.write_eflags(flags);
        std::array<u8, 512> fx;
        randomize_fx(fx, random_);
        s.x87.control = load_le<u16>(&fx[0]);
        s.x87.status = load_le<u16>(&fx[2]);
        s.x87.valid = fx[4];
        for (unsigned n = 0; n < 8; ++n) {
            s.x87.regs[n].significand = load_le<u64>(&fx[32 + 16 * n]);
            s.x87.regs[n].sign_exponent = load_le<u16>(&fx[40 + 16 * n]);
        }
        s.mxcsr = load_le<u32>(&fx[24]);
        for (unsigned n = 0; n < (size_ == 8 ? 16u : 8u); ++n)
            for (unsigned q = 0; q < 2; ++q) s.vec[n].q[q] = load_le<u64>(&fx[160 + 16 * n + 8 * q]);
        if (!random_.chance(8)) {
            s.x87.control |= 0x3F;
            s.x87.status &= 0x7F00;
            s.mxcsr |= 0x1F80;
        }
        out_.noise = random_.next();
    }

    u64 stack_top() const { return world::stack_end - 0x100 - out_.layout.stack_base; }

    // An offset in DS: mostly good, at ends of pages and of the segment, or where something is the matter.
    u64 pointer() {
        const u64 any =
            world::data + random_.below(static_cast<u32>(world::data_end - world::data - 0x400)) + 0x200;
        switch (random_.below(wild_ ? 24 : 200)) {
            case 0:
                return data_offset(align_down(any, u64{0x1000}) + 0x1000 - random_.below(20));
            case 1:
                return data_offset(world::data_end - random_.below(32));
            case 2:
                return data_offset(world::read_only + 0x1000 * random_.below(5) + random_.below(0x1000));
            case 3:
                return smc_ && random_.chance(2) ? data_offset(at_ + random_.below(64))
                                                 : interesting(random_);
            case 4:
                return size_ == 8 ? 0xFFFF800000000000 + any : data_offset(any) & ~u64{15};
            default:
                return data_offset(random_.chance(2) ? any & ~u64{15} : any);
        }
    }

    u64 segment_pointer(Seg s) {
        if (s == Seg::cs) return code_offset(world::code + 0x200 + random_.below(0x2000));
        return out_.layout.stack_base == 0 ? pointer() : 0x200 + random_.below(0x1A00);
    }

    void put(std::vector<u8>& b, u64 value, unsigned size) {
        for (unsigned n = 0; n < size; ++n) b.push_back(static_cast<u8>(value >> (8 * n)));
    }

    // MOV reg, imm of the code's size (or sign-extended 32 bits).
    void emit_load(unsigned reg, u64 value) {
        std::vector<u8> b;
        if (size_ == 8) {
            const bool wide = value != static_cast<u32>(value);
            if (wide || reg >= 8) b.push_back(static_cast<u8>(0x40 | (wide ? 8 : 0) | (reg >= 8)));
            b.push_back(static_cast<u8>(0xB8 | (reg & 7)));
            put(b, value, wide ? 8 : 4);
        } else {
            b.push_back(static_cast<u8>(0xB8 | (reg & 7)));
            put(b, value, size_);
        }
        slot(std::move(b));
    }

    void emit_stack_pointer() { emit_load(rsp, stack_top()); }

    void emit_one() {
        switch (random_.below(16)) {
            case 0:
            case 1:
                return emit_branch();
            case 2:
                return emit_call();
            case 3:
                if (smc_) return emit_store_to_code();
                return emit_plain();
            case 4:
                if (random_.chance(2)) return emit_string();
                return emit_plain();
            default:
                return emit_plain();
        }
    }

    Kind pick_kind() {
        const unsigned n = random_.below(100);
        return n < 25            ? Kind::integer
               : n < 68          ? Kind::flags
               : n < 78          ? Kind::stack
               : n < 81          ? Kind::strings
               : n < 87          ? Kind::x87
               : n < 98          ? Kind::sse
               : n < 99 || wild_ ? Kind::system
                                 : Kind::flags;
    }

    void emit_plain() {
        for (;;) {
            const auto& rows = rows_of(pick_kind());
            const InsnRow& row = *rows[random_.below(static_cast<u32>(rows.size()))];
            EncodeOptions o;
            o.base_registers = kPointers | 1u << rsp;
            const bool again = one_base_ && base_ != kNoRegister && !random_.chance(6);
            if (again) o.base_registers = 1u << base_;
            const bool aligned = row.has(row_attr::align) && !random_.chance(8);
            o.index_registers = aligned ? 0 : random_.chance(wild_ ? 4 : 20) ? 0xFFFF : 1u << rcx;
            o.displacement_bits = random_.chance(10) ? 16 : 8;
            o.address = aligned ? pointer() & ~u64{15} : pointer();
            o.rip_relative = random_.chance(2);
            o.change_asize = random_.chance(wild_ ? 4 : 20);
            o.allow_rsp = random_.chance(30);
            o.lock = random_.chance(4);
            const Encoding e = encode_random(row, size_, random_, o);
            if (!e) continue;
            DecodeMode mode{.code_size = size_,
                            .descriptors = out_.layout.setting != Setting::real16,
                            .features = find_cpu_model("max")->features.gating()};
            Insn i;
            if (decode(e.span(), mode, i) == DecodeStatus::ok && i.memory() && i.base < 16 && i.base != rsp &&
                !again && !random_.chance(wild_ ? 2 : 6)) {
                // In its segment, so that operand and displacement together are good ones.
                u64 p = pointer();
                if (i.seg == Seg::es) p += out_.layout.data_base - out_.layout.extra_base;
                if (i.seg == Seg::ss || i.seg == Seg::cs) p = segment_pointer(i.seg);
                if (aligned) p = align_down(p, u64{16}) - static_cast<u64>(static_cast<i64>(i.disp));
                emit_load(i.base, p);
                base_ = i.base;
            } else if (one_base_ && !random_.chance(4) && (i.reg == base_ || i.rm == base_)) {
                // It may be no pointer any more.
                base_ = kNoRegister;
            }
            return slot({e.span().begin(), e.span().end()});
        }
    }

    void emit_string() {
        emit_load(rcx, random_.chance(6) ? random_.below(300) : random_.below(12));
        if (random_.chance(2)) emit_load(rdi, pointer() + out_.layout.data_base - out_.layout.extra_base);
        if (random_.chance(2)) emit_load(rsi, pointer());
        static constexpr u8 kStrings[] = {0xA4, 0xA5, 0xAA, 0xAB, 0xA6, 0xA7, 0xAE, 0xAF, 0xAC, 0xAD};
        std::vector<u8> b{static_cast<u8>(random_.chance(3) ? 0xF2 : 0xF3)};
        if (random_.chance(4)) b.push_back(0x66);
        if (size_ == 8 && random_.chance(3)) b.push_back(0x48);
        b.push_back(kStrings[random_.below(static_cast<u32>(std::size(kStrings)))]);
        slot(std::move(b));
    }

    // Backwards only where a condition ends it, most of the time.
    void refer(unsigned at, unsigned size, bool relative, bool call, bool conditional = true) {
        const bool back = random_.chance(conditional ? 4 : 40);
        references_.push_back({out_.slots.size() - 1, at, size, relative, call, !back});
    }

    void emit_branch() {
        const unsigned wide = size_ == 2 ? 2 : 4;
        const u8 condition = static_cast<u8>(random_.below(16));
        std::vector<u8> b;
        switch (random_.below(7)) {
            case 0:
                b = {0x0F, static_cast<u8>(0x80 | condition)};
                b.resize(2 + wide);
                slot(std::move(b));
                return refer(2, wide, true, false);
            case 1:
                b = {0xE9};
                b.resize(1 + wide);
                slot(std::move(b));
                return refer(1, wide, true, false, false);
            case 2:
                slot({static_cast<u8>(0xE0 | random_.below(4)), 0});  // LOOPNE to JCXZ
                return refer(1, 1, true, false);
            case 3: {
                // Through a register.
                emit_load(rax, 0);
                refer(static_cast<unsigned>(out_.slots.back().bytes.size()) - wide, wide, false, false,
                      false);
                return slot({0xFF, 0xE0});
            }
            default:
                slot({static_cast<u8>(0x70 | condition), 0});
                return refer(1, 1, true, false);
        }
    }

    void emit_call() {
        const unsigned wide = size_ == 2 ? 2 : 4;
        if (random_.chance(4)) {
            emit_load(rdx, 0);
            refer(static_cast<unsigned>(out_.slots.back().bytes.size()) - wide, wide, false, true);
            return slot({0xFF, 0xD2});
        }
        std::vector<u8> b{0xE8};
        b.resize(1 + wide);
        slot(std::move(b));
        refer(1, wide, true, true);
    }

    // C6 /0, or a wider store, to an absolute address in the code: often the immediate of the next
    // instruction.
    void emit_store_to_code() {
        const unsigned wide = size_ == 2 ? 2 : 4;
        const u64 alias = out_.layout.paged && random_.chance(3) && at_ < world::code + 0xF80
                              ? world::code_alias - world::code
                              : 0;
        const unsigned length = size_ == 2 ? 5 : size_ == 4 ? 7 : 8;
        u64 target = at_ + length + 1;
        if (random_.chance(3)) target = at_ - random_.below(100) + random_.below(160);
        std::vector<u8> b{0xC6};
        if (size_ == 2) b.push_back(0x06);
        if (size_ == 4) b.push_back(0x05);
        if (size_ == 8) b.insert(b.end(), {0x04, 0x25});
        put(b, data_offset(target + alias), wide);
        b.push_back(static_cast<u8>(random_.next()));
        slot(std::move(b));
        slot({static_cast<u8>(0xB0 | random_.below(4)), static_cast<u8>(random_.next())});
    }

    // The whole runs several times: DEC [counter]; JNZ top.
    void emit_loop_end() {
        const unsigned wide = size_ == 2 ? 2 : 4;
        std::vector<u8> b{0xFE};
        if (size_ == 2) b.push_back(0x0E);
        if (size_ == 4) b.push_back(0x0D);
        if (size_ == 8) b.insert(b.end(), {0x0C, 0x25});
        put(b, data_offset(world::data + 0x80), wide);
        slot(std::move(b));
        std::vector<u8> jump{0x0F, 0x85};
        const u64 behind = at_ + 2 + wide;
        put(jump, out_.slots[top_].address - behind, wide);
        slot(std::move(jump));
    }

    void resolve(size_t end) {
        for (const Reference& r : references_) {
            size_t target;
            if (r.call) {
                target = random_.chance(12) ? random_.below(static_cast<u32>(end))
                                            : routines_[random_.below(static_cast<u32>(routines_.size()))];
            } else if (r.forward) {
                target = std::min(r.slot + 1 + random_.below(6), end - 1);
            } else {
                target = r.slot - std::min<size_t>(r.slot, random_.below(8));
            }
            u64 address = out_.slots[target].address;
            if (random_.chance(40)) ++address;  // into an instruction
            Sequence::Slot& s = out_.slots[r.slot];
            const u64 value = r.relative ? address - (s.address + s.bytes.size()) : code_offset(address);
            for (unsigned n = 0; n < r.size; ++n) s.bytes[r.at + n] = static_cast<u8>(value >> (8 * n));
        }
    }

    Random random_;
    Sequence out_;
    u8 size_;
    bool smc_;               // stores to its own code
    bool wild_;              // faults often
    bool one_base_;          // goes on with a pointer that is loaded
    u8 base_ = kNoRegister;  // that one
    u64 at_ = 0;
    size_t top_ = 0;
    std::vector<Reference> references_;
    std::vector<size_t> routines_;
};

}  // namespace

Sequence make_sequence(u64 seed) {
    return Generator(seed).run();
}

Sequence make_one_base(u64 seed) {
    return Generator(seed, true).run();
}

Sequence make_noise(u64 seed) {
    return Generator(seed).run_noise();
}

std::string Sequence::describe() const {
    std::string text = fmt::format("sequence {:#x}, {}, starts at {:x}\n", seed, name_of(layout.setting),
                                   slots.front().address);
    const DecodeMode mode{.code_size = layout.code_size,
                          .descriptors = layout.setting != Setting::real16,
                          .features = find_cpu_model("max")->features.gating()};
    for (const Slot& s : slots) {
        std::string bytes;
        for (const u8 b : s.bytes) bytes += fmt::format("{:02x} ", b);
        Insn i;
        const bool ok = decode(s.bytes, mode, i) == DecodeStatus::ok;
        text += fmt::format("  {:05x}: {:<36}{}{}\n", s.address, bytes, ok ? mnemonic(i) : "(bad)",
                            ok && i.memory() ? " [memory]" : "");
    }
    return text;
}

}  // namespace mynah::test
