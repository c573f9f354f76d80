#include "jit/engine.h"

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <numeric>

#include <fmt/format.h>

#include "cpu/system/cpu_model.h"
#include "cpu/x87/environment.h"
#include "jit/flags_image.h"
#include "jit/x64/host.h"

namespace mynah {

namespace {

constexpr u64 kFourGib = u64{1} << 32;
// Instructions between two visits to the run loop: bounds what unreturned calls take of the host's stack.
constexpr u64 kMostAtOnce = 128 * 1024;
// Regions of a page that were dropped because their code was written; from then on its code has to prove
// itself.
constexpr u32 kFewKills = 2;

}  // namespace

JitEngine::JitEngine(Core& core, PhysicalMap& memory, HostCode code)
    : core_(core),
      memory_(memory),
      code_(std::move(code)),
      targets_(kSpaces * x64::kTable),
      translator_({encoder_, code_.executable() - code_.writable(), offsets_, thunks_, sites_, links_,
                   x64::host_overflow_of_last_step()}) {
    memory_.observe_frames(frame_flag::translated, *this);
    memory_.observe_map(*this);
}

JitEngine::~JitEngine() = default;

std::unique_ptr<JitEngine> JitEngine::create(Core& core, PhysicalMap& memory, const JitOptions& options) {
    auto code = HostCode::create(align_up(std::max<u64>(options.code_bytes, 1 * MiB), kPageSize));
    if (!code) return nullptr;
    std::unique_ptr<JitEngine> engine(new JitEngine(core, memory, std::move(*code)));
    if (!engine->state_in_reach()) return nullptr;
    engine->generate_thunks();
    if (options.perf_map)
        engine->perf_map_.reset(std::fopen(fmt::format("/tmp/perf-{}.map", getpid()).c_str(), "w"));
    engine->flush();
    return engine;
}

// Everything that code touches is within 2 GiB of the core: one allocation in Cpu.
bool JitEngine::state_in_reach() {
    bool fits = true;
    const auto offset = [&](const void* p) {
        const i64 d = static_cast<const u8*>(p) - reinterpret_cast<const u8*>(&core_);
        if (d != static_cast<i32>(d)) fits = false;
        return static_cast<i32>(d);
    };
    CpuState& s = core_.state;
    offsets_.gpr = offset(s.gpr.data());
    offsets_.rip = offset(&s.rip);
    offsets_.eflags = offset(&s.eflags);
    offsets_.attention = offset(&core_.attention);
    offsets_.interrupt_waits = offset(&core_.interrupt_waits);
    offsets_.vec = offset(s.vec.data());
    offsets_.mxcsr = offset(&s.mxcsr);
    Core::Accelerated& a = core_.accelerated;
    offsets_.budget = offset(&a.budget);
    offsets_.space = offset(&a.space);
    offsets_.targets = offset(&a.targets);
    offsets_.value = offset(a.value);
    offsets_.spans = offset(a.spans);
    offsets_.stack_limit = offset(&a.stack_limit);
    offsets_.flags = offset(&a.flags);
    offsets_.vectors_loaded = offset(&a.vectors_loaded);
    offsets_.x87_loaded = offset(&a.x87_loaded);
    offsets_.host_mxcsr = offset(&a.host_mxcsr);
    offsets_.host_stack = offset(&a.host_stack);
    offsets_.gs_base = offset(&s.seg(Seg::gs).base);
    offsets_.kernel_gs_base = offset(&s.msr.kernel_gs_base);
    offsets_.stack_page = offset(&core_.mmu.stack_page());
    offsets_.stack_page_changes = offset(&core_.mmu.stack_page_changes());
    offsets_.privilege = offset(&core_.mmu.privilege());
    offsets_.views = offset(&core_.mmu.views());
    X87State& x = s.x87;
    offsets_.x87_control = offset(&x.control);
    offsets_.x87_fdp = offset(&x.fdp);
    offsets_.x87_last = offset(&a.x87_last);
    offsets_.x87_operand = offset(&a.x87_operand);
    offsets_.read_table = offset(&core_.mmu.table(Access::read));
    offsets_.write_table = offset(&core_.mmu.table(Access::write));
    offsets_.fetch_table = offset(&core_.mmu.table(Access::execute));
    offsets_.read_victims = offset(&core_.mmu.victims(Access::read));
    offsets_.write_victims = offset(&core_.mmu.victims(Access::write));
    for (unsigned n = 0; n < 6; ++n) {
        offsets_.segment_register[n] = offset(&s.segs[n]);
        offsets_.loaded_segment[n] = offset(&core_.loaded_segments[n][0]);
    }
    static_assert(offsetof(SegmentRegister, selector) == 0 && offsetof(SegmentRegister, base) == 8);
    static_assert(sizeof(SegmentRegister) == 16 && offsetof(Core::LoadedSegment, descriptor) == 16);
    offsets_.gdt_base = offset(&s.gdtr.base);
    offsets_.gdt_limit = offset(&s.gdtr.limit);
    offsets_.control = {offset(&s.cr0), 0, offset(&s.cr2), offset(&s.cr3), offset(&s.cr4)};
    for (unsigned n = 0; n < 8; ++n) offsets_.segment[n] = offset(&core_.shortcut(static_cast<Seg>(n)));
    a.targets = targets_.data();
    return fits;
}

void JitEngine::generate_thunks() {
    encoder_.start(code_.writable(), code_.writable() + code_.size());
    const x64::Callouts callouts{on_miss,   on_stack_range, on_interpret, on_operate, on_transfer,
                                 on_attend, on_lookup,      on_link,      on_load_x87};
    thunks_ = x64::generate_thunks(encoder_, code_.executable() - code_.writable(), offsets_, callouts, this,
                                   core_.model.vendor == Vendor::amd);
    thunk_end_ = align_up(static_cast<u64>(encoder_.offset()), 64);
}

// --- modes ---

u32 JitEngine::mode_number(u32 units) const {
    constexpr auto bit = [](Seg seg) { return 1u << static_cast<unsigned>(seg); };
    constexpr u32 kData = bit(Seg::ds) | bit(Seg::es) | bit(Seg::ss);
    const Core& c = core_;
    const bool code64 = c.mode.code64();
    const u32 flat = c.flat_segments();
    return c.block_key | (c.mode.cpl == 0 && !c.mode.v8086 ? kSupervisor : 0) |
           (code64 || (flat & kData) == kData ? kFlat : 0) | (code64 || (flat & bit(Seg::cs)) ? kFlatCs : 0) |
           units;
}

ModeBits JitEngine::mode_bits(u32 number) const {
    ModeBits m;
    m.code_size = number & 15;
    m.stack_size = number >> 4 & 15;
    m.descriptors = number & 0x100;
    m.supervisor = number & kSupervisor;
    m.flat = number & kFlat;
    m.flat_cs = number & kFlatCs;
    m.sse = number & kSse;
    m.avx = number & kAvx;
    m.x87 = number & kX87;
    m.fdp = !core_.model.has(Feature::fdp_excptn_only);
    m.unspanned = number & kUnspanned;
    return m;
}

// LDMXCSR, FLDCW and many others, here or in the interpreter.
u32 JitEngine::units() const {
    const CpuState& s = core_.state;
    if (s.cr0 & (cr0::em | cr0::ts)) return 0;
    const bool sse = (s.cr4 & cr4::osfxsr) && (s.mxcsr & 0x1F80) == 0x1F80;
    const bool avx = sse && (s.cr4 & cr4::osxsave) && (s.xcr0 & 6) == 6;
    const bool masked = (s.x87.control & x87::sw::exceptions) == x87::sw::exceptions;
    const bool x87 = masked && !(s.x87.status & x87::sw::summary);
    return (sse ? kSse : 0) | (avx ? kAvx : 0) | (x87 ? kX87 : 0);
}

void JitEngine::load_x87() {
    core_.accelerated.x87_loaded = 1;
    x87_.load(core_.state.x87);
}

void JitEngine::store_x87() {
    core_.accelerated.x87_loaded = 0;
    x87_.store(core_.state.x87);
}

void JitEngine::settle_x87_pointers() {
    Core::Accelerated& a = core_.accelerated;
    X87State& x = core_.state.x87;
    if (a.x87_last != 0) {
        const CallSite& site = sites_[a.x87_last];
        const Entry& e = *site.entry;
        x.fip = site.rip & core_.rip_mask;
        x.opcode = x87::fop(e.insn);
        x.fcs = core_.state.seg(Seg::cs).selector;
        a.x87_last = 0;
    }
    if (a.x87_operand != 0) {
        x.fds = core_.state.segs[a.x87_operand - 1].selector;
        a.x87_operand = 0;
    }
}

// Checks at each access, or a code segment that ends early: the interpreter's.
bool JitEngine::translatable() const {
    const Core& c = core_;
    if (c.mode.code64()) return c.shortcut(Seg::ds).read_end != 0;
    return c.code_end == (c.mode.code_size == 2 ? 0x10000 : kFourGib);
}

void JitEngine::renew_space() {
    Core::Accelerated& a = core_.accelerated;
    const u32 now = units();
    if (mode_seen_ != a.mode_changes || now != (mode_ & kUnits)) {
        mode_seen_ = a.mode_changes;
        mode_ = mode_number(now);
    } else if (epoch_seen_ == core_.mmu.code_epoch()) {
        return;
    }
    epoch_seen_ = core_.mmu.code_epoch();
    const Space space{epoch_seen_, core_.shortcut(Seg::cs).base, mode_};
    if (!(space == spaces_[recent_spaces_[0]])) choose_targets(space);
}

void JitEngine::choose_targets(const Space& space) {
    // Two take turns, as a program and its kernel.
    size_t n = recent_spaces_[1];
    if (!(spaces_[n] == space)) {
        const auto known = std::ranges::find(spaces_, space);
        n = static_cast<size_t>(known - spaces_.begin());
        if (known == spaces_.end()) {
            n = next_space_++ % kSpaces;
            spaces_[n] = space;
            space_keys_[n] = new_space_key();
        }
    }
    recent_spaces_ = {n, recent_spaces_[0]};
    core_.accelerated.space = space_keys_[n];
    core_.accelerated.targets = &targets_[n * x64::kTable];
}

u64 JitEngine::new_space_key() {
    // Canonical addresses that differ from each other by keys of 15 bits up there are never the same, and
    // none is 0, which an empty entry has.
    constexpr unsigned kShift = 48;
    constexpr u64 kLast = 0x7FFF;
    if (++last_key_ > kLast) {
        last_key_ = 1;
        std::ranges::fill(targets_, x64::Target{});
        spaces_.fill({});
        // The host's stack has keys, too.
        if (running_) core_.attention = unwind_ = true;
    }
    return last_key_ << kShift;
}

// --- entering ---

bool JitEngine::run(const Block& b) {
    Core& c = core_;
    if (flush_) flush();
    renew_space();
    if (!translatable()) return false;
    Found f = find(b.host, c.state.rip);
    if (f.code == nullptr) {
        PhysicalAddress address = 0;
        if (fetch(c.state.rip, &address) != b.host) return false;
        Page& page = pages_[address & ~kPageMask];
        if (page.kills > kFewKills) {
            // Code that keeps changing: longer and longer in the interpreter first.
            b.heat = 32u << std::min<u32>(page.kills - kFewKills, 12);
            page.kills -= 1;
            return false;
        }
        if (translate(b.host, address, c.state.rip, mode_) == nullptr) return false;
        f = find(b.host, c.state.rip);
        if (f.code == nullptr) return false;
    }
    return enter(f);
}

bool JitEngine::run_straddling() {
    constexpr u32 kOften = 16;
    constexpr size_t kMostCounted = 4096;
    Core& c = core_;
    if (flush_) flush();
    renew_space();
    PhysicalAddress address = 0;
    const u64 rip = c.state.rip;
    const u8* host = translatable() ? fetch(rip, &address) : nullptr;
    if (host == nullptr || (address & kPageMask) <= kPageSize - 15) return false;
    Found f = find(host, rip);
    if (f.code == nullptr) {
        if (straddle_heat_.size() >= kMostCounted) straddle_heat_.clear();
        if (++straddle_heat_[rip] < kOften || translate_straddling(host, address, rip) == nullptr)
            return false;
        f = find(host, rip);
    } else if (c.mmu.fast_fetch(f.region->next_linear) != f.region->next_host) {
        return false;
    }
    return f.code != nullptr && enter(f);
}

bool JitEngine::enter(const Found& f) {
    Core& c = core_;
    const u64 begin = c.retired, rip = c.state.rip;
    const u64 left = std::min(c.stop_at - begin, kMostAtOnce);
    if (left < f.need) return false;
    ++counters_.entries;
    stop_at_ = c.stop_at;
    limit_ = begin + left;
    unwind_ = false;
    Core::Accelerated& a = c.accelerated;
    const u32 modes = a.mode_changes;
    a.budget = left;
    a.flags = pack_flags(c.state.flags.get());
    c.current = nullptr;
    c.block = nullptr;
    x64::set_state_base(&c);
    // Fetching may have set accessed bits.
    renew_space();
    c.mmu.note_code(c.code_linear(c.state.rip));
    running_ = true;
    thunks_.enter(f.code);
    running_ = false;
    if (a.x87_loaded) store_x87();
    settle_x87_pointers();
    c.state.flags.set(unpack_flags(a.flags));
    c.retired = limit_ - a.budget;
    // The first span's check failed, and what looks its accesses up one by one goes on for longer than there
    // is budget: it would be the same again.
    return c.retired != begin || c.state.rip != rip || a.mode_changes != modes || c.faulted || c.attention;
}

std::string JitEngine::describe() const {
    const JitCounters& n = counters_;
    std::vector<size_t> order(kOps);
    std::iota(order.begin(), order.end(), size_t{0});
    std::ranges::sort(order, std::greater{}, [&](size_t op) { return n.interpreted_by_op[op]; });
    std::string most;
    for (const size_t op : std::span(order).first(16)) {
        if (n.interpreted_by_op[op] != 0)
            most += fmt::format(" {} {}", op_name(static_cast<Op>(op)), n.interpreted_by_op[op]);
    }
    return fmt::format(
        "translated code: {} KiB of {} KiB, {} regions\n"
        "regions made: {}, of {} instructions; dropped by writes: {}; flushes: {}\n"
        "entered from the run loop: {}; targets looked up: {}; jumps linked: {}\n"
        "TLB misses: {}; instructions handed to the interpreter: {}, most of them:{}\n",
        (used_ - thunk_end_) / KiB, code_.size() / KiB, regions_.size(), n.regions, n.instructions,
        n.invalidated, n.flushes - 1, n.entries, n.lookups, n.links, n.misses, n.interpreted, most);
}

}  // namespace mynah
