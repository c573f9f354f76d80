// The command line: QEMU's spelling in, a MachineConfig or one clear line out.
#include "frontend/options.h"
#include "frontend/complaint.h"

#include <gtest/gtest.h>

#include "frontend/char_spec.h"
#include "frontend/key_values.h"

namespace mynah {
namespace {

constexpr HostTime kNow{1000000, 1003600};

Result<CommandLine> parse(std::vector<std::string> words) {
    return parse_command_line(words, kNow);
}

MachineConfig good(std::vector<std::string> words) {
    auto line = parse(std::move(words));
    EXPECT_TRUE(line.ok()) << line.error().message;
    return line.ok() ? line->machine : MachineConfig{};
}

std::string bad(std::vector<std::string> words) {
    return complaint(parse, std::move(words));
}

TEST(Options, DefaultsAreQemus) {
    const MachineConfig c = good({});
    EXPECT_EQ(c.memory, 256 * MiB);
    EXPECT_EQ(c.cpu, "max");
    EXPECT_EQ(c.clock, ClockMode::realtime);
    EXPECT_EQ(c.rtc_seconds, kNow.utc);
    ASSERT_EQ(c.serials.size(), 1u);
    EXPECT_EQ(c.serials[0].spec, "mon:stdio");
}

TEST(Options, TheLineOfTheIssue) {
    const MachineConfig c =
        good({"-m", "256", "-kernel", "K", "-initrd", "I", "-append", "console=ttyS0", "-nographic"});
    EXPECT_EQ(c.kernel, "K");
    EXPECT_EQ(c.initrd, "I");
    EXPECT_EQ(c.append, "console=ttyS0");
    EXPECT_EQ(c.serials[0].spec, "mon:stdio");
    EXPECT_EQ(c.monitor.spec, "none");
}

TEST(Options, Memory) {
    EXPECT_EQ(good({"-m", "512M"}).memory, 512 * MiB);
    EXPECT_EQ(good({"-m", "1G"}).memory, GiB);
    EXPECT_EQ(good({"-m", "size=2g"}).memory, 2 * GiB);
    EXPECT_EQ(good({"--m=1.5G"}).memory, 1536 * MiB);
    EXPECT_SAYS(bad({"-m", "lots"}), "-m lots: \"lots\" is not a size");
    EXPECT_SAYS(bad({"-m", "0"}), "at least 1M");
    EXPECT_SAYS(bad({"-m", "99999999999999999999G"}), "not a size");
    EXPECT_SAYS(bad({"-m", "900G"}), "512G");
    EXPECT_SAYS(bad({"-m"}), "needs a value");
}

TEST(Options, AcceptsWhatAsksForWhatIsThere) {
    good({"-accel", "tcg", "-accel", "interp", "-M", "pc-i440fx-7.2", "-vga", "std", "-nodefaults", "-smp",
          "1", "-display", "none", "-nic", "none", "-parallel", "none", "-name", "x"});
    good({"-machine", "pc,accel=tcg", "-smp", "cpus=1,cores=1"});
    good({"-cpu", "qemu64", "-L", "/x", "-L", "/y"});
    EXPECT_SAYS(bad({"-enable-kvm"}), "leave it out");
    EXPECT_SAYS(bad({"-accel", "kvm"}), "use jit, interp or verify");
    EXPECT_SAYS(bad({"-accel", "jit,tb-size=0"}), "tb-size=0");
    EXPECT_SAYS(bad({"-M", "q35"}), "use pc");
    EXPECT_SAYS(bad({"-smp", "2"}), "-smp 1");
    EXPECT_SAYS(bad({"-cpu", "max,+avx"}), "model only");
    EXPECT_EQ(good({"-cpu", "qemu64,kvm=on"}).cpu, "qemu64,kvm=on");
    EXPECT_SAYS(bad({"-cpu", "486,kvm=on"}), "time-stamp counter");
    EXPECT_SAYS(bad({"-cpu", "quemu64"}), "did you mean qemu64?");
}

TEST(Options, SuggestsWhenUnknown) {
    EXPECT_EQ(bad({"-nografic"}), "unknown option -nografic; did you mean -nographic?");
    EXPECT_EQ(bad({"--kernal", "x"}), "unknown option --kernal; did you mean -kernel?");
    EXPECT_EQ(bad({"-zzzzzzzz"}), "unknown option -zzzzzzzz; --help lists them all");
    EXPECT_EQ(bad({"-k", "de"}), "unknown option -k; --help lists them all");
    EXPECT_EQ(bad({"--nographic=1"}), "-nographic takes no value");
}

TEST(Options, Sound) {
    const MachineConfig c =
        good({"-audiodev", "wav,id=a,path=x.wav", "-audiodev", "none,id=b", "-machine", "pc,pcspk-audiodev=b",
              "-device", "sb16,audiodev=a,irq=7,iobase=0x240,dma=3"});
    ASSERT_EQ(c.audio.size(), 2u);
    EXPECT_EQ(c.audio[0].driver, AudioDriver::wav);
    EXPECT_EQ(c.audio[0].path, "x.wav");
    EXPECT_EQ(c.speaker_audiodev, "b");
    ASSERT_TRUE(c.sb16);
    EXPECT_EQ(c.sb16->audiodev, "a");
    EXPECT_EQ(c.sb16->irq, 7);
    EXPECT_EQ(c.sb16->iobase, 0x240);
    EXPECT_EQ(c.sb16->dma, 3);
    EXPECT_EQ(c.sb16->dma16, 5);
    EXPECT_SAYS(bad({"-audiodev", "wav"}), "needs an id");
    EXPECT_SAYS(bad({"-audiodev", "oss,id=a"}), "use wav, sdl or none");
    EXPECT_SAYS(bad({"-audiodev", "none,id=a,path=x"}), "unknown key");
    EXPECT_SAYS(bad({"-audiodev", "none,id=a", "-audiodev", "none,id=a"}), "given twice");
    EXPECT_SAYS(bad({"-machine", "pc,pcspk-audiodev=z"}), "no -audiodev with id=z");
    EXPECT_SAYS(bad({"-device", "sb16,audiodev=z"}), "no -audiodev with id=z");
    EXPECT_SAYS(bad({"-device", "sb16,irq=4"}), "irq is");
    EXPECT_SAYS(bad({"-device", "sb16,wave=4"}), "has no key");
    EXPECT_SAYS(parse({"-audiodev", "help"})->list, "wav");
}

TEST(Options, DuplicatesMustAgree) {
    good({"-m", "1G", "-m", "1G", "-no-reboot", "-no-reboot"});
    EXPECT_SAYS(bad({"-m", "1G", "-m", "2G"}), "given twice");
    EXPECT_SAYS(bad({"-kernel", "a", "-kernel", "b"}), "given twice");
}

TEST(Options, HelpAndVersionWin) {
    EXPECT_EQ(parse({"--help", "-bogus"})->action, CommandLine::Action::help);
    EXPECT_EQ(parse({"-version"})->action, CommandLine::Action::version);
    EXPECT_EQ(parse({"-cpu", "help"})->action, CommandLine::Action::list);
    EXPECT_SAYS(parse({"-cpu", "help"})->list, "qemu64");
    EXPECT_SAYS(parse({"-d", "help"})->list, "cpu_reset");
    EXPECT_SAYS(parse({"-M", "help"})->list, "i440FX");
    EXPECT_SAYS(parse({"-device", "help"})->list, "pc-testdev");
    EXPECT_SAYS(parse({"-accel", "help"})->list, "tcg");
    EXPECT_SAYS(parse({"-vga", "help"})->list, "std");
    EXPECT_SAYS(parse({"-display", "help"})->list, "none");
    EXPECT_SAYS(help_text(), "-kernel");
    EXPECT_SAYS(cpu_list(), "qemu64");
}

TEST(Options, Drives) {
    MachineConfig c =
        good({"-hda", "a", "-cdrom", "c", "-fda", "f", "-drive", "file=x,,y,format=raw,readonly=on"});
    ASSERT_EQ(c.drives.size(), 4u);
    EXPECT_EQ(c.drives[1].media, DriveMedia::cdrom);
    EXPECT_EQ(c.drives[1].index, 2u);
    EXPECT_TRUE(c.drives[1].read_only);
    EXPECT_EQ(c.drives[2].interface, DriveInterface::floppy);
    EXPECT_EQ(c.drives[3].file, "x,y");
    EXPECT_EQ(c.drives[3].index, 1u);
    EXPECT_TRUE(c.drives[3].read_only);

    c = good({"disk.img", "-snapshot"});
    EXPECT_EQ(c.drives[0].file, "disk.img");
    EXPECT_TRUE(c.drives[0].snapshot);
    c = good({"-drive", "file=a,if=ide,bus=1,unit=1", "-drive", "if=floppy,file=b,index=1,snapshot=on"});
    EXPECT_EQ(c.drives[0].index, 3u);
    EXPECT_EQ(c.drives[1].index, 1u);
    EXPECT_TRUE(c.drives[1].snapshot);

    EXPECT_SAYS(bad({"-hda", "a", "-drive", "file=b,index=0"}), "both want IDE place 0");
    EXPECT_SAYS(bad({"-drive", "file=a,format=vmdk"}), "raw");
    EXPECT_SAYS(bad({"-drive", "file=a,if=scsi"}), "if=ide, if=virtio, if=floppy");
    EXPECT_SAYS(bad({"-drive", "file=a,index=4"}), "0 to 3");
    EXPECT_SAYS(bad({"-drive", "file=a,bogus=1"}), "unknown key \"bogus\"");
    EXPECT_SAYS(bad({"-drive", "if=ide"}), "needs file=");
    EXPECT_SAYS(bad({"-drive", ""}), "empty part");
    EXPECT_SAYS(bad({"-hda", ""}), "-hda needs a file name");
    EXPECT_SAYS(bad({"-hda", "a", "-hdb", "b", "-hdc", "c", "-hdd", "d", "-drive", "file=e"}),
                "no IDE place left");
}

TEST(Options, AWindowWhereThereIsAScreen) {
    const auto with = [](WindowSupport window, std::vector<std::string> words) {
        return parse_command_line(words, kNow, window);
    };
    EXPECT_TRUE(with(WindowSupport::ready, {})->machine.display);
    EXPECT_EQ(with(WindowSupport::ready, {})->machine.serials[0].spec, "null");
    EXPECT_TRUE(with(WindowSupport::ready, {"-display", "sdl"})->machine.display);
    EXPECT_FALSE(with(WindowSupport::ready, {"-display", "none"})->machine.display);
    EXPECT_FALSE(with(WindowSupport::ready, {"-nographic"})->machine.display);
    EXPECT_FALSE(with(WindowSupport::no_display, {})->machine.display);
    EXPECT_SAYS(with(WindowSupport::no_display, {"-display", "sdl"}).error().message, "DISPLAY");
    EXPECT_SAYS(with(WindowSupport::not_built, {"-display", "sdl"}).error().message, "libsdl2-dev");
    EXPECT_SAYS(with(WindowSupport::ready, {"-display", "sdl", "-nographic"}).error().message, "contradicts");
    EXPECT_SAYS(bad({"-display", "gtk"}), "use -display sdl or none");
}

TEST(Options, StreamsAsInQemu) {
    MachineConfig c = good({"-nographic", "-serial", "file:x"});
    EXPECT_EQ(c.monitor.spec, "stdio");
    c = good({"-nographic", "-monitor", "none"});
    EXPECT_EQ(c.serials[0].spec, "stdio");
    c = good({"-nographic", "-nodefaults", "-serial", "stdio"});
    EXPECT_EQ(c.serials[0].spec, "stdio");
    EXPECT_EQ(c.monitor.spec, "none");
    c = good({"-display", "none"});
    EXPECT_EQ(c.serials[0].spec, "null");
    c = good(
        {"-display", "none", "-serial", "stdio", "-serial", "null", "-monitor", "unix:/tmp/m,server,nowait"});
    EXPECT_EQ(c.serials.size(), 2u);
    c = good({"-nodefaults", "-nographic"});
    EXPECT_TRUE(c.serials.empty());
    EXPECT_SAYS(bad({"-serial", "stdio", "-monitor", "stdio"}), "mon:stdio");
    EXPECT_SAYS(bad({"-serial", "tcp:1"}), "unix:PATH");
    EXPECT_SAYS(
        bad({"-serial", "null", "-serial", "null", "-serial", "null", "-serial", "null", "-serial", "null"}),
        "four");
    EXPECT_EQ(good({"-debugcon", "file:d", "-global", "isa-debugcon.iobase=0x402"}).debugcon_port, 0x402);
}

TEST(Options, CharSpecs) {
    const auto spec = parse_char_spec("unix:/a,server=on,wait=off");
    ASSERT_TRUE(spec.ok());
    EXPECT_TRUE(spec->server);
    EXPECT_FALSE(spec->wait);
    EXPECT_TRUE(parse_char_spec("unix:/a,server")->wait);
    EXPECT_FALSE(parse_char_spec("unix:/a")->server);
    EXPECT_FALSE(parse_char_spec("unix:").ok());
    EXPECT_FALSE(parse_char_spec("file:").ok());
    EXPECT_FALSE(parse_char_spec("mon:null").ok());
}

TEST(Options, Devices) {
    MachineConfig c = good({"-device", "isa-debug-exit,iobase=0xf4,iosize=0x04", "-device", "pc-testdev"});
    ASSERT_TRUE(c.isa_debug_exit);
    EXPECT_EQ(c.isa_debug_exit->iobase, 0xF4);
    EXPECT_EQ(c.isa_debug_exit->iosize, 4);
    EXPECT_TRUE(c.pc_testdev);
    EXPECT_EQ(good({"-device", "isa-debug-exit"}).isa_debug_exit->iobase, 0x501);
    EXPECT_SAYS(bad({"-device", "sb32"}), "no device \"sb32\"");
    EXPECT_SAYS(bad({"-device", "isa-debug-exit,iobase=70000"}), "0xffff");
    EXPECT_SAYS(bad({"-device", "isa-debug-exit,iosize=3"}), "1, 2 or 4");
    EXPECT_SAYS(bad({"-device", "isa-debug-exit,port=1"}), "no key \"port\"");
}

TEST(Options, VirtioDevices) {
    MachineConfig c = good({"-drive", "file=a,if=virtio", "-drive", "file=b,if=none,id=d1", "-device",
                            "virtio-blk-pci,drive=d1,serial=S1,bootindex=2", "-device", "virtio-rng-pci"});
    ASSERT_EQ(c.drives.size(), 2u);
    EXPECT_EQ(c.drives[0].interface, DriveInterface::virtio);
    EXPECT_EQ(c.drives[0].index, 0u);
    EXPECT_EQ(c.drives[1].interface, DriveInterface::virtio);
    EXPECT_EQ(c.drives[1].index, 1u);
    EXPECT_EQ(c.drives[1].serial, "S1");
    EXPECT_EQ(c.drives[1].boot_index, 2u);
    EXPECT_EQ(c.virtio_rngs, 1u);
    EXPECT_SAYS(bad({"-drive", "file=a,if=none"}), "needs id=");
    EXPECT_SAYS(bad({"-drive", "file=a,if=none,id=x"}), "no -device has drive=x");
    EXPECT_SAYS(bad({"-device", "virtio-blk-pci"}), "needs drive=ID");
    EXPECT_SAYS(bad({"-device", "virtio-blk-pci,drive=x"}), "no -drive with the id \"x\"");
    EXPECT_SAYS(bad({"-drive", "file=a,if=ide,id=x", "-device", "virtio-blk-pci,drive=x"}), "in use already");
    EXPECT_SAYS(bad({"-drive", "file=a,if=virtio,media=cdrom"}), "use if=ide");
    EXPECT_SAYS(bad({"-device", "virtio-blk-pci,drive=x,scsi=on"}), "no key \"scsi\"");

    c = good({"-display", "none", "-device", "virtio-serial-pci", "-device", "virtconsole,chardev=c",
              "-chardev", "socket,id=c,path=/tmp/x,server=on,wait=off"});
    ASSERT_EQ(c.virtio_consoles.size(), 1u);
    EXPECT_EQ(c.virtio_consoles[0].spec, "unix:/tmp/x,server=on,wait=off");
    c = good({"-display", "none", "-serial", "none", "-device", "virtio-serial", "-device",
              "virtconsole,chardev=c", "-chardev", "stdio,id=c,mux=on"});
    EXPECT_EQ(c.virtio_consoles[0].spec, "mon:stdio");
    EXPECT_SAYS(bad({"-device", "virtconsole,chardev=c"}), "virtio-serial-pci before it");
    EXPECT_SAYS(bad({"-device", "virtio-serial", "-device", "virtconsole,chardev=c"}), "no -chardev");
    EXPECT_SAYS(bad({"-chardev", "stdio"}), "needs id=");
    EXPECT_SAYS(bad({"-chardev", "pty,id=a"}), "not supported");
    EXPECT_SAYS(bad({"-nographic", "-chardev", "stdio,id=c", "-device", "virtio-serial", "-device",
                     "virtconsole,chardev=c"}),
                "can use stdio");
}

TEST(Options, TimeAndClock) {
    EXPECT_EQ(good({"-rtc", "base=localtime"}).rtc_seconds, kNow.local);
    EXPECT_EQ(good({"-rtc", "base=2000-03-01T00:00:01"}).rtc_seconds, 951868801);
    EXPECT_EQ(good({"-rtc", "base=2024-02-29"}).rtc_seconds, 1709164800);
    EXPECT_SAYS(bad({"-rtc", "base=2023-02-29"}), "2024-01-31");
    EXPECT_SAYS(bad({"-rtc", "base=now"}), "utc, localtime");
    MachineConfig c = good({"--clock", "deterministic"});
    EXPECT_EQ(c.clock, ClockMode::deterministic);
    EXPECT_EQ(c.rtc_seconds, kDeterministicRtc);
    c = good({"-icount", "shift=3"});
    EXPECT_EQ(c.clock, ClockMode::deterministic);
    EXPECT_EQ(c.icount_shift, 3u);
    EXPECT_SAYS(bad({"-icount", "auto"}), "0 to 10");
    EXPECT_SAYS(bad({"--clock=realtime", "-icount", "shift=1"}), "contradicts");
    EXPECT_SAYS(bad({"--clock", "fast"}), "deterministic");
    EXPECT_EQ(good({"-seed", "0x10"}).seed, 16u);
}

TEST(Options, BootAndTheRest) {
    EXPECT_EQ(good({"-boot", "dc"}).boot_order, "dc");
    EXPECT_TRUE(good({"-boot", "order=a,menu=on"}).boot_menu);
    EXPECT_SAYS(bad({"-boot", "q"}), "not a boot device");
    EXPECT_SAYS(bad({"-boot", "once=d"}), "order and menu");
    const MachineConfig c = good({"-no-reboot", "-no-shutdown", "-S", "-d", "int,cpu_reset", "-D", "log"});
    EXPECT_FALSE(c.reboot);
    EXPECT_FALSE(c.shut_down);
    EXPECT_TRUE(c.start_paused);
    EXPECT_EQ(c.log_items, "int,cpu_reset");
    EXPECT_SAYS(bad({"-d", "bogus"}), "unknown log item");
    EXPECT_SAYS(bad({"-append", "x"}), "needs -kernel");
    EXPECT_SAYS(bad({"-kernel", "k", "-bios", "b"}), "drop one");
    EXPECT_SAYS(bad({"-qmp", "x"}), "not there yet");
}

TEST(KeyValues, SplitsAndMeasures) {
    const auto kv = parse_key_values("a=b,,c,d=e=f,g");
    ASSERT_TRUE(kv.ok());
    ASSERT_EQ(kv->size(), 3u);
    EXPECT_EQ((*kv)[0].value, "b,c");
    EXPECT_EQ((*kv)[1].value, "e=f");
    EXPECT_FALSE((*kv)[2].has_value);
    EXPECT_FALSE(parse_key_values("a=b,").ok());
    EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
    EXPECT_EQ(edit_distance("ab", "ba"), 1u);
    EXPECT_EQ(closest("seriel", {"serial", "smp"}), "serial");
    EXPECT_FALSE(parse_number("12x").ok());
    EXPECT_FALSE(parse_number("").ok());
    EXPECT_FALSE(parse_number("0x").ok());
}

}  // namespace
}  // namespace mynah
