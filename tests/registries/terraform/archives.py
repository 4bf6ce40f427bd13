"""Small provider and module archives, written with the standard library."""

from __future__ import annotations

import hashlib
import io
import zipfile


def provider_zips(version="1.0.0", **platforms):
    """Return {file name: bytes} of one archive per platform."""
    platforms = platforms or {"linux_amd64": b"a", "darwin_arm64": b"b"}
    return {
        f"terraform-provider-lab_{version}_{platform}.zip": _zip(
            f"terraform-provider-lab_v{version}", content
        )
        for platform, content in platforms.items()
    }


def sums_of(files):
    """Return SHA256SUMS over {file name: bytes}."""
    return "".join(
        f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items()
    ).encode()


def zipped_module(text):
    """Return a module of one file."""
    return _zip("main.tf", text.encode())


def packed(files):
    """Return a ZIP of {name: content}."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def _zip(name, content):
    return packed({name: content})
