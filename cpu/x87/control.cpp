// Control words, environments, FWAIT (SDM vol. 1 8.1.10, vol. 2A).
#include <array>
#include <cstring>

#include "cpu/x87/unit.h"

namespace mynah::x87 {

namespace {

constexpr unsigned kRegisterBytes = 80;

// The environment in one of its four formats: 14 bytes with a 16-bit operand size, else 28; addresses are
// selector and offset in protected mode, linear in real and virtual-8086 mode (SDM vol. 1 figures 8-9 to
// 8-12).
class Image {
  public:
    Image(Core& core, const Insn& insn)
        : core_(core), insn_(insn), wide_(insn.osize != 2), protected_(core.mode.descriptors()) {}

    unsigned environment_bytes() const { return wide_ ? 28 : 14; }

    void put_environment() {
        const X87State& x = core_.state.x87;
        put(0, x.control, 0xFFFF);
        put(1, x.status, 0xFFFF);
        put(2, full_tag_word(x), 0xFFFF);
        if (protected_) {
            put(3, static_cast<u32>(x.fip));
            put(4, wide_ ? u32{x.fcs} | u32{x.opcode} << 16 : x.fcs);
            put(5, static_cast<u32>(x.fdp));
            put(6, x.fds, 0xFFFF);
            return;
        }
        const u32 ip = static_cast<u32>(x.fip) + (u32{x.fcs} << 4),
                  dp = static_cast<u32>(x.fdp) + (u32{x.fds} << 4);
        put(3, ip & 0xFFFF, 0xFFFF);
        put(4, wide_ ? (ip >> 16) << 12 | x.opcode : (ip >> 4 & 0xF000) | x.opcode);
        put(5, dp & 0xFFFF, 0xFFFF);
        put(6, wide_ ? (dp >> 16) << 12 : dp >> 4 & 0xF000);
    }

    void get_environment() {
        X87State& x = core_.state.x87;
        x.control = legal_control_word(static_cast<u16>(get(0)));
        const u16 status = static_cast<u16>(get(1));
        const bool was = x.status & sw::summary;
        x.status = static_cast<u16>((status & ~(sw::summary | sw::busy)) | (was ? sw::summary : 0));
        update_summary(core_);
        set_full_tag_word(x, static_cast<u16>(get(2)));
        if (protected_) {
            x.fip = get(3);
            x.fcs = static_cast<u16>(get(4));
            if (wide_) x.opcode = static_cast<u16>(get(4) >> 16 & 0x7FF);
            x.fdp = get(5);
            x.fds = static_cast<u16>(get(6));
            return;
        }
        x.fcs = x.fds = 0;
        x.opcode = static_cast<u16>(get(4) & 0x7FF);
        const u32 high = wide_ ? 0x0FFFF000 : 0xF000;
        x.fip = (get(3) & 0xFFFF) | (get(4) & high) << 4;
        x.fdp = (get(5) & 0xFFFF) | (get(6) & high) << 4;
    }

    void put_registers() {
        const X87State& x = core_.state.x87;
        u8* p = bytes_.data() + environment_bytes();
        for (unsigned n = 0; n < 8; ++n, p += 10) {
            const F80& v = x.regs[(x.top() + n) & 7];
            store_le(p, v.significand);
            store_le(p + 8, v.sign_exponent);
        }
    }
    void get_registers() {
        X87State& x = core_.state.x87;
        const u8* p = bytes_.data() + environment_bytes();
        for (unsigned n = 0; n < 8; ++n, p += 10)
            x.regs[(x.top() + n) & 7] = {load_le<u64>(p), load_le<u16>(p + 8)};
    }

    bool load(unsigned size) {
        u64 a;
        if (!locate(size, Access::read, a)) return false;
        for (unsigned at = 0; at < size; at += kChunk)
            if (!core_.load_slow(address(a, at), bytes_.data() + at, chunk(size, at), core_.mmu.privilege()))
                return false;
        return true;
    }
    bool store(unsigned size) {
        u64 a;
        if (!locate(size, Access::write, a)) return false;
        for (unsigned at = 0; at < size; at += kChunk)
            if (!core_.probe_write(address(a, at), chunk(size, at))) return false;
        for (unsigned at = 0; at < size; at += kChunk)
            if (!core_.store_slow(address(a, at), bytes_.data() + at, chunk(size, at), core_.mmu.privilege()))
                return false;
        return true;
    }

  private:
    static constexpr unsigned kChunk = 32;

