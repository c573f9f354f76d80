// The second engine over the semantics text: it computes nothing and records what an instruction reads,
// writes and may fault on. A test holds the instruction table's columns against it (tests/cpu/recorder_test).
#pragma once

#include "cpu/flags.h"
#include "cpu/insn_table.h"
#include "cpu/semantics/operands.h"
#include "cpu/semantics/shift.h"

namespace mynah {

// What was done with one operand place.
struct PlaceUse {
    bool read = false, written = false;
    unsigned bytes = 0;  // the widest access
};

class Recorder {
  public:
    // A value: nothing is known of it but its type.
    template <class T>
    struct Unknown {
        constexpr Unknown() = default;
        constexpr Unknown(u64) {}  // constants of the text
        friend Unknown operator+(Unknown, u64) { return {}; }
    };
    template <class T>
    using V = Unknown<T>;

    // --- the record ---
    PlaceUse reg_field, rm_field, immediate, memory;
    std::array<PlaceUse, 16> fixed{};
    PlaceUse stack;              // through SS:rSP or SS:rBP
    bool stack_pointer = false;  // rSP is written
    bool frame_pointer_read = false;
    bool absolute = false;      // the memory operand is an offset in the instruction
    bool address_only = false;  // an address is made and nothing accessed there
    bool for_update = false;    // memory is read and written in one go, as LOCK needs it
    bool may_fault = false;
    bool late_fault = false;  // something the guest can see changes before the last possible fault
    u32 flags_read = 0, flags_written = 0;

    // --- operands ---
    template <class T>
    bool get(RegField, const Insn&, V<T>&) {
        return use<T>(reg_field, true, false);
    }
    template <class T>
    bool get(RmField, const Insn&, V<T>&) {
        return use<T>(rm_field, true, false);
    }
    template <class T>
    bool get(Immediate, const Insn&, V<T>&) {
        return use<T>(immediate, true, false);
    }
    template <class T, u8 n>
    bool get(Fixed<n>, const Insn&, V<T>&) {
        return use<T>(fixed[n], true, false);
    }
    template <class T, Form form>
    bool get(Memory<form>, const Insn&, V<T>&) {
        absolute |= form == Form::absolute;
        return access<T>(memory, true, false);
    }
    template <class T>
    bool put(RegField, const Insn&, V<T>) {
        changed_ = true;
        return use<T>(reg_field, false, true);
    }
    template <class T>
    bool put(RmField, const Insn&, V<T>) {
        changed_ = true;
        return use<T>(rm_field, false, true);
    }
    template <class T, u8 n>
    bool put(Fixed<n>, const Insn&, V<T>) {
        changed_ = true;
        return use<T>(fixed[n], false, true);
    }
    template <class T, Form form>
    bool put(Memory<form>, const Insn&, V<T>) {
        absolute |= form == Form::absolute;
        const bool ok = access<T>(memory, false, true);
        changed_ = true;
        return ok;
    }
    template <class T, class Place>
    bool get_for_update(Place p, const Insn& i, V<T>& v) {
        return get<T>(p, i, v);
    }
    template <class T, Form form>
    bool get_for_update(Memory<form> m, const Insn& i, V<T>& v) {
        for_update = true;
        return get<T>(m, i, v);
    }
    template <class T, class Place>
    void put_back(Place p, const Insn& i, V<T> v) {
        (void)put<T>(p, i, v);
    }
    template <class T, Form form>
    void put_back(Memory<form>, const Insn&, V<T>) {
        changed_ = true;
        (void)use<T>(memory, false, true);
    }
    template <Form form>
    V<u64> address(Memory<form>, const Insn&) {
        address_only = true;
        return {};
    }

