// The host's keyboard and mouse as the guest's. What is held here is let go when the window loses the focus.
#pragma once

#include <SDL.h>

#include <set>
#include <string_view>

#include "desktop/machine_thread.h"

namespace mynah {

class ScreenView;

class GuestInput {
  public:
    explicit GuestInput(MachineThread& machine) : machine_(machine) {}
    ~GuestInput() { release_mouse(); }
    GuestInput(const GuestInput&) = delete;
    GuestInput& operator=(const GuestInput&) = delete;

    void key(const SDL_KeyboardEvent& event);
    // A mouse event of any kind. `absolute`: the guest takes positions.
    void mouse(const SDL_Event& event, const ScreenView& view, bool absolute);
    // Sends the movements since the last call.
    void flush();

    bool captured() const { return captured_; }
    void capture_mouse();
    void release_mouse();
    // Lets go of every key and button.
    void release_all();
    // Presses keys together, for a moment.
    void press(std::initializer_list<std::string_view> keys);

  private:
    MachineThread& machine_;
    std::set<std::string_view> held_;
    bool captured_ = false;
    u8 buttons_ = 0;
    int dx_ = 0, dy_ = 0, wheel_ = 0;
    bool moved_ = false;
    u16 across_ = 0, down_ = 0;
};

}  // namespace mynah
