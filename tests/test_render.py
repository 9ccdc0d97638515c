"""Test what is printed: cleaned, within the width, and in colour only on a terminal."""

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sessscan.render import data
from sessscan.render.screen import Page
from sessscan.render.text import clean, command, counted, folded, moment, size, when

HOSTILE = {
    "\x1b[31mred\x1b[0m": r"\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07": r"\x1b]0;title\x07",
    "\x9b2J": r"\x9b2J",
    "a\rb\nc\td": r"a\x0db\x0ac\x09d",
    "\x7f\x00": r"\x7f\x00",
    "\u202egpj.exe": r"\u202egpj.exe",
    "\u2066x\u2069": r"\u2066x\u2069",
    "\u200e\u200f\u061c": r"\u200e\u200f\u061c",
    "\u2028\u2029\ufeff\u200b": r"\u2028\u2029\ufeff\u200b",
    "\U000e0041": r"\U000e0041",
    "\ud83d alone": r"\ud83d alone",
    "caf\udce9": r"caf\xe9",  # a byte of a file name that is not UTF-8, as Python gives it on POSIX
}


@pytest.mark.parametrize(("text", "escaped"), HOSTILE.items())
def test_control_characters_are_escaped(text: str, escaped: str) -> None:
    assert clean(text) == escaped


@pytest.mark.parametrize(
    "text", ["plain", "Résumé, 日本語 …", "👩‍👩‍👧 and 🏳️‍🌈", "می‌خواهم", "[bold]x[/y]", "a\xa0b"]
)
def test_other_text_stays_as_it_is(text: str) -> None:
    assert clean(text) == text


@given(st.text(st.characters()))
def test_no_control_character_is_printed(text: str) -> None:
    stream = io.StringIO()
    page = Page(stream)
    page.prose(text, lead="* ", indent=2)
    page.whole(text)
    shown = stream.getvalue()
    assert all(character == "\n" or ord(character) >= 0x20 for character in shown)
    assert not set(shown) & set(
        map(chr, [*range(0x7F, 0xA0), 0x200E, 0x200F, 0x061C, *range(0x2028, 0x202F)])
    )
    assert not set(shown) & set(map(chr, range(0x2066, 0x206A)))
    shown.encode()


def test_folded_is_one_line() -> None:
    assert folded("  a\n\n b\t\x1b ") == r"a b \x1b"


@pytest.mark.skipif(shutil.which("bash") is None, reason="quoted for shells like bash")
@pytest.mark.parametrize(
    "argument", ["plain", "it's", "a b", "$(x)", "", "a\x1b\x07'\\n", "caf\udce9", "日本", "\u202e", "-\n-"]
)
def test_a_suggested_command_can_be_typed_as_it_is(argument: str) -> None:
    line = command(
        [sys.executable, "-c", "import os,sys; sys.stdout.buffer.write(os.fsencode(sys.argv[1]))", argument]
    )
    assert clean(line) == line
    assert subprocess.check_output(["bash", "-c", line]) == os.fsencode(argument)


def test_times_and_sizes() -> None:
    assert when(None) == ""
    assert when(0) == "1970-01-01 00:00"
    assert moment(1_700_000_000_123) == "2023-11-14 22:13:20.123"
    assert when(10**18) == str(10**18)
    assert [size(count) for count in (0, 999, 1000, 12_345, 999_999, 10**9, 5 * 10**13)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "12.3 kB",
        "1.0 MB",
        "1.0 GB",
        "50.0 TB",
    ]
    assert counted(1, "row") == "1 row"
    assert counted(12_345, "row") == "12,345 rows"


@pytest.mark.parametrize("columns", [1, 24, 40, 50, 80, 200])
def test_prose_keeps_to_the_width(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    stream = io.StringIO()
    page = Page(stream)
    text = "a few words of prose, 日本語の予報文 among them, " * 5
    page.prose(text, indent=5, lead="label   ")
    lines = stream.getvalue().splitlines()
    assert " ".join(" ".join(lines).split()) == " ".join(("label " + text).split())
    from rich.cells import cell_len

    assert all(cell_len(line) <= max(24, min(columns, 100)) for line in lines)
    assert all(line == line.rstrip() for line in lines)


def test_paths_are_never_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    stream = io.StringIO()
    path = "/a/path with blanks/" + "x" * 100
    Page(stream).whole(path, indent=4, lead="path  ")
    Page(stream).prose(f"see {'y' * 90} there")
    assert stream.getvalue() == f"    path  {path}\nsee\n{'y' * 90}\nthere\n"


def test_json_is_ascii_and_has_the_same_value(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"title": "\x1b\x7f\x9b\u202e\ud83d日"}
    data.print_json(value)
    shown = capsys.readouterr().out
    assert json.loads(shown) == value
    assert all(character == "\n" or " " <= character < "\x7f" for character in shown)
    data.print_json(iter([]))
    data.print_json(iter([1, 2]))
    assert capsys.readouterr().out == "[]\n[\n1,\n2\n]\n"


def test_csv_has_no_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    data.print_csv(["a", "b"], [{"a": "x\x1b,\ny", "b": None}])
    assert capsys.readouterr().out == 'a,b\n"x\\x1b,\\x0ay",\n'


def test_only_render_uses_rich() -> None:
    import sessscan

    root = Path(sessscan.__file__).parent
    users = {
        path.parent.name for path in root.rglob("*.py") if "rich" in path.read_text(encoding="utf-8").split()
    }
    assert users <= {"render"}
