import json
import os
import pty

import pytest

from packager_jupyter.cli.output import Output, count_of, human_size, printable, utc_minute


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1234, "1.2 kB"),
        (99_949, "99.9 kB"),
        (99_950, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (3_200_000_000, "3.2 GB"),
        (8_100_000_000_000, "8.1 TB"),
        (5 * 10**21, "5000 EB"),
    ],
)
def test_human_size(size_bytes, text):
    assert human_size(size_bytes) == text


def test_control_characters_never_reach_the_terminal():
    assert printable("a\nb\x1b[31mc\x9b\u202e") == r"a\nb\x1b[31mc\x9b\u202e"
    assert printable("été 日本 +#%&") == "été 日本 +#%&"
    assert printable(os.fsdecode(b"\xff")) == r"\udcff"


def test_counts_and_dates():
    assert count_of(1, "file") == "1 file"
    assert count_of(1507, "file") == "1,507 files"
    assert count_of(2, "entry", "entries") == "2 entries"
    assert utc_minute(1_714_644_660) == "2024-05-02 10:11"
    assert utc_minute(None) == "-"


def test_table_aligns_wide_characters_and_never_cuts(capsys):
    long = "x" * 300
    Output().table(
        ["name", "size"], [["日本", "5 B"], ["a", "1.2 kB"], [long, "10 B"]], right=["size"]
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].rstrip() == "NAME" + " " * 298 + "  SIZE"
    assert lines[1] == "日本" + " " * 296 + "     5 B"
    assert lines[3] == long + "    10 B"


def test_exact_sizes():
    assert Output(is_exact=True).size(1234) == "1234"
    assert Output().size(None) == "-"


def test_json_items_stream(capfdbinary):
    out = Output(is_json=True)
    with out.json_items() as write:
        write({"key": "a\n"})
        write({"key": "b"})
        out.close_items(cursor="c1", is_complete=False)
    assert json.loads(capfdbinary.readouterr().out) == {
        "items": [{"key": "a\n"}, {"key": "b"}],
        "cursor": "c1",
        "is_complete": False,
    }


def test_empty_json_items(capfdbinary):
    with Output(is_json=True).json_items():
        pass
    assert json.loads(capfdbinary.readouterr().out) == {"items": [], "cursor": None}


def test_a_listing_that_fails_is_no_valid_json(capfdbinary):
    def broken():
        with Output(is_json=True).json_items() as write:
            write({"key": "a"})
            raise OSError

    with pytest.raises(OSError, match=r".*"):
        broken()
    with pytest.raises(json.JSONDecodeError):
        json.loads(capfdbinary.readouterr().out)


def test_remarks_are_silent_with_json(capsys):
    Output(is_json=True).remark("hello")
    Output().remark("hello")
    assert capsys.readouterr().err == "hello\n"


def test_progress_draws_only_for_a_terminal(capsys, monkeypatch):
    with Output().progress("Adding") as tick:
        tick(5, 100)
    assert capsys.readouterr().err == ""

    leader, follower = pty.openpty()
    with os.fdopen(follower, "w") as terminal:
        monkeypatch.setattr("sys.stderr", terminal)
        with Output().progress("Adding") as tick:
            tick(1507, 3_200_000_000)
        drawn = ""
        while "files/s" not in drawn:  # the pseudo terminal hands it over piece by piece
            drawn += os.read(leader, 65536).decode()
    os.close(leader)
    assert "Adding" in drawn
    assert "1,507 files · 3.2 GB" in drawn
