"""Test the command line: what it prints where, and its exit status."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.program import on_a_terminal, picture, places, run
from support.system import can_link, why_unreadable

pytestmark = pytest.mark.full

TRANSCRIPT_KEYS = {
    "path", "size", "session_id", "lines", "records", "custom_title", "ai_title", "summary", "first_prompt",
    "title", "title_source", "cwd", "last_cwd", "git_branch", "version", "entrypoint", "model", "worktree",
    "created_at", "last_activity_at", "turns", "is_sidechain", "defects", "defect_count",
}  # fmt: skip
FINDING_KEYS = ["rule", "severity", "path", "session_id", "transcript", "offset", "length", "message"]
ACTION_KEYS = [
    "kind", "path", "session_id", "cli_session_id", "transcript", "source", "evidence", "candidates", "row",
    "provenance", "status", "backup", "error",
]  # fmt: skip


# The whole program


def test_version(env: dict[str, str]) -> None:
    result = run(env, "--version")
    assert result.returncode == 0
    assert result.stdout.startswith("sessscan 0.")


def test_the_command_line_starts_without_slow_imports(env: dict[str, str]) -> None:
    slow = "{'rich', 'psutil', 'simdjson', 'platformdirs', 'msgspec'}"
    code = f"import sys, sessscan.cli; print(sorted({slow} & {{*sys.modules}}))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True, env=env) == "[]\n"


@pytest.mark.parametrize(
    "command",
    [
        *("", "list", "scan", "events", "reconcile", "undo", "log", "explain", "demo"),
        *("snapshot", "snapshots", "restore", "watch", "report"),
    ],
)
def test_help_of_each_command(env: dict[str, str], command: str) -> None:
    result = run(env, *command.split(), "--help")
    assert result.returncode == 0
    assert "Usage: sessscan" in result.stdout.replace("python -m ", "")
    assert ("Example: sessscan" if command else "Exit status:") in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    "arguments", [["--nonsense"], ["nonsense"], ["scan", "--format", "xml"], ["events"], ["demo"]]
)
def test_usage_errors_are_status_2(env: dict[str, str], arguments: list[str]) -> None:
    result = run(env, *arguments)
    assert result.returncode == 2
    assert result.stdout == ""
    assert "Error: " in result.stderr


def test_a_bug_is_shown_as_one(env: dict[str, str]) -> None:
    code = """
import sys
from sessscan.changes import journal
def runs():
    raise ValueError("of a title: \\x1b[2J")
journal.runs = runs
sys.argv = ["sessscan", "log"]
from sessscan.cli import main
main()
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=env, timeout=60, check=False
    )
    assert (result.returncode, result.stdout) == (70, "")
    assert result.stderr.startswith("Traceback (most recent call last):")
    assert "\x1b" not in result.stderr and "of a title: \\x1b[2J" in result.stderr
    last = result.stderr.splitlines()[-1]
    assert last.startswith(
        "sessscan: an internal error: ValueError. This is a bug in sessscan: please report it"
    )


@pytest.mark.posix("no SIGPIPE")
def test_a_closed_pipe_is_not_an_error(env: dict[str, str], sample: Path) -> None:
    line = f"'{sys.executable}' -m sessscan events --format jsonl '{sample}' | head -n 1"
    result = subprocess.run(["bash", "-c", line], capture_output=True, text=True, env=env, check=True)
    assert result.stdout.count("\n") == 1
    assert result.stderr == ""


