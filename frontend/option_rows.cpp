// The table of options, in the order of the help.
#include "frontend/option_parser.h"

namespace mynah {

namespace {

template <Status (OptionParser::*member)(const std::string&)>
Status call(OptionParser& p, const std::string& v) {
    return (p.*member)(v);
}

}  // namespace

const std::vector<OptionRow>& option_rows() {
    using P = OptionParser;
    using S = const std::string&;
    constexpr auto ide = DriveInterface::ide, floppy = DriveInterface::floppy;
    constexpr auto disk = DriveMedia::disk, cdrom = DriveMedia::cdrom;
    static const std::vector<OptionRow> rows = {
        {"m", "SIZE", "guest memory: MiB, or with K, M, G (256)", call<&P::memory>},
        {"smp", "N", "processors (1)", call<&P::smp>},
        {"cpu", "MODEL", "processor model (max); -cpu help lists them; MODEL,kvm=on: KVM's clock",
         call<&P::cpu>},
        {"M", "pc[,pcspk-audiodev=ID]", "machine: pc (i440FX + PIIX3); where its speaker plays",
         call<&P::machine>},
        {"machine", "pc", "the same as -M", call<&P::machine>},
        {"accel", "jit|interp|verify[,tb-size=MiB]", "how guest code runs (tcg means jit)",
         call<&P::accelerator>, true},
        {"perfmap", "", "name translated code in /tmp/perf-PID.map for Linux perf",
         [](P& p, S) -> Status { return p.config().perf_map = true, Ok{}; }},
        {"kernel", "FILE", "boot a bzImage, multiboot or PVH kernel without firmware",
         [](P& p, S v) -> Status { return p.config().kernel = v, Ok{}; }},
        {"initrd", "FILE", "initial RAM disk, or multiboot modules: \"a args,b args\"",
         [](P& p, S v) -> Status { return p.config().initrd = v, Ok{}; }},
        {"append", "TEXT", "the kernel's command line",
         [](P& p, S v) -> Status { return p.config().append = v, Ok{}; }},
        {"bios", "FILE", "firmware image (SeaBIOS, OVMF)",
         [](P& p, S v) -> Status { return p.config().bios = v, Ok{}; }},
        {"L", "FOLDER", "look for firmware here first",
         [](P& p, S v) -> Status {
             auto& path = p.config().firmware_path;
             path.insert(path.begin(), v);
             return Ok{};
         },
         true},
        {"hda", "FILE", "IDE disks", [](P& p, S v) { return p.drives_.add("-hda", ide, disk, 0, v); }},
        {"hdb", "FILE", "", [](P& p, S v) { return p.drives_.add("-hdb", ide, disk, 1, v); }},
        {"hdc", "FILE", "", [](P& p, S v) { return p.drives_.add("-hdc", ide, disk, 2, v); }},
        {"hdd", "FILE", "", [](P& p, S v) { return p.drives_.add("-hdd", ide, disk, 3, v); }},
        {"cdrom", "FILE", "CD-ROM image",
         [](P& p, S v) { return p.drives_.add("-cdrom", ide, cdrom, 2, v); }},
        {"fda", "FILE", "floppy images", [](P& p, S v) { return p.drives_.add("-fda", floppy, disk, 0, v); }},
        {"fdb", "FILE", "", [](P& p, S v) { return p.drives_.add("-fdb", floppy, disk, 1, v); }},
        {"drive",
         "file=F,if=ide|virtio|floppy|none,id=ID,index=N,media=disk|cdrom,format=raw|qcow2,readonly=on,"
         "snapshot=on,discard=unmap",
         "a drive", [](P& p, S v) { return p.drives_.add_drive(v); }, true},
        {"snapshot", "", "keep writes to disks in memory",
         [](P& p, S) -> Status { return p.snapshot_ = true, Ok{}; }},
        {"boot", "[order=]LETTERS[,menu=on]", "boot order: a floppy, c disk, d CD-ROM, n network (cad)",
         call<&P::boot>},
        {"serial", "CHARDEV",
         "a serial port: stdio, mon:stdio, file:PATH, unix:PATH[,server][,nowait], null, none",
         call<&P::serial>, true},
        {"monitor", "CHARDEV", "the human monitor", call<&P::monitor>},
        {"debugcon", "CHARDEV", "debug output of port E9h", call<&P::debugcon>},
        {"nographic", "", "no window; serial port and monitor on the terminal (Ctrl-A H for help)",
         [](P& p, S) -> Status { return p.nographic_ = true, Ok{}; }},
        {"display", "sdl|none", "a window (where there is a screen) or none", call<&P::display>},
        {"vga", "std|none", "display adapter", call<&P::vga>},
        {"audiodev", "wav|sdl|none,id=ID[,path=FILE]", "where sound goes; -audiodev help lists the drivers",
         call<&P::audiodev>, true},
        {"device", "NAME[,KEY=VALUE]",
         "a device, as e1000,netdev=ID, virtio-blk-pci,drive=ID or sb16,audiodev=ID; -device help lists them",
         call<&P::device>, true},
        {"chardev", "stdio|file|socket|null,id=ID[,path=FILE]", "a character device for -device virtconsole",
         [](P& p, S v) { return p.chars_.add(v); }, true},
        {"global", "isa-debugcon.iobase=PORT", "moves the debug port", call<&P::global>, true},
        {"nodefaults", "", "only the devices that are asked for",
         [](P& p, S) -> Status { return p.config().default_devices = false, Ok{}; }},
        {"parallel", "none", "parallel port (there is none)", call<&P::parallel>, true},
        {"nic", "user[,model=NAME,mac=ADDR,hostfwd=RULE,...]|none",
         "a network adapter on a network of its own (e1000); -nic model=help lists them", call<&P::nic>,
         true},
        {"netdev", "user,id=ID[,hostfwd=tcp|udp:[ADDR]:PORT-[ADDR]:PORT,restrict=on,...]",
         "the network for -device e1000,netdev=ID", [](P& p, S v) { return p.networks_.add_netdev(v); },
         true},
        {"net", "none", "", [](P& p, S v) { return p.networks_.add_net(v); }, true},
        {"object", "filter-dump,id=ID,netdev=ID,file=FILE", "write a network's frames to a pcap file",
         [](P& p, S v) { return p.networks_.add_object(v); }, true},
        {"rtc", "base=utc|localtime|DATE", "the clock's start, a date as 2024-01-31T12:00:00", call<&P::rtc>},
        {"clock", "realtime|deterministic", "whose time the guest sees (realtime)", call<&P::clock>},
        {"icount", "shift=N", "deterministic time, 2^N ns an instruction", call<&P::icount>},
        {"seed", "N", "random numbers of the guest's processor under the deterministic clock",
         call<&P::seed>},
        {"no-reboot", "", "exit when the guest resets",
         [](P& p, S) -> Status { return p.config().reboot = false, Ok{}; }},
        {"no-shutdown", "", "stop, but do not exit, when the guest powers off",
         [](P& p, S) -> Status { return p.config().shut_down = false, Ok{}; }},
        {"S", "", "do not start the processor; type c in the monitor",
         [](P& p, S) -> Status { return p.config().start_paused = true, Ok{}; }},
        {"loadvm", "FILE", "start from a saved machine",
         [](P& p, S v) -> Status { return p.config().load_snapshot = v, Ok{}; }},
        {"d", "ITEMS", "log, as in int,cpu_reset; -d help lists what there is", call<&P::log_items>},
        {"D", "FILE", "write the log to a file",
         [](P& p, S v) -> Status { return p.config().log_file = v, Ok{}; }},
        {"name", "TEXT", "ignored", [](P&, S) -> Status { return Ok{}; }},
        {"help", "", "this text",
         [](P& p, S) -> Status { return p.line_.action = CommandLine::Action::help, Ok{}; }},
        {"h", "", "", [](P& p, S) -> Status { return p.line_.action = CommandLine::Action::help, Ok{}; }},
        {"version", "", "the version",
         [](P& p, S) -> Status { return p.line_.action = CommandLine::Action::version, Ok{}; }},
    };
    return rows;
}

}  // namespace mynah
