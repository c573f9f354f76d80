#include "bios/rom.h"

#include <fmt/format.h>

#include <numeric>

#include "bios/files.h"

namespace mynah {

Result<SystemRom> make_system_rom(std::string name, Bytes data) {
    if (data.size() < kPageSize) {
        return Error{fmt::format("firmware \"{}\" is too short: {} bytes; a ROM has at least 4 KiB", name,
                                 data.size())};
    }
    if (data.size() > kMaxSystemRom) {
        return Error{
            fmt::format("firmware \"{}\" is too long: {} KiB; at most 16 MiB fit", name, data.size() / KiB)};
    }
    const size_t padding = align_up(data.size(), kPageSize) - data.size();
    data.insert(data.begin(), padding, u8{0xFF});
    return SystemRom{std::move(name), std::move(data)};
}

Result<SystemRom> load_system_rom(const std::string& name, std::span<const std::string> folders) {
    auto path = find_firmware(name, folders);
    if (!path.ok()) return path.error();
    auto data = read_file(*path, "firmware", kMaxSystemRom);
    if (!data.ok()) return data.error();
    return make_system_rom(*path, std::move(*data));
}

Result<Bytes> make_option_rom(const std::string& name, Bytes data) {
    if (data.size() < 512 || data[0] != 0x55 || data[1] != 0xAA) {
        return Error{fmt::format("\"{}\" is not an option ROM: it does not begin with 55h AAh", name)};
    }
    if (data.size() > 256 * KiB) return Error{fmt::format("option ROM \"{}\" is longer than 256 KiB", name)};
    data.resize(std::max<size_t>(std::bit_ceil(data.size()), kPageSize), 0xFF);
    return data;
}

void match_option_rom(std::span<u8> rom, u16 vendor, u16 device) {
    constexpr u64 pointer = 0x18, checksum = 6;
    const u64 at = field<u16>(rom, pointer);
    const auto structure = slice(rom, at, 8);
    if (!structure || at < pointer + 2 || field<u32>(rom, at) != 0x52494350) return;  // "PCIR"
    const auto sum = [&] { return std::accumulate(rom.begin() + at, rom.begin() + at + 8, 0u); };
    const unsigned before = sum();
    store_le(&rom[at + 4], vendor);
    store_le(&rom[at + 6], device);
    rom[checksum] = static_cast<u8>(rom[checksum] + before - sum());
}

Result<Bytes> load_option_rom(const std::string& name, std::span<const std::string> folders) {
    auto path = find_firmware(name, folders);
    if (!path.ok()) return path.error();
    auto data = read_file(*path, "option ROM", 256 * KiB);
    if (!data.ok()) return data.error();
    return make_option_rom(*path, std::move(*data));
}

}  // namespace mynah
