#include "desktop/machine_thread.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "desktop/keys.h"

namespace mynah {

namespace {

constexpr u64 kSecond = 1'000'000'000;
// How long after a command or a key the screen is watched closely, and how often an idle guest's is, ns.
constexpr u64 kLively = 300'000'000;
constexpr u64 kIdle = 700'000'000;
// Instructions since the last look that make a guest busy.
constexpr u64 kBusy = 100'000;
// How long a pasted key is held, and as long nothing is pressed after it: guests look at each.
constexpr Nanoseconds kKeyHold = 25'000'000;

// How soon to look again whether the keyboard can take more.
constexpr u64 kKeysWait = 2'000'000;

u64 now_ns() {
    const auto t = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<u64>(std::chrono::duration_cast<std::chrono::nanoseconds>(t).count());
}

}  // namespace

MachineThread::MachineThread(MachineConfig config, std::function<void()> on_news)
    : on_news_(std::move(on_news)), thread_([this, c = std::move(config)] { run(c); }) {}

MachineThread::~MachineThread() {
    post([](Machine& m) -> Result<std::string> {
        m.quit(0);
        return std::string();
    });
    thread_.join();
}

void MachineThread::post(Command command) {
    {
        const std::lock_guard lock(mutex_);
        commands_.push_back(std::move(command));
    }
    wanted_.store(true, std::memory_order_release);
    wake_.raise();
}

// `name` is one of key_of_usage().
void MachineThread::key(std::string_view name, bool down) {
    post([this, name, down](Machine&) -> Result<std::string> {
        if (keys_.size() < kMostKeys || !down) keys_.emplace_back(name, down);
        return std::string();
    });
}

void MachineThread::type(std::string_view text) {
    post([this, text = std::string(text)](Machine&) -> Result<std::string> {
        if (to_type_.size() + text.size() > kMostTyping)
            return Error{"the text is too long to be typed; paste at most 64 KiB"};
        to_type_.insert(to_type_.end(), text.begin(), text.end());
        return std::string();
    });
}

MachineNews MachineThread::news() const {
    const std::lock_guard lock(mutex_);
    return news_;
}

std::vector<std::string> MachineThread::take_errors() {
    const std::lock_guard lock(mutex_);
    return std::exchange(errors_, {});
}

void MachineThread::run(const MachineConfig& config) {
    auto session = Session::create(config, this);
    int code = 0;
    if (session) code = (*session)->run();
    {
        const std::lock_guard lock(mutex_);
        if (!session) news_.failure = session.error().message;
        news_.state = RunState::finished;
        news_.exit_code = code;
        news_.ended = true;
    }
    on_news_();
}

void MachineThread::attend(Machine& machine) {
    if (wanted_.exchange(false, std::memory_order_acquire)) carry_out(machine);
    if (!keys_.empty()) pass_keys(machine);
    keys_wait_ = !keys_.empty() && machine.run_state() == RunState::running;
    if (!to_type_.empty()) go_on_typing(machine);
    // What has hardly run has hardly drawn: it is looked at for the cursor's blinking only.
    if (machine.instructions() - instructions_looked_ > kBusy)
        next_look_ = std::min(next_look_, looked_ + interval_);
    if (const u64 now = now_ns(); now >= next_look_) look(machine, now);
}

u64 MachineThread::patience() {
    if (keys_wait_) return kKeysWait;
    const u64 now = now_ns();
    return next_look_ > now ? next_look_ - now : 0;
}

void MachineThread::carry_out(Machine& machine) {
    wake_.clear();
    std::deque<Command> commands;
    {
        const std::lock_guard lock(mutex_);
        commands.swap(commands_);
    }
    // What was asked for will show soon.
    interval_ = kQuick;
    lively_until_ = now_ns() + kLively;
    next_look_ = std::min(next_look_, now_ns() + kQuick);
    bool told = false;
    for (const Command& command : commands) {
        const auto done = command(machine);
        if (done && done->empty()) continue;
        told = true;
        const std::lock_guard lock(mutex_);
        if (done) {
            news_.note = *done;
            ++news_.notes;
        } else {
            errors_.push_back(done.error().message);
        }
    }
    if (told) on_news_();
}

void MachineThread::pass_keys(Machine& machine) {
    while (!keys_.empty() && machine.keyboard_ready()) {
        machine.key(keys_.front().first, keys_.front().second);
        keys_.pop_front();
    }
}

// As far as the machine takes keys.
void MachineThread::go_on_typing(Machine& machine) {
    while (!to_type_.empty()) {
        const auto keys = keys_of_character(to_type_.front());
        if (!keys.empty() && !machine.type_keys(keys, kKeyHold)) break;
        to_type_.pop_front();
    }
}

void MachineThread::look(Machine& machine, u64 now) {
    const u64 instructions = machine.instructions();
    // What the window may still be reading is not drawn into: it gets a copy, of what has changed only.
    std::shared_ptr<const Frame> picture;
    if (machine.update_screen(screen_)) picture = std::make_shared<const Frame>(screen_);
    bool changed = picture != nullptr;
    {
        const std::lock_guard lock(mutex_);
        if (picture) news_.frame = std::move(picture);
        // A restored state may be from before.
        const u64 done = instructions > instructions_then_ ? instructions - instructions_then_ : 0;
        if (now - second_began_ >= kSecond) {
            const u64 microseconds = (now - second_began_) / 1000;
            const auto mips = static_cast<unsigned>(second_began_ == 0 ? 0 : done / microseconds);
            changed |= std::exchange(news_.mips, mips) != mips;
            second_began_ = now;
            instructions_then_ = instructions;
        }
        changed |= std::exchange(news_.state, machine.run_state()) != machine.run_state();
        changed |= std::exchange(news_.disk_accesses, machine.disk_accesses()) != machine.disk_accesses();
        changed |= std::exchange(news_.network_frames, machine.network_frames()) != machine.network_frames();
        changed |= std::exchange(news_.typing, to_type_.size()) != to_type_.size();
        const bool absolute = machine.takes_positions();
        changed |= std::exchange(news_.absolute_pointer, absolute) != absolute;
        news_.drives = machine.drives();
        news_.has_network = !machine.config().nics.empty();
    }
    const u64 longest = machine.run_state() == RunState::paused ? kSecond : kSlow;
    interval_ = changed ? kQuick : std::min(longest, interval_ * 2);
    looked_ = now;
    instructions_looked_ = instructions;
    next_look_ = now + (now < lively_until_ ? interval_ : std::max(interval_, kIdle));
    if (changed) on_news_();
}

}  // namespace mynah
