#include "machine/key_typist.h"

#include <fmt/format.h>

namespace mynah {

KeyTypist::KeyTypist(EventQueue& queue, Ps2Keyboard& keyboard)
    : keyboard_(keyboard), timer_(queue, [this] { go_on(); }) {}

Status KeyTypist::type(std::span<const std::string_view> names, Nanoseconds hold) {
    std::vector<Step> steps;
    for (const std::string_view name : names) {
        const Key* key = find_key(name);
        if (key == nullptr) return Error{fmt::format("unknown key: '{}'", name)};
        steps.push_back({key->set1, true, 0});
    }
    if (steps.empty()) return Error{"no key is named"};
    if (steps_.size() + 2 * steps.size() > kMaxWaiting) return Error{"too many keys are waiting already"};
    for (size_t i = steps.size(); i > 0; --i) steps.push_back({steps[i - 1].set1, false, 0});
    steps[names.size() - 1].pause = hold;
    steps.back().pause = hold;
    steps_.insert(steps_.end(), steps.begin(), steps.end());
    if (!timer_.armed()) go_on();
    return Ok{};
}

void KeyTypist::go_on() {
    size_t done = 0;
    Nanoseconds pause = 0;
    while (done < steps_.size() && pause == 0) {
        const Step& step = steps_[done++];
        keyboard_.key(step.set1, step.down);
        pause = step.pause;
    }
    steps_.erase(steps_.begin(), steps_.begin() + static_cast<std::ptrdiff_t>(done));
    if (pause > 0) timer_.arm_in(pause);
}

void KeyTypist::visit(Archive& ar) {
    ar.section("typist");
    ar(steps_, kMaxWaiting);
    ar(timer_);
}

}  // namespace mynah
