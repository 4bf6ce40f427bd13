import csv
import io

from hypothesis import example, given
from hypothesis import strategies as st

from packager_jupyter.exports.signed import WRITERS
from packager_jupyter.packages.pointer import Pointer

TEXTS = st.text("ab ,\"\n\r'é;=\t\u2028\U0001f30d", max_size=8)
PLAIN = st.text("abc/._-é", max_size=8)
ROWS = st.lists(
    st.tuples(
        st.builds(Pointer, path=TEXTS | PLAIN, source=PLAIN, key=TEXTS | PLAIN, uri=st.just(""),
                  size_bytes=st.just(1)),
        st.just("https://s3.example/b/k?X-Amz-Signature=1&a=%2C") | TEXTS,
        st.integers(0, 2**40),
    ),
    max_size=5,
)  # fmt: skip


@given(ROWS)
@example([(Pointer('a,"b"', "s", "a\rb", "", 1), "u", 5), (Pointer("", "", "", "", 1), "", 0)])
def test_csv_is_read_back_as_it_was_written(rows):
    """RFC 4180: fields with commas, quotes and line ends stand in quotes, quotes are doubled."""
    expected = [(one.path, one.source, one.key, url, str(end)) for one, url, end in rows]
    text = WRITERS["csv"](rows).decode()
    assert [tuple(row) for row in csv.reader(io.StringIO(text, newline=""))] == expected
    if "\r" not in text:  # which Python's writer leaves as it is
        table = io.StringIO(newline="")
        csv.writer(table, lineterminator="\n").writerows(expected)
        assert text == table.getvalue()


@given(st.lists(st.tuples(PLAIN, PLAIN), min_size=1))
def test_csv_quotes_nothing_without_need(texts):
    rows = [(Pointer(path, "s", key, "", 1), "u", 9) for path, key in texts]
    written = WRITERS["csv"](rows)
    assert written == "".join(f"{path},s,{key},u,9\n" for path, key in texts).encode()
