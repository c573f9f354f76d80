// What a display shows: pixels for people and pictures, character cells for tests and the monitor.
#pragma once

#include <string>
#include <vector>

#include "base/types.h"

namespace mynah {

struct Frame {
    u32 width = 0;
    u32 height = 0;
    std::vector<u8> rgb;  // 3 bytes a pixel, rows from the top without padding
};

// Empty (0 columns) in graphics modes.
struct TextScreen {
    u32 columns = 0;
    u32 rows = 0;
    std::vector<u8> characters;  // code page 437, columns * rows of them
    std::vector<u8> attributes;
    int cursor = -1;  // index into characters; -1: hidden or elsewhere

    // One UTF-8 string a row, trailing blanks removed.
    std::vector<std::string> lines() const;
};

// A display adapter as frontends see it. Rendering changes nothing that the guest can see.
class DisplayAdapter {
  public:
    virtual ~DisplayAdapter() = default;
    virtual Frame render() const = 0;
    virtual TextScreen text_cells() const = 0;
};

}  // namespace mynah
