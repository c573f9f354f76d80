#include "base/log.h"

#include <array>
#include <cerrno>
#include <cstring>

namespace mynah {

namespace {

constexpr std::array<std::pair<std::string_view, LogItem>, 10> kItems{{
    {"in_asm", LogItem::in_asm},
    {"int", LogItem::interrupts},
    {"cpu_reset", LogItem::cpu_reset},
    {"mmu", LogItem::mmu},
    {"exec", LogItem::exec},
    {"unimp", LogItem::unimplemented},
    {"guest_errors", LogItem::guest_errors},
    {"device", LogItem::device},
    {"firmware", LogItem::firmware},
    {"cpu", LogItem::exec},
}};

}  // namespace

Status Log::enable(std::string_view items) {
    while (!items.empty()) {
        const size_t comma = items.find(',');
        const std::string_view name = items.substr(0, comma);
        bool found = false;
        for (const auto& [known, item] : kItems) {
            if (known != name) continue;
            mask_ |= 1u << static_cast<unsigned>(item);
            found = true;
        }
        if (!found) {
            std::string known;
            for (const auto& entry : kItems) known += (known.empty() ? "" : ", ") + std::string(entry.first);
            return Error{"unknown log item \"" + std::string(name) + "\"; there are: " + known};
        }
        items = comma == std::string_view::npos ? std::string_view{} : items.substr(comma + 1);
    }
    return Ok{};
}

Status Log::open(const std::string& path) {
    std::FILE* f = std::fopen(path.c_str(), "w");
    if (f == nullptr) return Error{"cannot write the log \"" + path + "\": " + std::strerror(errno)};
    file_.reset(f);
    return Ok{};
}

void Log::write(std::string_view line) {
    std::FILE* out = file_ ? file_.get() : stderr;
    std::fwrite(line.data(), 1, line.size(), out);
    std::fputc('\n', out);
}

}  // namespace mynah
