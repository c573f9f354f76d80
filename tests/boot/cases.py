"""The guests that must boot: what each needs, its command line, and what must be seen.

Labels: "quick" runs in scripts/test, "daily" and "disk" in the nightly; "disk" needs the image made by
scripts/guests/disk. Steps: see run_step in boot.py; the numbers are seconds.
"""

BOOT = 600  # a slow host's limit for a kernel to reach its shell
HEADLESS = ["-nographic", "-nodefaults", "-serial", "stdio"]


def direct(kernel, initrd, machine, labels, append="console=ttyS0", memory="256", cpu=None):
    """-kernel/-initrd to an interactive shell on the serial port; `poweroff -f` ends with code 0."""
    return {
        "labels": labels,
        "needs": {"kernel": kernel, "initrd": initrd},
        "args": [*(["-cpu", cpu] if cpu else []), "-m", memory, "-kernel", "{kernel}", "-initrd", "{initrd}",
                 "-append", append, *HEADLESS],
        "steps": [
            ("serial", f"mynah: shell ready on {machine}", BOOT),
            ("serial", "# ", 60),
            ("type", "echo sum-$((6*7))\n"),
            ("serial", "sum-42", 60),
            ("type", "ls /sys/bus/pci/devices | wc -l; cat /proc/uptime && echo done-$((1+1))\n"),
            ("serial", "done-2", 60),
            ("type", "poweroff -f\n"),
            ("exit", 0, 120),
        ],
    }


def kvm_clock():
    """KVM's paravirtual clock, on a model whose counter alone Linux trusts less: it is taken, starts at the RTC's time and
    stays with it."""
    case = direct("kernels/amd64-6.1", BUSYBOX64, "x86_64", ["daily"], cpu="qemu64,kvm=on")
    case["args"] += ["-rtc", "base=2031-02-03T04:05:06"]
    case["steps"][4:6] = [
        ("type", "dmesg | grep kvm-clock; cat /sys/devices/system/clocksource/clocksource0/current_clocksource\n"),
        ("serial", "kvm-clock: Using msrs 4b564d01 and 4b564d00", 60),
        ("serial", r"\nkvm-clock\r?\n", 60),
        ("type", "sleep 5; date; echo off-$(($(date +%s)-$(cat /sys/class/rtc/rtc0/since_epoch)))-end\n"),
        ("serial", "Feb  3 04:0[5-9].* 2031", 60),
        ("serial", "off-(-1|0|1)-end", 60),
    ]
    return case


def screen(needs, args, steps, memory="256", labels=("daily",)):
    """Through the firmware; what is on the VGA screen counts."""
    return {
        "labels": list(labels),
        "needs": needs,
        "args": ["-m", memory, *args, "-display", "none", "-nodefaults", "-vga", "std", "-serial", "stdio"],
        "steps": [*steps, ("shot",), ("monitor", "quit"), ("exit", 0, 60)],
    }


# It starts by itself; the error count is checked once some of the first pass is done.
MEMTEST_RUNS = [
    ("screen", r"Memtest86\+", 300),
    ("screen", r"Testing: +\d", 300),
    ("screen", r"Pass +[1-9]\d?%", 1200),
    ("screen", r"Errors: +0\b", 10),
]

NET_KERNEL, NET_INITRD = "kernels/amd64-6.1-net", "initrd/net-amd64.gz"


def network(model, driver, kernel=NET_KERNEL, initrd=NET_INITRD, options=""):
    """DHCP, a file fetched from a server on the host's loopback and given back through hostfwd, all dumped."""
    return {
        "labels": ["daily"],
        "needs": {"kernel": kernel, "initrd": initrd},
        "web": {},
        "args": ["-m", "256", "-kernel", "{kernel}", "-initrd", "{initrd}", "-append", "console=ttyS0", *HEADLESS,
                 "-netdev", "user,id=n0,hostfwd=tcp:127.0.0.1:@forward@-:80", "-device", f"{model},netdev=n0",
                 "-object", "filter-dump,id=d0,netdev=n0,file=@frames@"],
        "steps": [
            ("serial", "mynah: shell ready", BOOT),
            ("type", f"network {options}\n"),
            ("serial", f"network: {driver} has 10.0.2.15", 300),
            ("type", "wget -q -O /tmp/file http://10.0.2.2:@web@/file; md5sum /tmp/file\n"),
            ("serial", "@sum@", 600),
            ("type", "httpd -p 80 -h /tmp; echo served-$((1+1))\n"),
            ("serial", "served-2", 60),
            ("fetch", "file", 600),
            ("type", "poweroff -f\n"),
            ("exit", 0, 120),
            ("dump", "@frames@", "BOOTP/DHCP, Reply"),
        ],
    }


