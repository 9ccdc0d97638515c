"""Applying a plan to real files and undoing it: what is written, kept, refused, and put back."""

import hashlib
import json
import os
import re
import stat
from pathlib import Path
from typing import Any

import pytest
from sessscan import _core
from sessscan.changes import journal
from sessscan.changes.lock import exclusive
from sessscan.changes.plan import Plan
from sessscan.changes.undo import choose, undo
from sessscan.errors import AppRunningError, LockedError, PlanChangedError, RefusedError
from sessscan.model import Action, Fingerprint, Store
from support.system import can_link

NAMES = [f"local_0000000{number}-0000-4000-8000-000000000000" for number in range(4)]


def fingerprint(path: Path, content: bool = True) -> Fingerprint:
    if not path.exists():
        return Fingerprint(str(path), False)
    status = path.stat()
    digest = hashlib.sha256(path.read_bytes()).hexdigest() if content else None
    return Fingerprint(str(path), True, status.st_size, status.st_mtime_ns, status.st_ino, digest)


def restore(path: Path, *more: Fingerprint, title: str = "A title") -> Action:
    row = {"sessionId": path.stem, "title": title}
    return Action(
        "restore",
        str(path),
        path.stem,
        row=row,
        content=json.dumps(row).encode(),
        rests_on=(fingerprint(path), *more),
    )


def plan_of(*actions: Action) -> Plan:
    store = Store(str(Path(actions[0].path).parent), None)
    return Plan(((store, len(actions)),), len(actions), 0, 0, (), actions)


