import io
import re
from urllib.parse import quote

import orjson
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from packager_jupyter.errors import BadInputError, TooLargeError
from packager_jupyter.packages import pointer_files
from packager_jupyter.packages.names import path_for_key
from packager_jupyter.packages.pointer import Pointer
from packager_jupyter.packages.pointer_file import parse_pointer_file, pointer_file
from packager_jupyter.packages.pointer_files import PointerFiles
from packager_jupyter.packages.times import MAX_S, MIN_S, format_time, parse_time, parse_times

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
TRICKY = st.sampled_from(
    [
        "yes",
        "No",
        "null",
        "~",
        "1e3",
        "0x1f",
        "0b1",
        "1_000",
        "12:30",
        "2024-01-01",
        "=",
        "<<",
        "-",
        "a: b",
        "a #b",
        "#a",
        "'",
        '"',
        "!x",
        "&a",
        "*a",
        "@a",
        "%a",
        "?",
        ">",
        "a ",
        " a",
        "é",
        "\x85",
        "\u2028",
        "\ufeff",
        "\x7f",
        "\t",
        "a\nb",
        "",
        "..",
        "1.5",
        ".inf",
        ".nan",
        "12e45f",
        "12345678",
        "0b101",
        "1e5",
        "a:",
        "NaN",
        "635b434187cea0bb4d320073e536fe6d-2",
        "s3://b/k",
    ]
)
CHECKSUMS = st.dictionaries(
    st.sampled_from(["md5", "sha256", "crc64nvme", "7z"]),
    st.binary(min_size=1, max_size=32).map(bytes.hex),
)
POINTERS = st.builds(
    Pointer,
    path=(TEXT | TRICKY).map(path_for_key),
    source=st.sampled_from(["s3-demo", "on", "1"]),
    key=TEXT | TRICKY,
    uri=(TEXT | TRICKY).map(lambda text: "s3://bucket/" + text),
    size_bytes=st.integers(0, 2**53 - 1),
    modified_s=st.none() | st.integers(MIN_S, MAX_S),
    etag=st.none() | TEXT | TRICKY,
    version_id=st.none() | TEXT | TRICKY,
    checksums=CHECKSUMS,
    media_type=st.none() | st.just("image/tiff"),
)


USUAL = st.from_regex(r"[a-zA-Z0-9/][a-z0-9_.@/-]{0,9}", fullmatch=True)
ROOTS = st.sampled_from(
    ["s3://bucket/raw/", "https://a.example:443/c/", "x:", "", "s 3:", "\u2028"]
)


@st.composite
def usual_pointers(draw):
    """Pointers as most are, most often: a key that is the path, an address that ends in it."""
    pointer = draw(POINTERS)
    path = draw(USUAL | TRICKY)
    key = draw(st.just(path) | USUAL | TRICKY)
    uri = draw(ROOTS) + draw(st.just(key) | TRICKY)
    etag = draw(st.just("0" * 32) | st.just("635b434187cea0bb4d320073e536fe6d-2") | USUAL)
    return pointer._replace(path=path, key=key, uri=uri, etag=etag)


@given(POINTERS)
def test_a_line_comes_back_and_is_canonical(pointer):
    line = pointer.to_line()
    assert Pointer.from_line(line) == pointer
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    assert Pointer.from_line(line).to_line() == line


