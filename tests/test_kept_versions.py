"""Test the versions that a watch has kept: which are thinned out, and that no byte of them is lost."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import defaultdict
from pathlib import Path
from random import Random

import pytest
import sessscan
from sessscan.keeping import capture, read
from sessscan.keeping.capture import TranscriptsReport, keep_transcripts
from sessscan.keeping.database import folder
from sessscan.keeping.thin import Moment, superfluous
from support.rounds import rounds

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
NOW = 1_790_000_123_456


def _plainly(moments: list[Moment], now: int) -> set[int]:
    """Return what stays: the newest of each slot, all that is not passing, and the newest of all."""
    newest: dict[tuple[int, int], Moment] = {}
    stays = {moment.version for moment in moments if not moment.passing}
    for moment in moments:
        for step, most in ((MINUTE, HOUR), (HOUR, DAY), (DAY, 1 << 60)):
            if now - moment.taken_at < most:
                # Of the slot of this size, whichever step its other versions have.
                slot = (step, moment.taken_at // step)
                rival = newest.setdefault(
                    slot,
                    max(
                        (other for other in moments if other.taken_at // step == slot[1]),
                        key=lambda other: other.version,
                    ),
                )
                if rival is moment:
                    stays.add(moment.version)
                break
    return stays


@rounds(200, thorough=1_500)
def test_what_stays_is_the_newest_of_each_slot(rounds: int) -> None:
    dice, dropped = Random(2), 0
    for _ in range(rounds):
        spans = [dice.choice((2 * MINUTE, 3 * HOUR, 3 * DAY, 40 * DAY)) for _ in range(dice.randrange(1, 40))]
        taken = sorted(NOW - dice.randrange(span) for span in spans)
        moments = [Moment(n, at, int(dice.random() < 0.8)) for n, at in enumerate(taken)][::-1]
        drop = set(superfluous(moments, NOW))
        assert {moment.version for moment in moments} - drop == _plainly(moments, NOW)
        assert moments[0].version not in drop
        dropped += len(drop)
        # What was dropped before changes nothing of what stays now.
        left = [moment for moment in moments if moment.version not in drop]
        later = NOW + dice.randrange(2 * DAY)
        again = {moment.version for moment in left} - set(superfluous(left, later))
        assert again == {moment.version for moment in moments} - set(superfluous(moments, later))
    assert dropped > rounds


class Growing:
    """A transcript that grows while a watch, whose clock the test sets, keeps it."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "projects" / "-a").mkdir(parents=True)
        self.path = tmp_path / "projects" / "-a" / "00000000-0000-4000-8000-000000000000.jsonl"
        self.path.write_bytes(b"")
        self.held: dict[int, bytes] = {}
        """What it held when it was kept, by epoch ms."""
        self._monkeypatch = monkeypatch

    def keep(self, at: int, *, passing: bool) -> None:
        """Append a line, and keep it at this time (epoch ms)."""
        with self.path.open("ab") as file:
            file.write(b'{"type":"user","at":%d}\n' % at)
        with self._monkeypatch.context() as patch:
            patch.setattr(read.time, "time_ns", lambda: at * 1_000_000)
            report = TranscriptsReport(folder=folder(make=True))
            keep_transcripts([str(self.path)], report, passing=passing)
        assert report.kept == [str(self.path)]
        self.held[at] = self.path.read_bytes()


