#!/usr/bin/env python3
"""Runs the programs of tests/insn on Bochs or QEMU and checks the same expectations: a second opinion on the tests.

  on_peer.py bochs|qemu BINARY_DIR [NAME ...]      BINARY_DIR is build/<preset>/tests/insn

A peer is no authority: where it and the SDM differ, the SDM rules, and the program's header says so with a line
`; bochs: differs, REASON` (or `qemu:`), which this script honours. QEMU checks no segment limits.
"""
import pathlib
import re
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).parent
ROM_SIZE = 65536
# At F000:0 : copy the program from F000:1000 to 0:7C00 and go there with the registers insn_test.cpp sets.
LOADER = bytes.fromhex("fa fc b8 00f0 8ed8 31c0 8ec0 8ed0 be 0010 bf 007c b9 0040 f3a4 8ed8 8ee0 8ee8 bc 007c"
                       " 31c0 31c9 31d2 31db 31f6 31ff 31ed ea 007c 0000")
BOCHS_CPU = {"max": "corei7_icelake_u", "pentium": "pentium", "486": "pentium", "pentium3": "p3_katmai",
             "core2duo": "core2_penryn_t9600", "x86-64-v2": "corei5_lynnfield_750",
             "x86-64-v3": "corei7_haswell_4770", "qemu64": "athlon64_clawhammer"}
QEMU_CPU = {"x86-64-v2": "Nehalem", "x86-64-v3": "Haswell"}


def rom(program: bytes) -> bytes:
    image = bytearray(b"\xf4" * ROM_SIZE)
    image[0:len(LOADER)] = LOADER
    image[0x1000:0x1000 + len(program)] = program
    image[0xFFF0:0xFFF5] = bytes.fromhex("ea 0000 00f0")
    return bytes(image)


def header(source: pathlib.Path):
    expectations, models, differs = [], ["max"], {}
    outcomes = 0x3000          # inc/try.inc
    for line in source.read_text().splitlines():
        if not line.startswith(";"):
            break
        key, _, rest = line[1:].strip().partition(" ")
        if key == "expect:":
            expectations += rest.split()
        elif key == "outcomes:":
            for word in rest.split():
                expectations.append("dword[%#x]=0x%s" % (outcomes, word))
                outcomes += 4
        elif key == "cpu:":
            models = rest.split()
        elif key in ("qemu:", "bochs:"):
            differs[key[:-1]] = rest
    return expectations, models, differs


def run_qemu(image: bytes, model: str, commands):
    with tempfile.NamedTemporaryFile(suffix=".rom") as f:
        f.write(image)
        f.flush()
        cmd = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", QEMU_CPU.get(model, model), "-m", "4", "-bios", f.name, "-nodefaults",
               "-display", "none", "-monitor", "stdio", "-no-reboot"]
        p = subprocess.Popen(cmd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        time.sleep(0.7)
        out, _ = p.communicate("stop\ninfo registers\n" + "\n".join(commands) + "\nquit\n", timeout=20)
        return out


def run_bochs(image: bytes, model: str, commands):
    with tempfile.TemporaryDirectory() as d:
        folder = pathlib.Path(d)
        (folder / "rom").write_bytes(image)
        (folder / "go").write_text("c\nr\nsreg\ncreg\ndreg\n" + "\n".join(commands) + "\nq\n")
        (folder / "rc").write_text(f"""megs: 4
romimage: file={d}/rom, address=0xffff0000
vgaromimage: file=/usr/share/seabios/vgabios-stdvga.bin
cpu: model={BOCHS_CPU[model]}, ips=50000000, reset_on_triple_fault=0
display_library: rfb, options="timeout=0"
magic_break: enabled=1
sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
log: {d}/log
""")
        p = subprocess.run(["bochs", "-q", "-f", d + "/rc", "-rc", d + "/go"], stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=20)
        text = p.stdout.replace("_", "")
        text = re.sub(r"\b(r[a-z0-9]{1,2}) ?: ([0-9a-f]{16})", lambda m: f"{m[1].upper()}={m[2]}", text)
        text = re.sub(r"\b(rip): ([0-9a-f]{16})", r"RIP=\2", text)
        text = re.sub(r"eflags 0x([0-9a-f]+)", r"RFL=\1", text)
        text = re.sub(r"\b(CR[0-4]|DR[0-7])=0x([0-9a-f]+)", r"\1=\2", text)
        text = re.sub(r"^([c-gs]s|tr|ldtr):0x([0-9a-f]+)", lambda m: f"{m[1].upper()} ={m[2]}", text, flags=re.M)
        return re.sub(r"^0x([0-9a-f]{16}) <bogus[^>]*>:\s*", r"\1: ", text, flags=re.M)


def registers(text):
    values = {}
    for name, value in re.findall(r"\b([A-Z][A-Z0-9]{1,3}) ?=([0-9a-f]+)", text):
        values.setdefault(name.lower(), int(value, 16))
    for r in list(values):
        if r.startswith("r") and r[1:] in ("ax", "bx", "cx", "dx", "si", "di", "bp", "sp"):
            values["e" + r[1:]] = values[r] & 0xFFFFFFFF
            values[r[1:]] = values[r] & 0xFFFF
        if r.startswith("e") and len(r) == 3 and r[1:] in ("ax", "bx", "cx", "dx", "si", "di", "bp", "sp"):
            values[r[1:]] = values[r] & 0xFFFF
    values["eflags"] = values.get("rfl", values.get("efl", 0))
    return values


def check(peer, name, source, binary):
    expectations, models, differs = header(source)
    bad = []
    for model in models:
        memory = [re.match(r"(byte|word|dword|qword)\[(\w+)\]", e) for e in expectations]
        commands = ["xp /1x%s %s" % ({"byte": "b", "word": "h", "dword": "w", "qword": "g"}[m[1]], m[2])
                    for m in memory if m]
        text = {"qemu": run_qemu, "bochs": run_bochs}[peer](rom(binary.read_bytes()), model, commands)
        cells = [int(v, 16) for v in re.findall(r"^[0-9a-f]{16}: (0x[0-9a-f]+)", text, re.M)]
        regs = registers(text)
        for e, m in zip(expectations, memory):
            left, _, want = e.partition("=")
            left, _, mask = left.partition("&")
            value = (cells.pop(0) if cells else None) if m else regs.get(left)
            if value is None or (value & (int(mask, 0) if mask else -1)) != int(want, 0):
                bad.append(f"{model}: {e}, {peer} has {value if value is None else hex(value)}")
    if not bad:
        print(f"ok   {name}")
    elif peer in differs:
        print(f"ok   {name} ({differs[peer]})")
        bad = []
    else:
        print(f"FAIL {name}: " + "; ".join(bad))
    return not bad


def main():
    peer, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    names = sys.argv[3:] or sorted(p.stem for p in (HERE / "programs").glob("*.asm"))
    results = [check(peer, n, HERE / "programs" / (n + ".asm"), folder / (n + ".bin")) for n in names]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
