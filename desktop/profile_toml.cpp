// Reads a profile's TOML. All keys are optional; none is ignored.
#include <fmt/format.h>

#include <algorithm>

#include "desktop/profile.h"
#include "frontend/key_values.h"

#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

namespace mynah {

namespace {

constexpr std::string_view kKeys[] = {"memory",      "processor", "boot",   "disks",  "cdrom",  "floppy",
                                      "keep_writes", "kernel",    "initrd", "append", "options"};
constexpr i64 kMostMemory = 512 * 1024;  // MiB

class Reader {
  public:
    Reader(const toml::table& table, const std::string& file) : table_(table), file_(file) {}

    Status read(Profile& p) {
        if (Status s = check_keys(); !s) return s;
        number("memory", p.memory);
        text("processor", p.processor);
        text("boot", p.boot);
        list("disks", p.disks);
        text("cdrom", p.cdrom);
        text("floppy", p.floppy);
        flag("keep_writes", p.keep_writes);
        text("kernel", p.kernel);
        text("initrd", p.initrd);
        text("append", p.append);
        list("options", p.options);
        if (p.disks.size() > kMostDisks)
            fail(*table_.get("disks"), fmt::format("at most {} disks fit beside the CD-ROM", kMostDisks));
        return error_.empty() ? Status(Ok{}) : Status(Error{error_});
    }

  private:
    Status check_keys() {
        for (const auto& [key, node] : table_) {
            const std::string_view name = key.str();
            if (std::find(std::begin(kKeys), std::end(kKeys), name) != std::end(kKeys)) continue;
            const std::string_view near = closest(name, {std::begin(kKeys), std::end(kKeys)});
            std::string all;
            for (const std::string_view k : kKeys) all += fmt::format("{}{}", all.empty() ? "" : ", ", k);
            fail(node, near.empty() ? fmt::format("unknown key \"{}\"; there are {}", name, all)
                                    : fmt::format("unknown key \"{}\"; did you mean {}?", name, near));
            return Error{error_};
        }
        return Ok{};
    }
    // The first failure counts.
    void fail(const toml::node& node, const std::string& why) {
        if (error_.empty()) error_ = fmt::format("{}:{}: {}", file_, node.source().begin.line, why);
    }
    void number(std::string_view key, u64& out) {
        const toml::node* node = table_.get(key);
        if (node == nullptr) return;
        const auto value = node->value_exact<i64>();
        if (!value || *value < 1 || *value > kMostMemory)
            return fail(*node, fmt::format("{} is a number of MiB from 1 to {}, as in {} = 256", key,
                                           kMostMemory, key));
        out = static_cast<u64>(*value);
    }
    void text(std::string_view key, std::string& out) {
        const toml::node* node = table_.get(key);
        if (node == nullptr) return;
        const auto value = node->value_exact<std::string>();
        if (!value) return fail(*node, fmt::format("{} is a text in quotes, as in {} = \"...\"", key, key));
        out = *value;
    }
    void flag(std::string_view key, bool& out) {
        const toml::node* node = table_.get(key);
        if (node == nullptr) return;
        const auto value = node->value_exact<bool>();
        if (!value) return fail(*node, fmt::format("{} is true or false", key));
        out = *value;
    }
    void list(std::string_view key, std::vector<std::string>& out) {
        const toml::node* node = table_.get(key);
        if (node == nullptr) return;
        const auto wrong = [&](const toml::node& at) {
            fail(at, fmt::format("{} is a list of texts, as in {} = [\"...\"]", key, key));
        };
        const toml::array* array = node->as_array();
        if (array == nullptr) return wrong(*node);
        out.clear();
        for (const toml::node& element : *array) {
            const auto value = element.value_exact<std::string>();
            if (!value) return wrong(element);
            out.push_back(*value);
        }
    }

    const toml::table& table_;
    const std::string& file_;
    std::string error_;
};

}  // namespace

Result<Profile> parse_profile(std::string_view text, std::string_view name, const std::string& file) {
    const toml::parse_result parsed = toml::parse(text, file);
    if (!parsed) {
        const toml::parse_error& e = parsed.error();
        return Error{
            fmt::format("{}:{}: this is not TOML: {}", file, e.source().begin.line, e.description())};
    }
    Profile profile;
    profile.name = name;
    if (Status s = Reader(parsed.table(), file).read(profile); !s) return s.error();
    return profile;
}

}  // namespace mynah
