// The library's files: written, read back, and what a person gets wrong in them.
#include "desktop/library.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace mynah {
namespace {

namespace fs = std::filesystem;

#define EXPECT_SAYS(message, part) EXPECT_NE((message).find(part), std::string::npos) << message

class LibraryTest : public ::testing::Test {
  protected:
    LibraryTest()
        : root_(fs::temp_directory_path() / ("mynah-library-" + std::to_string(::getpid()))),
          library_((root_ / "machines").string(), (root_ / "data").string()) {
        fs::remove_all(root_);
    }
    ~LibraryTest() override { fs::remove_all(root_); }

    void write(const std::string& name, const std::string& text) {
        fs::create_directories(root_ / "machines");
        std::ofstream(root_ / "machines" / (name + ".toml")) << text;
    }
    std::string wrong(const std::string& text) {
        write("x", text);
        const auto p = library_.load("x");
        EXPECT_FALSE(p.ok()) << text;
        if (p.ok()) return "";
        EXPECT_EQ(p.error().message.find('\n'), std::string::npos);
        return p.error().message;
    }

    fs::path root_;
    Library library_;
};

TEST_F(LibraryTest, WhatIsSavedIsRead) {
    Profile p;
    p.name = "Old PC";
    p.memory = 48;
    p.processor = "pentium";
    p.boot = "dc";
    p.disks = {"disk.img", "/a \"b\"\\c\n.img"};
    p.cdrom = "/cd's,1.iso";
    p.floppy = "f.img";
    p.keep_writes = false;
    p.kernel = "k";
    p.initrd = "i";
    p.append = "quiet \t\x01 x";
    p.options = {"-rtc", "base=localtime"};
    ASSERT_TRUE(library_.save(p, true).ok());
    const auto q = library_.load("Old PC");
    ASSERT_TRUE(q.ok()) << q.error().message;
    EXPECT_EQ(q->name, p.name);
    EXPECT_EQ(q->memory, p.memory);
    EXPECT_EQ(q->processor, p.processor);
    EXPECT_EQ(q->boot, p.boot);
    EXPECT_EQ(q->disks, p.disks);
    EXPECT_EQ(q->cdrom, p.cdrom);
    EXPECT_EQ(q->floppy, p.floppy);
    EXPECT_EQ(q->keep_writes, p.keep_writes);
    EXPECT_EQ(q->kernel, p.kernel);
    EXPECT_EQ(q->initrd, p.initrd);
    EXPECT_EQ(q->append, p.append);
    EXPECT_EQ(q->options, p.options);
    // Nothing half-written is left.
    EXPECT_EQ(std::distance(fs::directory_iterator(root_ / "machines"), fs::directory_iterator()), 1);
}

TEST_F(LibraryTest, AllKeysAreOptional) {
    write("x", "");
    const auto p = library_.load("x");
    ASSERT_TRUE(p.ok()) << p.error().message;
    EXPECT_EQ(p->memory, 256u);
    EXPECT_EQ(p->processor, "max");
}

TEST_F(LibraryTest, MistakesAreNamedWithTheirLine) {
    EXPECT_SAYS(wrong("memory = 64\nmemroy = 3\n"),
                "machines/x.toml:2: unknown key \"memroy\"; did you mean memory?");
    EXPECT_SAYS(wrong("\n\nzzzz = 1\n"), "x.toml:3: unknown key \"zzzz\"; there are memory, processor");
    EXPECT_SAYS(wrong("[machine]\nmemory = 1\n"), "x.toml:1: unknown key \"machine\"");
    EXPECT_SAYS(wrong("memory = \"lots\"\n"), "x.toml:1: memory is a number of MiB");
    EXPECT_SAYS(wrong("memory = 0\n"), "x.toml:1: memory is a number of MiB");
    EXPECT_SAYS(wrong("memory = 1.5\n"), "x.toml:1: memory is a number of MiB");
    EXPECT_SAYS(wrong("processor = 486\n"), "x.toml:1: processor is a text in quotes");
    EXPECT_SAYS(wrong("disks = \"disk.img\"\n"), "x.toml:1: disks is a list of texts");
    EXPECT_SAYS(wrong("disks = [\"a\",\n1]\n"), "x.toml:2: disks is a list of texts");
    EXPECT_SAYS(wrong("disks = [\"a\", \"b\", \"c\", \"d\"]\n"), "at most 3 disks");
    EXPECT_SAYS(wrong("keep_writes = 1\n"), "x.toml:1: keep_writes is true or false");
    EXPECT_SAYS(wrong("memory = 64\nmemory = 65\n"), "x.toml:2: this is not TOML");
    EXPECT_SAYS(wrong("memory 64\n"), "x.toml:1: this is not TOML");
    EXPECT_SAYS(wrong(std::string(2'000'000, '#')), "too long");
}

TEST_F(LibraryTest, ListsByNameAndKeepsWhatIsWrong) {
    EXPECT_TRUE(library_.list().empty());
    write("b", "memory = 8\n");
    write("a", "bogus = 1\n");
    std::ofstream(root_ / "machines" / "notes.txt") << "x";
    const auto all = library_.list();
    ASSERT_EQ(all.size(), 2u);
    EXPECT_EQ(all[0].name, "a");
    EXPECT_FALSE(all[0].profile.ok());
    EXPECT_TRUE(all[1].profile.ok());
}

TEST_F(LibraryTest, NewOnesDoNotReplaceOthers) {
    Profile p;
    p.name = "x";
    ASSERT_TRUE(library_.save(p, true).ok());
    const Status again = library_.save(p, true);
    ASSERT_FALSE(again.ok());
    EXPECT_SAYS(again.error().message, "another name");
    EXPECT_TRUE(library_.save(p, false).ok());
    EXPECT_TRUE(library_.remove("x").ok());
    EXPECT_FALSE(library_.remove("x").ok());
    p.name = "../x";
    EXPECT_FALSE(library_.save(p, true).ok());
    EXPECT_FALSE(library_.load("../x").ok());
}

TEST_F(LibraryTest, SaysWhichMachinesThereAre) {
    EXPECT_SAYS(library_.load("x").error().message, "the library is empty");
    write("dos", "");
    EXPECT_SAYS(library_.load("x").error().message, "there is no machine \"x\"; there are dos");
}

TEST_F(LibraryTest, DisksAreMadeOnce) {
    ASSERT_TRUE(library_.create_disk("x", "disk.img", 5000).ok());
    const std::string path = library_.folder_of("x") + "/disk.img";
    EXPECT_EQ(fs::file_size(path), 5000 * MiB);
    const Status again = library_.create_disk("x", "disk.img", 1);
    ASSERT_FALSE(again.ok());
    EXPECT_SAYS(again.error().message, "exists already");
    EXPECT_EQ(fs::file_size(path), 5000 * MiB);
}

TEST_F(LibraryTest, IsWhereXdgSays) {
    ::setenv("HOME", "/home/somebody", 1);
    ::unsetenv("XDG_CONFIG_HOME");
    ::setenv("XDG_DATA_HOME", "relative", 1);  // does not count
    EXPECT_EQ(Library::of_user()->file_of("x"), "/home/somebody/.config/mynah/machines/x.toml");
    EXPECT_EQ(Library::of_user()->folder_of("x"), "/home/somebody/.local/share/mynah/x");
    ::setenv("XDG_CONFIG_HOME", "/c", 1);
    ::setenv("XDG_DATA_HOME", "/d", 1);
    EXPECT_EQ(Library::of_user()->file_of("x"), "/c/mynah/machines/x.toml");
    EXPECT_EQ(Library::of_user()->folder_of("x"), "/d/mynah/x");
}

}  // namespace
}  // namespace mynah
