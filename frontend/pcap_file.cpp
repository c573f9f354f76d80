#include "frontend/pcap_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace mynah {

namespace {

constexpr u32 kMagicNanoseconds = 0xA1B23C4D;
constexpr u32 kVersion = 2 | 4 << 16;  // two halves: major, minor
constexpr u32 kLongest = 65535;
constexpr u32 kEthernet = 1;

void put(std::FILE* file, std::span<const u32> words) {
    std::fwrite(words.data(), sizeof(u32), words.size(), file);
}

}  // namespace

Result<PcapFile> PcapFile::create(const std::string& path) {
    std::FILE* file = std::fopen(path.c_str(), "wbe");
    if (file == nullptr) return Error{"cannot write \"" + path + "\": " + std::strerror(errno)};
    PcapFile pcap(file);
    // Readers tell the byte order by the magic number.
    const u32 header[] = {kMagicNanoseconds, kVersion, 0, 0, kLongest, kEthernet};
    put(file, header);
    return pcap;
}

void PcapFile::add(std::span<const u8> frame, u64 nanoseconds) {
    const u32 size = static_cast<u32>(frame.size()), kept = std::min(size, kLongest);
    const u32 header[] = {static_cast<u32>(nanoseconds / 1'000'000'000),
                          static_cast<u32>(nanoseconds % 1'000'000'000), kept, size};
    put(file_.get(), header);
    std::fwrite(frame.data(), 1, kept, file_.get());
}

void PcapFile::flush() {
    std::fflush(file_.get());
}

}  // namespace mynah
