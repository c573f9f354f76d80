// A profile as a command line, and the templates.
#include "desktop/profile.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "frontend/options.h"

namespace mynah {
namespace {

MachineConfig config_of(const Profile& p, std::vector<std::string> typed = {}) {
    const auto line = parse_command_line(profile_arguments(p, "/data/x", typed), {1000, 4600});
    EXPECT_TRUE(line.ok()) << line.error().message;
    return line.ok() ? line->machine : MachineConfig{};
}

const DriveConfig* drive(const MachineConfig& c, DriveInterface interface, unsigned index) {
    const auto at = std::find_if(c.drives.begin(), c.drives.end(), [&](const DriveConfig& d) {
        return d.interface == interface && d.index == index;
    });
    return at != c.drives.end() ? &*at : nullptr;
}

Profile sample() {
    Profile p;
    p.name = "x";
    p.memory = 64;
    p.processor = "pentium3";
    p.disks = {"disk.img", "/abs/two.img"};
    p.cdrom = "/cd.iso";
    p.options = {"-rtc", "base=localtime"};
    return p;
}

TEST(Profile, BecomesAMachine) {
    const MachineConfig c = config_of(sample());
    EXPECT_EQ(c.memory, 64 * MiB);
    EXPECT_EQ(c.cpu, "pentium3");
    EXPECT_EQ(c.rtc_seconds, 4600);
    ASSERT_NE(drive(c, DriveInterface::ide, 0), nullptr);
    EXPECT_EQ(drive(c, DriveInterface::ide, 0)->file, "/data/x/disk.img");
    EXPECT_EQ(drive(c, DriveInterface::ide, 1)->file, "/abs/two.img");
    EXPECT_EQ(drive(c, DriveInterface::ide, 2)->file, "/cd.iso");
    // Empty, so that a floppy can be put in later.
    ASSERT_NE(drive(c, DriveInterface::floppy, 0), nullptr);
    EXPECT_EQ(drive(c, DriveInterface::floppy, 0)->file, "");
}

TEST(Profile, WhatIsTypedGoesBefore) {
    const MachineConfig c =
        config_of(sample(), {"-m", "128", "--cpu=max", "-hdc", "/other.iso", "-fda", "/f.img"});
    EXPECT_EQ(c.memory, 128 * MiB);
    EXPECT_EQ(c.cpu, "max");
    EXPECT_EQ(drive(c, DriveInterface::ide, 2)->file, "/other.iso");
    EXPECT_EQ(drive(c, DriveInterface::floppy, 0)->file, "/f.img");
}

TEST(Profile, WritesCanBeForgotten) {
    Profile p = sample();
    p.keep_writes = false;
    EXPECT_TRUE(drive(config_of(p), DriveInterface::ide, 0)->snapshot);
}

TEST(Profile, AKernelBootsDirectly) {
    Profile p = sample();
    p.append = "console=ttyS0";
    EXPECT_EQ(config_of(p).kernel, "");  // without a kernel the rest has no use
    p.kernel = "vmlinuz";
    p.initrd = "/initrd";
    const MachineConfig c = config_of(p);
    EXPECT_EQ(c.kernel, "/data/x/vmlinuz");
    EXPECT_EQ(c.initrd, "/initrd");
    EXPECT_EQ(c.append, "console=ttyS0");
}

TEST(Profile, TemplatesMakeMachines) {
    std::vector<std::string_view> ids;
    for (const ProfileTemplate& t : profile_templates()) {
        ids.push_back(t.id);
        EXPECT_EQ(config_of(t.profile).memory, t.profile.memory * MiB);
        EXPECT_GT(t.disk_mib, 0u);
    }
    EXPECT_EQ(ids, (std::vector<std::string_view>{"dos", "old32", "linux32", "linux64"}));
}

TEST(Profile, NamesAreFileNames) {
    for (const char* good : {"x", "Debian 12", "win-3.11_de", "Büro"})
        EXPECT_TRUE(check_profile_name(good).ok()) << good;
    for (const char* bad : {"", "a/b", "..", ".x", "-m", " x", "x ", "a\nb", "a\"b"})
        EXPECT_FALSE(check_profile_name(bad).ok()) << bad;
    EXPECT_FALSE(check_profile_name(std::string(65, 'a')).ok());
}

TEST(Profile, IsDescribedInALine) {
    EXPECT_EQ(describe_profile(sample()), "64 MiB, pentium3, disk.img, two.img, cd.iso");
}

}  // namespace
}  // namespace mynah
