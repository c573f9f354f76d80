// The host dies at any moment. A file that forgets: what was flushed is there, of what was not any part, in
// any order, sector by sector. The image must be one that is accepted, and hold all that the guest flushed.
#include <gtest/gtest.h>

#include "block/exercise.h"
#include "block/memory_file.h"
#include "support/qemu_img.h"

namespace mynah::test {
namespace {

using qcow2::Header;

constexpr int kCuts = 200;  // in each of the shapes below: 1,000 in all

struct FileOperation {
    enum class Kind : u8 { write, discard, resize, flush } kind;
    u64 offset = 0, bytes = 0;
    std::vector<u8> data;
};
using FileLog = std::vector<FileOperation>;

class RecordingFile final : public ImageFile {
  public:
    RecordingFile(std::vector<u8> bytes, FileLog& log) : file_(std::move(bytes)), log_(log) {}
    const std::string& name() const override { return file_.name(); }
    bool read_only() const override { return false; }
    u64 size() const override { return file_.size(); }
    Status read(u64 offset, std::span<u8> out) override { return file_.read(offset, out); }
    Status write(u64 offset, std::span<const u8> data) override {
        log_.push_back({FileOperation::Kind::write, offset, data.size(), {data.begin(), data.end()}});
        return file_.write(offset, data);
    }
    void discard(u64 offset, u64 bytes) override {
        log_.push_back({FileOperation::Kind::discard, offset, bytes, {}});
        file_.discard(offset, bytes);
    }
    Status flush() override {
        log_.push_back({FileOperation::Kind::flush, 0, 0, {}});
        return Ok{};
    }
    Status resize(u64 bytes) override {
        log_.push_back({FileOperation::Kind::resize, 0, bytes, {}});
        return file_.resize(bytes);
    }

