#!/usr/bin/env python3
"""Drives the real window under Xvfb as a person would, with xdotool: window.py --mynah BINARY --out FOLDER CASE

Cases: library (files, dialogs and messages; no guest), machine (a CD is booted, typed to, saved, restored and
photographed), input (keys, clipboard and mouse, as Linux gets them) and lights. Pictures of the whole screen are kept in FOLDER. Exit code 77: Xvfb, xdotool or the guest is missing.
"""
import argparse
import glob
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "boot"))
from guest import Failure, Monitor  # noqa: E402
from window_input import input_case  # noqa: E402

SKIPPED = 77
WIDTH, HEIGHT = 1280, 900
GUESTS = pathlib.Path(os.environ.get("MYNAH_GUESTS", ROOT / "build" / "guests"))


class Display:
    """A virtual X server whose screen is a file (X Window Dump)."""

    def __init__(self, folder):
        self.folder = folder
        read, write = os.pipe()
        self.errors = open(folder / "xvfb.txt", "wb")
        self.process = subprocess.Popen(
            ["Xvfb", "-displayfd", str(write), "-screen", "0", f"{WIDTH}x{HEIGHT}x24", "-fbdir", str(folder),
             "-nolisten", "tcp"], pass_fds=[write], stderr=self.errors)
        os.close(write)
        number = b""
        while not number.endswith(b"\n"):
            piece = os.read(read, 16)
            if not piece:
                raise Failure("Xvfb did not start")
            number += piece
        os.close(read)
        self.name = f":{int(number)}"

    def pixels(self):
        """Rows of RGB bytes."""
        data = (self.folder / "Xvfb_screen0").read_bytes()
        header = struct.unpack(">25I", data[:100])
        size, width, height, order, line = header[0], header[4], header[5], header[7], header[12]
        colours = header[19]
        start = size + colours * 12
        rows = []
        for y in range(height):
            row = data[start + y * line : start + y * line + 4 * width]
            first, second, third = (row[2::4], row[1::4], row[0::4]) if order == 0 else (row[1::4], row[2::4], row[3::4])
            out = bytearray(3 * width)
            out[0::3], out[1::3], out[2::3] = first, second, third
            rows.append(bytes(out))
        return rows

    def picture(self, path):
        rows = self.pixels()

        def chunk(kind, body):
            return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

        head = struct.pack(">IIBBBBB", len(rows[0]) // 3, len(rows), 8, 2, 0, 0, 0)
        body = zlib.compress(b"".join(b"\0" + row for row in rows), 6)
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b""))

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.errors.close()


