"""Keyboard, clipboard and mouse of window.py, as a Linux guest gets them: what it says goes through its serial port."""
import re
import shutil
import subprocess
import time

from guest import Failure, tail

PICTURE = (720, 400)  # a text screen
KERNEL, INITRD = "kernels/amd64-6.1-mouse", "initrd/mouse-amd64.gz"
# Every character of the US layout. What it has not is left out.
TEXT = "".join(map(chr, range(33, 80))) + "\n" + "".join(map(chr, range(80, 127))) + " end\n"
ELSEWHERE = "\u00e9\u20ac"


class Serial:
    """The guest's serial port, a file."""

    def __init__(self, w, path):
        self.w, self.path, self.start = w, path, 0

    def text(self):
        return self.path.read_text("latin-1").replace("\r", "")[self.start :] if self.path.exists() else ""

    def skip(self):
        self.start += len(self.text())

    def expect(self, pattern, seconds=60):
        """What is in it; it and what is before are consumed."""
        found = self.wait_for(f"{pattern!r}", lambda text: re.search(pattern, text), seconds)
        self.start += found.end()
        return found

    def wait_for(self, what, condition, seconds=30):
        """`condition` of what is there; a failure says what that is."""
        try:
            return self.w.wait_for(what, lambda: condition(self.text()), seconds)
        except Failure as failure:
            raise Failure(f"{failure}; there is:\n{tail(self.text())}") from None


def packets(text):
    """The sums of the movements, and the buttons that were seen."""
    found = [tuple(map(int, m)) for m in re.findall(r"packet (\d+) (\d+) (\d+)\n", text)]
    across, up = (sum(p[at] - 256 * (p[at] > 127) for p in found) for at in (1, 2))
    return across, up, {p[0] & 7 for p in found}


def input_case(w, guests, expect):
    kernel, initrd = guests / KERNEL, guests / INITRD
    for need in (kernel, initrd):
        if not need.exists():
            return f"{need} is missing: scripts/guests/media mouse"
    if not shutil.which("xclip"):
        return "xclip is missing: scripts/install-deps --test"
    serial = Serial(w, w.folder / "serial")
    w.machines.mkdir(parents=True)
    (w.machines / "linux.toml").write_text(
        f'memory = 256\nkernel = "{kernel}"\ninitrd = "{initrd}"\n'
        'append = "console=ttyS0 console=tty0 quiet mynah.run=mouse"\n'
        f'options = ["-nodefaults", "-icount", "shift=0", "-serial", "file:{serial.path}"]\n')
    w.start("run", "linux")
    serial.expect("mouse: ready", 600)
    w.keys("ctrl+alt+1")

    # A person at the keyboard.
    w.type("cat >/dev/ttyS0", delay=60)
    w.tool("key", "Return")
    w.type("By Hand: 1, 2, 3", delay=60)
    w.tool("key", "Return")
    serial.expect("By Hand: 1, 2, 3\n")

    # The clipboard of another program.
    paste = subprocess.Popen(["xclip", "-selection", "clipboard", "-quiet"], env=w.environment, stdin=subprocess.PIPE,
                             stderr=subprocess.DEVNULL)
    try:
        paste.stdin.write((ELSEWHERE + TEXT).encode())
        paste.stdin.close()
        time.sleep(0.5)
        w.tool("key", "ctrl+alt+v")
        serial.expect(re.escape(TEXT), 120)
    finally:
        paste.kill()
        paste.wait()
    w.shot("pasted")
    w.tool("key", "ctrl+d")

    # The mouse is taken by a click, which is not the guest's; then it moves as far as the hand does.
    w.type("packets >/dev/ttyS0", delay=60)
    w.tool("key", "Return")
    serial.expect(r"packets: ready\n")
    width, height = map(int, re.search(r"Geometry: (\d+)x(\d+)", w.tool("getwindowgeometry", w.id)).groups())
    expect(width == PICTURE[0], f"the window is {width} wide around a picture of {PICTURE[0]}")
    centre = (width // 2, height // 2)

    def move(dx, dy):
        w.tool("mousemove_relative", "--", str(dx), str(dy))
        time.sleep(0.1)

    w.tool("mousemove", "--window", w.id, *map(str, centre))
    move(5, 5)
    time.sleep(0.5)
    expect(serial.text() == "", f"the mouse is not the guest's yet: {serial.text()}")
    w.tool("click", "1")
    w.settle()
    w.shot("captured")
    for _ in range(10):
        move(7, 3)
    for _ in range(4):
        move(-5, -20)
    serial.wait_for("the movements", lambda text: packets(text)[:2] == (50, 50))
    expect(packets(serial.text())[2] == {0}, f"no button was pressed: {serial.text()}")
    serial.skip()
    for button, bit in (("1", 1), ("3", 2), ("2", 4)):
        w.tool("click", button)
        serial.expect(rf"packet {8 | bit} 0 0\npacket 8 0 0\n")
    # Far more than the window is wide.
    for _ in range(20):
        move(100, 0)
    serial.wait_for("the movements", lambda text: packets(text)[:2] == (2000, 0))
    w.keys("ctrl+alt+g")
    serial.skip()
    move(5, 5)
    time.sleep(0.5)
    expect(serial.text() == "", f"the mouse was taken back: {serial.text()}")
    w.tool("key", "ctrl+c")

    # A driver that asks where the pointer is: nothing is taken, and the place is the picture's.
    w.type("vmmouse >/dev/ttyS0", delay=60)
    w.tool("key", "Return")
    serial.expect(r"vmmouse: ready\n")
    w.settle()
    bar = (height - PICTURE[1]) / 2
    for x, y in ((100, 100), (width - 1, height - bar - 1), (0, bar), (600, 300)):
        serial.skip()
        w.tool("mousemove", "--window", w.id, str(x), str(int(y)))
        wanted = (x / (PICTURE[0] - 1), (int(y) - bar) / (PICTURE[1] - 1))
        serial.wait_for(f"the pointer at {wanted}", lambda text: near(text, wanted))
    serial.skip()
    w.tool("mousemove", "--window", w.id, str(300), "5")
    time.sleep(0.5)
    expect(serial.text() == "", f"over the menus the pointer is the window's: {serial.text()}")
    w.tool("mousemove", "--window", w.id, *map(str, centre))
    for click, seen in (("1", r"buttons 32 wheel 0 \nat \d+ \d+ buttons 0 wheel 0 "),
                        ("2", r"buttons 8 wheel 0 \nat \d+ \d+ buttons 0 wheel 0 "),
                        ("5", "buttons 0 wheel 1 "), ("4", f"buttons 0 wheel {2 ** 32 - 1} "),
                        ("3", r"buttons 16 wheel 0 \nvmmouse: done")):
        w.tool("click", click)
        serial.expect(seen + r"\n")
    w.shot("absolute")
    w.keys("ctrl+alt+q")
    w.tool("key", "Return")
    w.expect_end(0, 60)
    return None


def near(text, wanted):
    """Whether the last place in the text is within three pixels of where it should be."""
    places = re.findall(r"at (\d+) (\d+) buttons 0 wheel 0 \n", text)
    return places and all(abs(int(place) / 65535 - where) < 3 / size
                          for place, where, size in zip(places[-1], wanted, PICTURE))