    static unsigned chunk(unsigned size, unsigned at) { return size - at < kChunk ? size - at : kChunk; }
    u64 address(u64 start, unsigned at) const {
        const u64 a = start + at;
        return core_.mode.code64() ? a : static_cast<u32>(a);
    }
    bool locate(unsigned size, Access access, u64& a) {
        return core_.linear(insn_.seg, core_.effective_address(insn_), size, access, a);
    }

    // Field n; `above` fills the upper half of a 32-bit field that has only 16 bits.
    void put(unsigned n, u32 v, u32 above = 0) {
        if (wide_) {
            store_le(bytes_.data() + 4 * n, v | above << 16);
        } else {
            store_le(bytes_.data() + 2 * n, static_cast<u16>(v));
        }
    }
    u32 get(unsigned n) const {
        return wide_ ? load_le<u32>(bytes_.data() + 4 * n) : load_le<u16>(bytes_.data() + 2 * n);
    }

    Core& core_;
    const Insn& insn_;
    bool wide_, protected_;
    std::array<u8, 28 + kRegisterBytes> bytes_{};
};

bool store_environment(Core& c, const Insn& i) {
    Unit u(c, i);
    if (!u.available()) return false;
    Image image(c, i);
    image.put_environment();
    if (!image.store(image.environment_bytes())) return false;
    u.x.control |= sw::exceptions;
    update_summary(c);
    return true;
}

bool load_environment(Core& c, const Insn& i) {
    Unit u(c, i);
    if (!u.ready()) return false;
    Image image(c, i);
    if (!image.load(image.environment_bytes())) return false;
    image.get_environment();
    return true;
}

bool save(Core& c, const Insn& i) {
    Unit u(c, i);
    if (!u.available()) return false;
    Image image(c, i);
    image.put_environment();
    image.put_registers();
    if (!image.store(image.environment_bytes() + kRegisterBytes)) return false;
    initialize(c);
    return true;
}

bool restore(Core& c, const Insn& i) {
    Unit u(c, i);
    if (!u.ready()) return false;
    Image image(c, i);
    if (!image.load(image.environment_bytes() + kRegisterBytes)) return false;
    image.get_environment();
    image.get_registers();
    return true;
}

bool load_control(Core& c, const Insn& i) {
    Unit u(c, i);
    if (!u.ready()) return false;
    u16 v;
    if (!c.load_operand(i, v)) return false;
    u.x.control = legal_control_word(v);
    update_summary(c);
    return true;
}

bool store_control(Core& c, const Insn& i) {
    Unit u(c, i);
    return u.available() && c.store_operand(i, u.x.control);
}

bool store_status(Core& c, const Insn& i) {
    Unit u(c, i);
    return u.available() && c.store_operand(i, u.x.status);
}

bool status_to_ax(Core& c, const Insn& i) {
    Unit u(c, i);
    if (!u.available()) return false;
    c.set_reg<u16>(rax, u.x.status);
    return true;
}

bool clear_exceptions(Core& c, const Insn& i) {
    Unit u(c, i);
    if (!u.available()) return false;
    u.x.status &= static_cast<u16>(~(sw::exceptions | sw::stack_fault));
    update_summary(c);
    return true;
}

bool initialize_unit(Core& c, const Insn& i) {
    Unit u(c, i);
    if (!u.available()) return false;
    initialize(c);
    return true;
}

// FENI, FDISI, FSETPM: of the 8087 and 80287.
bool nothing(Core& c, const Insn& i) {
    Unit u(c, i);
    return u.available();
}

// #NM here depends on CR0.MP (SDM vol. 3A table 9-3).
bool wait(Core& c, const Insn&) {
    constexpr u64 both = cr0::mp | cr0::ts;
    if ((c.state.cr0 & both) == both) return c.raise(Vector::nm);
    return !(c.state.x87.status & sw::summary) || deliver_pending(c);
}

}  // namespace

Function control_function(const Insn& i) {
    if (i.op == Op::FWAIT) return wait;
    switch (i.opcode << 4 | (i.reg & 7)) {
        case 0xD94:
            return i.memory() ? load_environment : nullptr;
        case 0xD95:
            return i.memory() ? load_control : nullptr;
        case 0xD96:
            return i.memory() ? store_environment : nullptr;
        case 0xD97:
            return i.memory() ? store_control : nullptr;
        case 0xDB4:
            if (i.memory()) return nullptr;
            return sti(i) == 2 ? clear_exceptions : sti(i) == 3 ? initialize_unit : nothing;
        case 0xDD4:
            return i.memory() ? restore : nullptr;
        case 0xDD6:
            return i.memory() ? save : nullptr;
        case 0xDD7:
            return i.memory() ? store_status : nullptr;
        case 0xDF4:
            return i.memory() ? nullptr : status_to_ax;
        default:
            return nullptr;
    }
}

}  // namespace mynah::x87
