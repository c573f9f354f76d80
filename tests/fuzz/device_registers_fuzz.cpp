// Guests are hostile: no sequence of register accesses, outside events and damaged snapshots may harm the
// host, and a snapshot taken anywhere must load and be the same again.
#include <cstring>

#include "base/check.h"
#include "rig.h"

using namespace mynah;
using namespace mynah::test;

extern "C" int LLVMFuzzerTestOneInput(const u8* data, size_t size) {
    if (size < 2) return 0;
    const std::vector<RigKind>& kinds = rig_kinds();
    const std::unique_ptr<Rig> rig = kinds[data[0] % kinds.size()].make();
    const bool damage = data[1] & 1;
    data += 2;
    size -= 2;
    rig->reset();

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
    }
    return 0;
}
