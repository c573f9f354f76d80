// Presses keys for a monitor or script: together, held for a while, and one combination after the other, so
// that a burst of them does not overrun the keyboard's buffer.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "devices/event_queue.h"
#include "devices/ps2_keyboard.h"

namespace mynah {

class KeyTypist {
  public:
    KeyTypist(EventQueue& queue, Ps2Keyboard& keyboard);

    // By QEMU's names; the last pressed is released first, after `hold` of guest time, and as long passes
    // before the next combination. Error: which key there is not, or that too many wait; then none is
    // pressed.
    Status type(std::span<const std::string_view> names, Nanoseconds hold);
    void visit(Archive& ar);

  private:
    struct Step {
        u16 set1 = 0;
        bool down = false;
        Nanoseconds pause = 0;  // after it
        void visit(Archive& ar) { ar.all(set1, down, pause); }
    };
    static constexpr size_t kMaxWaiting = 4096;

    void go_on();

    Ps2Keyboard& keyboard_;
    std::vector<Step> steps_;
    Timer timer_;
};

}  // namespace mynah