  private:
    MemoryFile file_;
    FileLog& log_;
};

void apply(const FileOperation& op, MemoryFile& file) {
    using K = FileOperation::Kind;
    if (op.kind == K::write) {
        ASSERT_TRUE(file.write(op.offset, op.data).ok());
    }
    if (op.kind == K::discard) file.discard(op.offset, op.bytes);
    if (op.kind == K::resize) {
        ASSERT_TRUE(file.resize(op.bytes).ok());
    }
}

// Any sectors of the operations, in any order.
void apply_some(std::span<const FileOperation> pending, MemoryFile& file, Random& random) {
    std::vector<FileOperation> pieces;
    const bool nearly_all = random.chance(3);
    for (const FileOperation& op : pending) {
        if (op.kind != FileOperation::Kind::write) {
            if (random.chance(2)) pieces.push_back(op);
            continue;
        }
        const bool whole = random.chance(2), none = random.chance(nearly_all ? 50 : 3);
        for (u64 at = 0; at < op.bytes && !none;) {
            const u64 n = std::min(512 - (op.offset + at) % 512, op.bytes - at);
            const auto begin = op.data.begin() + static_cast<std::ptrdiff_t>(at);
            if (whole || random.chance(2))
                pieces.push_back(
                    {op.kind, op.offset + at, n, {begin, begin + static_cast<std::ptrdiff_t>(n)}});
            at += n;
        }
    }
    for (size_t i = pieces.size(); i > 1; --i)
        std::swap(pieces[i - 1], pieces[random.below(static_cast<u32>(i))]);
    for (const FileOperation& op : pieces) apply(op, file);
}

// What the guest did, and when by the log of the file.
struct GuestOperation {
    u64 offset = 0;
    std::vector<u8> before, after;  // of the range
    bool flush = false;
    size_t begin = 0, end = 0;
};

struct Shape {
    const char* name;
    u32 version, cluster_bits, refcount_order;
    bool backing, snapshot;
};

class Crash : public Folder, public testing::WithParamInterface<Shape> {};

TEST_P(Crash, WhatWasFlushedIsThereAndTheImageIsAccepted) {
    const Shape shape = GetParam();
    if (shape.snapshot) REQUIRE_QEMU_IMG();
    const u64 size = (u64{600} << shape.cluster_bits) + 512;
    Header header;
    header.version = shape.version;
    header.cluster_bits = shape.cluster_bits;
    header.refcount_order = shape.refcount_order;
    header.size = size;
    std::vector<u8> backing;
    if (shape.backing) {
        backing.resize(size / 2 / 512 * 512);
        Random bytes(1);
        for (u8& b : backing) b = static_cast<u8>(bytes.next());
        header.backing_file = write_file("backing", backing);
        header.backing_format = "raw";
    }
    // A disk that has been used for a while.
    std::vector<u8> model(backing);
    model.resize(size);
    Exercise exercise(shape.cluster_bits, model);
    const auto open = [&](std::unique_ptr<ImageFile> file) {
        auto h = Qcow2::read_header(*file);
        EXPECT_TRUE(h.ok()) << h.error().message;
        std::unique_ptr<DiskImage> below;
        struct Below final : DiskImage {
            explicit Below(const std::vector<u8>& bytes) : file(bytes, true) {}
            const char* format() const override { return "raw"; }
            u64 size() const override { return file.size(); }
            bool read_only() const override { return true; }
            Status read(u64 offset, std::span<u8> out) override { return file.read(offset, out); }
            Status write(u64, std::span<const u8>) override { return Error{"read-only"}; }
            Status flush() override { return Ok{}; }
            MemoryFile file;
        };
        if (shape.backing) below = std::make_unique<Below>(backing);
        auto image = Qcow2::open(std::move(file), *h, std::move(below));
        EXPECT_TRUE(image.ok()) << image.error().message;
        return image.ok() ? std::move(*image) : nullptr;
    };
    std::vector<u8> start;
    {
        FileLog ignored;
        auto file = std::make_unique<RecordingFile>(std::vector<u8>{}, ignored);
        ASSERT_TRUE(Qcow2::create(*file, header).ok());
        auto image = open(std::move(file));
        for (int i = 0; i < 100; ++i) exercise.step(*image);
        image.reset();
        MemoryFile settled;
        for (const FileOperation& op : ignored) apply(op, settled);
        start = settled.bytes();
        if (shape.snapshot) {
            const std::string path = write_file("image", start);
            ASSERT_EQ(qemu_img("snapshot -c s " + path), 0);
            start = read_file(path);
        }
    }

    FileLog log;
    std::vector<GuestOperation> guest;
    const std::vector<u8> model_at_start = exercise.model;
    auto image = open(std::make_unique<RecordingFile>(start, log));
    for (int i = 0; i < 400; ++i) {
        GuestOperation op;
        op.begin = log.size();
        if (exercise.random().chance(12)) {
            op.flush = true;
            ASSERT_TRUE(image->flush().ok());
        } else {
            const std::vector<u8> before = exercise.model;
            exercise.step(*image);
            if (HasFatalFailure()) return;
            const auto [first, other] = std::mismatch(before.begin(), before.end(), exercise.model.begin());
            const auto last =
                std::mismatch(before.rbegin(), before.rend(), exercise.model.rbegin()).first.base();
            if (first == before.end()) continue;
            // A step's sectors are one piece.
            const auto begin = (first - before.begin()) / 512 * 512;
            const auto end = std::min<std::ptrdiff_t>((last - before.begin() + 511) / 512 * 512,
                                                      static_cast<std::ptrdiff_t>(size));
            op.offset = static_cast<u64>(begin);
            op.before.assign(before.begin() + begin, before.begin() + end);
            op.after.assign(exercise.model.begin() + begin, exercise.model.begin() + end);
        }
        op.end = log.size();
        guest.push_back(std::move(op));
    }
    image.reset();

    Random random(shape.cluster_bits + 99);
    std::vector<size_t> cuts;
    for (int i = 0; i < kCuts; ++i) cuts.push_back(random.below(static_cast<u32>(log.size() + 1)));
    std::sort(cuts.begin(), cuts.end());
    MemoryFile durable(start);
    size_t applied = 0;
    for (const size_t cut : cuts) {
        SCOPED_TRACE(cut);
        size_t flushed = applied;
        for (size_t i = applied; i < cut; ++i) {
            if (log[i].kind == FileOperation::Kind::flush) flushed = i + 1;
        }
        for (; applied < flushed; ++applied) apply(log[applied], durable);
        MemoryFile after(durable.bytes());
        apply_some(std::span(log).subspan(flushed, cut - flushed), after, random);

        // What each sector may hold.
        std::vector<u8> sure = model_at_start;
        size_t unsure = 0;
        for (size_t i = 0; i < guest.size(); ++i) {
            if (guest[i].flush && guest[i].end <= cut) unsure = i + 1;
        }
        const auto put = [](const GuestOperation& op, std::vector<u8>& disk) {
            std::copy(op.after.begin(), op.after.end(),
                      disk.begin() + static_cast<std::ptrdiff_t>(op.offset));
        };
        for (size_t i = 0; i < unsure; ++i) put(guest[i], sure);
        auto opened = open(std::make_unique<MemoryFile>(after.bytes()));
        ASSERT_NE(opened, nullptr);
        std::vector<u8> content(size);
        ASSERT_TRUE(opened->read(0, content).ok());
        for (u64 at = 0; at < size; at += 512) {
            const auto is = [&](const u8* sector) { return std::equal(sector, sector + 512, &content[at]); };
            bool explained = is(&sure[at]);
            for (size_t i = unsure; i < guest.size() && guest[i].begin <= cut && !explained; ++i) {
                const GuestOperation& op = guest[i];
                explained =
                    at >= op.offset && at < op.offset + op.after.size() && is(&op.after[at - op.offset]);
            }
            ASSERT_TRUE(explained) << "the sector at " << at;
        }
        const auto result = opened->check(Qcow2::Repair::no);
        ASSERT_TRUE(result.ok()) << result.error().message;
        ASSERT_EQ(result->corruptions, 0u) << result->details.front();
        if (have_qemu_img()) {
            std::string said;
            const int code = qemu_img("check -f qcow2 " + write_file("cut", after.bytes()), &said);
            ASSERT_TRUE(code == 0 || code == 3) << code << ": " << said;  // 3: leaks alone
        }
        // Life goes on.
        if (random.chance(4)) {
            Exercise more(cut, content);
            for (int i = 0; i < 40 && !HasFatalFailure(); ++i) more.step(*opened);
            more.compare(*opened);
            if (HasFatalFailure()) return;
            const auto later = opened->check(Qcow2::Repair::leaks);
            ASSERT_TRUE(later.ok()) << later.error().message;
            ASSERT_EQ(later->corruptions, 0u) << later->details.front();
            ASSERT_EQ(later->leaks, later->leaks_fixed);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(All, Crash,
                         testing::Values(Shape{"v3_4k", 3, 12, 4, false, false},
                                         Shape{"v2_4k_backing", 2, 12, 4, true, false},
                                         Shape{"v3_512_refcount64", 3, 9, 6, false, false},
                                         Shape{"v3_512_backing_refcount1", 3, 9, 0, true, false},
                                         Shape{"v3_4k_snapshot", 3, 12, 4, false, true}),
                         [](const auto& shape) { return shape.param.name; });

}  // namespace
}  // namespace mynah::test
