#include "jit/engine.h"

#include <algorithm>
#include <numeric>

#include <unistd.h>

#include <fmt/format.h>

#include "cpu/decoder.h"
#include "cpu/interp/families.h"
#include "cpu/interp/interrupts.h"
#include "cpu/interp/select.h"
#include "cpu/interp/steps.h"
#include "cpu/system/cpu_model.h"
#include "cpu/x87/environment.h"
#include "jit/x64/host.h"

namespace mynah {

namespace {

constexpr u64 kFourGib = u64{1} << 32;
// A region is smaller than this, so that room for one can be told.
constexpr u64 kMostCode = 256 * KiB;
// Instructions between two visits to the run loop: bounds what unreturned calls take of the host's stack.
constexpr u64 kMostAtOnce = 128 * 1024;
// Regions of a page that were dropped because their code was written; from then on its code has to prove
// itself.
constexpr u32 kFewKills = 2;

// A bijection whose values differ in all bits, RIP's included.
u64 mix(u64 v) {
    v = (v ^ v >> 30) * 0xBF58476D1CE4E5B9;
    v = (v ^ v >> 27) * 0x94D049BB133111EB;
    return v ^ v >> 31;
}

u32 pack_flags(u32 eflags_bits) {
    return (eflags_bits & 0xD5) << 8 | 0x200 | (eflags_bits & eflags::of ? 1 : 0);
}
u32 host_length(std::span<const u8> code) {
    Insn i;
    const DecodeStatus s = decode(code, {.code_size = 8, .descriptors = true}, i);
    return s == DecodeStatus::ok ? i.length : 1;
}

// From here on the list has the units' instructions and those that save and load them.
bool may_use_x87(Op op) {
    return op >= Op::FXSAVE;
}

u32 unpack_flags(u32 packed) {
    return (packed >> 8 & 0xD5) | (packed & 1 ? eflags::of : 0);
}

// Do the region's bytes in the frame include one of first..last?
bool overlaps(const Region& r, PhysicalAddress frame, u64 first, u64 last) {
    if (r.straddles != 0 && frame == r.next_frame && first < r.straddles) return true;
    if (frame != r.frame) return false;
    return std::ranges::any_of(r.blocks,
                               [&](const RegionBlock& b) { return first < b.end && b.begin <= last; });
}

}  // namespace

JitEngine::JitEngine(Core& core, PhysicalMap& memory, HostCode code)
    : core_(core), memory_(memory), code_(std::move(code)), targets_(x64::kTargets) {
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
    offsets_.vec = offset(s.vec.data());
    offsets_.mxcsr = offset(&s.mxcsr);
    Core::Accelerated& a = core_.accelerated;
    offsets_.budget = offset(&a.budget);
    offsets_.space = offset(&a.space);
    offsets_.targets = offset(&a.targets);
    offsets_.value = offset(a.value);
    offsets_.flags = offset(&a.flags);
    offsets_.vectors_loaded = offset(&a.vectors_loaded);
    offsets_.x87_loaded = offset(&a.x87_loaded);
    offsets_.host_mxcsr = offset(&a.host_mxcsr);
    offsets_.host_stack = offset(&a.host_stack);
    offsets_.stack_page = offset(&core_.mmu.stack_page());
    X87State& x = s.x87;
    offsets_.x87_control = offset(&x.control);
    offsets_.x87_fdp = offset(&x.fdp);
    offsets_.x87_last = offset(&a.x87_last);
    offsets_.x87_operand = offset(&a.x87_operand);
    offsets_.read_table = offset(&core_.mmu.table(Access::read));
    offsets_.write_table = offset(&core_.mmu.table(Access::write));
    offsets_.fetch_table = offset(&core_.mmu.table(Access::execute));
    for (unsigned n = 0; n < 8; ++n) offsets_.segment[n] = offset(&core_.shortcut(static_cast<Seg>(n)));
    a.targets = targets_.data();
    return fits;
}

void JitEngine::generate_thunks() {
    encoder_.start(code_.writable(), code_.writable() + code_.size());
    const x64::Callouts callouts{on_miss, on_interpret, on_attend, on_lookup, on_link, on_load_x87};
    thunks_ = x64::generate_thunks(encoder_, code_.executable() - code_.writable(), offsets_, callouts, this);
    thunk_end_ = align_up(static_cast<u64>(encoder_.offset()), 64);
}

// --- modes ---

ModeBits JitEngine::mode_bits() const {
    const Core& c = core_;
    const bool code64 = c.mode.code64();
    const auto flat = [&](Seg s, bool write) {
        const Core::SegShortcut& k = c.shortcut(s);
        return k.base == 0 && k.read_end >= kFourGib && (!write || k.write_end >= kFourGib);
    };
    ModeBits m;
    m.code_size = c.mode.code_size;
    m.stack_size = c.mode.stack_size;
    m.descriptors = c.mode.descriptors();
    m.supervisor = c.mode.cpl == 0 && !c.mode.v8086;
    m.flat = code64 || (flat(Seg::ds, true) && flat(Seg::es, true) && flat(Seg::ss, true));
    m.flat_cs = code64 || flat(Seg::cs, false);
    const CpuState& s = c.state;
    m.sse = sse_native();
    m.avx = m.sse && (s.cr4 & cr4::osxsave) && (s.xcr0 & 6) == 6;
    m.x87 = x87_native();
    m.fdp = !c.model.has(Feature::fdp_excptn_only);
    return m;
}

bool JitEngine::sse_native() const {
    const CpuState& s = core_.state;
    const bool enabled = (s.cr0 & (cr0::em | cr0::ts)) == 0 && (s.cr4 & cr4::osfxsr);
    return enabled && (s.mxcsr & 0x1F80) == 0x1F80;
}

bool JitEngine::x87_native() const {
    const CpuState& s = core_.state;
    const bool masked = (s.x87.control & x87::sw::exceptions) == x87::sw::exceptions;
    return masked && (s.cr0 & (cr0::em | cr0::ts)) == 0 && !(s.x87.status & x87::sw::summary);
}

// LDMXCSR, FLDCW and many others, here or in the interpreter.
bool JitEngine::units_changed() const {
    const ModeBits& m = modes_[mode_];
    return m.sse != sse_native() || m.x87 != x87_native();
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
        const Entry& e = site.region->insns[site.insn];
        x.fip = site.region->rip_of(e) & core_.rip_mask;
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

u32 JitEngine::mode_index() {
    const ModeBits m = mode_bits();
    for (u32 n = 0; n < modes_.size(); ++n) {
        if (modes_[n] == m) return n;
    }
    modes_.push_back(m);
    return static_cast<u32>(modes_.size() - 1);
}

void JitEngine::renew_space() {
    Core::Accelerated& a = core_.accelerated;
    if (mode_seen_ != a.mode_changes || units_changed()) {
        mode_seen_ = a.mode_changes;
        mode_ = mode_index();
    } else if (epoch_seen_ == core_.mmu.code_epoch()) {
        return;
    }
    epoch_seen_ = core_.mmu.code_epoch();
    a.space = mix(epoch_seen_ << 12 | (mode_ & 0xFFF));
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
        if (translate(b.host, address, c.state.rip) == nullptr) return false;
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
    const u64 left = std::min(c.stop_at - c.retired, kMostAtOnce);
    if (left < f.need) return false;
    ++counters_.entries;
    stop_at_ = c.stop_at;
    limit_ = c.retired + left;
    unwind_ = false;
    Core::Accelerated& a = c.accelerated;
    a.budget = left;
    a.flags = pack_flags(c.state.flags.get());
    c.current = nullptr;
    c.block = nullptr;
    x64::set_state_base(&c);
    running_ = true;
    thunks_.enter(f.code);
    running_ = false;
    if (a.x87_loaded) store_x87();
    settle_x87_pointers();
    c.state.flags.set(unpack_flags(a.flags));
    c.retired = limit_ - a.budget;
    return true;
}

JitEngine::Found JitEngine::find(const u8* host, u64 rip) {
    return found_.find(RegionKey{host, rip, mode_});
}

const u8* JitEngine::fetch(u64 rip, PhysicalAddress* address) {
    Core& c = core_;
    const u64 linear = c.code_linear(rip);
    const u8* host = c.mmu.fast_fetch(linear);
    if (host != nullptr && address == nullptr) return host;
    if (c.mode.code64() && sign_extend(linear, 48) != linear) return nullptr;
    const Translation t = c.mmu.translate(linear, Access::execute, c.mmu.privilege());
    if (!t.ok) return nullptr;
    if (address != nullptr) *address = t.address;
    const PhysicalMap::Target target = memory_.read_target(t.address & ~kPageMask);
    return target.host == nullptr ? nullptr : target.host + (t.address & kPageMask);
}

bool JitEngine::make_room() {
    if (code_.size() - used_ >= kMostCode) return true;
    // Made before the next run, when no code is running.
    flush_ = true;
    core_.attention = true;
    if (running_) return false;
    flush();
    return true;
}

Region* JitEngine::translate(const u8* host, PhysicalAddress address, u64 rip) {
    if (!make_room()) return nullptr;
    auto region = std::make_unique<Region>();
    const u64 offset = address & kPageMask;
    region->key = {host, rip, mode_};
    region->frame = address - offset;
    region->page_rip = rip - offset;
    if (!find_region(*region, host - offset, static_cast<u32>(offset), core_.decode_mode, modes_[mode_]))
        return nullptr;
    return make(std::move(region));
}

Region* JitEngine::translate_straddling(const u8* host, PhysicalAddress address, u64 rip) {
    if (!make_room()) return nullptr;
    Core& c = core_;
    auto region = std::make_unique<Region>();
    const u64 offset = address & kPageMask;
    const u64 here = kPageSize - offset;
    region->key = {host, rip, mode_};
    region->frame = address - offset;
    region->page_rip = rip - offset;
    region->next_linear = c.code_linear(rip + here);
    region->next_host = fetch(rip + here, &region->next_frame);
    if (region->next_host == nullptr || (region->next_linear & kPageMask) != 0) return nullptr;
    std::array<u8, 15> bytes;
    std::copy_n(host, here, bytes.data());
    std::copy_n(region->next_host, bytes.size() - here, bytes.data() + here);
    if (!straddling_region(*region, bytes, static_cast<u32>(offset), c.decode_mode, modes_[mode_]))
        return nullptr;
    return make(std::move(region));
}

Region* JitEngine::make(std::unique_ptr<Region> region) {
    encoder_.start(code_.writable() + used_, code_.writable() + used_ + kMostCode);
    x64::Translator translator(
        {encoder_, code_.executable() - code_.writable(), offsets_, thunks_, sites_, links_});
    if (!translator.translate(*region, modes_[mode_])) return nullptr;
    used_ = align_up(used_ + region->code_bytes, 16);
    const u8* host = region->key.host;
    const u64 rip = region->key.rip;
    for (const Region::Exported& e : region->entries) {
        const RegionKey key{host + static_cast<i64>(e.rip - rip), e.rip, mode_};
        // Elsewhere the region that has it already serves as well.
        if (e.rip != rip && found_.find(key).code != nullptr) continue;
        found_.insert(key, Found{region.get(), e.code, e.need});
    }
    const auto belongs_to = [&](PhysicalAddress frame) {
        Page& page = pages_[frame];
        if (page.regions.empty()) memory_.set_flag(frame, frame_flag::translated);
        page.regions.push_back(region.get());
    };
    belongs_to(region->frame);
    if (region->straddles != 0) belongs_to(region->next_frame);
    ++counters_.regions;
    counters_.instructions += region->insns.size();
    if (core_.log.enabled(LogItem::out_asm)) log_code(*region);
    if (perf_map_ != nullptr) name_for_perf(*region);
    regions_.push_back(std::move(region));
    return regions_.back().get();
}

// A line for each block: start, length, name.
void JitEngine::name_for_perf(const Region& r) {
    for (size_t n = 0; n < r.blocks.size(); ++n) {
        const RegionBlock& b = r.blocks[n];
        const u32 from = r.host_offsets[b.first];
        const u32 to = n + 1 < r.blocks.size() ? r.host_offsets[r.blocks[n + 1].first] : r.stubs_offset;
        fmt::print(perf_map_.get(), "{:x} {:x} guest_{:x}\n", reinterpret_cast<u64>(r.code + from), to - from,
                   r.page_rip + b.begin);
    }
    fmt::print(perf_map_.get(), "{:x} {:x} guest_{:x}_stubs\n",
               reinterpret_cast<u64>(r.code + r.stubs_offset), r.code_bytes - r.stubs_offset, r.key.rip);
    std::fflush(perf_map_.get());
}

void JitEngine::log_code(const Region& r) const {
    const Log& log = core_.log;
    const unsigned bits = modes_[r.key.mode].code_size * 8u;
    core_.log.write(fmt::format("region at {:x}, {} instructions, {} bytes of code", r.key.rip,
                                r.insns.size(), r.code_bytes));
    const u8* page = r.key.host - (r.key.rip - r.page_rip);
    const auto host_lines = [&](u32 from, u32 to) {
        while (from < to) {
            const std::string line =
                log.disassemble({r.code + from, to - from}, reinterpret_cast<u64>(r.code + from), 64);
            core_.log.write("    " + line);
            const u32 length = host_length({r.code + from, to - from});
            from += length;
        }
    };
    for (size_t n = 0; n < r.insns.size(); ++n) {
        const Entry& e = r.insns[n];
        core_.log.write(log.disassemble({page + e.offset, e.insn.length}, r.rip_of(e), bits));
        host_lines(r.host_offsets[n], n + 1 < r.insns.size() ? r.host_offsets[n + 1] : r.stubs_offset);
    }
    core_.log.write("  stubs:");
    host_lines(r.stubs_offset, r.code_bytes);
}

// --- what translated code calls ---

x64::Outcome JitEngine::on_miss(void* self, u32 site, u64 linear) {
    JitEngine& e = *static_cast<JitEngine*>(self);
    return e.miss(e.sites_[site], linear);
}
x64::Outcome JitEngine::on_interpret(void* self, u32 site) {
    JitEngine& e = *static_cast<JitEngine*>(self);
    return e.interpret(e.sites_[site]);
}
x64::Outcome JitEngine::on_attend(void* self, u32 site) {
    JitEngine& e = *static_cast<JitEngine*>(self);
    Core& c = e.core_;
    if (!c.attention && nothing_to_attend(c)) return {x64::Outcome::behind};
    const CallSite& s = e.sites_[site];
    const Entry& insn = s.region->insns[s.insn];
    Core::Accelerated& a = c.accelerated;
    a.budget += s.given_back - 1;
    c.retired = e.limit_ - a.budget;
    c.state.rip = (s.region->rip_of(insn) + insn.insn.length) & c.rip_mask;
    return e.go_on();
}
const u8* JitEngine::on_lookup(void* self) {
    JitEngine& e = *static_cast<JitEngine*>(self);
    return e.lookup(e.core_.state.rip);
}
const u8* JitEngine::on_link(void* self, u32 link) {
    JitEngine& e = *static_cast<JitEngine*>(self);
    return e.link(e.links_[link]);
}

void JitEngine::on_load_x87(void* self) {
    static_cast<JitEngine*>(self)->load_x87();
}

x64::Outcome JitEngine::miss(const CallSite& site, u64 linear) {
    ++counters_.misses;
    const Access access = site.write ? Access::write : Access::read;
    Mmu& mmu = core_.mmu;
    const u64 in_page = linear & kPageMask;
    const bool canonical = !core_.mode.code64() || sign_extend(linear, 48) == linear;
    if (canonical && in_page + site.size <= kPageSize && mmu.translate(linear, access, mmu.privilege()).ok) {
        // Walking may have set accessed bits, and what observes that table may want a look.
        u8* host = site.write ? mmu.fast_write(linear, site.size)
                              : const_cast<u8*>(mmu.fast_read(linear, site.size));
        // A page with code takes stores beside the code at once.
        if (host == nullptr && site.write) host = beside_code(linear, site.size);
        if (host != nullptr && !core_.attention) return {x64::Outcome::address, reinterpret_cast<u64>(host)};
    }
    return interpret(site);
}

u8* JitEngine::beside_code(u64 linear, u64 length) {
    constexpr u8 kCode = frame_flag::code | frame_flag::translated;
    const Translation t = core_.mmu.translate(linear, Access::write, core_.mmu.privilege());
    const PhysicalAddress frame = t.address & ~kPageMask;
    const u8 flags = memory_.flags(frame);
    if (!t.ok || flags == 0 || (flags & ~kCode) != 0 || near_code(t.address, length)) return nullptr;
    u8* page = memory_.write_target(frame).host;
    return page == nullptr ? nullptr : page + (t.address & kPageMask);
}

x64::Outcome JitEngine::interpret(const CallSite& site) {
    Core& c = core_;
    Core::Accelerated& a = c.accelerated;
    ++counters_.interpreted;
    ++counters_.interpreted_by_op[static_cast<size_t>(site.region->insns[site.insn].insn.op)];
    const Region& region = *site.region;
    const Entry& e = region.insns[site.insn];
    const u64 rip = region.rip_of(e) & c.rip_mask;
    settle_x87_pointers();
    const bool units = may_use_x87(e.insn.op);
    if (units && a.x87_loaded) store_x87();
    c.state.flags.set(unpack_flags(a.flags));
    c.rip = rip;
    c.next_rip = rip + e.insn.length;
    c.retired = limit_ - a.budget - site.given_back;
    const u64 behind = c.next_rip;
    const bool handler = e.step == call_handler || e.step == call_handler_last;
    c.block_rip = rip;
    c.block_retired = c.retired;
    if (handler) {
        c.current = nullptr;
        c.block_limit = limit_;
        (void)e.handler(c, e.insn);
        if (c.faulted) {
            c.state.rip = rip;
        } else {
            c.state.rip = c.next_rip & c.rip_mask;
            ++c.retired;
        }
    } else {
        single_[0] = e;
        single_[0].offset = 0;
        single_[0].index = 0;
        single_[1].step = stop_here;
        single_[1].insn.length = 0;
        single_[1].offset = e.insn.length;
        single_[1].index = 1;
        single_block_.entries = single_;
        single_block_.count = 1;
        c.block = &single_block_;
        c.block_limit = c.retired + 1;
        for (const Entry* s = single_; s != nullptr;) s = s->step(c, s);
        c.block = nullptr;
        c.current = nullptr;
    }
    a.flags = pack_flags(c.state.flags.get());
    if (units && units_changed()) ++a.mode_changes;
    const u64 given_back = site.given_back - 1;
    const bool straight = !c.faulted && !c.attention && c.state.rip == (behind & c.rip_mask) &&
                          limit_ - c.retired >= given_back && mode_seen_ == a.mode_changes;
    if (!straight) {
        a.budget = limit_ - c.retired;
        return go_on();
    }
    a.budget = limit_ - c.retired - given_back;
    if (site.x87 && !a.x87_loaded) load_x87();
    if (epoch_seen_ != c.mmu.code_epoch()) renew_space();
    return {x64::Outcome::behind};
}

x64::Outcome JitEngine::go_on() {
    Core& c = core_;
    constexpr x64::Outcome kLeave{x64::Outcome::leave};
    if (flush_ || unwind_ || c.stop_at != stop_at_ || c.retired >= limit_ || !nothing_to_attend(c)) {
        c.attention = true;
        return kLeave;
    }
    c.attention = false;
    renew_space();
    const u8* host = translatable() ? fetch(c.state.rip, nullptr) : nullptr;
    if (host == nullptr || c.attention) return kLeave;
    const Found f = find(host, c.state.rip);
    if (f.code == nullptr || limit_ - c.retired < f.need) return kLeave;
    return {x64::Outcome::jump, reinterpret_cast<u64>(f.code)};
}

const u8* JitEngine::lookup(u64 rip) {
    ++counters_.lookups;
    renew_space();
    const u8* host = fetch(rip, nullptr);
    if (host == nullptr || core_.attention || flush_) return nullptr;
    const Found f = find(host, rip);
    if (f.code == nullptr) return nullptr;
    targets_[x64::target_index(rip)] = {rip ^ core_.accelerated.space, f.code};
    return f.code;
}

const u8* JitEngine::link(Link& l) {
    Core& c = core_;
    c.state.rip = l.rip & c.rip_mask;
    if (c.attention || flush_ || l.from->dead) return nullptr;
    const u8* host = l.from->key.host + static_cast<i64>(l.rip - l.from->key.rip);
    const Found f = find(host, l.rip);
    if (f.code == nullptr) return nullptr;
    patch(l, f.code);
    l.to = f.region;
    f.region->incoming.push_back(&l);
    ++counters_.links;
    return f.code;
}

void JitEngine::patch(Link& l, const u8* target) {
    const u8* from = l.jump + (code_.executable() - code_.writable());
    store_le<u32>(l.jump + 1, static_cast<u32>(target - (from + 5)));
}

void JitEngine::unpatch(Link& l) {
    store_le<u32>(l.jump + 1, l.unlinked);
    l.to = nullptr;
}

bool JitEngine::near_code(PhysicalAddress address, u64 length) const {
    if (core_.blocks->near_code(address, length)) return true;
    const u64 first = address & kPageMask;
    const auto found = pages_.find(address - first);
    if (found == pages_.end()) return false;
    return std::ranges::any_of(found->second.regions, [&](const Region* r) {
        return overlaps(*r, address - first, first, first + length - 1);
    });
}

// --- dropping ---

void JitEngine::kill(Region& region) {
    region.dead = true;
    ++counters_.invalidated;
    for (Link* l : region.incoming) {
        if (l->to == &region) unpatch(*l);
    }
    region.incoming.clear();
    const u64 first = region.key.rip;
    for (const Region::Exported& e : region.entries) {
        const RegionKey key{region.key.host + static_cast<i64>(e.rip - first), e.rip, region.key.mode};
        if (found_.find(key).region == &region) found_.erase(key);
        x64::Target& t = targets_[x64::target_index(e.rip)];
        if (t.code == e.code) t = {};
    }
    // The host's stack may lead back to it.
    if (running_) core_.attention = unwind_ = true;
}

void JitEngine::frame_written(PhysicalAddress address, u64 length) {
    const PhysicalAddress frame = address & ~kPageMask;
    const auto found = pages_.find(frame);
    if (found == pages_.end() || length == 0) return;
    Page& page = found->second;
    const u64 first = address - frame;
    const u64 last = std::min(first + length - 1, kPageMask);
    bool any = false;
    std::erase_if(page.regions, [&](Region* r) {
        if (!r->dead && !overlaps(*r, frame, first, last)) return false;
        if (!r->dead) kill(*r);
        any = true;
        return true;
    });
    if (any) ++page.kills;
    if (page.regions.empty()) memory_.clear_flag(frame, frame_flag::translated);
}

void JitEngine::map_changed() {
    drop_all();
}

void JitEngine::drop_all() {
    flush_ = true;
    core_.attention = true;
    // Nothing may be entered any more.
    found_.clear();
    std::ranges::fill(targets_, x64::Target{});
    for (Link& l : links_) {
        if (l.to != nullptr) unpatch(l);
    }
}

void JitEngine::flush() {
    flush_ = false;
    ++counters_.flushes;
    for (const auto& [frame, page] : pages_) {
        if (!page.regions.empty()) memory_.clear_flag(frame, frame_flag::translated);
    }
    pages_.clear();
    found_.clear();
    std::ranges::fill(targets_, x64::Target{});
    links_.clear();
    sites_.assign(1, {});  // 0 is none
    regions_.clear();
    used_ = thunk_end_;
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
