#include "base/log.h"

#include <array>
#include <cerrno>
#include <cstring>

namespace mynah {

namespace {

struct Item {
    std::string_view name;
    LogItem item;
    std::string_view what;
};

constexpr std::array<Item, 10> kItems{{
    {"in_asm", LogItem::in_asm, "each instruction, disassembled, when it first runs"},
    {"out_asm", LogItem::out_asm, "guest code that is translated, with the host code made of it"},
    {"exec", LogItem::exec, "the address of each instruction that runs"},
    {"cpu", LogItem::cpu, "the registers before each instruction"},
    {"int", LogItem::interrupts, "interrupts and exceptions"},
    {"cpu_reset", LogItem::cpu_reset, "the registers at each reset; why of a triple fault"},
    {"mmu", LogItem::mmu, "changes of CR0, CR3 and CR4"},
    {"unimp", LogItem::unimplemented, "what the guest uses and there is not"},
    {"guest_errors", LogItem::guest_errors, "what the guest should not do"},
    {"firmware", LogItem::firmware, "what SeaBIOS writes to its debug port"},
}};

}  // namespace

Result<u32> Log::parse(std::string_view items) {
    u32 mask = 0;
    while (!items.empty()) {
        const size_t comma = items.find(',');
        const std::string_view name = items.substr(0, comma);
        bool found = false;
        for (const Item& known : kItems) {
            if (known.name != name) continue;
            mask |= 1u << static_cast<unsigned>(known.item);
            found = true;
        }
        if (!found) {
            std::string known;
            for (const auto& entry : kItems) known += (known.empty() ? "" : ", ") + std::string(entry.name);
            return Error{"unknown log item \"" + std::string(name) + "\"; there are: " + known};
        }
        items = comma == std::string_view::npos ? std::string_view{} : items.substr(comma + 1);
    }
    return mask;
}

Status Log::enable(std::string_view items) {
    const auto mask = parse(items);
    if (!mask) return mask.error();
    mask_ |= *mask;
    return Ok{};
}

Status Log::observe(std::string_view items, std::function<void(std::string_view)> observer) {
    const auto mask = parse(items);
    if (!mask) return mask.error();
    observed_ = *mask;
    observer_ = std::move(observer);
    return Ok{};
}

void Log::hand_out(LogItem item, std::string_view line) {
    if (has(mask_, item)) write(line);
    if (has(observed_, item)) observer_(line);
}

std::string Log::item_list() {
    std::string text;
    for (const Item& entry : kItems) text += fmt::format("{:<16}{}\n", entry.name, entry.what);
    return text;
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