class Window:
    """mynah's window and the hands before it."""

    def __init__(self, mynah, out, scale):
        self.out = out
        self.scale = scale
        self.shots = 0
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mynah-window-"))
        self.mynah = mynah
        self.process = None
        self.display = Display(self.folder)
        self.environment = dict(os.environ, DISPLAY=self.display.name, XDG_CONFIG_HOME=str(self.folder / "config"),
                                XDG_DATA_HOME=str(self.folder / "data"), HOME=str(self.folder))
        self.environment.pop("WAYLAND_DISPLAY", None)
        self.machines = self.folder / "config" / "mynah" / "machines"

    def start(self, *arguments):
        self.errors = open(self.folder / "stderr.txt", "wb")
        self.process = subprocess.Popen([self.mynah, *arguments], env=self.environment, stderr=self.errors,
                                        stdin=subprocess.DEVNULL, cwd=self.folder)
        self.id = self.wait_for("a window", self.find, 60)
        # There is no window manager to do it.
        self.tool("windowfocus", "--sync", self.id)
        self.settle()

    def find(self):
        """The window that stays: SDL makes another when it has found its way to draw."""
        found = []
        for _ in range(2):
            found.append(self.tool("search", "--onlyvisible", "--name", "mynah", check=False))
            time.sleep(0.3)
        return found[0].split()[0] if found[0] and found[0] == found[1] else None

    def tool(self, *arguments, check=True):
        done = subprocess.run(["xdotool", *arguments], env=self.environment, capture_output=True, text=True)
        if check and done.returncode != 0:
            raise Failure(f"xdotool {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout.strip() if done.returncode == 0 else ""

    def wait_for(self, what, condition, seconds):
        end = time.monotonic() + seconds * self.scale
        while not (found := condition()):
            if self.process.poll() is not None:
                raise Failure(f"mynah ended with code {self.process.returncode} while waiting for {what}")
            if time.monotonic() > end:
                self.shot("failure")
                raise Failure(f"{seconds * self.scale:.0f} s passed without {what}")
            time.sleep(0.1)
        return found

    def settle(self):
        """Until the screen has stood still for a moment."""
        before = None
        for _ in range(40):
            time.sleep(0.15)
            now = self.display.pixels()
            if now == before:
                return
            before = now

    def keys(self, *names):
        for name in names:
            self.tool("key", "--delay", "30", name)
        self.settle()

    def type(self, text, delay=25):
        self.tool("type", "--delay", str(delay), text)
        self.settle()

    def shot(self, name):
        self.shots += 1
        path = self.out / f"{self.shots:02}-{name}.png"
        self.display.picture(path)
        return path

    def expect_end(self, code, seconds):
        try:
            ended = self.process.wait(seconds * self.scale)
        except subprocess.TimeoutExpired:
            self.shot("failure")
            raise Failure("mynah did not end") from None
        if ended != code:
            raise Failure(f"mynah ended with code {ended}, not {code}")

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.display.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def expect(condition, what):
    if not condition:
        raise Failure(what)


def library(w):
    """New from each template, a name twice, change, delete, a broken file, and the way out."""
    w.start()
    w.shot("empty")
    w.keys("ctrl+n")
    w.shot("new-dos")
    w.type("dos box")
    w.keys("Return")
    text = w.wait_for("the first machine", lambda: (w.machines / "dos box.toml").exists() and
                      (w.machines / "dos box.toml").read_text(), 20)
    expect("memory = 32 " in text and 'processor = "pentium3"' in text, f"not what the template says: {text}")
    disk = w.folder / "data" / "mynah" / "dos box" / "disk.img"
    expect(disk.stat().st_size == 500 << 20, "the disk is not as large as the template says")
    for number, name in (("2", "old"), ("3", "linux"), ("4", "linux64")):
        w.keys("ctrl+n", f"ctrl+{number}")
        w.type(name)
        w.keys("Return")
        w.wait_for(name, (w.machines / f"{name}.toml").exists, 20)
    expect("memory = 1024" in (w.machines / "linux64.toml").read_text(), "not the template of the key")
    # The name is taken: the dialog stays and says so.
    w.keys("ctrl+n")
    w.type("old")
    w.keys("Return")
    w.shot("name-taken")
    w.keys("Escape")
    # Changed: the memory's field has the focus.
    w.keys("ctrl+e", "ctrl+a")
    w.type("768")
    w.keys("Return")
    w.wait_for("the change", lambda: "memory = 768" in (w.machines / "linux64.toml").read_text(), 20)
    (w.machines / "broken.toml").write_text('memory = 64\nmemroy = "lots"\n')
    w.keys("F5", "Up", "Up", "Up", "Up", "Up", "Up")
    w.shot("broken-file")
    w.keys("Down", "Down")
    w.shot("library")
    w.keys("Down", "Down", "Delete")
    w.shot("delete")
    w.keys("Return")
    w.wait_for("it to be deleted", lambda: not (w.machines / "old.toml").exists(), 20)
    expect(len(list(w.machines.glob("*.toml"))) == 4, "another machine is gone too")
    # A machine that cannot start says why, in a dialog.
    (w.machines / "no cd.toml").write_text('cdrom = "/nowhere.iso"\n')
    w.keys("F5", "End", "Down", "Down", "Down", "Down", "Down", "Return")
    w.settle()
    w.shot("cannot-start")
    w.keys("Return")
    ended = subprocess.run([w.mynah, "list"], env=w.environment, capture_output=True, text=True)
    expect("768 MiB, max, disk.img" in ended.stdout and "broken.toml:2: unknown key" in ended.stdout, ended.stdout)
    ended = subprocess.run([w.mynah, "run", "broken"], env=w.environment, capture_output=True, text=True)
    expect(ended.returncode == 2 and re.fullmatch(
        r'mynah: /.*/broken\.toml:2: unknown key "memroy"; did you mean memory\?\n', ended.stderr), ended.stderr)
    w.tool("key", "ctrl+q")
    w.expect_end(0, 20)


def machine(w):
    """From a template to a CD's prompt; typed to, saved, restored, photographed; then from the command line."""
    iso = GUESTS / "grub" / "grub-rescue-cdrom.iso"
    if not iso.exists():
        print(f"{iso} is missing: scripts/guests/fetch grub-rescue")
        return SKIPPED
    w.start()
    w.keys("ctrl+n", "ctrl+2")
    w.type("grub")
    w.keys("Tab", "Tab")
    w.shot("new")
    w.type(str(iso))
    w.keys("Return")
    toml = w.machines / "grub.toml"
    w.wait_for("the machine", toml.exists, 20)
    expect(str(iso) in toml.read_text(), toml.read_text())
    # A way to see the guest's text.
    monitor_path = str(w.folder / "monitor")
    toml.write_text(f'{toml.read_text()}boot = "d"\noptions = ["-monitor", "unix:{monitor_path},server,nowait"]\n'
                    if "options" not in toml.read_text() else
                    re.sub(r"options = .*", f'boot = "d"\noptions = ["-monitor", "unix:{monitor_path},server,nowait"]',
                           toml.read_text()))
    w.keys("F5", "Return")
    w.wait_for("the monitor", lambda: os.path.exists(monitor_path), 60)
    monitor = Monitor(monitor_path, 60)

    def text():
        answer = monitor.command("xp /4000xb 0xb8000")
        cells = [int(v, 16) for line in answer.splitlines() if ":" in line
                 for v in re.findall(r"0x([0-9a-fA-F]{2})\b", line.partition(":")[2])]
        return "".join(chr(c) if 32 <= c < 127 else " " for c in cells[::2])

    w.wait_for("GRUB", lambda: "GNU GRUB" in text() or "grub>" in text(), 300)
    w.settle()
    w.shot("booted")
    if "grub>" not in text():
        w.keys("c")
        w.wait_for("GRUB's prompt", lambda: "grub>" in text(), 60)
    # The BIOS has room for 15 keys, and GRUB is slow at echoing when the host is busy.
    w.type("echo Hello-42; echo $root", delay=120)
    w.keys("Return")
    w.wait_for("what was typed", lambda: re.search(r"Hello-42 +hd\d", text()), 60)
    w.shot("typed")
    # A key of the window's that is held for longer than its Ctrl+Alt repeats, but not to the guest.
    for name in ("ctrl", "alt", "l"):
        w.tool("keydown", name)
    for name in ("ctrl", "alt"):
        w.tool("keyup", name)
    time.sleep(1.5)
    w.tool("keyup", "l")
    w.keys("ctrl+alt+l")
    expect(not re.search(r"grub> +l", text()), "the guest got a key of the window's")
    state = w.folder / "data" / "mynah" / "grub" / "state.mynah"
    w.keys("ctrl+alt+s")
    w.wait_for("the state", state.exists, 60)
    w.type("echo Later", delay=120)
    w.keys("Return")
    w.wait_for("more", lambda: "Later" in text(), 60)
    w.keys("ctrl+alt+r")
    w.wait_for("the restored state", lambda: "Later" not in text() and "Hello-42" in text(), 60)
    w.shot("restored")
    w.keys("ctrl+alt+t")
    picture = state.parent / "screenshot-001.png"
    w.wait_for("the screenshot", picture.exists, 60)
    shutil.copy(picture, w.out / "screenshot.png")
    w.keys("ctrl+alt+l")
    w.shot("log")
    w.keys("ctrl+alt+l", "ctrl+alt+2")
    w.shot("twice-the-size")
    w.keys("ctrl+alt+f")
    w.shot("fullscreen")
    w.keys("ctrl+alt+f")
    # A window manager's business.
    w.tool("windowmove", w.id, "0", "0")
    w.tool("windowfocus", w.id)
    w.keys("ctrl+alt+0")
    # The CD is taken out under a guest that has not locked it, and another put in.
    monitor.command("eject cdrom")
    expect("not inserted" in monitor.command("info block"), "the CD is still there")
    w.keys("ctrl+alt+d", "ctrl+a")
    w.type(str(iso))
    w.shot("picker")
    w.keys("Return")
    w.wait_for("the CD", lambda: str(iso) in monitor.command("info block"), 20)
    # Back to the library by the question, its state kept; resumed from there.
    w.keys("ctrl+alt+p")
    w.shot("paused")
    w.keys("ctrl+alt+q")
    w.shot("question")
    w.keys("Return")
    w.wait_for("the library", lambda: not os.path.exists(monitor_path), 60)
    w.settle()
    w.shot("library")
    w.keys("ctrl+r")
    w.wait_for("the monitor", lambda: os.path.exists(monitor_path), 60)
    monitor = Monitor(monitor_path, 60)
    w.wait_for("the resumed machine", lambda: "Hello-42" in text(), 60)
    w.settle()
    monitor.command("quit")
    w.wait_for("the library", lambda: not os.path.exists(monitor_path), 60)
    w.tool("key", "ctrl+q")
    w.expect_end(0, 20)
    # The same machine from the command line, without and with a window.
    run = subprocess.Popen([w.mynah, "run", "grub", "-display", "none"], env=w.environment)
    try:
        w.process = run
        w.wait_for("the monitor", lambda: os.path.exists(monitor_path), 60)
        monitor = Monitor(monitor_path, 60)
        w.wait_for("GRUB", lambda: "GNU GRUB" in text() or "grub>" in text(), 300)
        monitor.command("quit")
        w.expect_end(0, 60)
    finally:
        run.kill()
    w.start("run", "grub", "-display", "sdl")
    w.wait_for("the monitor", lambda: os.path.exists(monitor_path), 60)
    w.keys("ctrl+alt+q")
    w.tool("key", "Return")
    w.expect_end(0, 60)
    return 0


def input_devices(w):
    missing = input_case(w, GUESTS, expect)
    if missing:
        print(missing)
    return SKIPPED if missing else 0


def lights(w):
    """iPXE looks for a network to start from: nothing but its frames can make a light shine."""
    w.machines.mkdir(parents=True)
    (w.machines / "net.toml").write_text(
        'memory = 32\nboot = "n"\noptions = ["-nodefaults", "-nic", "user,model=e1000"]\n')
    w.start("run", "net")

    def shining():
        green = [bytes((102, level, 115)) for level in (229, 230)]  # rounded either way
        return any(shade in row for row in w.display.pixels() for shade in green)

    w.wait_for("a light", shining, 120)
    w.shot("light")
    w.wait_for("darkness", lambda: not shining(), 120)
    w.keys("ctrl+alt+q")
    w.tool("key", "Return")
    w.expect_end(0, 60)
    return 0


CASES = {"library": library, "machine": machine, "input": input_devices, "lights": lights}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mynah", default=str(ROOT / "build" / "release" / "mynah"))
    parser.add_argument("--out", default=str(ROOT / "build" / "desktop"))
    parser.add_argument("--scale", type=float, default=float(os.environ.get("MYNAH_TEST_SCALE", "1")),
                        help="of all time limits")
    parser.add_argument("case", choices=CASES)
    arguments = parser.parse_args()
    for tool in ("Xvfb", "xdotool"):
        if not shutil.which(tool):
            print(f"{tool} is missing: scripts/install-deps --test")
            return SKIPPED
    out = pathlib.Path(arguments.out) / arguments.case
    out.mkdir(parents=True, exist_ok=True)
    for old in glob.glob(str(out / "*.png")):
        os.remove(old)
    window = Window(arguments.mynah, out, arguments.scale)
    try:
        return CASES[arguments.case](window) or 0
    except Failure as failure:
        print(f"window {arguments.case}: {failure}")
        if window.process and (window.folder / "stderr.txt").exists():
            print((window.folder / "stderr.txt").read_text())
        return 1
    finally:
        window.close()


if __name__ == "__main__":
    sys.exit(main())
