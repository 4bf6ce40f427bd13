"""Media types by file ending, from a table of our own.

What is published must not depend on the machine, so the system's table is not asked.
"""

from __future__ import annotations

DEFAULT = "application/octet-stream"

_TYPES = {
    "bmp": "image/bmp",
    "bz2": "application/x-bzip2",
    "cfg": "text/plain",
    "css": "text/css",
    "csv": "text/csv",
    "fits": "application/fits",
    "geojson": "application/geo+json",
    "gif": "image/gif",
    "gz": "application/gzip",
    "h5": "application/x-hdf5",
    "hdf5": "application/x-hdf5",
    "htm": "text/html",
    "html": "text/html",
    "ini": "text/plain",
    "ipynb": "application/x-ipynb+json",
    "jl": "text/x-julia",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "js": "text/javascript",
    "json": "application/json",
    "jsonl": "application/jsonl",
    "log": "text/plain",
    "md": "text/markdown",
    "mp4": "video/mp4",
    "nc": "application/x-netcdf",
    "npy": "application/x-npy",
    "npz": "application/zip",
    "parquet": "application/vnd.apache.parquet",
    "pdf": "application/pdf",
    "png": "image/png",
    "py": "text/x-python",
    "r": "text/x-r",
    "rst": "text/x-rst",
    "sh": "text/x-sh",
    "sql": "application/sql",
    "svg": "image/svg+xml",
    "tar": "application/x-tar",
    "tex": "text/x-tex",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "toml": "application/toml",
    "tsv": "text/tab-separated-values",
    "txt": "text/plain",
    "wav": "audio/wav",
    "webp": "image/webp",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "xml": "application/xml",
    "yaml": "application/yaml",
    "yml": "application/yaml",
    "zip": "application/zip",
    "zst": "application/zstd",
}

_NAMES = {"license": "text/plain", "readme": "text/plain", "dockerfile": "text/plain"}


def media_type_for(path: str) -> str:
    """Return the media type that the ending of `path` stands for, else `DEFAULT`."""
    name = path.rpartition("/")[2].lower()
    _, dot, ending = name.rpartition(".")
    return _TYPES.get(ending, DEFAULT) if dot else _NAMES.get(name, DEFAULT)
