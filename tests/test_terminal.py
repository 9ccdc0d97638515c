"""Test the whole program in pipes and on terminals: colours, encodings, and widths."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.cells import cell_len
from support.program import on_a_terminal, places, run
from support.system import WINDOWS

pytestmark = pytest.mark.full

POSIX = pytest.mark.posix("no such pipes and terminals")
COMMANDS = {
    "help": ["--help"],
    "help of one": ["scan", "--help"],
    "version": ["--version"],
    "rules": ["explain"],
    "log": ["log"],
    "table": ["scan", "SAMPLE"],
    "events": ["events", "SAMPLE"],
    "json": ["scan", "SAMPLE", "--format", "json"],
    "text": ["reconcile", "--store", "SAMPLE/Claude", "--projects", "SAMPLE/projects"],
}
"""Command lines that print something, by a name for each."""


def program(name: str, sample: Path) -> list[str]:
    return [
        sys.executable,
        "-m",
        "sessscan",
        *(word.replace("SAMPLE", str(sample)) for word in COMMANDS[name]),
    ]


@POSIX
@pytest.mark.parametrize("name", COMMANDS)
def test_a_pipe_that_is_closed_at_once(env: dict[str, str], sample: Path, name: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run(
            program(name, sample), stdout=writing, stderr=subprocess.PIPE, env=env, check=False
        )
    finally:
        os.close(writing)
    assert (ended.returncode, ended.stderr) == (141, b"")


@POSIX
@pytest.mark.parametrize("name", ["version", "rules", "text"])
def test_without_stdout(env: dict[str, str], sample: Path, name: str) -> None:
    command = ["bash", "-c", '"$@" >&-', "bash", *program(name, sample)]
    ended = subprocess.run(command, stderr=subprocess.PIPE, env=env, check=False)
    assert (ended.returncode, ended.stderr) == (1 if name == "text" else 0, b"")


@pytest.mark.linux("/dev/full is a device of Linux")
@pytest.mark.parametrize("name", ["help", "version", "rules", "json"])
def test_a_full_disk_is_one_line_and_status_4(env: dict[str, str], sample: Path, name: str) -> None:
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        ended = subprocess.run(
            program(name, sample), stdout=full, stderr=subprocess.PIPE, env=env, check=False
        )
    assert ended.returncode == 4
    assert ended.stderr == b"sessscan: No space left on device\n"


def test_colour_can_be_forced_but_a_pipe_is_never_cut(env: dict[str, str], sample: Path) -> None:
    plain = run(env, "scan", sample).stdout
    forced = {name: value for name, value in env.items() if name not in ("NO_COLOR", "TERM")}
    forced |= {"FORCE_COLOR": "1", "TERM": "xterm-256color"}
    coloured = run(forced, "scan", sample)
    assert "\x1b[1m" in coloured.stdout
    assert coloured.stdout.replace("\x1b[1m", "").replace("\x1b[0m", "") == plain
    assert "scanning" not in coloured.stderr and "\x1b" not in coloured.stderr, "no progress in a pipe"
    assert run(forced | {"NO_COLOR": "1"}, "scan", sample).stdout == plain


@pytest.mark.parametrize(
    "given",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"LC_ALL": "C"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=" ".join,
)
def test_characters_that_the_encoding_lacks_are_escaped(
    env: dict[str, str], sample: Path, given: dict[str, str]
) -> None:
    path = next((sample / "projects").glob("*/*.jsonl"))
    title = '{"type":"custom-title","customTitle":"caf\\u00e9 \\u65e5 \\u2026"}\n'
    with path.open("a", encoding="ascii") as file:
        file.write(title)
    # `run` would decode the output as UTF-8.
    for arguments in (["scan", str(path)], ["scan", str(path), "--format", "csv"], ["events", str(path)]):
        command = [sys.executable, "-m", "sessscan", *arguments]
        ended = subprocess.run(command, capture_output=True, env=env | given, check=False)
        assert (ended.returncode, ended.stderr) == (0, b"")
        own = WINDOWS and given.get("PYTHONUTF8") == "0"  # Windows' code page
        shown = ended.stdout.decode("latin-1" if "latin-1" in given.values() or own else "utf-8")
        assert "café" in shown or r"caf\xe9" in shown
        assert "日" in shown or r"\u65e5" in shown
    command = [sys.executable, "-m", "sessscan", "reconcile", *places(sample)]
    ended = subprocess.run(command, capture_output=True, env=env | given, check=False)
    assert (ended.returncode, ended.stderr) == (1, b"")


@POSIX
@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_tables_keep_to_the_width_of_the_terminal(env: dict[str, str], sample: Path, columns: int) -> None:
    del env["COLUMNS"]
    path = next((sample / "projects").glob("*/*.jsonl"))
    with path.open("a", encoding="utf-8") as file:
        file.write('{"type":"custom-title","customTitle":"' + "日本語 of a very long title " * 20 + '"}\n')
    for arguments in (["scan", str(sample)], ["events", str(path)]):
        lines = on_a_terminal(env, columns, *arguments).splitlines()
        assert len(lines) > 5
        assert max(map(cell_len, lines)) <= columns
    # Prose keeps to it as well; paths and commands are never broken.
    for arguments in (["explain"], ["explain", "duplicate"], ["reconcile", *places(sample)]):
        lines = on_a_terminal(env, columns, *arguments).splitlines()
        wide = [line for line in lines if cell_len(line) > columns and " " in line.strip()]
        assert all(re.search(r"/|local_|sessscan|--", line) for line in wide), wide


@POSIX
def test_a_dumb_terminal_gets_plain_text(env: dict[str, str], sample: Path) -> None:
    del env["NO_COLOR"]
    env["TERM"] = "dumb"
    for arguments in (["scan", str(sample)], ["reconcile", *places(sample)], ["explain"]):
        assert "\x1b" not in on_a_terminal(env, 80, *arguments)
