#!/usr/bin/env python3
"""Boot whole operating systems and look at what they print and show.

    tests/boot/boot.py [--mynah BINARY] [--guests DIR] [--out DIR] [--scale FACTOR] [CASE...]
    tests/boot/boot.py --list

A case is a row of CASES: what it needs from the guest assets (scripts/guests/), the command line, and steps.
Any emulator with QEMU's option names can be tested (--mynah qemu-system-x86_64). Times are limits for a
slow host; --scale multiplies them. Exit code 77: skipped, the assets are missing.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "media")]
from cases import CASES
from guest import Failure, Guest
from overlay import Overlay
from wav import RATE, Wrong, frequency, samples_of, sounds
from web import Web

ROOT = os.path.dirname(os.path.dirname(HERE))
SKIPPED = 77


def check_dump(path, pattern):
    """tcpdump can read the file and finds what must be in it."""
    if not shutil.which("tcpdump"):
        return
    answer = subprocess.run(["tcpdump", "-nr", path], capture_output=True, text=True, check=False)
    if answer.returncode != 0 or "truncated" in answer.stderr:
        raise Failure(f"tcpdump -r {path}: {answer.stderr.strip()}")
    if not re.search(pattern, answer.stdout):
        raise Failure(f"tcpdump -r {path}: {len(answer.stdout.splitlines())} frames without {pattern!r}")


def check_sound(path, expected):
    """What is heard, in order: the length in seconds and the frequency on the left and the right of each sound."""
    try:
        sides = samples_of(path)
    except (OSError, EOFError, Wrong) as error:
        raise Failure(f"{path}: {error}") from error
    for side, samples in enumerate(sides):
        heard = [((end - start) / RATE, frequency(samples, start, end)) for start, end in sounds(samples)]
        text = ", ".join(f"{length:.3f} s of {pitch:.2f} Hz" for length, pitch in heard)
        right = len(heard) == len(expected) and all(
            abs(length - wanted[0]) < 0.05 and abs(pitch / wanted[1 + side] - 1) < 0.002
            for (length, pitch), wanted in zip(heard, expected))
        if not right:
            raise Failure(f"{path}, side {side}: {text or 'silence'}; expected {expected}")
        print(f"  side {side}: {text}")


def run_step(guest, step, out, name, web, overlay):
    step = [web.fill_in(part) for part in step] if web else step
    kind, *rest = step
    if kind == "serial":
        guest.expect(*rest)
    elif kind == "type":
        guest.type(*rest)
    elif kind == "screen":
        guest.expect_screen(*rest)
    elif kind == "never":  # not on the screen now
        text = guest.text_cells()
        if rest[0] in text:
            raise Failure(f"{rest[0]!r} is on the screen")
    elif kind == "wait":
        end = time.monotonic() + rest[0] * guest.scale
        while time.monotonic() < end:
            guest.serial.read(end - time.monotonic())
    elif kind == "shot":
        path = os.path.join(out, f"{name}.png")
        guest.monitor(f"screendump {path}")
        if not os.path.exists(path) or os.path.getsize(path) == 0:
            raise Failure(f"screendump made no {path}")
    elif kind == "picture":
        guest.expect_picture(os.path.join(out, f"{name}.ppm"), *rest)
    elif kind == "keys":
        for key in rest:
            guest.monitor(f"sendkey {key}")
    elif kind == "monitor":
        guest.monitor(rest[0])
    elif kind == "fetch":
        web.expect(rest[0], rest[1] * guest.scale, *rest[2:])
    elif kind == "overlay":
        overlay.check()
    elif kind == "dump":
        check_dump(*rest)
    elif kind == "sound":
        check_sound(os.path.join(out, "sound.wav"), *rest)
    elif kind == "exit":
        guest.expect_exit(*rest)
    else:
        raise ValueError(f"unknown step {kind}")


def run_case(name, case, options):
    needs = {key: os.path.join(options.guests, path) for key, path in case["needs"].items()}
    missing = [path for path in needs.values() if not os.path.exists(path)]
    if missing:
        makers = "scripts/guests/all (for disks scripts/guests/disk)"
        maker = "scripts/install-deps --nightly" if missing[0].startswith("/usr/") else makers
        print(f"SKIPPED {name}: {missing[0]} is missing; run {maker}")
        return SKIPPED
    out = os.path.join(options.out, name)
    os.makedirs(out, exist_ok=True)
    started = time.monotonic()
    # The socket's path must be short (108 bytes), so the directory of a run is a temporary one.
    with tempfile.TemporaryDirectory(prefix="mynah-") as directory, \
            tempfile.TemporaryDirectory(prefix="mynah-web-") as served:
        web = None
        if "web" in case:
            web = Web(served, out, {key: value.format(**needs) for key, value in case["web"].items()})
        overlay = None
        if "overlay" in case:
            try:
                overlay = Overlay(options.mynah, needs[case["overlay"]], directory)
            except Failure as failure:
                print(f"FAILED {name}: {failure}")
                return 1
            needs["overlay"] = overlay.path
        arguments = [argument.format(out=out, **needs) for argument in case["args"]]
        arguments = [web.fill_in(argument) for argument in arguments] if web else arguments
        command = [options.mynah] + options.extra.split() + arguments
        print("run:", " ".join(f"'{part}'" if " " in part else part for part in command), flush=True)
        guest = Guest(command, directory, options.scale)
        problem = None
        try:
            for step in case["steps"]:
                run_step(guest, step, out, name, web, overlay)
                print(f"  {time.monotonic() - started:7.1f} s  {step[0]} {step[1] if len(step) > 1 else ''!r}", flush=True)
        except Failure as failure:
            problem = str(failure)
        except OSError as error:
            problem = f"talking to the emulator: {error}"
        finally:
            errors = guest.stop()
            if web:
                web.close()
        with open(os.path.join(out, "serial.txt"), "w", encoding="latin-1") as file:
            file.write(guest.serial.seen)
        if problem:
            if errors:
                print("stderr:", errors.rstrip())
            print(f"FAILED {name} after {time.monotonic() - started:.1f} s: {problem}")
            return 1
    print(f"PASSED {name} in {time.monotonic() - started:.1f} s")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mynah", default=os.path.join(ROOT, "build/release/mynah"))
    parser.add_argument("--guests", default=os.environ.get("MYNAH_GUESTS", os.path.join(ROOT, "build/guests")))
    parser.add_argument("--out", default=os.path.join(ROOT, "build/boot"), help="serial logs and pictures")
    parser.add_argument("--scale", type=float, default=float(os.environ.get("MYNAH_TIME_SCALE", "1")))
    parser.add_argument("--extra", default="", help="more options for the emulator, before the case's")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("case", nargs="*")
    options = parser.parse_args()
    if options.list:
        for name, case in CASES.items():
            print(f"{name:24} {' '.join(case['labels'])}")
        return 0
    unknown = [name for name in options.case if name not in CASES]
    if unknown:
        parser.error(f"unknown case {unknown[0]} (--list)")
    if os.path.sep in options.mynah and not os.path.exists(options.mynah):
        print(f"SKIPPED: {options.mynah} is not built")
        return SKIPPED
    results = [run_case(name, CASES[name], options) for name in options.case or CASES]
    if len(results) > 1:
        print(f"{results.count(0)} passed, {results.count(1)} failed, {results.count(SKIPPED)} skipped")
    return 1 if 1 in results else SKIPPED if set(results) == {SKIPPED} else 0


sys.exit(main())
