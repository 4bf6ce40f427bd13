"""Real, small distribution files, written with the standard library."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile


def metadata(name, version, **fields):
    lines = [f"Metadata-Version: {fields.pop('metadata_version', '2.1')}"]
    lines += [f"Name: {name}", f"Version: {version}"]
    lines += [f"{key.replace('_', '-').title()}: {value}" for key, value in fields.items()]
    return ("\n".join(lines) + "\n\nA demonstration.\n").encode()


def wheel(name="demo", version="1.0", *, core=None, extra=(), folder=None, **fields):
    """Return (file name, bytes) of a pure wheel."""
    safe = name.replace("-", "_").replace(".", "_")
    info = folder or f"{safe}-{version}.dist-info"
    members = {
        f"{safe}/__init__.py": f"VERSION = {version!r}\n".encode(),
        f"{info}/METADATA": metadata(name, version, **fields) if core is None else core,
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\n"
        b"Tag: py3-none-any\n",
    }
    record = "".join(
        f"{path},sha256={_record_hash(data)},{len(data)}\n" for path, data in members.items()
    )
    members[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in [*members.items(), *extra]:
            archive.writestr(zipfile.ZipInfo(path), data)
    return f"{safe}-{version}-py3-none-any.whl", buffer.getvalue()


def sdist(name="demo", version="1.0", *, core=None, **fields):
    """Return (file name, bytes) of a source distribution."""
    safe = name.replace("-", "_").replace(".", "_")
    top = f"{safe}-{version}"
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, data in (
            ("PKG-INFO", metadata(name, version, **fields) if core is None else core),
            ("pyproject.toml", b"[project]\n"),
        ):
            entry = tarfile.TarInfo(f"{top}/{path}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return f"{top}.tar.gz", buffer.getvalue()


def _record_hash(data):
    import base64

    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
