"""sessscan's own state: who may have written it, and what is done with odd things in it."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import sqlite3
from pathlib import Path

import pytest
from sessscan import state
from sessscan.errors import InsecureStateError
from sessscan.scan_cache.scan import scan_many
from support.program import picture, places, run


def record(**members: object) -> bytes:
    """Return a transcript of one line."""
    return json.dumps({"type": "user", "sessionId": "s", **members}).encode() + b"\n"


posix = pytest.mark.posix("modes and owners are POSIX's")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def applied(env: dict[str, str], sample: Path) -> Path:
    """A sample store of which a run has put rows back, and snapshots were taken."""
    result = run(env, "reconcile", *places(sample), "--apply", "--force")
    assert result.returncode == 1, result.stderr
    return sample


@posix
@pytest.mark.parametrize("what", [".", "snapshots.db", "index.db", "runs"])
@pytest.mark.parametrize("mode", [0o020, 0o002])
def test_a_state_that_others_can_write_is_refused(
    env: dict[str, str], applied: Path, home: Path, what: str, mode: int
) -> None:
    path = home / what
    path.chmod(path.stat().st_mode | mode)
    before = picture(applied)
    refused = run(
        env, "reconcile" if what != "runs" else "undo", *(places(applied) if what != "runs" else ())
    )
    assert refused.returncode == 3, refused.stderr
    assert "other users can write" in refused.stderr and "chmod go-w" in refused.stderr
    assert picture(applied) == before
    trusted = run(env, "reconcile", *places(applied), "--insecure-state")
    assert trusted.returncode == 1, trusted.stderr


@posix
def test_a_journal_that_others_can_write_is_refused(env: dict[str, str], applied: Path, home: Path) -> None:
    [journal] = (home / "runs").glob("*/journal.jsonl")
    journal.chmod(0o666)
    before = picture(applied)
    for command in ("undo", "log"):
        refused = run(env, command)
        assert (refused.returncode, "other users can write" in refused.stderr) == (3, True)
    assert picture(applied) == before
    assert run(env, "undo", "--force", "--insecure-state").returncode == 0


@posix
@pytest.mark.root("only root gives files away")
def test_a_state_of_another_user_is_refused(env: dict[str, str], applied: Path, home: Path) -> None:
    os.chown(home / "snapshots.db", 12_345, -1)
    refused = run(env, "reconcile", *places(applied))
    assert refused.returncode == 3
    assert "belongs to another user (uid 12345)" in refused.stderr


@posix
def test_a_link_in_the_states_place_is_looked_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir(mode=0o700)
    link.symlink_to(real)
    monkeypatch.setenv("SESSSCAN_HOME", str(link))
    assert state.home() == link
    real.chmod(0o777)
    with pytest.raises(InsecureStateError, match="other users can write"):
        state.home()
    monkeypatch.setenv(state.INSECURE, "1")
    assert state.home() == link


@posix
def test_new_folders_are_private_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        state.make_private(tmp_path / "a" / "b" / "state")
    finally:
        os.umask(old)
    for name in ("a", "a/b", "a/b/state"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("application_id", [0, 77])
def test_an_index_of_another_program_is_left_alone(
    env: dict[str, str], sample: Path, home: Path, application_id: int
) -> None:
    home.mkdir(mode=0o700)
    with sqlite3.connect(home / "index.db") as other:
        other.execute("CREATE TABLE accounts (id)")
        other.execute(f"PRAGMA application_id = {application_id}")
    other.close()
    before = (home / "index.db").read_bytes()
    result = run(env, "scan", sample / "projects", "--format", "json")
    assert result.returncode == 0
    assert result.stderr.count("another program's database") == 1
    assert (home / "index.db").read_bytes() == before


def test_snapshots_of_another_program_are_left_alone(env: dict[str, str], sample: Path, home: Path) -> None:
    home.mkdir(mode=0o700)
    with sqlite3.connect(home / "snapshots.db") as other:
        other.execute("CREATE TABLE row (id)")
    other.close()
    before = (home / "snapshots.db").read_bytes()
    result = run(env, "reconcile", *places(sample))
    assert result.returncode == 1
    assert "another program" in result.stderr
    assert (home / "snapshots.db").read_bytes() == before
    assert sorted(path.name for path in home.iterdir() if "snapshots" in path.name) == ["snapshots.db"]


def test_an_index_says_that_it_is_ours(tmp_path: Path, home: Path) -> None:
    path = tmp_path / "11111111-2222-4333-8444-555555555555.jsonl"
    path.write_bytes(record())
    scan_many([path], home=home)
    with sqlite3.connect(home / "index.db") as index:
        assert index.execute("PRAGMA application_id").fetchone() == (0x53534958,)
    index.close()


@pytest.mark.posix("there are no FIFOs in Windows' folders")
def test_a_fifo_in_a_journals_place_is_told(env: dict[str, str], applied: Path, home: Path) -> None:
    [journal] = (home / "runs").glob("*/journal.jsonl")
    journal.unlink()
    os.mkfifo(journal, 0o600)
    for command in ("log", "undo"):
        result = run(env, command)
        assert result.returncode == 4
        assert "not a regular file" in result.stderr and str(journal) in result.stderr
    assert run(env, "reconcile", *places(applied)).returncode == 1


@pytest.mark.parametrize(
    ("column", "value"), [("title", b"\xff\x00"), ("transcript", 5), ("taken_at", "then"), ("sha256", None)]
)
def test_odd_values_in_the_snapshots_end_in_no_traceback(
    env: dict[str, str], applied: Path, home: Path, column: str, value: object
) -> None:
    with sqlite3.connect(home / "snapshots.db") as snapshots:
        snapshots.execute("PRAGMA ignore_check_constraints = ON")
        try:
            snapshots.execute(f"UPDATE version SET {column} = ?", (value,))
        except sqlite3.IntegrityError:
            snapshots.execute(f"UPDATE version SET {column} = ?", ("",))
    snapshots.close()
    for command in (("snapshots",), ("reconcile", *places(applied))):
        result = run(env, *command)
        assert result.returncode in (0, 1, 4), result.stderr
        assert "Traceback" not in result.stderr


def test_what_an_interrupted_run_left_is_removed_where_nothing_is_to_be_done(
    env: dict[str, str], sample: Path
) -> None:
    assert run(env, "reconcile", *places(sample), "--apply", "--force").returncode == 1
    [store] = {path.parent for path in (sample / "Claude").rglob("local_*.json")}
    leftover = store / ".sessscan-999999999-0123456789abcdef"
    shutil.copy(next(store.glob("local_*.json")), leftover)
    assert run(env, "reconcile", *places(sample)).returncode == 1
    assert leftover.exists(), "a dry run changes nothing"
    assert run(env, "reconcile", *places(sample), "--apply").returncode == 1
    assert not leftover.exists()


def test_csv_holds_no_formula(env: dict[str, str], tmp_path: Path) -> None:
    for number, title in enumerate(("=cmd|' /C calc'!A0", "+1", "-1", "@SUM(1)", "plain")):
        path = tmp_path / "p" / "k" / f"11111111-2222-4333-8444-55555555555{number}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(record(type="custom-title", customTitle=title))
    read = csv.DictReader(io.StringIO(run(env, "scan", tmp_path / "p", "--format", "csv").stdout))
    assert [row["title"] for row in read] == ["'=cmd|' /C calc'!A0", "'+1", "'-1", "'@SUM(1)", "plain"]
    read = csv.DictReader(io.StringIO(run(env, "scan", tmp_path / "p", "--format", "csv", "--raw").stdout))
    assert [row["title"] for row in read] == ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(1)", "plain"]
    refused = run(env, "scan", tmp_path / "p", "--format", "json", "--raw")
    assert (refused.returncode, "--raw is for csv" in refused.stderr) == (2, True)


def test_what_a_row_was_granted_is_shown_before_it_is_put_back(env: dict[str, str], sample: Path) -> None:
    row = next(path for path in (sample / "Claude").rglob("local_*.json") if is_readable(path))
    members = json.loads(row.read_bytes())
    members |= {"permissionMode": "bypassPermissions", "alwaysAllowedReasons": [{"tool": "Bash"}]}
    row.write_text(json.dumps(members))
    assert run(env, "snapshot", *places(sample)[:2]).returncode == 0
    row.unlink()
    shown = " ".join(run(env, "reconcile", *places(sample)).stdout.split())
    assert "grants permissionMode bypassPermissions, " in shown
    assert "alwaysAllowedReasons (1 entry)" in shown


def is_readable(path: Path) -> bool:
    try:
        return bool(json.loads(path.read_bytes())["cliSessionId"])
    except (ValueError, KeyError):
        return False
