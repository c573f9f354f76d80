// What -serial, -monitor and -debugcon name: the host's end of a character stream.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace mynah {

struct CharSpec {
    enum class Kind : unsigned char { none, null, stdio, file, unix_socket };
    Kind kind = Kind::none;
    bool with_monitor = false;  // "mon:": Ctrl-A C switches to the monitor
    std::string path;
    bool server = false;  // listen, and take one peer at a time
    bool wait = false;    // the machine starts when a peer has come
};

// "none", "null", "stdio", "mon:stdio", "file:PATH", "unix:PATH[,server[=on|off]][,wait=on|off|,nowait]".
Result<CharSpec> parse_char_spec(std::string_view text);

}  // namespace mynah