@pytest.mark.full
def test_a_session_that_grows_for_days_leaves_few_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    growing = Growing(tmp_path, monkeypatch)
    begin = NOW - 3 * DAY
    moments = [begin + step for step in range(0, 3 * DAY - HOUR, 30 * MINUTE)]
    moments += [NOW - step for step in range(HOUR, 0, -30_000)]
    asked_for = moments[100]
    for at in moments:
        growing.keep(at, passing=at != asked_for)
    versions = sessscan.transcript_versions(growing.path)
    assert len(moments) > 250 and len(versions) <= 61 + 25 + 4 + 1
    by_time = {version.taken_at: version for version in versions}
    assert max(by_time) == moments[-1], "the newest stays"
    assert asked_for in by_time, "a version that the user was told of stays"
    for at, version in by_time.items():
        assert b"".join(version.pieces()) == growing.held[at]
    # Of each day, of each hour of the last day, and of each minute of the last hour one is left.
    for step, since in ((DAY, 0), (HOUR, NOW - DAY + HOUR), (MINUTE, NOW - HOUR + MINUTE)):
        slots = defaultdict(list)
        for at in moments:
            if at >= since:
                slots[at // step].append(at)
        assert all(by_time.keys() & set(slot) for slot in slots.values())
    assert sessscan.verify_snapshots() == []


@pytest.mark.parametrize("by", ["its signature", "a look"])
def test_a_version_that_a_watch_kept_and_the_user_asks_for_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    growing = Growing(tmp_path, monkeypatch)
    now = (
        time.time_ns() // 60_000_000_000 + 2
    ) * MINUTE  # so long after the file was written that it is settled
    growing.keep(now, passing=True)
    if by == "a look":
        time.sleep(0.05)
        monkeypatch.setattr(capture.boot, "name", lambda: "another")
    assert sessscan.snapshot_transcripts(tmp_path / "projects").unchanged == 1
    growing.keep(now + 1, passing=True)
    growing.keep(now + 2, passing=True)
    assert [one.taken_at for one in sessscan.transcript_versions(growing.path)] == [now + 2, now]


def test_a_file_of_the_first_layout_is_brought_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    growing = Growing(tmp_path, monkeypatch)
    growing.keep(NOW, passing=False)
    [database] = folder().glob("*.db")
    connection = sqlite3.connect(database)
    with connection:
        connection.execute("DROP INDEX passing_version")
        connection.execute("ALTER TABLE version DROP COLUMN passing")
        connection.execute("PRAGMA user_version=1")
    connection.close()
    for at in (NOW + 1, NOW + 2):
        growing.keep(at, passing=True)
    versions = sessscan.transcript_versions(growing.path)
    assert [one.taken_at for one in versions] == [NOW + 2, NOW], "old versions are none of a watch"
    assert b"".join(versions[1].pieces()) == growing.held[NOW]
    connection = sqlite3.connect(database)
    [(layout,)] = connection.execute("PRAGMA user_version").fetchall()
    connection.execute("PRAGMA user_version=99")
    connection.close()
    assert layout == 2
    with pytest.raises(sessscan.SessscanError, match="newer sessscan"):
        sessscan.transcript_versions(growing.path)


# A transcript that holds no conversation any more


def _conversation(path: Path) -> bytes:
    """A prompt and its answer."""
    common = f'"timestamp":"2026-11-20T10:00:00.000Z","sessionId":"{path.stem}","cwd":"/home/ada"'
    prompt = '{"parentUuid":null,"isSidechain":false,"type":"user","uuid":"a","message":{"role":"user",'
    answer = (
        '{"parentUuid":"a","isSidechain":false,"type":"assistant","uuid":"b","message":{"role":"assistant",'
    )
    text = '"content":"Fix the flaky test"}'
    return f"{prompt}{text},{common}}}\n{answer}{text},{common}}}\n".encode()


def _found(projects: Path, stores: Path | None = None) -> list[tuple[str, str]]:
    rules = ("hollow", "shrunk", "rewritten", "transcript-gone", "dangling")
    plan = sessscan.reconcile(() if stores is None else [stores], projects)
    return [(one.rule, one.message) for one in plan.findings if one.rule in rules]


def test_a_transcript_that_holds_no_conversation_any_more_is_hollow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, projects = Growing(tmp_path, monkeypatch).path, tmp_path / "projects"
    whole, stub = _conversation(path), b'{"type":"mode","mode":"default"}\n'
    path.write_bytes(stub)
    sessscan.snapshot_transcripts(projects)
    assert _found(projects) == [], "it never held one"
    path.write_bytes(whole)
    sessscan.snapshot_transcripts(projects)
    for rest in (stub, stub * 100):
        path.write_bytes(rest)
        sessscan.snapshot_transcripts(projects)
        [(rule, message)] = _found(projects)
        [version] = [one for one in sessscan.transcript_versions(path) if one.size == len(whole)]
        assert rule == "hollow" and f"sessscan restore {path.stem} --at {version.taken_at}" in message
        assert "Fix the flaky test" in message, "called what it was called then"
    assert sessscan.reconcile((), projects).missed.hollow == 1
    assert sessscan.restore_transcript(path, version.taken_at).apply(force=True).exit_status == 0
    assert path.read_bytes() == whole and _found(projects) == []


def test_a_row_whose_transcript_was_kept_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, projects = Growing(tmp_path, monkeypatch).path, tmp_path / "projects"
    org = tmp_path / "Claude" / "claude-code-sessions" / "acc" / "org"
    org.mkdir(parents=True)
    row = org / "local_00000000-0000-4000-8000-00000000000a.json"
    fields = {"sessionId": row.stem, "cliSessionId": path.stem, "completedTurns": 1, "cwd": "/home/ada"}
    row.write_text(json.dumps(fields | {"createdAt": 1, "lastActivityAt": 2}), encoding="utf-8")
    path.write_bytes(_conversation(path))
    sessscan.snapshot_transcripts(projects)
    path.write_bytes(b'{"type":"mode","mode":"default"}\n')
    [(rule, message)] = _found(projects, tmp_path / "Claude")
    assert (
        rule == "hollow" and "counted 1 turns" in message and f"sessscan restore {path.stem} --at" in message
    )
    path.unlink()
    found = dict(_found(projects, tmp_path / "Claude"))
    assert found.keys() == {"dangling", "transcript-gone"}
    assert all(f"`sessscan restore {path.stem}`" in message for message in found.values())
