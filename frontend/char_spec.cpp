#include "frontend/char_spec.h"

#include <fmt/format.h>

#include "frontend/key_values.h"

namespace mynah {

namespace {

Result<CharSpec> parse_socket(std::string_view text) {
    const auto fail = [&](std::string_view why) { return Error{fmt::format("unix:{}: {}", text, why)}; };
    auto parts = parse_key_values(text, "path");
    if (!parts.ok()) return fail(parts.error().message);
    CharSpec spec;
    spec.kind = CharSpec::Kind::unix_socket;
    bool wait = true;
    for (const KeyValue& kv : *parts) {
        const auto on = kv.has_value && kv.key != "path" ? parse_switch(kv.value) : Result<bool>(true);
        if (!on.ok()) return fail(on.error().message);
        if (kv.key == "path") {
            spec.path = kv.value;
        } else if (kv.key == "server") {
            spec.server = *on;
        } else if (kv.key == "wait") {
            wait = *on;
        } else if (kv.key == "nowait") {
            wait = !*on;
        } else {
            return fail(fmt::format("unknown key \"{}\"; there are server and wait", kv.key));
        }
    }
    if (spec.path.empty()) return fail("a path is needed");
    spec.wait = spec.server && wait;
    return spec;
}

}  // namespace

Result<CharSpec> parse_char_spec(std::string_view text) {
    CharSpec spec;
    const bool monitor = text.starts_with("mon:");
    const std::string_view what = monitor ? text.substr(4) : text;
    if (what == "stdio") {
        spec.kind = CharSpec::Kind::stdio;
        spec.with_monitor = monitor;
        return spec;
    }
    if (monitor)
        return Error{fmt::format("\"{}\": only stdio can be shared with the monitor; use mon:stdio", text)};
    if (what == "none") return spec;
    if (what == "null") {
        spec.kind = CharSpec::Kind::null;
        return spec;
    }
    if (what.starts_with("file:")) {
        spec.kind = CharSpec::Kind::file;
        spec.path = what.substr(5);
        if (spec.path.empty()) return Error{"file: needs a path, as in file:serial.log"};
        return spec;
    }
    if (what.starts_with("unix:")) return parse_socket(what.substr(5));
    return Error{fmt::format(
        "\"{}\" is not a character device; use stdio, mon:stdio, file:PATH, unix:PATH, null or none", text)};
}

}  // namespace mynah
