// Near control flow (SDM vol. 2: Jcc, JMP, CALL, RET, LOOPcc, JCXZ).
#include "cpu/interp/families.h"

namespace mynah {

namespace {

bool canonical(u64 a) {
    return sign_extend(a, 48) == a;
}

u64 cut(u64 v, unsigned size) {
    return size == 8 ? v : size == 4 ? static_cast<u32>(v) : static_cast<u16>(v);
}

// A branch out of the code segment faults at the branch.
bool reachable(const Core& c, u64 target) {
    return c.mode.code64() ? canonical(target) : target < c.code_end;
}

const Entry* fault_gp(Core& c, const Entry* e) {
    c.current = e;
    c.raise(Vector::gp, 0);
    return leave_faulted(c, e);
}

[[gnu::noinline]] const Entry* jump_anywhere(Core& c, const Entry* e, u64 target) {
    if (!reachable(c, target)) return fault_gp(c, e);
    return enter_anywhere(c, target, c.block_retired + e->index + 1);
}

// A jump along a link that does not serve (yet).
[[gnu::noinline]] const Entry* jump_unlinked(Core& c, const Entry* e, u64 target) {
    if (!reachable(c, target)) return fault_gp(c, e);
    Block* const& link = c.block->taken;
    return leave_for_link(c, target, c.block_retired + e->index + 1, const_cast<Block**>(&link));
}

// Direct jump; the link serves when the target is in the page and no 16-bit IP wrapped on the way.
template <bool linked>
[[gnu::always_inline]] inline const Entry* jump(Core& c, const Entry* e) {
    const u64 sum = rip_of(c, e) + e->insn.length + e->insn.imm;
    const u64 target = cut(sum, e->insn.osize);
    if constexpr (linked) {
        if (target == sum) [[likely]] {
            const Block* b = c.block->taken;
            const u64 retired = c.block_retired + e->index + 1;
            if (!link_serves(c, b, target, retired)) [[unlikely]]
                return jump_unlinked(c, e, target);
            return enter_block(c, b, target, retired);
        }
    }
    return jump_anywhere(c, e, target);
}

template <bool linked>
[[gnu::always_inline]] inline const Entry* pass(Core& c, const Entry* e) {
    const u64 rip = rip_of(c, e) + e->insn.length;
    const u64 retired = c.block_retired + e->index + 1;
    if constexpr (linked) return enter_linked(c, rip, retired, &c.block->fallthrough);
    return enter_anywhere(c, rip, retired);
}

template <unsigned cc, bool linked>
const Entry* jcc(Core& c, const Entry* e) {
    return c.state.flags.condition(cc) ? jump<linked>(c, e) : pass<linked>(c, e);
}

template <bool linked>
const Entry* jmp(Core& c, const Entry* e) {
    return jump<linked>(c, e);
}

template <bool linked>
const Entry* loop(Core& c, const Entry* e) {
    const Insn& i = e->insn;
    const bool jcxz = i.op == Op::JCXZ;
    const u64 count = cut(c.state.gpr[rcx] - !jcxz, i.asize);
    bool take = jcxz ? count == 0 : count != 0;
    if (i.op == Op::LOOPE) take = take && c.state.flags.zf();
    if (i.op == Op::LOOPNE) take = take && !c.state.flags.zf();
    const u64 target = cut(rip_of(c, e) + i.length + i.imm, i.osize);
    if (take && !reachable(c, target)) return fault_gp(c, e);
    if (!jcxz) {
        if (i.asize == 2) {
            c.set_reg<u16>(rcx, static_cast<u16>(count));
        } else {
            c.state.gpr[rcx] = count;
        }
    }
    return take ? jump<linked>(c, e) : pass<linked>(c, e);
}

template <class T, unsigned stack, bool linked>
const Entry* call(Core& c, const Entry* e);

template <class T, unsigned stack>
const Entry* call_slow(Core& c, const Entry* e) {
    const u64 next = rip_of(c, e) + e->insn.length;
    const u64 target = cut(next + e->insn.imm, sizeof(T));
    if (!reachable(c, target)) return fault_gp(c, e);
    c.current = e;
    Slow x(c, e);
    if (!x.push<T, stack>(static_cast<T>(next))) return leave_faulted(c, e);
    c.current = nullptr;
    return jump<false>(c, e);
}

template <class T, unsigned stack, bool linked>
const Entry* call(Core& c, const Entry* e) {
    const u64 next = rip_of(c, e) + e->insn.length;
    if (!reachable(c, cut(next + e->insn.imm, sizeof(T)))) [[unlikely]]
        return call_slow<T, stack>(c, e);
    Fast x(c, e);
    if (!x.push<T, stack>(static_cast<T>(next))) [[unlikely]]
        return call_slow<T, stack>(c, e);
    return jump<linked>(c, e);
}

template <class T, unsigned stack>
const Entry* ret_slow(Core& c, const Entry* e) {
    c.current = e;
    const u64 sp = c.state.gpr[rsp];
    Slow x(c, e);
    T target;
    if (!x.pop<T, stack>(target)) return leave_faulted(c, e);
    if (!reachable(c, target)) {
        c.state.gpr[rsp] = sp;
        return fault_gp(c, e);
    }
    // RET n; n is 0 when there is none.
    x.set_sp<stack>(c.state.gpr[rsp] + static_cast<u16>(e->insn.imm));
    c.current = nullptr;
    return enter_anywhere(c, target, c.block_retired + e->index + 1);
}

template <class T, unsigned stack>
const Entry* ret(Core& c, const Entry* e) {
    Fast x(c, e);
    T target;
    const u64 sp = Values::cut<stack>(c.state.gpr[rsp]);
    if (!x.load<T>(Seg::ss, sp, target)) [[unlikely]]
        return ret_slow<T, stack>(c, e);
    if (!reachable(c, target)) [[unlikely]]
        return ret_slow<T, stack>(c, e);
    x.set_sp<stack>(sp + sizeof(T) + static_cast<u16>(e->insn.imm));
    return enter_anywhere(c, target, c.block_retired + e->index + 1);
}

template <class T>
const Entry* jmp_indirect(Core& c, const Entry* e) {
    T target;
    if (e->insn.memory()) {
        c.current = e;
        Slow x(c, e);
        if (!x.get<T>(Memory<Form::any>{}, e->insn, target)) return leave_faulted(c, e);
        c.current = nullptr;
    } else {
        target = c.reg<T>(e->insn.rm);
    }
    return jump_anywhere(c, e, target);
}

template <class T, unsigned stack>
const Entry* call_indirect(Core& c, const Entry* e) {
    T target;
    c.current = e;
    Slow x(c, e);
    if (e->insn.memory()) {
        if (!x.get<T>(Memory<Form::any>{}, e->insn, target)) return leave_faulted(c, e);
    } else {
        target = c.reg<T>(e->insn.rm);
    }
    if (!reachable(c, target)) return fault_gp(c, e);
    if (!x.push<T, stack>(static_cast<T>(rip_of(c, e) + e->insn.length))) return leave_faulted(c, e);
    c.current = nullptr;
    return enter_anywhere(c, target, c.block_retired + e->index + 1);
}

template <bool linked, unsigned cc = 0>
Step pick_jcc(unsigned n) {
    if constexpr (cc == 15) {
        return jcc<15, linked>;
    } else {
        return n == cc ? jcc<cc, linked> : pick_jcc<linked, cc + 1>(n);
    }
}

// f.operator()<T, stack>() for the sizes that exist.
template <class F>
Step with_call_sizes(const Insn& i, Site s, F f) {
    if (i.osize == 8) return f.template operator()<u64, 8>();
    if (i.osize == 4) {
        if (s.stack_size == 2) return f.template operator()<u32, 2>();
        return s.stack_size == 4 ? f.template operator()<u32, 4>() : f.template operator()<u32, 8>();
    }
    if (s.stack_size == 2) return f.template operator()<u16, 2>();
    return s.stack_size == 4 ? f.template operator()<u16, 4>() : f.template operator()<u16, 8>();
}

}  // namespace

Step branch_step(const Insn& i, Site s) {
    const bool linked = s.in_page;
    switch (i.op) {
        case Op::JCC:
            return linked ? pick_jcc<true>(i.cond) : pick_jcc<false>(i.cond);
        case Op::JMP:
            return linked ? jmp<true> : jmp<false>;
        case Op::LOOP:
        case Op::LOOPE:
        case Op::LOOPNE:
        case Op::JCXZ:
            return linked ? loop<true> : loop<false>;
        case Op::CALL:
            return with_call_sizes(i, s, [&]<class T, unsigned stack>() -> Step {
                return linked ? call<T, stack, true> : call<T, stack, false>;
            });
        case Op::RET:
            return with_call_sizes(i, s, []<class T, unsigned stack>() -> Step { return ret<T, stack>; });
        case Op::JMP_IND:
            return with_call_sizes(i, s, []<class T, unsigned>() -> Step { return jmp_indirect<T>; });
        case Op::CALL_IND:
            return with_call_sizes(i, s,
                                   []<class T, unsigned stack>() -> Step { return call_indirect<T, stack>; });
        default:
            return nullptr;
    }
}

}  // namespace mynah
