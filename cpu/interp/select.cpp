#include "cpu/interp/select.h"

namespace mynah {

namespace {

bool invalid(Core& c, const Insn&) {
    return c.raise(Vector::ud);
}
bool too_long(Core& c, const Insn&) {
    return c.raise(Vector::gp, 0);
}

Handler handler_of(const Insn& i) {
    if (const Handler h = integer_handler(i)) return h;
    if (const Handler h = bmi_handler(i)) return h;
    if (const Handler h = string_handler(i)) return h;
    if (const Handler h = io_handler(i)) return h;
    if (const Handler h = system_handler(i)) return h;
    if (const Handler h = x87_handler(i)) return h;
    if (const Handler h = sse_handler(i)) return h;
    return invalid;
}

}  // namespace

Steps semantic_steps(const Insn& i, Site site) {
    if (const Steps s = alu_step(i)) return s;
    if (const Steps s = alu2_step(i)) return s;
    if (const Steps s = move_step(i)) return s;
    if (const Steps s = condition_step(i)) return s;
    if (const Steps s = shift_step(i)) return s;
    return stack_step(i, site);
}

bool select_step(Entry& e, DecodeStatus status, Site site) {
    if (status != DecodeStatus::ok) {
        e.step = call_handler_last;
        e.handler = status == DecodeStatus::too_long ? too_long : invalid;
        return true;
    }
    if (const Steps s = semantic_steps(e.insn, site)) {
        e.step = s.fast;
        e.slow = s.slow;
        return false;
    }
    if (const Step s = branch_step(e.insn, site)) {
        e.step = s;
        e.handler = nullptr;
        return true;
    }
    e.handler = handler_of(e.insn);
    // A repeated string instruction retires more than one, so a block can't count behind it.
    const bool repeats = e.insn.has(insn_flag::rep | insn_flag::repne);
    const bool last = repeats || e.insn.has(insn_flag::ends_block) || e.handler == invalid;
    e.step = last ? call_handler_last : call_handler;
    return last;
}

}  // namespace mynah