def test_the_line_stands_as_documented():
    pointer = Pointer(
        path="img/two.tif",
        source="s3-demo",
        key="img/two.tif",
        uri="s3://demo-bucket/raw/img/two.tif",
        size_bytes=3_000_000,
        modified_s=1754042400,
        etag="635b434187cea0bb4d320073e536fe6d-2",
        version_id="3HL4",
        checksums={"sha256": "58b5", "md5": "635b"},
        media_type="image/tiff",
    )
    assert pointer.to_line() == (
        b'{"path":"img/two.tif","size":3000000,"checksums":{"md5":"635b","sha256":"58b5"},'
        b'"etag":"635b434187cea0bb4d320073e536fe6d-2","modified":"2025-08-01T10:00:00Z",'
        b'"media_type":"image/tiff","source":"s3-demo","key":"s3://demo-bucket/raw/img/two.tif",'
        b'"version_id":"3HL4","x-key":"img/two.tif"}\n'
    )
    text = pointer_file(pointer, package="mix", version="3", url="https://example.org/s/t/x.tif")
    assert text.decode() == (
        "pointer: packager/v1\npath: img/two.tif\nsize: 3000000\n"
        "checksums: md5:635b sha256:58b5\netag: 635b434187cea0bb4d320073e536fe6d-2\n"
        'modified: "2025-08-01T10:00:00Z"\nmedia_type: image/tiff\nsource: s3-demo\n'
        "key: s3://demo-bucket/raw/img/two.tif\nversion_id: "
        '"3HL4"\npackage: mix@3\nurl: https://example.org/s/t/x.tif\nx-key: img/two.tif\n'
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"path": "a/../b"}, "segment"),
        ({"path": "/etc/passwd"}, "begins with"),
        ({"path": None}, "text"),
        ({"path": 5}, "text"),
        ({"size": -1}, "size"),
        ({"size": True}, "size"),
        ({"size": 1.5}, "size"),
        ({"size": 2**53}, "size"),
        ({"size": None}, "size"),
        ({"etag": 5}, "etag"),
        ({"modified": "yesterday"}, "time"),
        ({"modified": "2025-02-30T00:00:00Z"}, "time"),
        ({"modified": "2025-02-01T24:00:00Z"}, "time"),
        ({"checksums": {"md5": "XYZ"}}, "hex"),
        ({"checksums": {"MD5": "aa"}}, "hex"),
        ({"checksums": ["md5"]}, "object"),
    ],
)
def test_lines_that_are_refused(change, words):
    record = {"path": "a", "size": 1, "source": "s", "key": "s3://b/a", "x-key": "a"} | change
    with pytest.raises(BadInputError, match=words):
        Pointer.from_line(orjson.dumps(record))


@pytest.mark.parametrize(
    "line", [b"", b"[]", b"{", b"nonsense", b'{"path":"a"', b'"x"', b"x" * 70_000, b"\xff"]
)
def test_what_is_no_line(line):
    with pytest.raises(BadInputError):
        Pointer.from_line(line)


def test_unknown_names_are_ignored():
    line = b'{"path":"a","size":1,"source":"s","key":"u","x-key":"a","x-more":[1]}\n'
    assert Pointer.from_line(line) == Pointer("a", "s", "a", "u", 1)


@settings(max_examples=300, deadline=None)
@given(POINTERS, st.booleans())
@example(Pointer("no", "1", "~", "s3://b/~", 0, etag="0b1"), False)
@example(Pointer("a", "s", "", "u", 0, checksums={"7z": "1e10"}), False)
def test_a_file_reads_alike_in_every_yaml_reader(pointer, hide_key):
    data = pointer_file(pointer, package="team/mix", version="3", hide_key=hide_key)
    ours = parse_pointer_file(data)
    expected = pointer
    if hide_key:
        expected = Pointer(
            **{name: getattr(pointer, name) for name in Pointer._fields} | {"key": "", "uri": ""}
        )
    assert ours.pointer == expected
    assert (ours.package, ours.version, ours.url) == ("team/mix", "3", None)
    flat = dict(pointer.to_record())
    if hide_key:
        del flat["key"], flat["x-key"]
    if "checksums" in flat:
        flat["checksums"] = " ".join(f"{k}:{v}" for k, v in flat["checksums"].items())
    flat |= {"pointer": "packager/v1", "package": "team/mix@3"}
    assert yaml.safe_load(data) == flat
    assert dict(YAML(typ="safe", pure=True).load(io.BytesIO(data))) == flat


@settings(max_examples=500, deadline=None)
@given(
    st.lists(usual_pointers() | POINTERS, max_size=4),
    st.sampled_from(["https://data.example.org:8888/s/a/", "http://[::1]/s/a~b/", "no", ""]),
)
@example([Pointer("no", "on", "no", "s3://b/no", 1)], "https://data.example.org/")
@example([Pointer("aaaaaa", "s", "aaaaaa", "1aaaaaa", 1)], "https://data.example.org/")
@example([Pointer("zzzzzz", "s", "zzzzzz", "1zzzzzz", 1)], "https://data.example.org/")
@example([Pointer("zzzzzz", "s", "zzzzzz", "zzzzzz", 1)], "1")
@example([Pointer("aaaaaa", "s", "aaaaaa", "s3://b/other", 1)], "https://data.example.org/")
@example([Pointer("aaaaaa", "", "aaaaaa", "s3://b/aaaaaa", 1)], "https://data.example.org/")
@example([Pointer("aaa@aa", "s", "aaa@aa", "s3://b/aaa@aa", 1)], "https://data.example.org/")
@example([Pointer("aaa\nsize: 5", "s", "aaaaaa", "s3://b/aaaaaa", 1)], "https://data.example.org/")
def test_many_files_in_a_row_are_as_those_written_one_by_one(pointers, base):
    def url_of(path):
        return base + "files/" + quote(path, safe="/")

    writer = PointerFiles(package="team/mix", version="3", url_of=url_of)
    for pointer in pointers * 2:
        alone = pointer_file(pointer, package="team/mix", version="3", url=url_of(pointer.path))
        assert writer.write(pointer) == alone


