// The translator as an Accelerator: finds regions, has them made, runs them, drops them when their code
// changes.
#pragma once

#include <cstdio>
#include <deque>
#include <memory>
#include <unordered_map>
#include <unordered_set>

#include "base/host_code.h"
#include "cpu/accelerator.h"
#include "jit/jit.h"
#include "jit/region_table.h"
#include "jit/x64/translator.h"
#include "jit/x64/x87_image.h"

namespace mynah {

// Told to users by `info jit`.
struct JitCounters {
    u64 regions = 0;       // translated so far
    u64 instructions = 0;  // guest instructions translated so far
    u64 flushes = 0;       // of the whole cache
    u64 invalidated = 0;   // regions, by writes to their code
    u64 entries = 0;       // from the run loop
    u64 lookups = 0;       // targets not found inline
    u64 links = 0;         // direct jumps patched
    u64 misses = 0;        // accesses that missed the TLB
    u64 interpreted = 0;   // instructions that translated code had the interpreter execute
    std::array<u64, kOps> interpreted_by_op{};
};

class JitEngine final : public Accelerator, public FrameObserver, public MapObserver {
  public:
    static std::unique_ptr<JitEngine> create(Core& core, PhysicalMap& memory, const JitOptions& options);
    ~JitEngine() override;

    bool run(const Block& b) override;
    bool run_straddling() override;
    void drop_all() override;
    std::string describe() const override;

    void frame_written(PhysicalAddress address, u64 length) override;
    void map_changed() override;
    void a20_changed() override {}
    void frame_protected(PhysicalAddress) override {}

    const JitCounters& counters() const { return counters_; }

  private:
    // In which RIP alone tells what runs there.
    struct Space {
        u64 epoch = 0;  // Mmu::code_epoch()
        u64 cs_base = 0;
        u32 mode = 0;
        bool operator==(const Space&) const = default;
    };

    JitEngine(Core& core, PhysicalMap& memory, HostCode code);

    // What translated code calls out to.
    static x64::Outcome on_miss(void* self, u32 site, u64 linear);
    static x64::Outcome on_stack_range(void* self, u32 site, u64 linear);
    static x64::Outcome on_interpret(void* self, u32 site);
    static bool on_operate(void* self, u32 site);
    static const u8* on_transfer(void* self, u32 site);
    static x64::Outcome on_attend(void* self, u32 site);
    static const u8* on_lookup(void* self);
    static const u8* on_link(void* self, u32 link);
    static void on_load_x87(void* self);
    x64::Outcome miss(const CallSite& site, u64 linear);
    x64::Outcome span_miss(const CallSite& site, u64 linear);
    x64::Outcome stack_range(const CallSite& site, u64 linear);
    // `stack_page`: Mmu::stack_page_changes() when the call came.
    x64::Outcome interpret(const CallSite& site, u64 stack_page);
    // Executes it, and goes on wherever that leads.
    x64::Outcome elsewhere(const CallSite& site);
    const u8* transfer(const CallSite& site);
    // See Callouts.
    bool operate(const CallSite& site);
    // Executes the site's instruction; state, `retired` and the stored flags are exact.
    void execute(const CallSite& site);
    // At an instruction boundary: state, `retired` and budget are exact. Into other code, or out.
    x64::Outcome go_on();
    const u8* lookup(u64 rip);
    const u8* link(Link& l);
    void remember_target(u64 rip, const u8* code);

    bool state_in_reach();
    void generate_thunks();
    void renew_space();
    void choose_targets(const Space& space);
    u64 new_space_key();
    // The current mode's number, and what it stands for.
    u32 mode_number(u32 units) const;
    ModeBits mode_bits(u32 number) const;
    // The part of it that follows from more than Core::update_mode() sees.
    u32 units() const;
    bool units_changed() const { return units() != (mode_ & kUnits); }
    void load_x87();
    void store_x87();
    // FIP and its kin of what translated code left behind; before selectors change.
    void settle_x87_pointers();
    bool translatable() const;

