#!/usr/bin/env python3
"""Extract the ELF kernel from a Linux bzImage: extract-vmlinux.py BZIMAGE OUTPUT

The payload's place is in the setup header (Linux Documentation/arch/x86/boot.rst: setup_sects,
payload_offset, payload_length); its compression is told by its first bytes.
"""
import bz2
import gzip
import lzma
import os
import struct
import subprocess
import sys


def decompress(payload):
    if payload[:2] == b"\x1f\x8b":
        return gzip.decompress(payload)
    if payload[:6] == b"\xfd7zXZ\x00":
        return lzma.LZMADecompressor().decompress(payload)
    if payload[:3] == b"BZh":
        return bz2.decompress(payload)
    if payload[:4] == b"\x28\xb5\x2f\xfd":
        return subprocess.run(["zstd", "-dcq"], input=payload, stdout=subprocess.PIPE, check=True).stdout
    raise SystemExit("extract-vmlinux: unknown compression " + payload[:6].hex())


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    image = open(sys.argv[1], "rb").read()
    if image[0x202:0x206] != b"HdrS"[:4]:
        raise SystemExit(f"extract-vmlinux: {sys.argv[1]} is not a bzImage")
    setup_sectors = image[0x1F1] or 4
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = (setup_sectors + 1) * 512 + offset
    # The payload ends with its own unpacked size (4 bytes), which zstd would take for garbage.
    payload = image[start : start + length - 4]
    vmlinux = decompress(payload)
    if vmlinux[:4] != b"\x7fELF":
        raise SystemExit("extract-vmlinux: the payload is not an ELF file")
    with open(sys.argv[2] + ".part", "wb") as out:
        out.write(vmlinux)
    os.replace(sys.argv[2] + ".part", sys.argv[2])


main()