def test_the_usual_pointer_is_not_written_slowly(monkeypatch):
    pointer = Pointer(
        "img/two.tif",
        "lake",
        "img/two.tif",
        "s3://bucket/raw/img/two.tif",
        3,
        modified_s=1_754_042_400,
        etag="635b434187cea0bb4d320073e536fe6d-2",
        version_id="3HL4",
        checksums={"md5": "635b"},
        media_type="image/tiff",
    )
    writer = PointerFiles(package="mix", version="3", url_of="https://example.org/s/t/".__add__)
    expected = writer.write(pointer)
    monkeypatch.setattr(pointer_files, "pointer_file", lambda *_, **__: pytest.fail("slowly"))
    assert writer.write(pointer) == expected
    with pytest.raises(pytest.fail.Exception):
        writer.write(pointer._replace(path="x: y"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "first line"),
        ("pointer: packager/v2\n", "first line"),
        ("pointer: packager/v1\npath: a\n", "needed"),
        ("pointer: packager/v1\nsize: 1\n", "needed"),
        ("pointer: packager/v1\npath: a\nsize: -1\n", "needed"),
        ("pointer: packager/v1\npath: a\nsize: 1\nsize: 2\n", "twice"),
        ("pointer: packager/v1\npath: a\nsize: 1\nnonsense\n", "name: value"),
        ('pointer: packager/v1\npath: "a\nsize: 1\n', "JSON string"),
        ("pointer: packager/v1\npath: ../a\nsize: 1\n", "segment"),
        ('pointer: packager/v1\npath: "\\ud800"\nsize: 1\n', "JSON string"),
        ("pointer: packager/v1\npath: a\nsize: 1\nchecksums: md5\n", "hex"),
    ],
)
def test_files_that_are_refused(text, words):
    with pytest.raises(BadInputError, match=re.escape(words)):
        parse_pointer_file(text.encode())


def test_files_are_small():
    with pytest.raises(TooLargeError):
        parse_pointer_file(b"x" * 20_000)
    with pytest.raises(TooLargeError):
        pointer_file(Pointer("a", "s", "k", "u" * 20_000, 1), package="p", version="1")
    writer = PointerFiles(package="p", version="1", url_of="https://example.org/".__add__)
    with pytest.raises(TooLargeError):
        writer.write(Pointer("aaaaaa", "s", "aaaaaa", "u" * 20_000 + "aaaaaa", 1))
    with pytest.raises(BadInputError, match="UTF-8"):
        parse_pointer_file(b"pointer: packager/v1\npath: \xff\n")


def test_comments_unknown_names_and_foreign_line_ends_are_read():
    data = b"pointer: packager/v1\r\n# by hand\r\npath: a\r\nsize: 1\r\nx-more: 1\r\n\r\n"
    assert parse_pointer_file(data).pointer == Pointer("a", "", "", "", 1)


@given(st.lists(st.integers(MIN_S, MAX_S)))
def test_times_come_back(seconds):
    texts = [format_time(one) for one in seconds]
    assert [parse_time(text) for text in texts] == seconds
    assert parse_times(texts) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "2025-W31-5T10:00:00Z",
        "2025-02-30T10:00:00Z",
        "2025-08-01T24:00:00Z",
        "2025-08-01T10:60:00Z",
        "2025-08-01T10:00:00",
        "2025-08-01T10:00:00ZZ",
        "2025-08-01 10:00:00Z",
        "\u06622025-8-01T10:00:00Z",
        "",
    ],
)
def test_what_is_no_time(text):
    for parse in (parse_time, lambda text: parse_times(["2025-08-01T10:00:00Z", text])):
        with pytest.raises(BadInputError, match="no time"):
            parse(text)


@pytest.mark.parametrize("seconds", [MIN_S - 1, MAX_S + 1])
def test_times_out_of_range(seconds):
    with pytest.raises(BadInputError):
        format_time(seconds)
