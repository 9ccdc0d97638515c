"""What is printed where the encoding is not UTF-8: all of it, unknown characters spelled out, whole lines."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import sessscan
from support.program import places
from support.store_factory import DAY, NOW, World
from support.transcript_factory import talk

pytestmark = [pytest.mark.windows("code pages"), pytest.mark.full]

TITLES = ["Résumé — “quoted” …", "日本語の予報", "👩‍👩‍👧 and ✓", "\x1b[31mred\x1b[0m", "naïve ½ ☃", "żółć"]
COMMANDS = {
    "reconcile": ["reconcile"],
    "list": ["list"],
    "scan": ["scan"],
    "csv": ["list", "--format", "csv"],
    "jsonl": ["scan", "--format", "jsonl"],
    "explain": ["explain", "zero-filled"],
    "help": ["reconcile", "--help"],
    "wrong": ["reconcile", "--store", "C:\\nowhere\\日本語"],
}


@pytest.fixture
def titled(world: World) -> World:
    """Make a store with sessions of these titles, whose rows are lost."""
    for number, title in enumerate(TITLES):
        made = talk(world.dice, r"C:\code\shop", NOW - (2 + number) * DAY)
        made.records.append({"type": "custom-title", "customTitle": title, "sessionId": made.session_id})
        world.put(made)
        world.lose(made, "restore", time=made.ended + 2_000)
    return world


def printed(env: dict[str, str], encoding: str, *arguments: str) -> tuple[bytes, bytes]:
    """Run the command with standard streams in a code page; return what it wrote, byte for byte."""
    env = {name: value for name, value in env.items() if name != "PYTHONUTF8"}
    env |= {"PYTHONIOENCODING": encoding, "COLUMNS": "300"}
    command = [sys.executable, "-m", "sessscan", *arguments]
    done = subprocess.run(command, capture_output=True, env=env, check=False, timeout=120)
    assert done.returncode in (0, 1, 2), done.stderr
    return done.stdout, done.stderr


@pytest.mark.parametrize("encoding", ["cp1252", "cp437", "cp932", "utf-8"])
@pytest.mark.parametrize("name", ["reconcile", "list"])
def test_every_title_is_shown(env: dict[str, str], titled: World, encoding: str, name: str) -> None:
    out, _ = printed(
        env, encoding, name, "--store", str(titled.user_data), "--projects", str(titled.projects)
    )
    text = out.decode(encoding)
    for title in TITLES:
        spelled = title.replace("\x1b", "\\x1b").encode(encoding, "backslashreplace").decode(encoding)
        assert spelled in text
    assert "\x1b" not in text


@pytest.mark.parametrize("name", COMMANDS)
def test_lines_end_as_windows_ends_them(env: dict[str, str], sample: Path, name: str) -> None:
    arguments = COMMANDS[name]
    if name in ("reconcile", "list", "csv"):
        arguments = [*arguments, *places(sample)]
    elif name in ("scan", "jsonl"):
        arguments = [*arguments, str(sample / "projects")]
    for written in printed(env, "cp1252", *arguments):
        assert b"\r\r" not in written
        assert written.count(b"\n") == written.count(b"\r\n")


def test_what_is_written_to_files_has_one_kind_of_line_end(env: dict[str, str], sample: Path) -> None:
    printed(env, "cp1252", "reconcile", *places(sample), "--apply", "--force")
    for path in Path(env["SESSSCAN_HOME"]).rglob("*.jsonl"):
        assert b"\r" not in path.read_bytes()
    for row in (sample / "Claude").rglob("local_*.json"):
        assert b"\r\n" not in row.read_bytes()


def test_a_page_goes_to_a_pipe_byte_for_byte(env: dict[str, str], sample: Path, tmp_path: Path) -> None:
    pytest.importorskip("jinja2")
    page, _ = printed(env, "cp437", "report", *places(sample), "-o", "-")
    assert b"\r" not in page
    page.decode("utf-8")


def test_paths_are_named_as_a_person_types_them(env: dict[str, str], sample: Path) -> None:
    plan = sessscan.reconcile([sample / "Claude"], [sample / "projects"])
    for finding in plan.findings:
        assert "\\\\" not in finding.message.replace("\\\\?\\", "") and "\\\\?\\" not in finding.message
    for name in ("reconcile", "list", "scan"):
        where = [str(sample / "projects")] if name == "scan" else places(sample)
        out, err = printed(env, "cp1252", name, *where)
        assert b"\\\\" not in out + err
    _, err = printed(env, "utf-8", "reconcile", "--store", str(sample / "nothing"))
    assert str(sample / "nothing") in err.decode() and "\\\\" not in err.decode()
