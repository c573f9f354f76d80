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
    // What the last DisplayAdapter::update() changed: rows first_row .. end_row (excluded).
    u32 first_row = 0;
    u32 end_row = 0;
    u64 version = 0;  // the adapter's; 0 makes the next update() fill everything
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

// A display adapter as frontends see it. Drawing changes nothing that the guest can see.
class DisplayAdapter {
  public:
    virtual ~DisplayAdapter() = default;
    // The whole picture, drawn anew.
    virtual Frame render() const = 0;
    // Brings a frame that an earlier call filled, or an empty one, up to date. False: it is what it was, and
    // nothing was drawn. Each viewer has a frame of its own and comes when it likes; 60 times a second is
    // plenty.
    virtual bool update(Frame& frame) = 0;
    virtual TextScreen text_cells() const = 0;
};

}  // namespace mynah
