"""Distribution files that must be refused: what is wrong with each stands in its name.

Every one is an honest, complete distribution but for one thing, so that it is this thing for which
it is refused.
"""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import warnings
import zipfile

from registries.pypi.distributions import metadata, sdist, wheel

WHEEL = "demo-1.0-py3-none-any.whl"
SDIST = "demo-1.0.tar.gz"
INFO = "demo-1.0.dist-info"


def _wheel(*members, method=zipfile.ZIP_DEFLATED, record=True, listed=(), **fields):
    """Return a wheel with further members, and RECORD lists them and `listed` as well."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns of duplicate names
        names = [m[0] if isinstance(m[0], str) else m[0].filename for m in members]
        with zipfile.ZipFile(io.BytesIO(wheel(**fields)[1])) as honest:
            found = [(info.filename, honest.read(info)) for info in honest.infolist()]
        lines = "".join(f"{name},,\n" for name in [*(names if record else ()), *listed])
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as archive:
            for name, data in found[:-1]:
                archive.writestr(zipfile.ZipInfo(name), data)
            for member, data in members:
                info = member if isinstance(member, zipfile.ZipInfo) else zipfile.ZipInfo(member)
                info.compress_type = method
                archive.writestr(info, data)
            archive.writestr(found[-1][0], found[-1][1] + lines.encode())
        return buffer.getvalue()


def _patched(data, old, new, count=-1):
    assert old in data
    return data.replace(old, new, count)


def _without(name):
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(wheel()[1])) as honest, zipfile.ZipFile(buffer, "w") as other:
        for info in honest.infolist():
            data = honest.read(info)
            if info.filename.endswith("RECORD"):
                data = b"".join(line for line in data.splitlines(True) if name.encode() not in line)
            if info.filename != f"{INFO}/{name}":
                other.writestr(info, data)
    return buffer.getvalue()


def _link():
    info = zipfile.ZipInfo("demo/link")
    info.create_system, info.external_attr = 3, 0o120777 << 16
    return info


def _overlapping():
    """Two entries of the directory name the same bytes (a quine of sizes)."""
    data = bytearray(_wheel(("demo/aaaa.py", b"x = 1\n"), ("demo/bbbb.py", b"x = 1\n")))
    first, second = data.rindex(b"demo/aaaa.py") - 46, data.rindex(b"demo/bbbb.py") - 46
    data[second + 42 : second + 46] = data[first + 42 : first + 46]
    return bytes(data)


def _core(**changed):
    fields = {"name": "demo", "version": "1.0"} | changed
    return wheel(core=metadata(fields.pop("name"), fields.pop("version"), **fields))[1]


WHEELS = {
    "empty": lambda: b"",
    "html": lambda: b"<html></html>" * 10,
    "cut off": lambda: wheel()[1][:-30],
    "data behind": lambda: wheel()[1] + b"tail",
    "data before": lambda: b"#!/bin/sh\n" + wheel()[1],
    "two archives": lambda: wheel(summary="other")[1] + wheel()[1],
    "metadata twice": lambda: _wheel((f"{INFO}/METADATA", metadata("demo", "1.0", summary="x"))),
    "file and folder": lambda: _wheel(("demo/a", b""), ("demo/a/b", b"")),
    "parent": lambda: _wheel(("../evil", b"")),
    "inner parent": lambda: _wheel(("demo/../../evil", b"")),
    "absolute": lambda: _wheel(("/etc/passwd", b"")),
    "drive": lambda: _wheel(("C:/evil", b"")),
    "backslash": lambda: _patched(_wheel(("demo/zz", b"")), b"demo/zz", b"demo\\zz"),
    "nul": lambda: _patched(_wheel(("demo/z_z", b"")), b"demo/z_z", b"demo/z\0z"),
    "newline": lambda: _patched(_wheel(("demo/z_z", b"")), b"demo/z_z", b"demo/z\nz"),
    "symlink": lambda: _wheel((_link(), b"/etc/passwd")),
    "local name differs": lambda: _patched(wheel()[1], b"dist-info/WHEEL", b"dist-info/WHEAL", 1),
    "two lengths": lambda: _patched(
        _wheel(("demo/a", b"x" * 777), method=zipfile.ZIP_STORED),
        struct.pack("<2L", 777, 777),
        struct.pack("<2L", 777, 776),
        1,
    ),
    "encrypted": lambda: _patched(
        wheel()[1], b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01", 1
    ),
    "bzip2": lambda: _wheel(("demo/a", b"x"), method=zipfile.ZIP_BZIP2),
    "invalid utf-8": lambda: _patched(_wheel(("demo/é", b"")), "demo/é".encode(), b"demo/\xff\xff"),
    "overlapping": _overlapping,
    "a hundred thousand members": lambda: _wheel(*((f"demo/{n}", b"") for n in range(100_000))),
    "metadata of 200 MB": lambda: wheel(core=metadata("demo", "1.0") + bytes(200_000_000))[1],
    "metadata of 2 MB": lambda: wheel(core=metadata("demo", "1.0") + _noise(2_000_000))[1],
    "other checksum": lambda: _patched(
        _wheel(("demo/a", b"content of a"), method=zipfile.ZIP_STORED, summary="content of s"),
        b"content of s",
        b"content 0f s",
    ),
    "two dist-info folders": lambda: _wheel(("demo-2.0.dist-info/METADATA", b"")),
    "other dist-info folder": lambda: wheel(folder="demo-2.0.dist-info")[1],
    "no METADATA": lambda: _without("METADATA"),
    "no WHEEL": lambda: _without("WHEEL"),
    "no RECORD": lambda: _without("RECORD"),
    "a file that RECORD lacks": lambda: _wheel(("demo/hidden.py", b"x"), record=False),
    "RECORD lists what is not there": lambda: _wheel(listed=("demo/absent.py",)),
    "metadata of another project": lambda: _core(name="other"),
    "metadata of another version": lambda: _core(version="1.1"),
    "metadata without a version of itself": lambda: wheel(core=b"Name: demo\nVersion: 1.0\n\n")[1],
    "a version of 500 kB": lambda: _core(version="1." + "0" * 500_000),
    "metadata in no encoding": lambda: wheel(core=metadata("demo", "1.0") + b"\xff\xfe\xff")[1],
}


def _noise(size):
    import random

    return random.Random(1).randbytes(size).replace(b"\n", b" ")


def _tar(*members, top="demo-1.0", info=True, mode="w:gz"):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        found = [(f"{top}/PKG-INFO", metadata("demo", "1.0"))] if info else []
        for member, data in [*found, *members]:
            entry = tarfile.TarInfo(member) if isinstance(member, str) else member
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _entry(name, kind, target=""):
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


SDISTS = {
    "empty": lambda: b"",
    "html": lambda: b"<html></html>" * 100,
    "gzip of nothing": lambda: gzip.compress(b""),
    "cut off": lambda: sdist()[1][:-9],
    "data behind": lambda: sdist()[1] + b"evil",
    "second gzip": lambda: sdist()[1] + gzip.compress(b"evil"),
    "parent": lambda: _tar(("demo-1.0/../../evil", b"")),
    "absolute": lambda: _tar(("/etc/passwd", b"")),
    "outside": lambda: _tar(("evil", b"")),
    "twice": lambda: _tar(("demo-1.0/PKG-INFO", metadata("demo", "1.0", summary="x"))),
    "link out": lambda: _tar((_entry("demo-1.0/l", tarfile.SYMTYPE, "../../etc/passwd"), b"")),
    "link absolute": lambda: _tar((_entry("demo-1.0/l", tarfile.SYMTYPE, "/etc/passwd"), b"")),
    "hard link out": lambda: _tar((_entry("demo-1.0/l", tarfile.LNKTYPE, "../x"), b"")),
    "device": lambda: _tar((_entry("demo-1.0/d", tarfile.CHRTYPE), b"")),
    "fifo": lambda: _tar((_entry("demo-1.0/d", tarfile.FIFOTYPE), b"")),
    "bomb": lambda: _tar(("demo-1.0/zeros", bytes(200_000_000))),
    "a hundred thousand members": lambda: _tar(*((f"demo-1.0/{n}", b"") for n in range(100_000))),
    "metadata of 2 MB": lambda: _tar(
        ("demo-1.0/PKG-INFO", metadata("demo", "1.0") + _noise(2_000_000)), info=False
    ),
    "no PKG-INFO": lambda: _tar(("demo-1.0/a", b""), info=False),
    "metadata of another project": lambda: sdist(core=metadata("other", "1.0"))[1],
}

CORPUS = {
    **{f"wheel: {name}": (WHEEL, make) for name, make in WHEELS.items()},
    **{f"sdist: {name}": (SDIST, make) for name, make in SDISTS.items()},
}
