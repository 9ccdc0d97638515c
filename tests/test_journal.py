"""The journal is versioned and checked, and is read as far as it goes if its end is torn."""

import datetime
import json
import os
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sessscan import state
from sessscan.changes import journal
from sessscan.changes.journal import Image, Journal
from sessscan.errors import JournalError
from support.system import WINDOWS

ROOT = Path("C:\\" if WINDOWS else "/")
STORE, HOME = ROOT / "store", ROOT / "home" / "ada"
ZEROS = Image("0" * 64, 10, 5)
ONES = Image("1" * 64, 12, None)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SESSSCAN_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def announce(made: Journal, path: str = str(STORE / "local_a.json"), before: Image | None = ZEROS) -> int:
    return made.intent(
        kind="restore",
        path=path,
        session_id="local_a",
        title="Ein Titel \ud83d\x1b",
        before=before,
        after=ONES,
        backup=None if before is None else f"{path}.corrupted-bak",
    )


@pytest.fixture
def made(home: Path) -> Journal:
    """A complete run of two files."""
    made = Journal.create()
    made.done(announce(made))
    made.failed(announce(made, str(STORE / "local_b.json"), None), "no space left")
    made.end()
    return made


def lines(made: Journal) -> list[bytes]:
    return made.path.read_bytes().splitlines(keepends=True)


def test_a_run_is_read_as_it_was_written(made: Journal) -> None:
    [run], wrong = journal.runs()
    assert wrong == []
    assert (run.id, run.state, run.length) == (made.run, "complete", made.path.stat().st_size)
    first, second = run.entries
    assert (first.before, first.after, first.outcome) == (ZEROS, ONES, "done")
    assert first.title == "Ein Titel \ud83d\x1b"
    assert (second.before, second.backup, second.outcome, second.error) == (
        None,
        None,
        "failed",
        "no space left",
    )
    assert run.in_effect == (first,)


def test_a_journal_is_private_and_runs_are_listed_newest_first(made: Journal, home: Path) -> None:
    assert made.path == home / "runs" / made.run / "journal.jsonl"
    assert made.path.stat().st_mode & 0o077 == 0 or made.path.drive
    second = Journal.create()
    announce(second)
    assert [run.id for run in journal.runs()[0]] == [second.run, made.run]


