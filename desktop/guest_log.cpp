#include "desktop/guest_log.h"

namespace mynah {

void GuestLog::add(std::string_view text) {
    const std::lock_guard lock(mutex_);
    ++version_;
    const auto [at, is_new] = numbers_.try_emplace(std::string(text), dropped_ + lines_.size());
    if (!is_new) {
        ++lines_[at->second - dropped_].count;
        return;
    }
    lines_.push_back({std::string(text), 1});
    if (lines_.size() <= kMostLines) return;
    numbers_.erase(lines_.front().text);
    lines_.pop_front();
    ++dropped_;
}

void GuestLog::clear() {
    const std::lock_guard lock(mutex_);
    ++version_;
    numbers_.clear();
    lines_.clear();
    dropped_ = 0;
}

std::vector<GuestLog::Line> GuestLog::lines() const {
    const std::lock_guard lock(mutex_);
    return {lines_.begin(), lines_.end()};
}

u64 GuestLog::version() const {
    const std::lock_guard lock(mutex_);
    return version_;
}

}  // namespace mynah
