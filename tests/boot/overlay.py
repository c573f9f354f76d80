"""A qcow2 overlay over a guest's disk image: the guest writes to it, the image must stay as it is."""
import hashlib
import os
import shutil
import subprocess

from guest import Failure


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip().splitlines()[:3]
        raise Failure(f"{' '.join(command)}: exit code {done.returncode}: {'; '.join(said)}")


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


class Overlay:
    def __init__(self, emulator, base, directory):
        self.base = base
        self.before = digest(base)
        self.path = os.path.join(directory, "overlay.qcow2")
        # The tested emulator makes it, if it can.
        tool = ["qemu-img"] if os.path.basename(emulator).startswith("qemu-") else [emulator, "img"]
        run(*tool, "create", "-f", "qcow2", "-b", os.path.abspath(base), "-F", "raw", self.path)

    def check(self):
        """After the emulator's end: the guest did write, the overlay is sound for another tool, too, and only it changed."""
        size = os.path.getsize(self.path)
        if size < 1 << 20:
            raise Failure(f"the guest wrote nothing to the overlay ({size} bytes)")
        if shutil.which("qemu-img"):
            run("qemu-img", "check", self.path)
        if digest(self.base) != self.before:
            raise Failure(f"{self.base} has changed")