def test_runs_of_the_same_second_have_different_ids(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.datetime.now(datetime.UTC)
    clock = SimpleNamespace(datetime=SimpleNamespace(now=lambda _: now), UTC=datetime.UTC)
    drawn = iter(["aaaa", "aaaa", "bbbb", *["aaaa"] * 99])
    monkeypatch.setattr(journal, "datetime", clock)
    monkeypatch.setattr(journal.secrets, "token_hex", lambda _: next(drawn))
    first, second = Journal.create(), Journal.create()
    assert (first.run[-5:], second.run[-5:]) == ("-aaaa", "-bbbb")
    with pytest.raises(FileExistsError):
        Journal.create()


def test_a_journal_cut_at_any_byte_is_read_as_far_as_it_goes(made: Journal) -> None:
    data = made.path.read_bytes()
    records = lines(made)
    whole = {len(b"".join(records[:count])): count for count in range(len(records) + 1)}
    for cut in range(len(data)):
        for tail in (b"", bytes(16)):  # the length may reach the disk without the bytes
            made.path.write_bytes(data[:cut] + tail)
            run = journal.read(made.path)
            count = whole[max(length for length in whole if length <= cut)]
            assert (run is None) == (count == 0)
            if run is not None:
                assert len(run.entries) == max(0, count // 2)
                assert run.state == ("complete" if count == len(records) else "interrupted")


def test_a_reopened_journal_continues_after_its_last_whole_record(made: Journal) -> None:
    made.path.write_bytes(b"".join(lines(made)[:4]) + b'{"record":"done","ent')
    run = journal.read(made.path)
    assert run is not None
    assert run.entries[1].outcome is None
    again = Journal.reopen(run)
    again.done(1)
    assert announce(again, str(STORE / "local_c.json")) == 2
    run = journal.read(made.path)
    assert run is not None
    assert [entry.outcome for entry in run.entries] == ["done", "done", None]


def test_a_last_line_that_is_no_json_counts_as_torn(made: Journal) -> None:
    made.path.write_bytes(b"".join(lines(made)[:3]) + bytes(40) + b"\n")
    run = journal.read(made.path)
    assert run is not None
    assert run.length == len(b"".join(lines(made)[:3]))


@pytest.mark.parametrize("line", range(5))
def test_damage_before_the_last_record_is_an_error_with_path_and_line(made: Journal, line: int) -> None:
    damaged = lines(made)
    damaged[line] = bytes(len(damaged[line]) - 1) + b"\n"
    made.path.write_bytes(b"".join(damaged))
    with pytest.raises(JournalError, match=re.escape(f"{made.path}, line {line + 1}: damaged")):
        journal.read(made.path)
    other = Journal.create()
    announce(other)
    found, [error] = journal.runs()
    assert [run.id for run in found] == [other.run]
    assert str(made.path) in str(error)


@pytest.mark.parametrize(
    ("line", "change"),
    [
        (0, {"schema": "sessscan.journal/2"}),
        (0, {"run": "another"}),
        (0, {"time": "soon"}),
        (1, {"entry": 1}),
        (1, {"path": "local_a.json"}),
        (1, {"path": None}),
        (1, {"backup": "/etc/passwd"}),
        (1, {"backup": f"{STORE / 'local_a.json.corrupted-bak'}{os.sep}..{os.sep}x"}),
        (1, {"backup": None}),
        (1, {"after": None}),
        (1, {"after": {"sha256": "xyz", "size": 1, "mtime_ns": None}}),
        (1, {"after": 3}),
        (1, {"title": 3}),
        (1, {"record": "intention"}),
        (2, {"entry": 7}),
        (2, {"entry": True}),
        (2, {"entry": -1}),
        (2, {"error": 5}),
    ],
)
def test_a_record_with_a_wrong_member_is_an_error_with_its_line(
    made: Journal, line: int, change: dict[str, Any]
) -> None:
    records = [json.loads(record) for record in lines(made)]
    records[line] |= change
    made.path.write_text("".join(json.dumps(record) + "\n" for record in records))
    with pytest.raises(JournalError, match=rf"line {line + 1}: "):
        journal.read(made.path)


def test_a_missing_member_and_a_line_that_is_no_record_are_errors(made: Journal) -> None:
    for record in (b"{}", b"[]", b"3", b'{"record":"done"}'):
        made.path.write_bytes(lines(made)[0] + record + b"\n" + b'{"record":"end","time":1}\n')
        with pytest.raises(JournalError, match="line 2"):
            journal.read(made.path)
        made.path.write_bytes(lines(made)[0])


def test_runs_without_entries_are_not_listed(home: Path) -> None:
    Journal.create()
    (home / "runs" / "empty").mkdir()
    (home / "runs" / "stray file").write_bytes(b"")
    assert journal.runs() == ([], [])


def test_after_a_record_that_could_not_be_written_none_is(
    made: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: object, data: object) -> None:
        raise OSError(28, "No space left on device", str(path))

    before = made.path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(journal, "append_durable", full)
        with pytest.raises(OSError, match="No space"):
            announce(made)
    with pytest.raises(OSError, match="No space"):
        made.end()
    assert made.path.read_bytes() == before


def test_the_state_folder_is_the_platforms_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SESSSCAN_HOME")
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert state.home().name == "sessscan"
    assert state.home().is_absolute()


@pytest.mark.parametrize(
    "path",
    [
        str(HOME / ".bashrc"),
        f"{STORE / 'local_a.json'}{os.sep}..{os.sep}x",
        str(STORE / "local_a.txt"),
        str(STORE / "deleted_1"),
    ],
)
def test_a_journal_names_only_files_that_a_run_writes(made: Journal, path: str) -> None:
    content = made.path.read_text().replace(json.dumps(str(STORE / "local_b.json")), json.dumps(path))
    made.path.write_text(content)
    with pytest.raises(JournalError, match="line 4: a file that no run writes"):
        journal.read(made.path)
