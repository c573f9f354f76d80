// mynah img: what it makes, says and refuses; qemu-img's word counts where there is one.
#include "frontend/img_command.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "block/qcow2/big_endian.h"
#include "support/qemu_img.h"

namespace mynah::test {
namespace {

using nlohmann::json;
using qcow2::load_be, qcow2::store_be;

constexpr int kMistake = 2, kDamaged = 2, kLeaks = 3, kCannotLook = 1, kNothingToCheck = 63;

struct ImgTest : Folder {
    std::string out, err;

    int img(std::vector<std::string> words) {
        testing::internal::CaptureStdout();
        testing::internal::CaptureStderr();
        const int code = run_img_command(words);
        std::fflush(stdout);
        out = testing::internal::GetCapturedStdout();
        err = testing::internal::GetCapturedStderr();
        return code;
    }
    void good(const std::vector<std::string>& words) { EXPECT_EQ(img(words), 0) << err; }
    // One line, and nothing else.
    void bad(const std::vector<std::string>& words, const std::string& part, int code = kMistake) {
        EXPECT_EQ(img(words), code) << part;
        EXPECT_TRUE(err.starts_with("mynah img: ")) << err;
        EXPECT_EQ(std::count(err.begin(), err.end(), '\n'), 1) << err;
        EXPECT_NE(err.find(part), std::string::npos) << err;
        EXPECT_EQ(out, "");
    }
    static json info_of_qemu_img(const std::string& image) {
        std::string text;
        EXPECT_EQ(qemu_img("info --output=json " + image, &text), 0) << text;
        return json::parse(text, nullptr, false);
    }
    json info(const std::string& image) {
        good({"info", "--output", "json", image});
        return json::parse(out, nullptr, false);
    }
    // A MiB of bytes, most of them zeros.
    std::string raw_image() {
        std::vector<u8> bytes(MiB);
        for (size_t i = 0; i < bytes.size(); i += 1000)
            if (i / 100'000 % 3 == 0) bytes[i] = static_cast<u8>(i / 1000 + 1);
        return write_file("source.raw", bytes);
    }
};

TEST_F(ImgTest, MakesRawImages) {
    for (const auto& [size, bytes] :
         {std::pair<std::string, u64>{"3M", 3 * MiB}, {"1000", 1024}, {"1k", 1024}}) {
        good({"create", path("a"), size});
        EXPECT_EQ(std::filesystem::file_size(path("a")), bytes) << size;
    }
    EXPECT_EQ(out, "");
}

TEST_F(ImgTest, MakesQcow2AsAsked) {
    REQUIRE_QEMU_IMG();
    const std::string a = path("a.qcow2");
    good({"create", "-f", "qcow2", a, "10G"});
    json j = info_of_qemu_img(a);
    EXPECT_EQ(j["virtual-size"], 10 * GiB);
    EXPECT_EQ(j["cluster-size"], 65536);
    EXPECT_EQ(j["format-specific"]["data"]["compat"], "1.1");
    EXPECT_EQ(qemu_img("check " + a), 0);
    good({"create", "-q", "-f", "qcow2", "-o", "cluster_size=4K,refcount_bits=1", "-o",
          "compression_type=zstd", a, "1.5M"});
    j = info_of_qemu_img(a);
    EXPECT_EQ(j["virtual-size"], 3 * MiB / 2);
    EXPECT_EQ(j["cluster-size"], 4096);
    EXPECT_EQ(j["format-specific"]["data"]["refcount-bits"], 1);
    EXPECT_EQ(j["format-specific"]["data"]["compression-type"], "zstd");
    EXPECT_EQ(qemu_img("check " + a), 0);
    good({"create", "-f", "qcow2", "-o", "compat=0.10", a, "1M"});
    EXPECT_EQ(info_of_qemu_img(a)["format-specific"]["data"]["compat"], "0.10");
}

TEST_F(ImgTest, MakesImagesOverOthers) {
    REQUIRE_QEMU_IMG();
    const std::string raw = raw_image();
    good({"create", "-f", "qcow2", "-b", raw, "-F", "raw", path("over")});
    const json j = info_of_qemu_img(path("over"));
    EXPECT_EQ(j["virtual-size"], MiB);
    EXPECT_EQ(j["backing-filename"], raw);
    EXPECT_EQ(j["backing-filename-format"], "raw");
    EXPECT_EQ(qemu_img("compare " + raw + " " + path("over")), 0);
    // By its name beside the new one, and larger.
    good({"create", "-f", "qcow2", "-o", "backing_file=source.raw,backing_fmt=raw", path("larger"), "2M"});
    EXPECT_EQ(info_of_qemu_img(path("larger"))["virtual-size"], 2 * MiB);
    EXPECT_EQ(info(path("larger"))["full-backing-filename"], raw);
    EXPECT_EQ(qemu_img("compare " + raw + " " + path("larger")), 0);
}

TEST_F(ImgTest, SaysWhatQemuImgSays) {
    REQUIRE_QEMU_IMG();
    const std::string a = path("a"), b = path("b");
    ASSERT_EQ(qemu_img("create -f qcow2 -o cluster_size=8K,compat=0.10 " + a + " 7M"), 0);
    ASSERT_EQ(qemu_img("snapshot -c before " + a), 0);
    ASSERT_EQ(qemu_img("create -f qcow2 -b a -F qcow2 " + b), 0);
    for (const std::string& image : {a, b, raw_image()}) {
        const json theirs = info_of_qemu_img(image), ours = info(image);
        for (const char* key : {"format", "virtual-size", "cluster-size", "backing-filename",
                                "full-backing-filename", "backing-filename-format", "dirty-flag"})
            EXPECT_EQ(ours.contains(key) ? ours[key] : json(), theirs.contains(key) ? theirs[key] : json())
                << key << " of " << image;
    }
    EXPECT_EQ(info(a)["snapshots"][0]["name"], "before");
    good({"info", b});
    for (const std::string part :
         {"file format: qcow2\n", "virtual size: 7 MiB (7340032 bytes)\n", "cluster_size: 65536\n",
          "backing file: a (actual path: ", "compat: 1.1\n"})
        EXPECT_NE(out.find(part), std::string::npos) << out;
    good({"info", "-f", "raw", b});
    EXPECT_NE(out.find("file format: raw\n"), std::string::npos) << "what it is taken for";
}

TEST_F(ImgTest, Converts) {
    REQUIRE_QEMU_IMG();
    const std::string raw = raw_image();
    good({"convert", "-O", "qcow2", raw, path("plain")});
    good({"convert", "-f", "raw", "-O", "qcow2", "-c", "-o", "cluster_size=16K", raw, path("small")});
    for (const std::string name : {"plain", "small"}) {
        EXPECT_EQ(qemu_img("check " + path(name)), 0) << name;
        EXPECT_EQ(qemu_img("compare " + raw + " " + path(name)), 0) << name;
    }
    EXPECT_LT(std::filesystem::file_size(path("small")), std::filesystem::file_size(path("plain")));
    good({"convert", path("small"), path("back")});
    EXPECT_EQ(read_file(path("back")), read_file(raw));
    ASSERT_EQ(qemu_img("convert -c -O qcow2 " + raw + " " + path("theirs")), 0);
    good({"convert", "-q", "-O", "raw", path("theirs"), path("back")});
    EXPECT_EQ(read_file(path("back")), read_file(raw));
}

TEST_F(ImgTest, ChecksAndRepairs) {
    REQUIRE_QEMU_IMG();
    const std::string a = path("a");
    good({"convert", "-O", "qcow2", raw_image(), a});
    good({"check", a});
    EXPECT_NE(out.find("No errors were found"), std::string::npos) << out;
    // The first entry of the first second-level table is forgotten: what it was of is lost room.
    std::vector<u8> bytes = read_file(a);
    const u64 first_level = load_be<u64>(&bytes[40]);
    const u64 second_level = load_be<u64>(&bytes[first_level]) & 0x00FFFFFFFFFFFE00;
    const std::vector<u8> whole = bytes;
    store_be<u64>(&bytes[second_level], 0);
    write_file("a", bytes);
    EXPECT_EQ(img({"check", "-f", "qcow2", a}), kLeaks);
    EXPECT_NE(out.find("1 leaked clusters were found"), std::string::npos) << out;
    good({"check", "-r", "leaks", a});
    EXPECT_EQ(qemu_img("check " + a), 0);
    // Twice in use, counted once: what is written to one place is seen in another.
    bytes = whole;
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(second_level), 8,
                bytes.begin() + static_cast<std::ptrdiff_t>(second_level) + 40);
    write_file("a", bytes);
    EXPECT_EQ(img({"check", a}), kDamaged);
    EXPECT_EQ(img({"check", "-r", "leaks", a}), kDamaged) << "only leaks were to be repaired";
    good({"check", "-r", "all", a});
    EXPECT_EQ(qemu_img("check " + a), 0);
}

TEST_F(ImgTest, WhatCannotBeChecked) {
    bad({"check", path("nothing")}, "nothing", kCannotLook);
    bad({"check", raw_image()}, "nothing to check", kNothingToCheck);
    bad({"check", "-f", "raw", path("nothing")}, "nothing to check", kNothingToCheck);
    bad({"check", "-f", "qcow2", raw_image()}, "qcow2", kCannotLook);
    bad({"check", "-f", "vdi", raw_image()}, "vdi", kCannotLook);
}

TEST_F(ImgTest, MistakesAreSaidInALine) {
    const std::string raw = raw_image(), a = path("a");
    bad({}, "mynah img --help");
    bad({"resize", a, "1G"}, "resize");
    bad({"create"}, "file");
    bad({"create", a}, "needs a size");
    bad({"create", a, "ten"}, "ten");
    bad({"create", a, "-5"}, "-5");
    bad({"create", a, "0"}, "no bytes");
    bad({"create", a, "1M", "2M"}, "2M");
    bad({"create", "-f", "vmdk", a, "1M"}, "vmdk");
    bad({"create", "-x", a, "1M"}, "-x");
    bad({"create", path("no/folder"), "1M"}, "no/folder");
    bad({"create", "-o", "cluster_size=64K", a, "1M"}, "give -f qcow2");
    bad({"create", "-b", raw, "-F", "raw", a}, "give -f qcow2");
    bad({"create", "-f", "qcow2", "-b", raw, a}, "needs -F");
    bad({"create", "-f", "qcow2", "-b", raw, "-F", "vmdk", a}, "vmdk");
    bad({"create", "-f", "qcow2", "-b", "nowhere", "-F", "raw", a}, "nowhere");
    bad({"create", "-f", "qcow2", "-b", raw, "-F", "qcow2", a}, "source.raw");
    const auto option = [&](const std::string& text, const std::string& part) {
        bad({"create", "-f", "qcow2", "-o", text, a, "1M"}, part);
    };
    option("cluster_size=5000", "power of two");
    option("cluster_size=4M", "512 to 2M");
    option("compat=2", "compat is");
    option("refcount_bits=3", "1, 2, 4");
    option("compression_type=lz4", "zlib or zstd");
    option("encryption=on", "not supported");
    option("compat=0.10,refcount_bits=64", "16 bits only");
    option("compat=0.10,compression_type=zstd", "zlib compression only");
    bad({"info", path("nothing")}, "nothing");
    bad({"info", "--output", "xml", raw}, "xml");
    bad({"info", "-f", "qcow2", raw}, "qcow2");
    bad({"check", "-r", "everything", raw}, "everything");
    bad({"convert", raw}, "target");
    bad({"convert", path("nothing"), a}, "nothing");
    bad({"convert", "-O", "vdi", raw, a}, "vdi");
    bad({"convert", "-c", raw, a}, "give -O qcow2");
    bad({"convert", "-O", "qcow2", "-o", "backing_file=source.raw", raw, a}, "stands alone");
    EXPECT_FALSE(std::filesystem::exists(a)) << "none of them has made anything";
}

TEST_F(ImgTest, Help) {
    good({"--help"});
    for (const std::string part : {"create", "info", "check", "convert"})
        EXPECT_NE(out.find(part), std::string::npos) << out;
    good({"create", "--help"});
    EXPECT_NE(out.find("cluster_size=64K"), std::string::npos) << out;
}

}  // namespace
}  // namespace mynah::test
