#include "desktop/guest_input.h"

#include <utility>

#include "desktop/keys.h"
#include "desktop/screen_view.h"

namespace mynah {

namespace {

constexpr Nanoseconds kPress = 100'000'000;

u8 button_bit(u8 sdl_button) {
    switch (sdl_button) {
        case SDL_BUTTON_LEFT:
            return 1;
        case SDL_BUTTON_RIGHT:
            return 2;
        case SDL_BUTTON_MIDDLE:
            return 4;
        case SDL_BUTTON_X1:
            return 8;
        case SDL_BUTTON_X2:
            return 16;
        default:
            return 0;
    }
}

}  // namespace

void GuestInput::key(const SDL_KeyboardEvent& event) {
    const bool down = event.type == SDL_KEYDOWN;
    const std::string_view name = key_of_usage(event.keysym.scancode);
    if (name.empty()) return;
    if (down) {
        // The repetition of a key that went down elsewhere: it was one of the window's, and is held for
        // longer than the Ctrl+Alt before it.
        if (event.repeat != 0 && held_.count(name) == 0) return;
        if (!held_.insert(name).second && (name == "pause" || name == "print")) return;
    } else if (held_.erase(name) == 0) {
        return;  // it went down elsewhere
    }
    machine_.key(name, down);
}

void GuestInput::mouse(const SDL_Event& event, const ScreenView& view, bool absolute) {
    u16 across = 0, down = 0;
    switch (event.type) {
        case SDL_MOUSEMOTION:
            if (captured_) {
                dx_ += event.motion.xrel;
                dy_ += event.motion.yrel;
                moved_ = true;
            } else if (absolute &&
                       (view.locate(event.motion.x, event.motion.y, across, down) || buttons_ != 0)) {
                across_ = across;
                down_ = down;
                moved_ = true;
            }
            break;
        case SDL_MOUSEBUTTONDOWN:
            if (!captured_ && !absolute) {
                // The click that takes the mouse is not the guest's.
                if (event.button.button == SDL_BUTTON_LEFT) capture_mouse();
                return;
            }
            buttons_ |= button_bit(event.button.button);
            moved_ = true;
            break;
        case SDL_MOUSEBUTTONUP:
            if ((buttons_ & button_bit(event.button.button)) == 0) return;
            buttons_ &= static_cast<u8>(~button_bit(event.button.button));
            moved_ = true;
            break;
        case SDL_MOUSEWHEEL:
            if (!captured_ && !absolute) return;
            wheel_ -= event.wheel.y;  // SDL counts away from the user
            moved_ = true;
            break;
        default:
            return;
    }
    // The guest is to see each press and release.
    if (event.type != SDL_MOUSEMOTION) flush();
}

void GuestInput::flush() {
    if (!moved_) return;
    machine_.post([dx = dx_, dy = dy_, across = across_, down = down_, buttons = buttons_,
                   wheel = wheel_](Machine& m) -> Result<std::string> {
        if (m.takes_positions())
            m.mouse_at(across, down, buttons, wheel);
        else
            m.mouse(dx, dy, buttons, wheel);
        return std::string();
    });
    dx_ = dy_ = wheel_ = 0;
    moved_ = false;
}

void GuestInput::capture_mouse() {
    captured_ = SDL_SetRelativeMouseMode(SDL_TRUE) == 0;
}

void GuestInput::release_mouse() {
    if (captured_) SDL_SetRelativeMouseMode(SDL_FALSE);
    captured_ = false;
}

void GuestInput::release_all() {
    for (const std::string_view name : std::exchange(held_, {})) machine_.key(name, false);
    if (std::exchange(buttons_, u8{0}) != 0) moved_ = true;
    flush();
}

void GuestInput::press(std::initializer_list<std::string_view> keys) {
    machine_.post([names = std::vector(keys)](Machine& m) -> Result<std::string> {
        const Status done = m.type_keys(names, kPress);
        return done ? Result<std::string>(std::string()) : done.error();
    });
}

}  // namespace mynah