def picture(folder: Path) -> dict[str, tuple[Any, ...]]:
    """Return the content, mtime and mode of every file."""
    return {
        str(path.relative_to(folder)): (
            path.read_bytes(),
            path.stat().st_mtime_ns,
            stat.S_IMODE(path.stat().st_mode),
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "state"
    monkeypatch.setenv("SESSSCAN_HOME", str(folder))
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store of three zero-filled rows with old mtimes."""
    folder = tmp_path / "store"
    folder.mkdir()
    for number, name in enumerate(NAMES[:3]):
        row = folder / f"{name}.json"
        row.write_bytes(bytes(1000 + number))
        row.chmod(0o600)
        os.utime(row, ns=(1_700_000_000_123_456_789, 1_700_000_000_123_456_789 + number))
    return folder


def rows(store: Path) -> list[Path]:
    return sorted(store.glob("local_*.json"))


def test_apply_then_undo(store: Path, home: Path) -> None:
    before = picture(store)
    plan = plan_of(*(restore(row) for row in rows(store)))
    report = plan.apply()
    assert [action.status for action in report.actions] == ["applied"] * 3
    assert report.exit_status == 0
    for action in report.actions:
        assert Path(action.path).read_bytes() == action.content
        assert action.backup == action.path + ".corrupted-bak"
        assert picture(store)[Path(action.backup).name] == before[Path(action.path).name]
    [run] = journal.runs()[0]
    assert (run.id, run.state, run.entries[0].title) == (report.run, "complete", "A title")

    undone = undo(run)
    assert undone.exit_status == 0
    assert picture(store) == before
    [run] = journal.runs()[0]
    assert run.state == "taken-back"
    assert choose(None) is None
    assert undo(run).reversals == ()


def test_a_created_row_is_removed_again(store: Path) -> None:
    before = picture(store)
    report = plan_of(restore(store / f"{NAMES[3]}.json")).apply()
    assert report.actions[0].backup is None
    assert len(rows(store)) == 4
    [run] = journal.runs()[0]
    [reversal] = undo(run).reversals
    assert reversal.kind == "removed"
    assert picture(store) == before


def test_a_created_row_does_not_replace_one_that_appeared_since(store: Path) -> None:
    row = store / f"{NAMES[3]}.json"
    action = restore(row)
    row.write_bytes(b"theirs")
    report = plan_of(action).apply()
    assert report.actions[0].status == "refused"
    assert row.read_bytes() == b"theirs"


def test_a_file_that_changes_between_the_check_and_the_write_is_left_alone(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(*(restore(row) for row in rows(store)))
    announce = journal.Journal.intent

    def written_meanwhile(self: journal.Journal, **record: Any) -> int:
        Path(record["path"]).write_bytes(b"theirs")
        return announce(self, **record)

    monkeypatch.setattr(journal.Journal, "intent", written_meanwhile)
    report = plan.apply()
    assert [action.status for action in report.actions] == ["refused"] * 3
    assert {name: content for name, (content, *_) in picture(store).items()} == {
        f"{name}.json": b"theirs" for name in NAMES[:3]
    }
    assert journal.runs() == ([], [])


def test_backups_are_numbered(store: Path) -> None:
    row = rows(store)[0]
    taken = Path(f"{row}.corrupted-bak")
    if can_link():
        taken.symlink_to(store / "nowhere")
    else:
        taken.write_bytes(b"an older backup")
    before = picture(store)
    report = plan_of(restore(row)).apply()
    assert report.actions[0].backup == f"{taken}.1"
    undo(journal.runs()[0][0])
    assert picture(store) == before
    assert os.path.lexists(taken)


def test_a_changed_file_is_left_alone_and_the_rest_is_done(store: Path, tmp_path: Path) -> None:
    one, two, three = rows(store)
    transcript = tmp_path / "t.jsonl"
    transcript.write_bytes(b"{}\n")
    plan = plan_of(restore(one), restore(two, fingerprint(transcript, content=False)), restore(three))
    one.write_bytes(b"{}" + bytes(998))
    transcript.write_bytes(b"{}\n{}\n")
    report = plan.apply()
    assert [action.status for action in report.actions] == ["refused", "refused", "applied"]
    assert str(one) in (report.actions[0].error or "")
    assert str(transcript) in (report.actions[1].error or "")
    assert one.read_bytes() == b"{}" + bytes(998)
    assert two.read_bytes() == bytes(1001)
    assert report.exit_status == 4


def test_a_row_with_another_mtime_and_the_same_content_has_not_changed(store: Path) -> None:
    plan = plan_of(restore(rows(store)[0]))
    os.utime(rows(store)[0])
    assert plan.apply().actions[0].status == "applied"


def test_a_file_written_by_the_same_plan_has_not_changed(store: Path) -> None:
    one, two, _ = rows(store)
    report = plan_of(restore(one), restore(two, fingerprint(one))).apply()
    assert [action.status for action in report.actions] == ["applied", "applied"]


def test_applying_the_same_plan_again_writes_nothing(store: Path) -> None:
    plan = plan_of(restore(rows(store)[0]))
    plan.apply()
    after = picture(store)
    report = plan.apply()
    assert report.actions[0].status == "refused"
    assert report.run is None
    assert report.exit_status == 3
    assert picture(store) == after
    assert len(journal.runs()[0]) == 1


def test_a_run_that_changes_nothing_leaves_no_journal(store: Path, home: Path) -> None:
    plan = plan_of(restore(rows(store)[0]))
    store.joinpath(f"{NAMES[0]}.json").unlink()
    store.joinpath(f"{NAMES[0]}.json").mkdir()
    report = plan.apply()
    assert report.actions[0].status in ("failed", "refused")
    assert report.run is None
    assert journal.runs() == ([], [])
    assert list(home.glob("runs/*")) == []


def test_a_plan_without_actions_makes_no_state_folder(store: Path, home: Path) -> None:
    Plan((), 0, 0, 0, (), ()).apply()
    assert not home.exists()


def test_a_held_row_is_not_written(store: Path) -> None:
    before = picture(store)
    hold = Action("hold", str(rows(store)[0]), NAMES[0], status="held")
    assert plan_of(hold).apply().actions == (hold,)
    assert picture(store) == before


def test_a_second_writer_is_refused_with_the_name_of_the_first(store: Path, home: Path) -> None:
    plan = plan_of(restore(rows(store)[0]))
    before = picture(store)
    home.mkdir()
    with exclusive(home), pytest.raises(LockedError, match=rf"process {os.getpid()} of .*, for \d+ s"):
        plan.apply()
    assert picture(store) == before
    # The text that a dead process left in the lock file is no lock.
    (home / "lock").write_text('{"pid": 1, "user": "x", "since": 0}')
    assert plan.apply().exit_status == 0


def test_without_a_place_for_the_journal_nothing_is_written(store: Path, home: Path) -> None:
    home.write_bytes(b"a file where the folder should be")
    with pytest.raises(RefusedError, match="no journal"):
        plan_of(restore(rows(store)[0])).apply()


@pytest.mark.alone  # other tests that apply a plan would see the program, too
@pytest.mark.linux("a process is renamed by renaming its program")
def test_nothing_is_written_while_the_app_runs(store: Path, tmp_path: Path) -> None:
    import shutil
    import subprocess

    program = tmp_path / "claude-desktop"
    shutil.copy(shutil.which("sleep") or "/bin/sleep", program)
    plan = plan_of(restore(rows(store)[0]))
    before = picture(store)
    with subprocess.Popen([program, "60"]) as process:
        try:
            with pytest.raises(AppRunningError, match=str(process.pid)):
                plan.apply()
            assert picture(store) == before
            assert plan.apply(force=True).exit_status == 0
            with pytest.raises(AppRunningError):
                undo(journal.runs()[0][0])
            assert undo(journal.runs()[0][0], force=True).exit_status == 0
        finally:
            process.kill()
    assert picture(store) == before


class Killed(BaseException):
    """Raised to stop the code at a point as if the process ended there: no code under test catches it."""


def kill_at(monkeypatch: pytest.MonkeyPatch, name: str, call: int, *, after: bool) -> None:
    """Raise `Killed` before or after the given call of a function of the core, counted from 1."""
    real = getattr(_core, name)
    calls = 0

    def deadly(*args: Any, **keywords: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call and not after:
            raise Killed
        result = real(*args, **keywords)
        if calls == call:
            raise Killed
        return result

    owner: Any = journal if name == "append_durable" else _core
    monkeypatch.setattr(owner, name, deadly)


# The journal gets a header, for each of three rows an intent and an outcome, and an end.
POINTS = [("append_durable", call) for call in range(1, 9)] + [("replace", call) for call in (1, 2, 3)]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(("name", "call"), POINTS)
def test_a_run_killed_at_any_point_can_be_undone_and_completed(
    store: Path, monkeypatch: pytest.MonkeyPatch, name: str, call: int, after: bool
) -> None:
    before = picture(store)
    plan = plan_of(*(restore(row) for row in rows(store)))
    with monkeypatch.context() as patch:
        kill_at(patch, name, call, after=after)
        with pytest.raises(Killed):
            plan.apply()
    for action in plan.actions:  # each file is whole, old or new
        assert Path(action.path).read_bytes() in (action.content, before[Path(action.path).name][0])

    # The interrupted run alone can be undone …
    interrupted = choose(None)
    if interrupted is not None:
        assert undo(interrupted).exit_status == 0
    assert picture(store) == before
    assert not any(run.in_effect for run in journal.runs()[0])

    # … and so it can together with a run that completes it.
    with monkeypatch.context() as patch:
        kill_at(patch, name, call, after=after)
        with pytest.raises(Killed):
            plan.apply()
    left = [row for row in rows(store) if row.read_bytes().startswith(b"\0")]
    if left:
        assert plan_of(*map(restore, left)).apply().exit_status == 0
    for action in plan.actions:
        assert Path(action.path).read_bytes() == action.content
    while (run := choose(None)) is not None:
        assert undo(run).exit_status == 0
    assert picture(store) == before


UNDO_POINTS = [("append_durable", call) for call in (1, 2, 3, 4)]
UNDO_POINTS += [(name, call) for name in ("replace", "remove") for call in (1, 2, 3)]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(("name", "call"), UNDO_POINTS)
def test_an_undo_killed_at_any_point_can_be_run_again(
    store: Path, monkeypatch: pytest.MonkeyPatch, name: str, call: int, after: bool
) -> None:
    before = picture(store)
    plan_of(*(restore(row) for row in rows(store))).apply()
    [run] = journal.runs()[0]
    with monkeypatch.context() as patch:
        kill_at(patch, name, call, after=after)
        with pytest.raises(Killed):
            undo(run)
    for name_of_row, (content, *times) in picture(store).items():
        if content == before.get(name_of_row, (None,))[0]:
            assert times == list(before[name_of_row][1:]), "old content never bears the time of the undo"
    again = choose(None)
    if again is not None:
        assert undo(again).exit_status == 0
    assert picture(store) == before
    assert choose(None) is None


def test_undo_does_nothing_if_a_file_has_changed_since(store: Path) -> None:
    plan_of(*(restore(row) for row in rows(store))).apply()
    rows(store)[1].write_bytes(b'{"sessionId":"theirs"}')
    now = picture(store)
    with pytest.raises(PlanChangedError, match=re.escape(str(rows(store)[1]))):
        undo(journal.runs()[0][0])
    assert picture(store) == now


def test_undo_does_nothing_if_a_backup_is_gone(store: Path) -> None:
    report = plan_of(*(restore(row) for row in rows(store))).apply()
    backup = Path(report.actions[2].backup or "")
    backup.unlink()
    now = picture(store)
    with pytest.raises(PlanChangedError, match=re.escape(str(backup))):
        undo(journal.runs()[0][0])
    assert picture(store) == now


def test_undo_accepts_files_that_were_put_back_by_hand(store: Path) -> None:
    before = picture(store)
    plan_of(*(restore(row) for row in rows(store))).apply()
    first, second = rows(store)[:2]
    Path(f"{first}.corrupted-bak").replace(first)
    second.write_bytes(Path(f"{second}.corrupted-bak").read_bytes())  # and bears the time of this
    assert undo(journal.runs()[0][0]).exit_status == 0
    assert picture(store) == before


def test_undo_leaves_a_row_alone_that_was_announced_and_written_by_another_program(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = rows(store)[0]
    with monkeypatch.context() as patch:
        kill_at(patch, "replace", 1, after=False)
        with pytest.raises(Killed):
            plan_of(restore(row)).apply()
    row.write_bytes(b"theirs")
    run = choose(None)
    assert run is not None
    assert undo(run).reversals == ()
    assert row.read_bytes() == b"theirs"
    assert journal.runs() == ([], [])


def test_undo_by_id(store: Path) -> None:
    one, two, _ = rows(store)
    first = plan_of(restore(one)).apply().run
    second = plan_of(restore(two)).apply().run
    assert first and second
    newest, older = choose(None), choose(first)
    assert newest is not None and newest.id == second
    assert older is not None and older.id == first
    with pytest.raises(ValueError, match="no run 2020"):
        choose("2020")
    undo(older)
    assert one.read_bytes() == bytes(1000)
    assert two.read_bytes().startswith(b"{")
