"""A running emulator as the tests see it: its serial port on stdio, its monitor on a unix socket."""
import os
import re
import select
import socket
import subprocess
import time


class Failure(Exception):
    """What a test expected did not happen; the text is the whole message."""


class Stream:
    """Bytes of a pipe or socket, with waiting for a pattern. Keeps everything it has seen."""

    def __init__(self, fd, name):
        self.fd = fd
        self.name = name
        self.seen = ""
        self.start = 0  # what expect() has not consumed yet
        self.closed = False

    def read(self, seconds):
        """Take in what arrives within `seconds` (returns at the first piece)."""
        if self.closed or not select.select([self.fd], [], [], max(0, seconds))[0]:
            return False
        piece = os.read(self.fd, 65536)
        if not piece:
            self.closed = True
            return False
        self.seen += piece.decode("latin-1")
        return True

    def expect(self, pattern, seconds):
        """Wait for a regular expression; what is before and in it is consumed and returned."""
        end = time.monotonic() + seconds
        while True:
            match = re.compile(pattern).search(self.seen, self.start)
            if match:
                text = self.seen[self.start : match.end()]
                self.start = match.end()
                return text
            left = end - time.monotonic()
            if left <= 0 or self.closed:
                why = "ended" if self.closed else f"{seconds:.0f} s passed"
                raise Failure(f"{self.name}: {why} without {pattern!r}; it ends with:\n{tail(self.seen)}")
            self.read(min(left, 1.0))


def tail(text, lines=25):
    """The last lines of a terminal's output without its control sequences."""
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "")
    return "\n".join("    | " + line for line in text.split("\n")[-lines:])


class Monitor:
    """A client of the human monitor: one command, its answer as text."""

    PROMPT = r"\(\w+\) $"

    def __init__(self, path, seconds):
        self.socket = socket.socket(socket.AF_UNIX)
        end = time.monotonic() + seconds
        while True:
            try:
                self.socket.connect(path)
                break
            except OSError as error:
                if time.monotonic() > end:
                    raise Failure(f"monitor socket {path}: {error}") from error
                time.sleep(0.05)
        self.stream = Stream(self.socket.fileno(), "monitor")
        self.stream.expect(self.PROMPT, seconds)

    def command(self, line, seconds=60):
        self.socket.sendall(line.encode() + b"\n")
        if line == "quit":
            return ""
        return self.stream.expect(self.PROMPT, seconds)

    def close(self):
        self.socket.close()


class Guest:
    def __init__(self, command, directory, scale=1.0):
        self.directory = directory
        self.scale = scale
        self.monitor_path = os.path.join(directory, "monitor")
        command = command + ["-monitor", f"unix:{self.monitor_path},server,nowait"]
        self.errors = open(os.path.join(directory, "stderr.txt"), "w+b")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors)
        self.serial = Stream(self.process.stdout.fileno(), "serial")
        self.monitor_client = None

    def monitor(self, line):
        if not self.monitor_client:
            self.monitor_client = Monitor(self.monitor_path, 30 * self.scale)
        return self.monitor_client.command(line, 60 * self.scale)

    def expect(self, pattern, seconds):
        return self.serial.expect(pattern, seconds * self.scale)

    def type(self, text):
        # A UART has a FIFO of 16 bytes and a guest may be slow to empty it: do not outrun it.
        for at in range(0, len(text), 8):
            self.process.stdin.write(text[at : at + 8].encode())
            self.process.stdin.flush()
            time.sleep(0.05)

    def text_cells(self):
        """The characters of VGA text memory (32 KiB at 0xB8000: scrolling moves the visible part in it)."""
        answer = self.monitor("xp /32768xb 0xb8000")
        cells = []
        for line in answer.splitlines():
            head, colon, values = line.partition(":")
            if colon and re.fullmatch(r"\s*(0x)?[0-9a-fA-F]+", head):
                cells += [int(value, 16) for value in re.findall(r"0x([0-9a-fA-F]{2})\b", values)]
        return "".join(chr(cell) if 32 <= cell < 127 else " " for cell in cells[::2])

    def expect_screen(self, pattern, seconds):
        end = time.monotonic() + seconds * self.scale
        while True:
            text = self.text_cells()
            if re.search(pattern, text):
                return text
            self.serial.read(0)
            if self.process.poll() is not None:
                raise Failure(f"ended with code {self.process.returncode} without {pattern!r} on the screen")
            if time.monotonic() > end:
                rows = [text[at : at + 80].rstrip() for at in range(0, len(text), 80)]
                shown = "\n".join("    | " + row for row in [row for row in rows if row][:60])
                raise Failure(f"screen: {seconds * self.scale:.0f} s passed without {pattern!r}; it shows:\n{shown}")
            time.sleep(0.5)

    def picture(self, path):
        """The screen as (width, height, pixels), three bytes each, by a screendump to `path`."""
        self.monitor(f"screendump {path}")
        with open(path, "rb") as file:
            header, pixels = re.match(rb"P6\s+(\d+) (\d+)\s+255\s", file.read(64)), None
            if header:
                file.seek(header.end())
                pixels = file.read()
        os.remove(path)
        return (int(header[1]), int(header[2]), pixels) if header else (0, 0, b"")

    def expect_picture(self, path, size, colours, areas, seconds):
        """Wait for a screen of `size` with at least `colours` different ones, on which each area (left, top, right,
        bottom, colour, share) has that share of pixels of about that colour."""
        end = time.monotonic() + seconds * self.scale
        while True:
            width, height, pixels = self.picture(path)
            seen = {pixels[i : i + 3] for i in range(0, len(pixels), 3)}
            what = [f"{width}x{height}, {len(seen)} colours"]
            good = (width, height) == size and len(seen) >= colours
            for left, top, right, bottom, colour, share in areas if good else []:
                rows = (pixels[3 * (y * width + left) : 3 * (y * width + right)] for y in range(top, bottom))
                row = b"".join(rows)
                near = sum(all(abs(row[i + c] - colour[c]) < 12 for c in range(3)) for i in range(0, len(row), 3))
                what.append(f"{near / (len(row) / 3):.3f} of {colour} at {left},{top}")
                good = good and near >= share * len(row) / 3
            if good:
                return
            self.serial.read(0)
            if self.process.poll() is not None:
                raise Failure(f"ended with code {self.process.returncode} before the picture came")
            if time.monotonic() > end:
                raise Failure(f"picture: {seconds * self.scale:.0f} s passed; it is {'; '.join(what)}")
            time.sleep(2)

    def expect_exit(self, code, seconds):
        end = time.monotonic() + seconds * self.scale
        while self.process.poll() is None and time.monotonic() < end:
            if not self.serial.read(0.2):
                time.sleep(0.05)
        while self.serial.read(0):
            pass
        if self.process.returncode is None:
            raise Failure(f"did not end; serial ends with:\n{tail(self.serial.seen)}")
        if self.process.returncode != code:
            raise Failure(f"ended with code {self.process.returncode}, not {code}")

    def stop(self):
        if self.monitor_client:
            self.monitor_client.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        with open(os.path.join(self.directory, "serial.txt"), "w", encoding="latin-1") as out:
            out.write(self.serial.seen)
        self.errors.seek(0)
        text = self.errors.read().decode("utf-8", "replace")
        self.errors.close()
        return text
