// Guests are hostile: no sequence of register accesses, outside events and damaged snapshots may harm the
// host, and a snapshot taken anywhere must load and be the same again.
#include <cstring>

#include "base/check.h"
#include "rig.h"

using namespace mynah;
using namespace mynah::test;

namespace {

// A board is costly to make: it is kept, and put back to its first state by the snapshot of it.
struct Kept {
    std::unique_ptr<Rig> rig;
    std::vector<u8> first_state;
    std::vector<std::vector<u8>> first_media;
    Nanoseconds first_time = 0;
};

Rig& board(Kept& kept, const RigKind& kind) {
    if (!kept.rig) {
        kept.rig = kind.make();
        kept.rig->reset();
        kept.first_state = kept.rig->save();
        kept.first_time = kept.rig->time.now();
        for (const auto* medium : kept.rig->media) kept.first_media.push_back(*medium);
        return *kept.rig;
    }
    Rig& rig = *kept.rig;
    rig.time.set(kept.first_time);
    for (size_t i = 0; i < rig.media.size(); ++i) *rig.media[i] = kept.first_media[i];
    std::memset(rig.memory->ram().data(), 0, rig.memory->ram_size());
    MYNAH_CHECK(rig.load(kept.first_state));
    return rig;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, size_t size) {
    if (size < 2) return 0;
    const std::vector<RigKind>& kinds = rig_kinds();
    static std::vector<Kept> boards(kinds.size());
    const size_t chosen = data[0] % kinds.size();
    Kept& kept = boards[chosen];
    Rig* rig = &board(kept, kinds[chosen]);
    const bool damage = data[1] < 4;
    data += 2;
    size -= 2;

    const Numbers next = [&] {
        u64 n = 0;
        const size_t take = size < sizeof n ? size : sizeof n;
        std::memcpy(&n, data, take);
        data += take;
        size -= take;
        return n;
    };
    if (damage) {
        std::vector<u8> snapshot = rig->save();
        for (unsigned i = 0; i < 8; ++i) {
            const u64 n = next();
            snapshot[(n >> 8) % snapshot.size()] = static_cast<u8>(n);
        }
        rig->load(snapshot);
    }
    for (unsigned i = 0; size > 0 && i < 500; ++i) rig->step(next);

    const std::vector<u8> saved = rig->save();
    if (!damage) {
        MYNAH_CHECK(rig->load(saved));
        MYNAH_CHECK(rig->save() == saved);
    } else {
        kept = Kept{};
    }
    return 0;
}
