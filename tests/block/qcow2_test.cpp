// qcow2 images against a model and against qemu-img, in both directions.
#include "block/qcow2/qcow2.h"

#include <gtest/gtest.h>

#include "block/exercise.h"
#include "block/image.h"
#include "block/memory_file.h"
#include "support/qemu_img.h"

namespace mynah::test {
namespace {

namespace fs = std::filesystem;
using qcow2::Header;

constexpr auto rw = HostFile::Access::read_write;
constexpr auto ro = HostFile::Access::read_only;

void create_file(const std::string& path, const Header& header) {
    auto file = HostFile::create(path);
    ASSERT_TRUE(file.ok());
    HostImageFile image(std::move(*file), rw);
    const Status s = Qcow2::create(image, header);
    ASSERT_TRUE(s.ok()) << s.error().message;
}

std::unique_ptr<Qcow2> open_file(const std::string& path, HostFile::Access access = rw) {
    auto image = open_qcow2(path, access, true);
    EXPECT_TRUE(image.ok()) << image.error().message;
    return image.ok() ? std::move(*image) : nullptr;
}

std::string error_of(const std::string& path, HostFile::Access access = ro) {
    const auto image = open_image(path, {ImageFormat::probe, access});
    return image.ok() ? "" : image.error().message;
}

void expect_clean(Qcow2& image) {
    const auto result = image.check(Qcow2::Repair::no);
    ASSERT_TRUE(result.ok()) << result.error().message;
    EXPECT_EQ(result->corruptions, 0u) << result->details.front();
    EXPECT_EQ(result->leaks, 0u) << result->details.front();
}

std::vector<u8> noise(u64 seed, u64 bytes) {
    Random random(seed);
    std::vector<u8> out(bytes);
    for (u8& b : out) b = static_cast<u8>(random.next());
    return out;
}

class Qcow2Files : public Folder {
  protected:
    // What qemu-img has to say of an image with this content.
    void expect_accepted(const std::string& image, const std::vector<u8>& content) {
        if (!have_qemu_img()) return;
        std::string said;
        EXPECT_EQ(qemu_img("check -f qcow2 " + image, &said), 0) << said;
        const std::string raw = write_file("content.raw", content);
        EXPECT_EQ(qemu_img("compare -f qcow2 -F raw " + image + " " + raw, &said), 0) << said;
    }
};

struct Shape {
    u32 version, cluster_bits, refcount_order;
    bool backing;
};

class Qcow2Shapes : public Qcow2Files, public testing::WithParamInterface<Shape> {};

TEST_P(Qcow2Shapes, RandomIoAgainstAModel) {
    const Shape shape = GetParam();
    // Not whole clusters; small clusters still need several L2 tables.
    const u64 size = std::min<u64>(u64{40} << shape.cluster_bits, 6 * MiB) + 512 * 3 +
                     (shape.cluster_bits < 12 ? 300 * KiB : 0);
    std::vector<u8> content(size);
    Header header;
    header.version = shape.version;
    header.cluster_bits = shape.cluster_bits;
    header.refcount_order = shape.refcount_order;
    header.size = size;
    if (shape.backing) {
        // Shorter than the image.
        const std::vector<u8> below = noise(7, size / 2 / 512 * 512);
        write_file("backing.raw", below);
        std::copy(below.begin(), below.end(), content.begin());
        header.backing_file = "backing.raw";
        header.backing_format = "raw";
    }
    const std::string image_path = path("image.qcow2");
    create_file(image_path, header);
    expect_accepted(image_path, content);
    Exercise exercise(shape.cluster_bits * 16 + shape.refcount_order, content);
    for (int session = 0; session < 3; ++session) {
        auto image = open_file(image_path);
        ASSERT_NE(image, nullptr);
        for (int i = 0; i < 150; ++i) {
            exercise.step(*image);
            if (HasFatalFailure()) return;
            if (exercise.random().chance(20)) {
                ASSERT_TRUE(image->flush().ok());
            }
        }
        exercise.compare(*image);
        if (HasFatalFailure()) return;
        expect_clean(*image);
        image.reset();
        expect_accepted(image_path, exercise.model);
    }
    auto image = open_file(image_path, ro);
    exercise.compare(*image);
    u8 byte[1] = {};
    EXPECT_FALSE(image->write(0, byte).ok());
}

INSTANTIATE_TEST_SUITE_P(All, Qcow2Shapes,
                         testing::Values(Shape{2, 9, 4, false}, Shape{2, 12, 4, true}, Shape{2, 16, 4, false},
                                         Shape{2, 16, 4, true}, Shape{3, 9, 0, false}, Shape{3, 9, 4, true},
                                         Shape{3, 9, 6, false}, Shape{3, 10, 1, true}, Shape{3, 12, 2, false},
                                         Shape{3, 12, 3, true}, Shape{3, 16, 4, false}, Shape{3, 16, 4, true},
                                         Shape{3, 16, 5, false}, Shape{3, 21, 6, true},
                                         Shape{3, 21, 0, false}),
                         [](const auto& shape) {
                             const Shape& s = shape.param;
                             return "v" + std::to_string(s.version) + "_" +
                                    std::to_string(1 << s.cluster_bits) + "_refcount" +
                                    std::to_string(1 << s.refcount_order) + (s.backing ? "_backing" : "");
                         });

// --- images that qemu-img made ---

TEST_F(Qcow2Files, ReadsAndWritesWhatQemuImgMakes) {
    REQUIRE_QEMU_IMG();
    std::vector<u8> content = noise(3, 3 * MiB);
    std::fill_n(content.begin() + 512 * 1024, MiB, u8{0});
    // What compresses.
    for (size_t i = 2 * MiB; i < content.size(); ++i) content[i] = static_cast<u8>(i / 777);
    const std::string raw = write_file("source.raw", content);
    for (const char* options :
         {"-o compat=0.10,cluster_size=512", "-o compat=0.10,cluster_size=64k",
          "-o compat=1.1,cluster_size=4k", "-o compat=1.1,cluster_size=2M", "-o refcount_bits=1",
          "-o refcount_bits=64,cluster_size=512", "-c -o compat=0.10", "-c -o cluster_size=512",
          "-c -o cluster_size=64k", "-c -o cluster_size=2M", "-c -o compression_type=zstd",
          "-o lazy_refcounts=on", "-o preallocation=metadata", "-S 0 -o cluster_size=8k"}) {
        SCOPED_TRACE(options);
        const std::string image_path = path("made.qcow2");
        std::string said;
        ASSERT_EQ(
            qemu_img(std::string("convert -f raw -O qcow2 ") + options + " " + raw + " " + image_path, &said),
            0)
            << said;
        Exercise exercise(11, content);
        {
            auto image = open_file(image_path);
            ASSERT_NE(image, nullptr);
            exercise.compare(*image);
            expect_clean(*image);
            for (int i = 0; i < 200 && !HasFatalFailure(); ++i) exercise.step(*image);
            if (HasFatalFailure()) return;
            expect_clean(*image);
        }
        expect_accepted(image_path, exercise.model);
        fs::remove(image_path);
    }
}

TEST_F(Qcow2Files, SnapshotsInTheImageKeepTheirContent) {
    REQUIRE_QEMU_IMG();
    const std::vector<u8> content = noise(5, 2 * MiB);
    const std::string raw = write_file("source.raw", content), image_path = path("image.qcow2");
    ASSERT_EQ(qemu_img("convert -f raw -O qcow2 -o cluster_size=4k " + raw + " " + image_path), 0);
    ASSERT_EQ(qemu_img("snapshot -c before " + image_path), 0);
    Exercise exercise(12, content);
    {
        auto image = open_file(image_path);
        ASSERT_EQ(image->header().snapshots.size(), 1u);
        EXPECT_EQ(image->header().snapshots[0].name, "before");
        for (int i = 0; i < 300 && !HasFatalFailure(); ++i) exercise.step(*image);
        expect_clean(*image);
    }
    expect_accepted(image_path, exercise.model);
    ASSERT_EQ(qemu_img("snapshot -a before " + image_path), 0);
    expect_accepted(image_path, content);
}

TEST_F(Qcow2Files, ChainsOfBackingFiles) {
    REQUIRE_QEMU_IMG();
    const std::vector<u8> content = noise(6, 1 * MiB);
    write_file("base.raw", content);
    fs::create_directory(folder_ / "sub");
    ASSERT_EQ(qemu_img("create -q -f qcow2 -b ../base.raw -F raw " + path("sub/middle.qcow2") + " 2M"), 0);
    ASSERT_EQ(qemu_img("create -q -f qcow2 -b middle.qcow2 -F qcow2 -o cluster_size=4k " +
                       path("sub/top.qcow2") + " 3M"),
              0);
    std::vector<u8> expected = content;
    expected.resize(2 * MiB);
    Exercise middle(1, expected);
    {
        auto image = open_file(path("sub/middle.qcow2"));
        for (int i = 0; i < 60; ++i) middle.step(*image);
    }
    expected = middle.model;
    expected.resize(3 * MiB);
    Exercise top(2, expected);
    {
        auto image = open_file(path("sub/top.qcow2"));
        for (int i = 0; i < 60; ++i) top.step(*image);
        top.compare(*image);
        // Below is being read: nobody writes to it now, but others may read.
        EXPECT_NE(error_of(path("base.raw"), rw), "");
        EXPECT_EQ(error_of(path("sub/middle.qcow2"), ro), "");
        EXPECT_NE(error_of(path("sub/top.qcow2"), rw).find("another program"), std::string::npos);
    }
    expect_accepted(path("sub/top.qcow2"), top.model);
    fs::remove(path("base.raw"));
    const std::string missing = error_of(path("sub/top.qcow2"));
    EXPECT_NE(missing.find("base.raw"), std::string::npos) << missing;
    EXPECT_NE(missing.find("No such file"), std::string::npos) << missing;
    EXPECT_EQ(missing.find('\n'), std::string::npos);
}

TEST_F(Qcow2Files, ChainsThatEndNowhere) {
    Header header;
    header.size = MiB;
    header.backing_file = "b.qcow2";
    header.backing_format = "qcow2";
    create_file(path("a.qcow2"), header);
    header.backing_file = "a.qcow2";
    create_file(path("b.qcow2"), header);
    EXPECT_NE(error_of(path("a.qcow2")).find("its own backing file"), std::string::npos)
        << error_of(path("a.qcow2"));
    // Beyond what anybody needs.
    for (int i = 0; i < 80; ++i) {
        header.backing_file = "chain" + std::to_string(i + 1);
        create_file(path("chain" + std::to_string(i)), header);
    }
    EXPECT_NE(error_of(path("chain0")).find("more than"), std::string::npos) << error_of(path("chain0"));
    header.backing_file = "nbd://host/disk";
    create_file(path("remote"), header);
    EXPECT_NE(error_of(path("remote")).find("only files"), std::string::npos);
}

// A guest that has a raw disk can write a header into it.
TEST_F(Qcow2Files, AHeaderInARawDiskOpensNoOtherFile) {
    Header header;
    header.size = MiB;
    header.backing_file = "secret";
    header.backing_format = "raw";
    write_file("secret", std::vector<u8>(4096, 'x'));
    create_file(path("disk"), header);
    // Somebody's overlay over the disk, with no word about the disk's format.
    header.backing_file = "disk";
    header.backing_format = "";
    create_file(path("overlay"), header);
    EXPECT_NE(error_of(path("overlay")).find("no stated format"), std::string::npos)
        << error_of(path("overlay"));
    header.backing_format = "raw";
    create_file(path("stated"), header);
    EXPECT_EQ(error_of(path("stated")), "");
    // Opened as raw without being asked for: it stays what it looks like.
    write_file("raw", std::vector<u8>(MiB));
    const std::vector<u8> start = read_file(path("disk"));
    auto probed = open_image(path("raw"), {ImageFormat::probe, rw});
    ASSERT_TRUE(probed.ok());
    EXPECT_FALSE((*probed)->write(0, std::span(start).first(512)).ok());
    EXPECT_TRUE((*probed)->write(512, std::span(start).first(512)).ok());
    probed = Error{""};
    auto stated = open_image(path("raw"), {ImageFormat::raw, rw});
    ASSERT_TRUE(stated.ok());
    EXPECT_TRUE((*stated)->write(0, std::span(start).first(512)).ok());
}

TEST_F(Qcow2Files, RefusesWhatItDoesNotKnow) {
    REQUIRE_QEMU_IMG();
    const std::string p = path("image");
    const auto message = [&](const std::string& arguments) {
        fs::remove(p);
        std::string said;
        EXPECT_EQ(qemu_img("create -q -f qcow2 " + arguments + " " + p + " 1M", &said), 0) << said;
        return error_of(p);
    };
    EXPECT_NE(message("-o extended_l2=on,cluster_size=128k").find("subclusters"), std::string::npos);
    EXPECT_NE(message("-o data_file=" + path("data")).find("external file"), std::string::npos);
    // Not by LUKS: qemu-img times this host for that, and sometimes fails.
    EXPECT_NE(
        message("--object secret,id=s,data=abc -o encrypt.format=aes,encrypt.key-secret=s").find("encrypted"),
        std::string::npos);
    EXPECT_EQ(message(""), "");
    std::vector<u8> bytes = read_file(p);
    bytes[73] = 1;  // a feature of the future
    write_file("image", bytes);
    EXPECT_NE(error_of(p).find("unknown incompatible features"), std::string::npos) << error_of(p);
}

TEST_F(Qcow2Files, CompressedClustersAreSharedAndWrittenOver) {
    for (const u32 order : {0u, 1u, 4u}) {
        SCOPED_TRACE(order);
        const std::string p = path("image" + std::to_string(order));
        Header header;
        header.cluster_bits = 12;
        header.refcount_order = order;
        header.size = 300 * 4096 - 512;
        create_file(p, header);
        std::vector<u8> content(header.size);
        Random random(order);
        for (size_t i = 0; i < content.size(); ++i)
            content[i] = static_cast<u8>(i / 50 % 7 * (random.chance(9)));
        {
            auto image = open_file(p);
            for (u64 at = 0; at < header.size; at += 4096) {
                const auto n = std::min<u64>(4096, header.size - at);
                const auto done = image->write_compressed(at, std::span(content).subspan(at, n));
                if (!done.ok() && done.error().message.find("without zlib") != std::string::npos)
                    GTEST_SKIP() << done.error().message;
                ASSERT_TRUE(done.ok()) << done.error().message;
                ASSERT_TRUE(*done);
            }
            expect_clean(*image);
        }
        expect_accepted(p, content);
        if (order == 4) {
            EXPECT_LT(fs::file_size(p), header.size / 3);
        }
        Exercise exercise(order, content);
        {
            auto image = open_file(p);
            exercise.compare(*image);
            for (int i = 0; i < 300 && !HasFatalFailure(); ++i) exercise.step(*image);
            expect_clean(*image);
        }
        expect_accepted(p, exercise.model);
    }
}

// A refcount table of one small cluster soon has to move.
TEST_F(Qcow2Files, GrowsItsRefcountTable) {
    const std::string p = path("image");
    Header header;
    header.cluster_bits = 9;
    header.refcount_order = 6;
    header.size = 12 * MiB;
    create_file(p, header);
    std::vector<u8> content = noise(1, header.size);
    {
        auto image = open_file(p);
        for (u64 at = 0; at < header.size; at += 64 * KiB)
            ASSERT_TRUE(image->write(at, std::span(content).subspan(at, 64 * KiB)).ok());
        expect_clean(*image);
        EXPECT_GT(image->header().refcount_table_clusters, 1u);
    }
    expect_accepted(p, content);
}

// A full disk is an error each time; what was there before stays.
TEST(Qcow2Faults, AFullDisk) {
    Header header;
    header.cluster_bits = 12;
    header.size = MiB;
    auto memory = std::make_unique<MemoryFile>();
    MemoryFile* file = memory.get();
    ASSERT_TRUE(Qcow2::create(*memory, header).ok());
    auto read = Qcow2::read_header(*memory);
    ASSERT_TRUE(read.ok());
    auto image = Qcow2::open(std::move(memory), *read, nullptr);
    ASSERT_TRUE(image.ok());
    const std::vector<u8> data(8192, 0xAB);
    ASSERT_TRUE((*image)->write(0, data).ok());
    ASSERT_TRUE((*image)->flush().ok());
    file->limit = file->size();
    EXPECT_FALSE((*image)->write(64 * KiB, data).ok());
    EXPECT_TRUE((*image)->write(0, data).ok());
    EXPECT_TRUE((*image)->flush().ok());
    expect_clean(**image);
    file->limit = 64 * MiB;
    EXPECT_TRUE((*image)->write(64 * KiB, data).ok());
    expect_clean(**image);
    std::vector<u8> back(8192);
    ASSERT_TRUE((*image)->read(64 * KiB, back).ok());
    EXPECT_EQ(back, data);
}

// Damage: found, said, marked in the image, and not made worse.
TEST_F(Qcow2Files, DamageIsFoundAndMarked) {
    const std::string p = path("image");
    Header header;
    header.size = MiB;
    create_file(p, header);
    const std::vector<u8> data(128 * KiB, 0x55);
    {
        auto image = open_file(p);
        ASSERT_TRUE(image->write(0, data).ok());
    }
    const std::vector<u8> good = read_file(p);
    const auto be64 = [](std::span<const u8> b, u64 at) {
        u64 v = 0;
        for (u64 i = 0; i < 8; ++i) v = v << 8 | b[at + i];
        return v;
    };
    const u64 l1 = be64(good, 40), l2 = be64(good, l1) & qcow2::kOffsetMask;
    const auto damage = [&](u64 at, u64 value) {
        std::vector<u8> bytes = good;
        for (u64 i = 0; i < 8; ++i) bytes[at + i] = static_cast<u8>(value >> (56 - 8 * i));
        write_file("image", bytes);
    };
    std::vector<u8> out(512);
    for (const u64 entry :
         {u64{0x8000'0000'0000'1200}, u64{0x8000'00FF'FFFF'0000}}) {  // misaligned, beyond the end
        damage(l2, entry);
        {
            auto image = open_file(p);
            const Status s = image->read(0, out);
            ASSERT_FALSE(s.ok());
            EXPECT_NE(s.error().message.find("damaged"), std::string::npos);
            EXPECT_FALSE(image->write(64 * KiB, out).ok());
        }
        EXPECT_NE(error_of(p, rw).find("marked as corrupt"), std::string::npos) << error_of(p, rw);
        auto image = open_file(p, ro);
        EXPECT_TRUE(image->read(64 * KiB, out).ok());
        const auto result = image->check(Qcow2::Repair::no);
        ASSERT_TRUE(result.ok());
        EXPECT_GT(result->corruptions, 0u);
        if (have_qemu_img()) {
            EXPECT_EQ(qemu_img("check " + p), 2);
        }
    }
    // Data in the refcount block's place; the L2 table in the L1 table's.
    for (const auto& [at, value] :
         {std::pair{l2, be64(good, 48) | qcow2::kCopied}, {l1, l1 | qcow2::kCopied}}) {
        damage(at, value);
        auto opened = open_qcow2(p, rw, true);
        if (opened.ok()) {
            EXPECT_FALSE((*opened)->write(0, out).ok());
        }
        opened = Error{""};
        const std::vector<u8> now = read_file(p);
        EXPECT_TRUE(std::equal(now.begin() + 512, now.end(), good.begin() + 512) || at == l2 || at == l1);
        EXPECT_EQ(now[72 + 7] & 2, 2) << "marked";
    }
    // A count too low and one too high: found by check, put right on request.
    const u64 block = be64(good, be64(good, 48));
    damage(block + 8, 0x0001'0001'0000'0001);
    auto checked = open_qcow2(p, ro, false);
    const auto result = (*checked)->check(Qcow2::Repair::no);
    ASSERT_TRUE(result.ok());
    EXPECT_GT(result->corruptions + result->leaks, 0u);
    checked = Error{""};
    {
        auto repaired = open_qcow2(p, rw, false, true);
        ASSERT_TRUE(repaired.ok()) << repaired.error().message;
        const auto fixed = (*repaired)->check(Qcow2::Repair::all);
        ASSERT_TRUE(fixed.ok());
        EXPECT_EQ(fixed->corruptions, fixed->corruptions_fixed);
        EXPECT_EQ(fixed->leaks, fixed->leaks_fixed);
        expect_clean(**repaired);
    }
    if (have_qemu_img()) {
        EXPECT_EQ(qemu_img("check " + p), 0);
    }
}

}  // namespace
}  // namespace mynah::test