def ipxe(model, driver, cd=None):
    """iPXE in the adapter's own ROM, or on a CD, takes a lease, then a script, a kernel and its initramfs from a
    server on loopback."""
    start = ["-boot", "d", "-cdrom", "{cd}"] if cd else ["-boot", "n"]
    rom = ",romfile=" if cd else ""
    return {
        "labels": ["daily"],
        "needs": {"kernel": NET_KERNEL, "initrd": NET_INITRD, **({"cd": cd} if cd else {})},
        "web": {"vmlinuz": "{kernel}", "initrd.gz": "{initrd}",
                "boot.ipxe": "#!ipxe\nkernel vmlinuz console=ttyS0 mynah.run=network\ninitrd initrd.gz\nsleep 5\nboot\n"},
        "args": ["-m", "256", *start, "-display", "none", "-nodefaults", "-vga", "std", "-serial", "stdio",
                 "-nic", f"user,model={model}{rom},bootfile=http://10.0.2.2:@web@/boot.ipxe"],
        "steps": [
            ("screen", r"initrd\.gz\.\.\. ok", 1200),
            ("shot",),
            ("serial", f"network: {driver} has 10.0.2.15", 1200),
            ("serial", "# ", 60),
            ("type", "poweroff -f\n"),
            ("exit", 0, 120),
        ],
    }


# MD5 of what scripts/guests/virtio puts on the disk.
VIRTIO_DISK_SUM = "d143401aad40788f254ecc5a585f4376"


def virtio(labels, *extra):
    """Linux's drivers of the virtio devices: the disk's content, random numbers, a shell on hvc0."""
    return {
        "labels": labels,
        "needs": {"kernel": "kernels/amd64-6.1-virtio", "initrd": "initrd/virtio-amd64.gz",
                  "disk": "disk/virtio.img"},
        "args": ["-m", "256", "-kernel", "{kernel}", "-initrd", "{initrd}", "-append", "console=ttyS0 mynah.run=virtio-shell",
                 "-drive", "file={disk},format=raw,if=virtio,snapshot=on", "-device", "virtio-rng-pci",
                 "-device", "virtio-serial-pci", "-chardev", "stdio,id=con", "-device", "virtconsole,chardev=con",
                 "-display", "none", "-nodefaults", "-serial", "null", *extra],
        "steps": [
            ("serial", "# ", BOOT),
            ("type", f"virtio-check {VIRTIO_DISK_SUM} | tee /tmp/log\n"),
            ("serial", "virtio-check: done", 600),
            ("type", "grep -c FAILED /tmp/log; echo end-$((1+1))\n"),
            ("serial", r"\n0\r?\nend-2", 60),
            ("type", "poweroff -f\n"),
            ("exit", 0, 120),
        ],
    }


def login(limit):
    """Into the disk's Debian, over the serial line."""
    return [("serial", "mynah-guest login: ", limit), ("type", "root\n"), ("serial", "Password: ", 300),
            ("type", "mynah\n"), ("serial", "root@mynah-guest:~# ", 300)]


POWER_OFF = [("type", "poweroff\n"), ("serial", "Power down", 900), ("exit", 0, 120)]

BUSYBOX64, BUSYBOX32 = "initrd/busybox-amd64.gz", "initrd/busybox-i386.gz"

