"""Stores in which a plausible transcript is the wrong one: the right one is given, or the row is held.

Each store is made so that the truth is known. To hold is always right; a wrong row never is.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sessscan.model import Action
from sessscan.reconciliation import reconcile
from sessscan.snapshots.database import FILE
from support.scenario_parts import end as end_at
from support.store_factory import DAY, HOUR, NOW, World, compact, key
from support.transcript_factory import TERMINAL, Talk, line, new_id, talk

SECOND, MINUTE = 1_000, 60_000
WRITTEN = NOW - 2 * DAY
"""When the lost row was written last."""
A, B, X = "/home/ada/a", "/home/ada/b", "/home/ada/x"


def ending(world: World, end: int, *, minutes: int = 60, cwd: str = A, **more: Any) -> Talk:
    """Put a session's transcript that ends at a time, epoch ms."""
    made = talk(world.dice, cwd, end - minutes * MINUTE, minutes=minutes, turns=3, **more)
    end_at(made, end)
    world.put(made)
    return made


def transcript_of(world: World, made: Talk) -> Path:
    return world.projects / key(made.cwd) / f"{made.session_id}.jsonl"


def row_of(world: World, made: Talk, *, written: int | None = None, **more: Any) -> Path:
    """Write a healthy row, 2.5 s after its session's last line unless told otherwise."""
    session_id = more.pop("session_id", None) or f"local_{new_id(world.dice)}"
    store = more.pop("store", world.stores[0])
    content = compact(world.row(made, session_id, **more))
    return world.write(store / f"{session_id}.json", content, written or made.ended + 2_500)


def zeroed(path: Path, written: int | None = None) -> Path:
    """Fill a file with zeros, as a crash does: its length and its time stay."""
    status = path.stat()
    path.write_bytes(bytes(status.st_size))
    time = status.st_mtime_ns if written is None else written * 1_000_000
    os.utime(path, ns=(time, time))
    return path


def crowd(world: World) -> None:
    """Healthy sessions, far away in time."""
    for number in range(5):
        row_of(world, ending(world, NOW - (60 + number) * DAY, cwd=f"/home/ada/other{number}"))


def cleared(world: World, path: Path, before: Talk) -> Talk:
    """Let the app go on under the same row with another transcript, as after `/clear`, and crash."""
    after = ending(world, WRITTEN - 2 * SECOND)
    content = compact(world.row(after, path.stem, priorCliSessionIds=[before.session_id]))
    world.write(path, content, WRITTEN)
    zeroed(path)
    return after


def earlier(world: World, **more: Any) -> Talk:
    """A session that ended days before the lost row was written last."""
    return ending(world, WRITTEN - 4 * DAY, **more)


def outcome(world: World, path: Path, *right: Talk, store: Path | None = None) -> Action:
    """Assert that the row is held, or given one of the right transcripts; return the action."""
    plan = reconcile(store or world.user_data, world.projects, now=NOW)
    [action] = [action for action in plan.actions if action.path == str(path)]
    if action.kind == "restore":
        assert action.cli_session_id in [made.session_id for made in right], action.evidence
    return action


@pytest.fixture
def store(world: World) -> World:
    crowd(world)
    return world