    using Found = RegionTable::Found;
    Found find(const u8* host, u64 rip) { return found_.find(RegionKey{host, rip, mode_}); }
    // The region of ModeBits::unspanned there, made if need be.
    Found find_unspanned(const u8* host, const Link& l);
    Region* translate(const u8* host, PhysicalAddress address, u64 rip, u32 mode);
    // What is at `address` from an instruction that straddles pages on; null: nothing that can be translated.
    Region* translate_straddling(const u8* host, PhysicalAddress address, u64 rip);
    Region* make(std::unique_ptr<Region> region);
    bool make_room();
    bool enter(const Found& f);
    // Where a store goes that hits no code, if code is all that protects the page.
    u8* beside_code(u64 linear, u64 length);
    // Could a store of `length` bytes there change what was translated or predecoded?
    bool near_code(PhysicalAddress address, u64 length) const;
    // The host address of code at `rip` if it is mapped and in RAM; never faults.
    const u8* fetch(u64 rip, PhysicalAddress* address);
    void log_code(const Region& region) const;
    void name_for_perf(const Region& region);
    void kill(Region& region);
    void flush();
    void patch(Link& l, const u8* target);
    void unpatch(Link& l);

    struct Page {
        std::vector<Region*> regions;
        u32 kills = 0;
        // Stores beside the code since it was last dropped for them, and how many it takes.
        u32 beside = 0;
        u32 beside_limit = 256;
    };

    Core& core_;
    PhysicalMap& memory_;
    HostCode code_;
    x64::StateOffsets offsets_{};
    x64::Encoder encoder_;
    x64::Thunks thunks_;
    u64 used_ = 0;       // bytes of code_
    u64 thunk_end_ = 0;  // where regions begin
    // A table of targets for each of the spaces used last: processes that take turns keep theirs.
    static constexpr size_t kSpaces = 16;
    std::vector<x64::Target> targets_;
    std::array<Space, kSpaces> spaces_{};
    std::array<u64, kSpaces> space_keys_{};
    u64 last_key_ = 0;
    size_t next_space_ = 0;
    std::array<size_t, 2> recent_spaces_{};  // the current one first
    std::vector<CallSite> sites_;
    std::deque<Link> links_;
    RegionFinder finder_;
    x64::Translator translator_;
    std::vector<std::unique_ptr<Region>> regions_;
    RegionTable found_;
    std::unordered_map<PhysicalAddress, Page> pages_;
    // Bits of a mode's number beyond those of Core::block_key.
    static constexpr u32 kSupervisor = 1 << 9, kFlat = 1 << 10, kFlatCs = 1 << 11;
    static constexpr u32 kSse = 1 << 12, kAvx = 1 << 13, kX87 = 1 << 14, kUnits = kSse | kAvx | kX87;
    static constexpr u32 kUnspanned = 1 << 15;
    static constexpr unsigned kModeWidth = 16;
    u32 mode_ = 0;         // number of the current one
    u32 mode_seen_ = ~0u;  // Core::Accelerated::mode_changes at that time
    u64 epoch_seen_ = 0;
    u64 limit_ = 0;        // of `retired`: where the code that runs leaves at the latest
    u64 stop_at_ = 0;      // Core::stop_at when it was entered
    bool unwind_ = false;  // the host's stack may lead to a dropped region
    bool flush_ = false;
    bool running_ = false;
    Entry single_[2];
    Block single_block_{};
    struct Close {
        void operator()(std::FILE* f) const { std::fclose(f); }
    };
    std::unique_ptr<std::FILE, Close> perf_map_;
    x64::X87Image x87_;
    std::unordered_map<u64, u32> straddle_heat_;  // by RIP
    // Where what lies close together on the stack is in two pages again and again.
    std::unordered_set<PhysicalAddress> unhoisted_;
    JitCounters counters_;
};

}  // namespace mynah
