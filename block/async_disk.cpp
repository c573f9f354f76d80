#include "block/async_disk.h"

#include <algorithm>

namespace mynah {

namespace {

constexpr u64 kMostWaiting = 8 * MiB;
constexpr u64 kMostAhead = 1 * MiB;

}  // namespace

AsyncDisk::AsyncDisk(std::unique_ptr<BlockBackend> medium, bool never_busy,
                     std::function<void()> request_ended)
    : medium_(std::move(medium)),
      never_busy_(never_busy),
      request_ended_(std::move(request_ended)),
      size_(medium_->size()),
      read_only_(medium_->read_only()),
      can_discard_(medium_->can_discard()),
      worker_([this] { work(); }) {}

AsyncDisk::~AsyncDisk() {
    {
        const Lock lock(mutex_);
        stop_ = true;
    }
    for_worker_.notify_one();
    worker_.join();
}

void AsyncDisk::work() {
    Lock lock(mutex_);
    for (;;) {
        for_worker_.wait(lock, [this] { return stop_ || !jobs_.empty(); });
        if (jobs_.empty()) return;
        Job& job = jobs_.front();  // stays in place
        lock.unlock();
        Status s = Ok{};
        switch (job.kind) {
            case Job::Kind::read:
                job.data.resize(job.bytes);
                s = medium_->read(job.offset, job.data);
                break;
            case Job::Kind::write:
                s = medium_->write(job.offset, job.data);
                break;
            case Job::Kind::discard:
                s = medium_->discard(job.offset, job.bytes);
                break;
            case Job::Kind::flush:
                s = medium_->flush();
                break;
            case Job::Kind::request:
                medium_->carry_out(*job.request);
                break;
        }
        lock.lock();
        const std::shared_ptr<DiskRequest> request = std::move(job.request);
        switch (job.kind) {
            case Job::Kind::read:
                // What could not be read is tried again by who wants it.
                if (s) ahead_ = std::move(job);
                break;
            case Job::Kind::flush:
                if (job.changes == changes_) flushed_ = s;
                break;
            case Job::Kind::write:
                waiting_bytes_ -= job.bytes;
                [[fallthrough]];
            case Job::Kind::discard:
                ahead_.reset();
                if (!s && !failed_) failed_ = s.error();
                break;
            case Job::Kind::request:
                if (request->kind != DiskRequest::Kind::read) ahead_.reset();
                request->ended = true;
                break;
        }
        jobs_.pop_front();
        for_machine_.notify_all();
        if (request && request_ended_) {
            lock.unlock();
            request_ended_();
            lock.lock();
        }
    }
}

void AsyncDisk::give(Job job, Lock& lock) {
    for_machine_.wait(lock, [this] { return waiting_bytes_ <= kMostWaiting; });
    if (job.kind == Job::Kind::write) waiting_bytes_ += job.bytes;
    if (job.kind == Job::Kind::write || job.kind == Job::Kind::discard || job.kind == Job::Kind::request)
        ++changes_;
    if (job.kind != Job::Kind::read) flushed_.reset();
    job.changes = changes_;
    jobs_.push_back(std::move(job));
    for_worker_.notify_one();
}

void AsyncDisk::drain(Lock& lock) {
    for_machine_.wait(lock, [this] { return jobs_.empty(); });
}

Status AsyncDisk::read(u64 offset, std::span<u8> out) {
    Lock lock(mutex_);
    drain(lock);
    if (ahead_ && offset >= ahead_->offset && offset - ahead_->offset <= ahead_->bytes &&
        out.size() <= ahead_->bytes - (offset - ahead_->offset)) {
        std::copy_n(ahead_->data.begin() + static_cast<std::ptrdiff_t>(offset - ahead_->offset), out.size(),
                    out.begin());
        return Ok{};
    }
    // The worker has nothing to do, and only this thread gives it something.
    lock.unlock();
    return medium_->read(offset, out);
}

Status AsyncDisk::write(u64 offset, std::span<const u8> data) {
    Lock lock(mutex_);
    give({Job::Kind::write, offset, data.size(), {data.begin(), data.end()}}, lock);
    return Ok{};
}

Status AsyncDisk::discard(u64 offset, u64 bytes) {
    Lock lock(mutex_);
    give({Job::Kind::discard, offset, bytes, {}}, lock);
    return Ok{};
}

void AsyncDisk::will_read(u64 offset, u64 bytes) {
    Lock lock(mutex_);
    ahead_.reset();
    give({Job::Kind::read, offset, std::min(bytes, kMostAhead), {}}, lock);
}

void AsyncDisk::will_flush() {
    Lock lock(mutex_);
    give({Job::Kind::flush, 0, 0, {}}, lock);
}

Status AsyncDisk::flush() {
    Lock lock(mutex_);
    drain(lock);
    if (!flushed_) {
        give({Job::Kind::flush, 0, 0, {}}, lock);
        drain(lock);
    }
    Status result = *flushed_;
    flushed_.reset();
    if (result && failed_) result = *failed_;
    failed_.reset();
    return result;
}

void AsyncDisk::start(const std::shared_ptr<DiskRequest>& request) {
    Lock lock(mutex_);
    give({.kind = Job::Kind::request, .data = {}, .request = request}, lock);
}

bool AsyncDisk::ended(const DiskRequest& request) {
    if (!never_busy_ || request.ended) return request.ended;
    Lock lock(mutex_);
    for_machine_.wait(lock, [&] { return request.ended.load(); });
    return true;
}

bool AsyncDisk::read_at_once(u64 offset, std::span<u8> out) {
    if (never_busy_) return false;
    {
        const Lock lock(mutex_);
        if (!jobs_.empty()) return false;
    }
    // As in read(): the worker has nothing to do.
    return medium_->read_at_once(offset, out);
}

bool AsyncDisk::busy() const {
    if (never_busy_) return false;
    const Lock lock(mutex_);
    return !jobs_.empty();
}

void AsyncDisk::wait_idle() {
    Lock lock(mutex_);
    drain(lock);
}

Status AsyncDisk::settle() {
    Lock lock(mutex_);
    drain(lock);
    if (!failed_) return Ok{};
    Error error = std::move(*failed_);
    failed_.reset();
    return error;
}

}  // namespace mynah
