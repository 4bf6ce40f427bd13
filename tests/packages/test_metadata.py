import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from packager_jupyter.errors import BadInputError, TooLargeError
from packager_jupyter.packages.metadata import Metadata, load_yaml, parse_metadata, update_yaml

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40).map(str.strip)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Metadata()),
        ("title: 2024", Metadata(title="2024")),
        ("title: yes\nlicense: 1.0", Metadata(title="yes", license="1.0")),
        ("title:\nkeywords:\nauthors: []", Metadata()),
        ("keywords: [a, 1, null]", Metadata(keywords=("a", "1", "null"))),
        ("title: 2024-01-01\nother: {deep: [1]}", Metadata(title="2024-01-01")),
    ],
)
def test_scalars_are_text(text, expected):
    assert parse_metadata(text.encode()) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("title: [a]", "'title'"),
        ("title: " + "x" * 301, "'title'"),
        ("authors: Jane", "'authors'"),
        ("authors: [{name: Jane}]", "'authors'"),
        ("keywords: ['']", "'keywords'"),
        ("- a\n- b", "list of fields"),
        ("just text", "list of fields"),
        ("title: 'open", "cannot be read"),
        ("a: &x [1]\nb: *x", "anchors"),
        ("a: " + "[" * 5000, "nested"),
        ("title: !!python/object/apply:os.system ['id']", "cannot be read"),
        ("\x00", "cannot be read"),
    ],
)
def test_what_is_refused(text, words):
    with pytest.raises(BadInputError, match=words):
        parse_metadata(text.encode())


def test_sizes_and_encodings():
    with pytest.raises(BadInputError, match="cannot be read"):
        parse_metadata(b"title: \xff")
    with pytest.raises(TooLargeError):
        parse_metadata(b"#" * 300_000)


@given(TEXT, TEXT, st.lists(TEXT.filter(bool), max_size=3))
def test_what_is_written_is_read(title, description, keywords):
    metadata = Metadata(title=title, description=description, keywords=tuple(keywords))
    data = update_yaml(b"more: kept\n", metadata)
    assert parse_metadata(data) == metadata
    assert load_yaml(data)["more"] == "kept"
    assert yaml.safe_load(data)["more"] == "kept"


@pytest.mark.parametrize("values", [{"colour": "red"}, {"title": 5}, {"title": "\ud800"}])
def test_changes_that_are_refused(values):
    with pytest.raises(BadInputError):
        Metadata().changed(values)
