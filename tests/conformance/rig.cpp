#include "rig.h"

#include <algorithm>

namespace mynah::test {

namespace {

std::unique_ptr<PhysicalMap> make_memory() {
    auto made = PhysicalMap::create(1 * MiB);
    MYNAH_CHECK(made.ok());
    return std::move(made).value();
}

}  // namespace

Rig::Rig() : memory(make_memory()) {}

void Rig::use(Device& d, std::vector<BankId> all_banks) {
    device = &d;
    banks = std::move(all_banks);
    parts.push_back(&d);
}

void Rig::note(u64 what) {
    trace_ ^= what + time.now();
    trace_ *= 0x100000001B3;
    trace_ ^= trace_ >> 29;
}

IrqLine Rig::line(unsigned id) {
    return IrqLine([this, id](bool level) { note(0x1000 + 2 * id + level); });
}

void Rig::access(BankId bank, u64 offset, unsigned width, bool write, u64 value) {
    if (write) {
        device->write(bank, offset, width == 8 ? value : value & ((u64{1} << (8 * width)) - 1), width);
    } else {
        note(device->read(bank, offset, width));
    }
}

void Rig::step(const Numbers& next) {
    const u64 n = next();
    const unsigned kind = n & 15;
    const u64 detail = n >> 4;
    if (kind == 0) {
        // From a hundred nanoseconds to some milliseconds.
        return advance(Nanoseconds{100} << (detail % 16));
    }
    if (kind == 1 && outside) return outside(detail);
    if (kind <= 3 && function) {
        const unsigned width = 1u << (detail & 3) % 3;
        const u8 offset = static_cast<u8>((detail >> 2) & 0xFF & ~(width - 1));
        if (kind == 2) {
            note(function->config_read(offset, width));
        } else {
            function->config_write(offset, static_cast<u32>(next()), width);
        }
        return;
    }
    if (banks.empty()) return;
    const BankId bank = banks[detail % banks.size()];
    const BankInfo info = device->bank(bank);
    unsigned width = 1u << ((detail >> 8) & 3);
    width = std::min<unsigned>(width, info.max_width);
    if (width > info.length) width = 1;
    const u64 offset = (detail >> 10) % (info.length - width + 1);
    static constexpr u64 values[] = {0, 1, 0xFF, ~u64{0}};
    const unsigned pick = (detail >> 40) & 7;
    const bool write = (detail >> 50) & 1;
    access(bank, offset, width, write, write && pick >= 4 ? next() : values[pick & 3]);
}

void Rig::reset() {
    for (Device* d : parts) d->reset();
}

std::vector<u8> Rig::save() {
    Archive ar;
    queue.visit(ar);
    for (Device* d : parts) d->visit(ar);
    return ar.data();
}

bool Rig::load(std::span<const u8> snapshot) {
    Archive ar(Archive::Mode::load, snapshot);
    queue.visit(ar);
    for (Device* d : parts) d->visit(ar);
    return ar.ok() && ar.position() == snapshot.size();
}

void Rig::copy_world(Rig& from) {
    time.set(from.time.now());
    std::copy(from.memory->ram().begin(), from.memory->ram().end(), memory->ram().begin());
    for (size_t i = 0; i < media.size(); ++i) *media[i] = *from.media[i];
}

const std::vector<RigKind>& rig_kinds() {
    static const std::vector<RigKind> kinds = [] {
        std::vector<RigKind> made;
        add_chipset_rigs(made);
        add_storage_rigs(made);
        add_network_rigs(made);
        add_virtio_rigs(made);
        return made;
    }();
    return kinds;
}

}  // namespace mynah::test