CASES = {
    "direct-amd64-6.1": direct("kernels/amd64-6.1", BUSYBOX64, "x86_64", ["quick"]),
    "direct-i386-686-pae": direct("kernels/i386-686-pae", BUSYBOX32, "i686", ["quick"]),
    "direct-amd64-6.12": direct("kernels/amd64-6.12", BUSYBOX64, "x86_64", ["daily"]),
    "direct-i386-686": direct("kernels/i386-686", BUSYBOX32, "i686", ["daily"]),
    "direct-i386-installer": direct("installer/i386/linux", BUSYBOX32, "i686", ["daily"]),
    "direct-amd64-installer": direct("installer/amd64/linux", BUSYBOX64, "x86_64", ["daily"]),
    # Kernels choose code by vendor and features: each model has its own paths.
    "direct-amd64-qemu64": direct("kernels/amd64-6.1", BUSYBOX64, "x86_64", ["daily"], cpu="qemu64"),
    "direct-amd64-core2duo": direct("kernels/amd64-6.1", BUSYBOX64, "x86_64", ["daily"], cpu="core2duo"),
    "direct-amd64-x86-64-v2": direct("kernels/amd64-6.1", BUSYBOX64, "x86_64", ["daily"], cpu="x86-64-v2"),
    "direct-amd64-x86-64-v3": direct("kernels/amd64-6.1", BUSYBOX64, "x86_64", ["daily"], cpu="x86-64-v3"),
    "direct-i386-pentium3": direct("kernels/i386-686-pae", BUSYBOX32, "i686", ["daily"], cpu="pentium3"),
    "direct-amd64-kvm-clock": kvm_clock(),
    "direct-pvh": direct("kernels/vmlinux-amd64-6.1", BUSYBOX64, "x86_64", ["daily"]),
    "multiboot-xen": {
        "labels": ["daily"],
        "needs": {"xen": "xen/xen", "kernel": "kernels/amd64-6.1"},
        "args": ["-m", "512", "-kernel", "{xen}", "-initrd", "{kernel} console=hvc0",
                 "-append", "console=com1 com1=115200,8n1 loglvl=all", *HEADLESS],
        "steps": [("serial", r"Xen version 4\.", BOOT), ("serial", "Multiboot-e820 RAM map", 120),
                  ("serial", "Brought up 1 CPUs", 300)],
    },
    "grub-rescue-cd": screen({"iso": "grub/grub-rescue-cdrom.iso"}, ["-cdrom", "{iso}", "-boot", "d"],
                             [("screen", "GNU GRUB", 300)]),
    "grub-rescue-floppy": screen({"image": "grub/grub-rescue-floppy.img"},
                                 ["-drive", "file={image},format=raw,if=floppy,readonly=on", "-boot", "a"],
                                 [("screen", "GNU GRUB|grub>", 600)]),
    "memtest-ia32": screen({"iso": "memtest/memtest86+ia32.iso"}, ["-cdrom", "{iso}", "-boot", "d"],
                           MEMTEST_RUNS, memory="64"),
    "memtest-x64": screen({"iso": "memtest/memtest86+x64.iso"}, ["-cdrom", "{iso}", "-boot", "d"],
                          MEMTEST_RUNS, memory="64"),
    "installer-i386": screen({"iso": "iso/installer-i386.iso"}, ["-cdrom", "{iso}", "-boot", "d"],
                             [("screen", "Select a language", 1800)], memory="1024"),
    "installer-amd64": screen({"iso": "iso/installer-amd64.iso"}, ["-cdrom", "{iso}", "-boot", "d"],
                              [("screen", "Select a language", 1800)], memory="1024"),
    "network-e1000": network("e1000", "e1000"),
    "network-rtl8139": network("rtl8139", "8139cp"),
    "network-ne2k-pci": network("ne2k_pci", "ne2k-pci"),
    "network-ne2k-isa": network("ne2k_isa,irq=5", "ne", "kernels/i386-686-net", "initrd/net-i386.gz",
                                "io=0x300 irq=5"),
    "network-virtio": network("virtio-net-pci", "virtio_net", "kernels/amd64-6.1-virtio", "initrd/virtio-amd64.gz"),
    "network-restricted": {
        "labels": ["daily"],
        "needs": {"kernel": NET_KERNEL, "initrd": NET_INITRD},
        "web": {},
        "args": ["-m", "256", "-kernel", "{kernel}", "-initrd", "{initrd}", "-append", "console=ttyS0", *HEADLESS,
                 "-nic", "user,model=e1000,restrict=on,hostfwd=tcp:127.0.0.1:@forward@-:80"],
        "steps": [
            ("serial", "mynah: shell ready", BOOT),
            ("type", "network\n"),
            ("serial", "network: e1000 has 10.0.2.15", 300),
            ("type", "timeout 10 wget -q -O - http://10.0.2.2:@web@/file || echo refused-$((1+1))\n"),
            ("serial", "refused-2", 300),
            ("type", "echo hello >/tmp/hello; httpd -p 80 -h /tmp\n"),
            ("fetch", "hello", 300, "hello\n"),
            ("type", "poweroff -f\n"),
            ("exit", 0, 120),
        ],
    },
    "ipxe-e1000": ipxe("e1000", "e1000"),
    "ipxe-rtl8139": ipxe("rtl8139", "8139cp"),
    "ipxe-ne2k-pci": ipxe("ne2k_pci", "ne2k-pci"),
    "ipxe-cd": ipxe("rtl8139", "8139cp", "iso/ipxe.iso"),
    "virtio-linux": virtio(["daily"]),
    "virtio-linux-deterministic": virtio(["daily"], "-icount", "shift=0"),
    # Linux's drivers of the Sound Blaster 16 (bytes on channel 1, words on channel 5) and of the PC speaker; time is
    # counted in instructions, so that the guest is never too slow for the card.
    "sound-linux": {
        "labels": ["daily"],
        "needs": {"kernel": "kernels/i386-686-sound", "initrd": "initrd/sound-i386.gz"},
        "args": ["-m", "256", "-kernel", "{kernel}", "-initrd", "{initrd}", "-append", "console=ttyS0", *HEADLESS,
                 "-icount", "shift=0", "-audiodev", "wav,id=a,path={out}/sound.wav",
                 "-machine", "pc,pcspk-audiodev=a", "-device", "sb16,audiodev=a"],
        "steps": [
            ("serial", "mynah: shell ready", BOOT),
            ("serial", "# ", 60),
            ("type", "sound\n"),
            ("serial", "Sound Blaster 16", 300),
            ("serial", "tone: done", 300),
            ("serial", "tone: done", 300),
            ("serial", "sound: done", 300),
            ("type", "poweroff -f\n"),
            ("exit", 0, 120),
            ("sound", [(1.0, 441, 441), (1.0, 441, 882), (1.0, 440, 440)]),
        ],
    },
    # Pictures. GRUB draws its menu with its own font in a VBE mode: mostly the blue that it was told.
    "grub-gfxterm": screen({"iso": "iso/grub-gfxterm.iso"}, ["-cdrom", "{iso}", "-boot", "d"],
                           [("picture", (800, 600), 3, [(300, 450, 500, 500, (0, 0, 170), 0.9)], 300)]),
    # The graphical installer's first page, of the size that the EDID prefers: the banner's many colours above, the
    # white list of languages below.
    "installer-gtk": screen({"iso": "iso/installer-gtk.iso"}, ["-cdrom", "{iso}", "-boot", "d"],
                            [("picture", (1024, 768), 500, [(400, 460, 980, 690, (255, 255, 255), 0.95)], 1800)],
                            memory="1024"),
    # UEFI firmware from Debian's package: its shell, asked from the keyboard, and the menu behind it.
    "ovmf": {
        "labels": ["daily"],
        "needs": {"firmware": "/usr/share/ovmf/OVMF.fd"},
        "args": ["-m", "256", "-bios", "{firmware}", "-display", "none", "-nodefaults", "-vga", "std", "-serial", "stdio"],
        "steps": [
            ("serial", "Shell> ", 600),
            ("keys", "v", "e", "r", "ret"),
            ("serial", r"UEFI v2\.\d+ \(EDK II", 60),
            ("serial", "Shell> ", 60),
            ("keys", "e", "x", "i", "t", "ret"),
            ("serial", "Boot Manager", 120),
            ("picture", (640, 480), 3, [(10, 270, 630, 370, (155, 155, 155), 0.9), (30, 440, 630, 470, (0, 0, 0), 0.8)], 120),
            ("shot",),
            ("monitor", "quit"),
            ("exit", 0, 60),
        ],
    },
    # From a disk through SeaBIOS and GRUB to systemd and a login; the image stays as it is (-snapshot).
    # Time is counted in instructions: systemd gives up on the serial port's device after 90 s, which a busy
    # host's real time would use up.
    "disk-debian": {
        "labels": ["disk"],
        "needs": {"disk": "disk/debian.img"},
        "args": ["-m", "512", "-drive", "file={disk},format=raw,if=ide", "-snapshot", "-icount", "shift=0",
                 "-nographic", "-nodefaults", "-serial", "stdio"],
        "steps": [
            *login(3000),
            ("type", "echo pid1-$(cat /proc/1/comm)\n"),
            ("serial", "pid1-systemd", 120),
            *POWER_OFF,
        ],
    },
    # The same disk under a qcow2 overlay, to an X session of the size that the EDID prefers: an xterm that is typed
    # to, white under twm's blue bar. Then off, and the overlay is sound and the disk below it as before.
    "disk-debian-x": {
        "labels": ["disk"],
        "needs": {"disk": "disk/debian.img"},
        "overlay": "disk",
        "args": ["-m", "512", "-drive", "file={overlay},format=qcow2,if=ide", "-icount", "shift=0",
                 "-display", "none", "-nodefaults", "-vga", "std", "-serial", "stdio"],
        "steps": [
            ("serial", "Debian with X", 300),
            ("type", "x"),
            ("serial", r"mynah: xterm of 30 100 is up", 3000),
            ("picture", (1024, 768), 3, [(130, 101, 680, 104, (70, 130, 180), 0.9), (120, 200, 680, 480, (255, 255, 255), 0.95)],
             300),
            ("keys", "m", "y", "n", "a", "h", "ret"),
            ("serial", "mynah: typed into the xterm: mynah", 300),
            ("shot",),
            ("type", "\n"),
            *login(300),
            *POWER_OFF,
            ("overlay",),
        ],
    },
}
