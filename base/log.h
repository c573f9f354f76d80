// What -d selects. A Log is made by whoever composes the machine and handed down by reference.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "base/types.h"

namespace mynah {

// Items of -d; names in log.cpp. `unsupported` is what the guest asked for and we lack.
enum class LogItem : u8 {
    in_asm,
    out_asm,
    interrupts,
    cpu_reset,
    mmu,
    exec,
    cpu,
    unimplemented,
    guest_errors,
    firmware
};

class Log {
  public:
    // Parses "int,cpu_reset,..." (QEMU's names) and adds the items. Error: names the unknown item.
    Status enable(std::string_view items);
    // Sends further lines to a file instead of stderr.
    Status open(const std::string& path);
    // Hands lines of these items to `observer` too, whether or not they are enabled for the output. For items
    // that are written a line at a time.
    Status observe(std::string_view items, std::function<void(std::string_view)> observer);
    bool enabled(LogItem item) const { return has(mask_ | observed_, item); }

    template <class... Args>
    void operator()(LogItem item, fmt::format_string<Args...> format, Args&&... args) {
        if (enabled(item)) hand_out(item, fmt::format(format, std::forward<Args>(args)...));
    }
    // The items with what they log, one a line.
    static std::string item_list();

    // How in_asm shows an instruction: its bytes (maybe more), linear address, and 16, 32 or 64.
    using Disassembler = std::function<std::string(std::span<const u8>, u64, unsigned)>;
    void set_disassembler(Disassembler d) { disassembler_ = std::move(d); }
    std::string disassemble(std::span<const u8> code, u64 address, unsigned bits) const {
        return disassembler_ ? disassembler_(code, address, bits) : fmt::format("0x{:08x}:", address);
    }

    // One line, without its newline.
    void write(std::string_view line);

  private:
    struct Close {
        void operator()(std::FILE* f) const { std::fclose(f); }
    };
    static bool has(u32 mask, LogItem item) { return (mask >> static_cast<unsigned>(item)) & 1; }
    // Error: an unknown name.
    static Result<u32> parse(std::string_view items);
    void hand_out(LogItem item, std::string_view line);

    u32 mask_ = 0;      // to the output
    u32 observed_ = 0;  // to the observer
    std::function<void(std::string_view)> observer_;
    Disassembler disassembler_;
    std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace mynah
