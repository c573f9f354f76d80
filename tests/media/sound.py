"""Runs a guest that makes sound and listens to the WAV file: sound.py MYNAH ROM NAME"""
import os
import subprocess
import sys
import tempfile

from wav import RATE, frequency, samples_of, sounds

# (start, length, frequency of the left, of the right side) of each sound, and the file's length; seconds, Hz.
CASES = {
    "speaker": ([(0.25, 1.0, 440.13, 440.13), (1.75, 0.5, 880.58, 880.58)], 2.5),
    "sb16_words": ([(0.25, 1.0, 440.0, 880.0)], 1.5),
    "sb16_bytes": ([(0.0, 0.99, 444.44, 444.44), (1.24, 0.5, 500.0, 500.0)], 1.99),
}


def main():
    mynah, rom, name = sys.argv[1:]
    expected, length = CASES[name]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "out.wav")
        command = [mynah, "-m", "2", "-bios", rom, "-nodefaults", "-vga", "none", "-display", "none"]
        command += ["-clock", "deterministic", "-device", "isa-debug-exit", "-audiodev", f"wav,id=a,path={path}"]
        command += ["-machine", "pc,pcspk-audiodev=a", "-device", "sb16,audiodev=a"]
        code = subprocess.run(command, timeout=60, check=False).returncode
        assert code == 1, f"the guest ended with code {code}"
        sides = samples_of(path)
    seconds = len(sides[0]) / RATE
    assert abs(seconds - length) < 0.02, f"{seconds} s long, not {length}"
    for side, samples in enumerate(sides):
        heard = sounds(samples)
        assert len(heard) == len(expected), f"{len(heard)} sounds: {heard}"
        for (start, end), (wanted_start, wanted_length, *pitch) in zip(heard, expected):
            pitched = frequency(samples, start, end)
            print(f"{name} side {side}: {start / RATE:.3f} s, {(end - start) / RATE:.3f} s long, {pitched:.2f} Hz")
            assert abs(start / RATE - wanted_start) < 0.01
            # The speaker's cone takes some 20 ms to come to rest.
            assert -0.01 < (end - start) / RATE - wanted_length < 0.03
            assert abs(pitched / pitch[side] - 1) < 0.002


main()
