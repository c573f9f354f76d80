// A machine on a thread of its own, for a window that must never wait for it: commands go in through a queue,
// pictures and figures come out as copies.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/host_wake.h"
#include "base/result.h"
#include "desktop/guest_log.h"
#include "devices/frame.h"
#include "frontend/session.h"
#include "machine/config.h"

namespace mynah {

// What a window shows of a machine.
struct MachineNews {
    std::shared_ptr<const Frame> frame;  // a new object when the picture has changed; null: none yet
    RunState state = RunState::running;
    bool ended = false;   // the thread has nothing more to do; `failure` or `exit_code` says why
    std::string failure;  // the machine could not be made
    int exit_code = 0;
    unsigned mips = 0;  // million instructions in the last second
    u64 disk_accesses = 0;
    bool has_network = false;  // there is an adapter
    u64 network_frames = 0;
    std::vector<DriveInfo> drives;
    std::string note;               // the last command's text
    u64 notes = 0;                  // how many there have been
    size_t typing = 0;              // characters of pasted text that are not typed yet
    bool absolute_pointer = false;  // the guest takes positions, not movements
};

class MachineThread final : private SessionPeer {
  public:
    // What to tell the person when it is done; may be empty.
    using Command = std::function<Result<std::string>(Machine&)>;

    // `on_news` is called on the machine's thread when news() has changed, at most some sixty times a second.
    // An error in the making of the machine is news too.
    MachineThread(MachineConfig config, std::function<void()> on_news);
    // Ends the machine.
    ~MachineThread() override;
    MachineThread(const MachineThread&) = delete;
    MachineThread& operator=(const MachineThread&) = delete;

    // Has the machine's thread do something between two slices. An error goes to take_errors(), a text to
    // MachineNews::note.
    void post(Command command);
    // A key goes down or up, as soon as the guest's keyboard can take it: what the guest is too busy to read
    // is not lost.
    void key(std::string_view name, bool down);
    // Types a text on the guest's keyboard (US layout); characters that it does not have are left out.
    void type(std::string_view text);

    MachineNews news() const;
    std::vector<std::string> take_errors();
    GuestLog& log() { return log_; }

  private:
    static constexpr u64 kQuick = 16'000'000, kSlow = 100'000'000;  // ns between two looks at the screen
    static constexpr size_t kMostTyping = 64 * KiB, kMostKeys = 1024;

    // --- the machine's thread ---
    void run(const MachineConfig& config);
    void attend(Machine& machine) override;
    u64 patience() override;
    int wake_fd() const override { return wake_.fd(); }
    void logged(std::string_view line) override { log_.add(line); }
    void carry_out(Machine& machine);
    void pass_keys(Machine& machine);
    void go_on_typing(Machine& machine);
    void look(Machine& machine, u64 now);

    const std::function<void()> on_news_;
    GuestLog log_;
    HostWake wake_;
    std::atomic<bool> wanted_ = false;  // there are commands

    mutable std::mutex mutex_;  // of what follows, up to the blank line
    std::deque<Command> commands_;
    std::vector<std::string> errors_;
    MachineNews news_;

    // Of the machine's thread alone.
    Frame screen_;
    u64 looked_ = 0, next_look_ = 0, interval_ = kQuick, lively_until_ = 0;
    u64 instructions_looked_ = 0;
    u64 second_began_ = 0, instructions_then_ = 0;
    std::deque<std::pair<std::string_view, bool>> keys_;
    bool keys_wait_ = false;
    std::deque<char> to_type_;

    std::thread thread_;
};

}  // namespace mynah