@contextlib.contextmanager
def unlistable(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[None]:
    """Make a folder one that this user may not list, whoever runs the test."""
    scandir = os.scandir

    def refusing(path: Any = ".") -> Any:
        if os.fspath(path) == str(folder):
            raise PermissionError(13, "Permission denied", str(folder))
        return scandir(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", refusing)
        yield


# --- what cannot be looked at


def test_the_rows_own_transcript_lies_in_a_folder_that_cannot_be_listed(
    store: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = ending(store, WRITTEN - 2 * SECOND)
    path = zeroed(row_of(store, mine, written=WRITTEN))
    ending(store, WRITTEN - 30 * SECOND, cwd=B)
    with unlistable(monkeypatch, transcript_of(store, mine).parent):
        action = outcome(store, path, mine)
    assert action.kind == "hold" and "cannot be looked at" in (action.error or "")


def worktree_talk(store: World, end: int, **more: Any) -> Talk:
    root, name = "/home/ada/repo", "wt-1"
    cwd = f"{root}/.claude/worktrees/{name}"
    state = {
        "originalCwd": root,
        "worktreePath": cwd,
        "worktreeName": name,
        "worktreeBranch": f"claude/{name}",
        "originalBranch": "main",
    }
    return ending(store, end, cwd=cwd, worktree=state, **more)


def lend(store: World, made: Talk, path: Path, since: int | None) -> None:
    lease = {
        "path": made.cwd,
        "branch": (made.worktree or {}).get("worktreeBranch"),
        "createdAt": since,
        "pooledAt": None,
        "leasedBy": path.stem,
    }
    content = compact({"schemaVersion": 2, "worktrees": {"k": lease}})
    store.write(store.user_data / "git-worktrees.json", content, NOW)


def test_the_second_transcript_of_a_leased_worktree_cannot_be_listed(
    store: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = worktree_talk(store, WRITTEN - 4 * HOUR)
    shown = transcript_of(store, first)
    elsewhere = store.projects / "-home-ada-other"
    elsewhere.mkdir(exist_ok=True)
    shown.rename(elsewhere / shown.name)
    second = worktree_talk(store, WRITTEN - 2 * SECOND)
    path = zeroed(row_of(store, second, written=WRITTEN))
    lend(store, second, path, first.began - 5_000)
    with unlistable(monkeypatch, transcript_of(store, second).parent):
        outcome(store, path, second)


def test_an_account_that_was_not_named_and_cannot_be_listed_is_told(
    store: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = ending(store, WRITTEN - 6 * HOUR)
    path = zeroed(row_of(store, mine, written=WRITTEN))
    other = ending(store, WRITTEN - 30 * SECOND, cwd=B)
    row_of(store, other, store=store.stores[1])
    with unlistable(monkeypatch, store.stores[1]):
        plan = reconcile(store.stores[0], store.projects, now=NOW)
        outcome(store, path, mine, store=store.stores[0])
    assert str(store.stores[1]) in {f.path for f in plan.findings if f.rule == "unreadable"}
    assert plan.exit_status == 4


# --- evidence older than the row's own last write


def keep_at(store: World, tmp_path: Path, time: int) -> None:
    """Take a snapshot of the healthy rows, as if at a time."""
    reconcile(store.user_data, store.projects, now=NOW, snapshot=True)
    with contextlib.closing(sqlite3.connect(tmp_path / "state" / FILE)) as database, database:
        database.execute("UPDATE version SET taken_at = ?", (time,))


def test_a_snapshot_from_before_a_clear(store: World, tmp_path: Path) -> None:
    before = earlier(store)
    path = row_of(store, before)
    keep_at(store, tmp_path, before.ended + MINUTE)
    after = cleared(store, path, before)
    action = outcome(store, path, after)
    assert action.kind == "hold"
    assert {one.cli_session_id for one in action.candidates} == {before.session_id, after.session_id}


def test_an_unfinished_save_from_before_a_clear(store: World) -> None:
    before = earlier(store)
    path = row_of(store, before)
    shutil.copy2(path, f"{path}.tmp")
    outcome(store, path, cleared(store, path, before))


def test_a_copy_under_another_account_from_before_a_clear(store: World) -> None:
    before = earlier(store)
    path = row_of(store, before)
    row_of(store, before, session_id=path.stem, store=store.stores[1])
    outcome(store, path, cleared(store, path, before))


def test_a_backup_that_an_earlier_restore_left(store: World) -> None:
    before = earlier(store)
    path = row_of(store, before)
    shutil.copy2(path, f"{path}.corrupted-bak")
    outcome(store, path, cleared(store, path, before))


def test_an_imported_session_that_was_cleared(store: World) -> None:
    before = earlier(store, entrypoint=TERMINAL)
    path = row_of(store, before, session_id=f"local_{before.session_id}")
    outcome(store, path, cleared(store, path, before))


# --- time


def test_a_row_that_was_only_looked_at_and_a_new_session_whose_row_was_never_written(store: World) -> None:
    mine = ending(store, WRITTEN - 6 * HOUR)
    path = zeroed(row_of(store, mine, written=WRITTEN))
    ending(store, WRITTEN - 10 * SECOND, minutes=1, cwd=B)
    outcome(store, path, mine)


def test_the_rows_own_transcript_was_deleted(store: World) -> None:
    mine = ending(store, WRITTEN - 6 * HOUR)
    path = zeroed(row_of(store, mine, written=WRITTEN))
    transcript_of(store, mine).unlink()
    ending(store, WRITTEN - 10 * SECOND, minutes=1, cwd=B)
    outcome(store, path)


def test_the_same_crash_zero_filled_the_rows_own_transcript(store: World) -> None:
    mine = ending(store, WRITTEN - 2 * SECOND)
    path = zeroed(row_of(store, mine, written=WRITTEN))
    zeroed(transcript_of(store, mine), WRITTEN - 2 * SECOND)
    ending(store, WRITTEN - MINUTE, cwd=B)
    outcome(store, path, mine)


def test_the_late_records_of_the_rows_own_transcript_bear_no_times(store: World) -> None:
    mine = ending(store, WRITTEN - 2 * SECOND, minutes=120)
    timed = [record for record in mine.records if "timestamp" in record]
    for record in timed[2:]:
        del record["timestamp"]
    store.write(transcript_of(store, mine), b"".join(map(line, mine.records)), WRITTEN - 1_500)
    path = zeroed(row_of(store, mine, written=WRITTEN))
    ending(store, WRITTEN - 30 * SECOND, cwd=B)
    outcome(store, path, mine)


def test_the_transcript_of_a_session_whose_row_the_user_deleted(store: World) -> None:
    mine = ending(store, WRITTEN - 6 * HOUR)
    path = zeroed(row_of(store, mine, written=WRITTEN))
    deleted = ending(store, WRITTEN - 30 * SECOND, cwd=B)
    gone = row_of(store, deleted)
    gone.unlink()
    (gone.parent / f"deleted_{gone.stem.removeprefix('local_')}").write_text("1")
    outcome(store, path, mine)


# --- leases


def test_the_second_transcript_of_a_leased_worktree_was_zero_filled(store: World) -> None:
    first = worktree_talk(store, WRITTEN - 4 * HOUR)
    second = worktree_talk(store, WRITTEN - 2 * SECOND)
    path = zeroed(row_of(store, second, written=WRITTEN))
    lend(store, second, path, first.began - 5_000)
    zeroed(transcript_of(store, second), WRITTEN - 2 * SECOND)
    outcome(store, path, second)


@pytest.mark.parametrize("since", [None, WRITTEN - 20 * DAY])
def test_a_lease_whose_only_transcript_ended_long_before(store: World, since: int | None) -> None:
    old = ending(store, WRITTEN - 14 * DAY, cwd="/home/ada/repo/.claude/worktrees/wt-3")
    mine = ending(store, WRITTEN - 2 * SECOND, cwd=old.cwd)
    path = zeroed(row_of(store, mine, written=WRITTEN))
    transcript_of(store, mine).unlink()
    lend(store, old, path, since)
    outcome(store, path)


# --- the row's own content


def test_the_content_of_a_session_that_nothing_else_knows(store: World) -> None:
    mine, other = ending(store, WRITTEN - 2 * SECOND), ending(store, WRITTEN - 8 * HOUR, cwd=X)
    path = row_of(store, mine, written=WRITTEN)
    stranger = row_of(store, other)
    store.write(path, stranger.read_bytes(), WRITTEN)
    stranger.unlink()
    outcome(store, path, mine)


def test_the_transcript_is_named_twice_and_the_second_name_is_cut_off(store: World) -> None:
    mine, other = ending(store, WRITTEN - 2 * SECOND), ending(store, WRITTEN - 8 * HOUR, cwd=X)
    path = row_of(store, mine, written=WRITTEN)
    content = (
        f'{{"sessionId":"{path.stem}","cliSessionId":"{other.session_id}","cwd":"{A}",'
        f'"cliSessionId":"{mine.session_id[:20]}'
    )
    store.write(path, content.encode(), WRITTEN)
    outcome(store, path, mine)


def test_an_old_state_with_zeros_behind_it(store: World) -> None:
    before, after = earlier(store), ending(store, WRITTEN - 2 * SECOND)
    path = row_of(store, before)
    store.write(path, path.read_bytes() + bytes(300), WRITTEN)
    outcome(store, path, after)


def test_a_younger_copy_with_the_same_records_replaces_nothing(store: World) -> None:
    mine = ending(store, WRITTEN - 2 * SECOND)
    path = zeroed(row_of(store, mine, written=WRITTEN))
    planted = talk(store.dice, "/tmp/evil", mine.began)
    planted.records = [dict(record, cwd="/tmp/evil", sessionId=planted.session_id) for record in mine.records]
    planted.began, planted.ended = mine.began, mine.ended
    end_at(planted, WRITTEN - SECOND)
    store.put(planted)
    outcome(store, path, mine)


def test_a_younger_file_of_the_same_id_in_another_folder_replaces_nothing(store: World) -> None:
    mine = ending(store, WRITTEN - 2 * SECOND)
    path = zeroed(row_of(store, mine, written=WRITTEN))
    planted = talk(store.dice, "/tmp/evil", mine.began, session_id=mine.session_id)
    end_at(planted, WRITTEN - SECOND)
    store.put(planted)
    action = outcome(store, path, mine)
    assert action.kind == "hold" or action.row["cwd"] == A


# --- links


def test_a_project_folder_that_is_a_link(store: World, tmp_path: Path) -> None:
    mine = ending(store, WRITTEN - 2 * SECOND)
    path = zeroed(row_of(store, mine, written=WRITTEN))
    folder = transcript_of(store, mine).parent
    folder.rename(tmp_path / "other-disk")
    folder.symlink_to(tmp_path / "other-disk")
    ending(store, WRITTEN - 30 * SECOND, cwd=B)
    outcome(store, path, mine)


def test_a_link_to_a_disk_that_is_not_there(store: World, tmp_path: Path) -> None:
    mine = ending(store, WRITTEN - 2 * SECOND)
    path = zeroed(row_of(store, mine, written=WRITTEN))
    folder = transcript_of(store, mine).parent
    shutil.rmtree(folder)
    folder.symlink_to(tmp_path / "not-mounted")
    ending(store, WRITTEN - 30 * SECOND, cwd=B)
    action = outcome(store, path, mine)
    assert "cannot be looked at" in (action.error or "")


def test_an_accounts_folder_that_is_a_link(store: World, tmp_path: Path) -> None:
    mine = ending(store, WRITTEN - 6 * HOUR)
    path = zeroed(row_of(store, mine, written=WRITTEN))
    other = ending(store, WRITTEN - 30 * SECOND, cwd=B)
    row_of(store, other, store=store.stores[1])
    store.stores[1].rename(tmp_path / "other-disk")
    store.stores[1].symlink_to(tmp_path / "other-disk")
    outcome(store, path, mine)