@pytest.mark.posix("no such signal")
def test_ctrl_c_is_status_130_and_one_line(env: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl"
    with path.open("wb") as file:
        for _ in range(400):
            file.write(b'{"type":"user","timestamp":"2026-01-01T00:00:00Z"}\n' * 4000)
    command = [sys.executable, "-m", "sessscan", "events", "--format", "jsonl", str(path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
    ) as process:
        assert process.stdout and process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert errors.startswith("sessscan: interrupted") and errors.count("\n") == 1


# scan and events


def test_scan_formats_agree(env: dict[str, str], sample: Path) -> None:
    lines = [json.loads(line) for line in run(env, "scan", sample, "--format", "jsonl").stdout.splitlines()]
    array = json.loads(run(env, "scan", sample, "--format", "json").stdout)
    table = run(env, "scan", sample).stdout.splitlines()
    rows = list(csv.DictReader(io.StringIO(run(env, "scan", sample, "--format", "csv").stdout)))
    assert array == lines
    assert len(table) == len(lines) + 1
    assert set(lines[0]) >= TRANSCRIPT_KEYS
    assert [row["path"] for row in rows] == [line["path"] for line in lines]
    for row, line in zip(rows, lines, strict=True):
        assert row["title"] == line["title"]
        assert int(row["defects"]) == len(line["defects"]) == int(row["defect_count"])
        assert row["worktree.name"] == ((line["worktree"] or {}).get("name") or "")
    assert any(line["worktree"] for line in lines)
    assert all(line["path"] == str(Path(line["path"]).absolute()) for line in lines)


def test_scan_takes_sessions_in_folders_and_any_named_file(env: dict[str, str], sample: Path) -> None:
    subagent = next(sample.rglob("agent-*.jsonl"))
    result = run(env, "scan", sample, "--format", "jsonl")
    assert "agent-" not in result.stdout
    result = run(env, "scan", subagent.relative_to(sample), "--format", "jsonl", cwd=sample)
    assert json.loads(result.stdout)["path"] == str(subagent)
    result = run(env, "scan", subagent.parent)
    assert result.returncode == 0
    assert "1 other .jsonl file" in result.stderr


def test_scan_without_a_path_takes_the_users_sessions(env: dict[str, str], sample: Path) -> None:
    whole = run(env, "scan", sample, "--format", "csv").stdout
    assert run(env, "scan", "--projects", sample / "projects", "--format", "csv").stdout == whole
    assert run(env, "scan", "--format", "jsonl").stdout == ""
    (sample / "projects").rename(Path(env["CLAUDE_CONFIG_DIR"]) / "projects")
    assert run(env, "scan", "--format", "csv").stdout.count("\n") == whole.count("\n")


def test_scan_links_are_not_resolved(env: dict[str, str], sample: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    try:
        link.symlink_to(sample, target_is_directory=True)
    except OSError:
        pytest.skip("no links here")
    [first, *_] = run(env, "scan", "link", "--format", "jsonl", cwd=tmp_path).stdout.splitlines()
    assert json.loads(first)["path"].startswith(str(link))


@pytest.mark.parametrize("command", ["scan", "events"])
def test_unreadable_files_are_reported_and_the_rest_is_done(
    env: dict[str, str], sample: Path, tmp_path: Path, command: str
) -> None:
    good = next((sample / "projects").glob("*/*.jsonl"))
    bad = tmp_path / "folder.jsonl"
    if can_link():
        bad.symlink_to(tmp_path / "nowhere")
    result = run(env, command, bad, good, "--format", "jsonl")
    assert result.returncode == 4
    assert json.dumps(str(good)) in result.stdout
    assert result.stderr == f"sessscan: {bad}: {why_unreadable(bad)}\n"


@pytest.mark.not_root("may read everything")
def test_a_folder_without_permission(env: dict[str, str], sample: Path) -> None:
    locked = next(path for path in (sample / "projects").iterdir())
    locked.chmod(0)
    try:
        result = run(env, "scan", sample)
    finally:
        locked.chmod(0o700)
    assert result.returncode == 4
    assert f"{locked}: Permission denied" in result.stderr


@pytest.mark.parametrize("command", ["scan", "events"])
def test_a_path_that_does_not_exist(env: dict[str, str], command: str) -> None:
    nowhere = Path("/no/such/place").absolute()
    result = run(env, command, nowhere)
    assert result.returncode == 4
    assert result.stderr == f"sessscan: {nowhere}: {why_unreadable(nowhere)}\n"


def test_scan_table_escapes_hostile_titles(env: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    record = {
        "type": "custom-title",
        "customTitle": "\x1b]0;x\x07 \u202egpj.exe \ud83d [bold]x[/y]",
        "sessionId": "t",
    }
    path.write_text(json.dumps(record) + "\n")
    for form in ("table", "json", "jsonl", "csv"):
        result = run(env, "scan", path, "--format", form)
        assert result.returncode == 0, result.stderr
        assert all(character == "\n" or character.isprintable() for character in result.stdout)
    assert "[bold]x[/y]" in run(env, "scan", path).stdout
    assert r"\x1b]0;x\x07 \u202egpj.exe" in run(env, "events", path).stdout


def test_events_keys(env: dict[str, str], sample: Path) -> None:
    path = next((sample / "projects").glob("*/*.jsonl"))
    result = run(env, "events", path, "--format", "jsonl")
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert {tuple(event) for event in events} == {("path", "line", "offset", "kind", "value", "source")}
    assert {event["kind"] for event in events} == {"title", "cwd", "timestamp"}
    assert all(isinstance(event["value"], int) == (event["kind"] == "timestamp") for event in events)
    assert len(run(env, "events", path).stdout.splitlines()) == len(events)


# reconcile, undo, log


def test_reconcile_apply_and_undo_from_end_to_end(env: dict[str, str], sample: Path) -> None:
    before = picture(sample)
    dry = run(env, "reconcile", *places(sample))
    assert dry.returncode == 1
    assert dry.stderr == ""
    assert picture(sample) == before
    assert "--apply" in dry.stdout and "--match" in dry.stdout

    applied = run(env, "reconcile", *places(sample), "--apply", "--format", "json")
    report = json.loads(applied.stdout)
    assert applied.returncode == 1  # two sessions of the same time are held
    statuses = {action["status"] for action in report["actions"]}
    assert statuses == {"applied", "held"}
    for action in report["actions"]:
        path = Path(action["path"])
        if action["status"] == "applied":
            assert json.loads(path.read_bytes()) == action["row"]
            if action["backup"]:
                name = str(path.relative_to(sample))
                assert Path(action["backup"]).read_bytes() == before[name][0]

    after = picture(sample)
    again = json.loads(run(env, "reconcile", *places(sample), "--apply", "--format", "json").stdout)
    assert again["run"] is None
    assert {action["status"] for action in again["actions"]} == {"held"}
    assert picture(sample) == after

    log = run(env, "log").stdout
    assert report["run"] in log and "complete" in log
    undone = run(env, "undo")
    assert undone.returncode == 0, undone.stderr
    assert picture(sample) == before
    assert "taken back" in run(env, "log").stdout
    assert "no run to take back" in run(env, "undo").stdout
    assert json.loads(run(env, "log", "--format", "json").stdout)["runs"][0]["state"] == "taken-back"


def test_the_json_keys_of_reconcile(env: dict[str, str], sample: Path) -> None:
    plan = json.loads(run(env, "reconcile", *places(sample), "--format", "json").stdout)
    assert list(plan) == ["schema", "run", "stores", "summary", "findings", "actions"]
    assert plan["schema"] == "sessscan.reconcile/1"
    assert list(plan["summary"]) == ["rows", "transcripts", "bytes", "findings", "actions"]
    assert [list(store) for store in plan["stores"]] == [["path", "rows"]]
    assert all(list(finding) == FINDING_KEYS for finding in plan["findings"])
    assert all(list(action) == ACTION_KEYS for action in plan["actions"])
    assert {action["status"] for action in plan["actions"]} == {"planned", "held"}


def test_every_planted_damage_is_found(env: dict[str, str], sample: Path) -> None:
    plan = json.loads(run(env, "reconcile", *places(sample), "--format", "json").stdout)
    found = plan["summary"]["findings"]
    assert found["zero-filled"] == 8
    planted = ("empty", "truncated", "bom", "dangling", "duplicate")
    assert {rule: found.get(rule) for rule in planted} == dict.fromkeys(planted, 1)
    twice = ("damaged-transcript", "broken-chain", "leftover-tmp")
    assert {rule: found.get(rule) for rule in twice} == dict.fromkeys(twice, 2)
    assert "orphan" in found and "lost-lease" in found
    assert plan["summary"]["actions"] == {"restore": 9, "hold": 2}
    # Sessions that the user deleted, or that were begun in a terminal, have no action.
    titles = [action["row"].get("title") for action in plan["actions"]]
    assert not any(
        title and ("SQLite" in title or "postcodes" in title or "zsh" in title) for title in titles
    )


def test_match_decides_a_hold(env: dict[str, str], sample: Path) -> None:
    plan = json.loads(run(env, "reconcile", *places(sample), "--format", "json").stdout)
    holds = [action for action in plan["actions"] if action["kind"] == "hold"]
    first, second = holds
    one = first["candidates"][0]
    [other] = [each for each in second["candidates"] if each["cli_session_id"] != one["cli_session_id"]]
    choice = [(first["session_id"], one), (second["session_id"], other)]
    given = [f"--match={row}={candidate['cli_session_id']}" for row, candidate in choice]
    text = run(env, "reconcile", *places(sample)).stdout
    for row, candidate in choice:
        assert f"--match {row}={candidate['cli_session_id']}" in text
    result = run(env, "reconcile", *places(sample), *given, "--apply")
    assert result.returncode == 0, result.stdout + result.stderr
    for row, candidate in choice:
        path = next(sample.rglob(f"{row}.json"))
        assert json.loads(path.read_bytes())["cliSessionId"] == candidate["cli_session_id"]
    for wrong in ("nonsense", "a=b", f"{holds[0]['session_id']}=no-such-transcript"):
        result = run(env, "reconcile", *places(sample), "--match", wrong)
        assert result.returncode == 2
        assert result.stderr.startswith("sessscan: ") and result.stderr.count("\n") == 1


def test_adopt_makes_rows_and_undo_removes_them(env: dict[str, str], sample: Path) -> None:
    before = picture(sample)
    result = run(env, "reconcile", *places(sample), "--adopt", "--apply", "--format", "json")
    adopted = [action for action in json.loads(result.stdout)["actions"] if action["kind"] == "adopt"]
    assert [action["row"]["title"] for action in adopted] == ["Backups to object storage"]
    assert Path(adopted[0]["path"]).is_file()
    run(env, "undo")
    assert picture(sample) == before


@pytest.mark.parametrize(("option", "what"), [("--store", "missing"), ("--projects", "file")])
def test_a_store_that_is_not_a_folder(env: dict[str, str], tmp_path: Path, option: str, what: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    result = run(env, "reconcile", option, tmp_path / what)
    assert result.returncode == 2
    assert result.stdout == ""
    assert (
        result.stderr.startswith(f"sessscan: {option} {tmp_path / what}: ") and result.stderr.count("\n") == 1
    )


def test_without_a_store_and_with_an_empty_one(env: dict[str, str], tmp_path: Path) -> None:
    result = run(env, "reconcile")
    assert result.returncode == 0
    assert "no session store" in result.stdout
    (tmp_path / "empty" / "claude-code-sessions").mkdir(parents=True)
    result = run(env, "reconcile", "--store", tmp_path / "empty", "--apply")
    assert result.returncode == 0
    assert not Path(env["SESSSCAN_HOME"]).exists()


def test_a_held_lock_is_status_3(env: dict[str, str], sample: Path) -> None:
    from sessscan.changes.lock import exclusive

    home = Path(env["SESSSCAN_HOME"])
    home.mkdir()
    before = picture(sample)
    with exclusive(home):
        result = run(env, "reconcile", *places(sample), "--apply")
    assert result.returncode == 3
    assert f"process {os.getpid()}" in result.stderr and result.stderr.count("\n") == 1
    assert picture(sample) == before


def test_undo_of_a_changed_file_is_status_3(env: dict[str, str], sample: Path) -> None:
    run(env, "reconcile", *places(sample), "--apply")
    changed = next(sample.rglob("*.corrupted-bak"))
    row = changed.with_name(changed.name.removesuffix(".corrupted-bak"))
    row.write_bytes(b"{}")
    now = picture(sample)
    result = run(env, "undo")
    assert result.returncode == 3
    assert str(row) in result.stderr
    assert picture(sample) == now
    assert run(env, "undo", "20200101T000000Z-0000").returncode == 2


def test_a_damaged_journal_is_reported_and_the_others_are_shown(env: dict[str, str], sample: Path) -> None:
    run(env, "reconcile", *places(sample), "--apply")
    [journal] = Path(env["SESSSCAN_HOME"]).rglob("journal.jsonl")
    journal.write_bytes(b"rubbish\n" + journal.read_bytes())
    result = run(env, "log")
    assert result.returncode == 4
    assert str(journal) in result.stderr
    assert run(env, "undo").returncode == 4


# The terminal


def add_control_characters(sample: Path) -> None:
    """Put control characters into every title and path of a store."""
    for path in (sample / "projects").glob("*/*.jsonl"):
        time = path.stat().st_mtime_ns
        content = path.read_bytes().replace(
            b'"aiTitle":"', rb'"aiTitle":"\u001b[2J\u202e\u009b31m\ud83d[red]'
        )
        path.write_bytes(content.replace(b"/home/ada", rb"/home/\u001b]0;x\u0007[/b]"))
        os.utime(path, ns=(time, time))


@pytest.mark.posix("no such terminals")
@pytest.mark.parametrize("columns", [50, 80, 120])
def test_colours_and_width_on_a_terminal(env: dict[str, str], sample: Path, columns: int) -> None:
    add_control_characters(sample)
    for name in ("COLUMNS", "NO_COLOR"):
        del env[name]
    env["TERM"] = "xterm-256color"
    colours = on_a_terminal(env, columns, "reconcile", *places(sample))
    assert "\x1b[1m" in colours or "\x1b[1;" in colours
    assert "[2J" in colours and "\x1b[2J" not in colours and "\u202e" not in colours and "\x9b" not in colours
    assert "[red]" in colours and "[/b]" in colours

    env["NO_COLOR"] = "1"
    plain = on_a_terminal(env, columns, "reconcile", *places(sample))
    assert "\x1b" not in plain
    scanned = on_a_terminal(env, columns, "scan", str(sample))
    assert max(map(len, scanned.splitlines())) <= columns


def test_a_store_of_thousands_is_grouped(env: dict[str, str], sample: Path) -> None:
    store = next((sample / "Claude" / "claude-code-sessions").glob("*/*"))
    for number in range(3000):
        (store / f"local_{number:08}-0000-4000-8000-000000000000.json").write_bytes(bytes(200))
    start = time.monotonic()
    result = run(env, "reconcile", *places(sample))
    assert result.returncode == 1
    assert time.monotonic() - start < 30
    assert len(result.stdout.splitlines()) < 600
    assert "more: --format json lists them all" in result.stdout


def test_scan_tells_of_damaged_conversations(env: dict[str, str], sample: Path) -> None:
    result = run(env, "scan", sample / "projects")
    assert result.returncode == 0
    told = " ".join(result.stderr.split())
    assert told.count("broken-chain:") == told.count("messages can be reached") == 2
    assert told.count("`sessscan repair`") == 2
    assert run(env, "scan", "--format", "json", sample / "projects").stderr == ""
