// A medium whose work a thread of its own does, so that a slow host does not hold up the machine's thread.
//
// Jobs run one by one in the order in which they were given. Writes are taken over and reported at settle();
// reads and flushes are begun by will_read() and will_flush(). A device that is in no hurry asks busy()
// before it goes on; one that does not ask waits. Devices with several requests at a time start() them.
// Either way results are those of the medium itself.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/block_backend.h"

namespace mynah {

class AsyncDisk final : public BlockBackend {
  public:
    // `never_busy`: devices are not told to come back later but wait at the moment that is theirs; for time
    // that must not depend on the host. `request_ended` is called by the disk's thread each time that one
    // that was started has.
    AsyncDisk(std::unique_ptr<BlockBackend> medium, bool never_busy,
              std::function<void()> request_ended = {});
    ~AsyncDisk() override;  // when all jobs are done

    u64 size() const override { return size_; }
    bool read_only() const override { return read_only_; }
    Status read(u64 offset, std::span<u8> out) override;
    Status write(u64 offset, std::span<const u8> data) override;
    Status flush() override;
    bool can_discard() const override { return can_discard_; }
    Status discard(u64 offset, u64 bytes) override;

    void will_read(u64 offset, u64 bytes) override;
    void will_flush() override;
    bool busy() const override;
    Status settle() override;

    void start(const std::shared_ptr<DiskRequest>& request) override;
    bool ended(const DiskRequest& request) override;
    bool waits() const override { return never_busy_; }
    void wait_for_started() override { wait_idle(); }
    bool read_at_once(u64 offset, std::span<u8> out) override;

    // Until nothing is being done; what came of it can be asked for later.
    void wait_idle();

  private:
    struct Job {
        enum class Kind : u8 { read, write, discard, flush, request } kind;
        u64 offset = 0, bytes = 0;
        std::vector<u8> data;
        u64 changes = 0;  // flush: how many there were before
        std::shared_ptr<DiskRequest> request{};
    };
    using Lock = std::unique_lock<std::mutex>;

    void work();
    void give(Job job, Lock& lock);
    void drain(Lock& lock);

    std::unique_ptr<BlockBackend> medium_;
    const bool never_busy_;
    const std::function<void()> request_ended_;
    const u64 size_;
    const bool read_only_, can_discard_;

    mutable std::mutex mutex_;
    std::condition_variable for_worker_, for_machine_;
    std::deque<Job> jobs_;  // the first is being done
    u64 waiting_bytes_ = 0;
    u64 changes_ = 0;  // writes and discards taken over so far
    bool stop_ = false;
    // What was read ahead, and what the last flush said; gone with the next change.
    std::optional<Job> ahead_;
    std::optional<Status> flushed_;
    std::optional<Error> failed_;  // a write or discard, not reported yet
    std::thread worker_;
};

}  // namespace mynah