    // --- stack ---
    template <class T, unsigned size>
    bool push(V<T>) {
        const bool ok = access<T>(stack, false, true);
        stack_pointer = changed_ = true;
        return ok;
    }
    template <class T, unsigned size>
    bool pop(V<T>&) {
        const bool ok = access<T>(stack, true, false);
        stack_pointer = changed_ = true;
        return ok;
    }
    template <unsigned size>
    V<u64> frame_pointer() {
        frame_pointer_read = true;
        return {};
    }
    template <unsigned size>
    void set_sp(V<u64>) {
        stack_pointer = changed_ = true;
    }
    template <class T>
    bool load(Seg, V<u64>, V<T>&) {
        return access<T>(stack, true, false);
    }

    // --- values ---
    template <class T>
    V<T> add(V<T>, V<T>) {
        return {};
    }
    template <class T>
    V<T> sub(V<T>, V<T>) {
        return {};
    }
    template <class T>
    V<T> bit_and(V<T>, V<T>) {
        return {};
    }
    template <class T>
    V<T> bit_or(V<T>, V<T>) {
        return {};
    }
    template <class T>
    V<T> bit_xor(V<T>, V<T>) {
        return {};
    }
    template <class T>
    V<T> bit_not(V<T>) {
        return {};
    }
    template <class T>
    V<T> constant(u64) {
        return {};
    }
    template <class To, class From>
    V<To> zero_extend(V<From>) {
        return {};
    }
    template <class To, class From>
    V<To> sign_extend(V<From>) {
        return {};
    }
    template <class T>
    V<T> sign_fill(V<T>) {
        return {};
    }
    template <class T>
    V<T> one_bit(V<T>) {
        return {};
    }
    template <class T>
    V<T> select(V<bool>, V<T>, V<T>) {
        return {};
    }

    // --- flags ---
    template <class T>
    V<T> carry() {
        flags_read |= eflags::cf;
        return {};
    }
    template <unsigned cc>
    V<bool> condition() {
        flags_read |= condition_flags(cc);
        return {};
    }
    template <semantics::ShiftKind kind, class T>
    V<T> shift(V<T>, V<u8>) {
        using semantics::ShiftKind;
        if constexpr (kind == ShiftKind::rcl || kind == ShiftKind::rcr) flags_read |= eflags::cf;
        const bool rotates = kind == ShiftKind::rol || kind == ShiftKind::ror || kind == ShiftKind::rcl ||
                             kind == ShiftKind::rcr;
        write_flags(rotates ? eflags::cf | eflags::of : eflags::arithmetic);
        return {};
    }
    template <bool left, class T>
    V<T> double_shift(V<T>, V<T>, V<u8>) {
        write_flags(eflags::arithmetic);
        return {};
    }
    template <class T>
    V<T> imul(V<T>, V<T>) {
        write_flags(eflags::arithmetic);
        return {};
    }
    template <class T>
    void carry_from(V<T>, V<T>) {
        write_flags(eflags::cf);
    }
    template <class T>
    void flags_add(V<T>, V<T>, V<T>) {
        write_flags(eflags::arithmetic);
    }
    template <class T>
    void flags_sub(V<T>, V<T>, V<T>) {
        write_flags(eflags::arithmetic);
    }
    template <class T>
    void flags_logic(V<T>) {
        write_flags(eflags::arithmetic);
    }
    template <class T>
    void flags_add_keep_carry(V<T>, V<T>, V<T>) {
        write_flags(eflags::arithmetic & ~eflags::cf);
    }
    template <class T>
    void flags_sub_keep_carry(V<T>, V<T>, V<T>) {
        write_flags(eflags::arithmetic & ~eflags::cf);
    }

  private:
    template <class T>
    bool use(PlaceUse& p, bool read, bool written) {
        p.read |= read;
        p.written |= written;
        if (p.bytes < sizeof(T)) p.bytes = sizeof(T);
        return true;
    }
    template <class T>
    bool access(PlaceUse& p, bool read, bool written) {
        may_fault = true;
        late_fault |= changed_;
        return use<T>(p, read, written);
    }
    void write_flags(u32 f) {
        flags_written |= f;
        changed_ = true;
    }

    bool changed_ = false;
};

using RecordStep = bool (*)(Recorder&, const Insn&);

}  // namespace mynah
