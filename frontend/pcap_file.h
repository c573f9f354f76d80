// Writes frames to a file that tcpdump and its kin read: the classic pcap format with nanosecond times
// (draft-ietf-opsawg-pcap), link type 1, Ethernet.
#pragma once

#include <cstdio>
#include <memory>
#include <span>
#include <string>

#include "base/result.h"
#include "base/types.h"

namespace mynah {

class PcapFile {
  public:
    // An older file is cut to nothing. Error: why it cannot be written.
    static Result<PcapFile> create(const std::string& path);
    // A frame that passed at `nanoseconds` since 1970.
    void add(std::span<const u8> frame, u64 nanoseconds);
    // What was added is in the file.
    void flush();

  private:
    struct Close {
        void operator()(std::FILE* f) const { std::fclose(f); }
    };
    explicit PcapFile(std::FILE* file) : file_(file) {}
    std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace mynah
