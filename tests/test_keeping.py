"""Test that what was reported as kept of a transcript comes back byte for byte, whatever happened since."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sqlite3
import stat
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
import sessscan
from sessscan import _core
from sessscan.changes.undo import undo
from sessscan.errors import SnapshotError, UnknownSnapshotError, UsageError
from sessscan.keeping import capture, database, limits, store
from sessscan.keeping.capture import TranscriptsReport, snapshot_transcripts
from sessscan.keeping.forget import forget
from sessscan.keeping.select import kept_transcripts, transcript_versions, verify_snapshots
from sessscan.keeping.store import TranscriptVersion
from sessscan.reconciliation.restore_transcript import restore_transcript
from support.program import picture, run
from support.rounds import rounds

TICK = 0.03
"""Seconds after which another change shows in a file's times."""

posix = pytest.mark.posix("modes and forks")


@pytest.fixture
def projects(tmp_path: Path) -> Path:
    folder = tmp_path / "projects"
    (folder / "-a").mkdir(parents=True)
    return folder


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def lines(dice: Random, size: int) -> bytes:
    """About `size` bytes of records that compress as real ones do."""
    made = bytearray()
    while len(made) < size:
        made += b'{"type":"user","text":"%s"}\n' % dice.randbytes(dice.randrange(300)).hex().encode()
    return bytes(made)


def write(projects: Path, data: bytes, number: int = 1) -> Path:
    path = projects / "-a" / f"{uuid.UUID(int=number << 120)}.jsonl"
    path.write_bytes(data)
    return path


def keep(projects: Path, **options: int) -> TranscriptsReport:
    time.sleep(TICK)
    report = snapshot_transcripts(projects, **options)
    assert not report.failed and not report.errors
    return report


def content(version: TranscriptVersion) -> bytes:
    return b"".join(version.pieces())


def restore(path: Path, at: int | None = None) -> str | None:
    """Put a transcript back; return the run."""
    report = restore_transcript(path, at).apply(force=True)
    assert [action.status for action in report.actions] == ["applied"], report.actions
    return report.run


# Histories


def _change(dice: Random, path: Path) -> None:
    data = path.read_bytes() if path.exists() else b""
    at = dice.randrange(len(data) + 1)
    length = dice.choice((1, 100, 70_000))
    match dice.randrange(9):
        case 0 | 1 | 2:
            with path.open("ab") as file:
                file.write(lines(dice, dice.choice((1, 500, 50_000, 200_000))))
        case 3:
            path.write_bytes(data[:at])
        case 4:
            path.write_bytes(b'{"type":"summary"}\n')
        case 5:
            path.write_bytes(data[:at] + bytes(len(data[at : at + length])) + data[at + length :])
        case 6:
            path.write_bytes(data[:at] + lines(dice, length) + data[at:])
        case 7:
            path.unlink(missing_ok=True)
        case _:
            beside = path.with_suffix(".new")
            beside.write_bytes(data + lines(dice, 100))
            beside.replace(path)


@pytest.mark.full
@rounds(4, thorough=20)
def test_every_moment_that_was_reported_as_kept_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rounds: int, pytestconfig: pytest.Config
) -> None:
    first = pytestconfig.getoption("--seed")
    for seed in range(first, first + rounds):
        folder = tmp_path / str(seed)
        monkeypatch.setenv("SESSSCAN_HOME", str(folder / "state"))
        _live_through(folder, seed)
        shutil.rmtree(folder)


def _live_through(folder: Path, seed: int) -> None:
    dice = Random(seed)
    roots = [folder / "one" / "projects", folder / "two" / "projects"]
    paths = [root / "-k" / f"{uuid.UUID(int=n << 122)}.jsonl" for root in roots for n in range(6)]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(lines(dice, dice.choice((0, 10, 80_000, 1_500_000))))
    kept: dict[tuple[str, int], bytes] = {}
    for step in range(12):
        report = snapshot_transcripts(roots)
        assert not report.failed and not report.passed_over
        there = [path for path in paths if path.exists()]
        assert report.transcripts == len(there)
        for path in there:
            newest = transcript_versions(path)[0]
            assert content(newest) == path.read_bytes(), f"seed {seed}, step {step}, {path}"
            kept[str(path), newest.id] = path.read_bytes()
        time.sleep(TICK)
        for path in dice.sample(paths, 6):
            _change(dice, path)
            if dice.random() < 0.2:
                _change(dice, path)
    assert verify_snapshots() == []
    for path in paths:
        found = {version.id: version for version in transcript_versions(path)}
        expected = {number: data for (name, number), data in kept.items() if name == str(path)}
        assert found.keys() == expected.keys()
        assert all(content(version) == expected[number] for number, version in found.items())
    # Each moment, through the command's own way.
    (path, number), data = dice.choice(list(kept.items()))
    [wanted] = [version for version in transcript_versions(path) if version.id == number]
    before = picture(folder / "one") | picture(folder / "two")
    plan = restore_transcript(path, wanted.taken_at)
    assert plan.version == wanted
    run = plan.apply(force=True).run
    assert Path(path).read_bytes() == data
    if run is not None:
        undone = undo(run, force=True)
        assert undone is not None and undone.exit_status == 0
    after = picture(folder / "one") | picture(folder / "two")
    assert {name: one for name, (one, _) in after.items()} == {name: one for name, (one, _) in before.items()}


def test_a_transcript_that_grew_costs_what_is_new(projects: Path, state: Path) -> None:
    dice = Random(1)
    path = write(projects, lines(dice, 8_000_000))
    assert keep(projects).kept == [str(path)]
    [before] = kept_transcripts()
    with path.open("ab") as file:
        file.write(lines(dice, 100_000))
    report = keep(projects)
    assert report.kept == [str(path)]
    assert report.read < 400_000
    [after] = kept_transcripts()
    assert (after.versions, after.contents) == (2, 1)
    assert after.stored - before.stored < 200_000


def test_a_transcript_that_grows_line_by_line_has_no_crumbs(projects: Path) -> None:
    dice = Random(2)
    path = write(projects, b"")
    for _ in range(30):
        with path.open("ab") as file:
            file.write(lines(dice, 9_000))
        keep(projects)
    versions = transcript_versions(path)
    assert len(versions) == 30 and len({version.content for version in versions}) == 1
    with store.KeptFile.at(versions[0].database) as kept:
        parts = kept.parts(versions[0].content)
    assert len(parts) <= 5 and all(part.size >= 64 << 10 for part in parts[:-1])
    data = path.read_bytes()
    assert all(content(version) == data[: version.size] for version in versions)


def test_an_unchanged_transcript_is_not_opened(projects: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(projects, lines(Random(3), 100_000))
    keep(projects)
    keep(projects)  # settles what was written in the same step of the clock

    def opened(*_: object) -> None:
        raise AssertionError("opened")

    with monkeypatch.context() as patch:
        patch.setattr(_core, "cut", opened)
        patch.setattr(_core, "digest", opened)
        assert keep(projects).unchanged == 1
        patch.setattr(capture.boot, "name", lambda: "another")
        with pytest.raises(AssertionError, match="opened"):
            keep(projects)
    os.utime(path, (1e9, 1e9))
    assert keep(projects).unchanged == 1
    assert len(transcript_versions(path)) == 1


def test_a_hole_that_a_power_cut_left_is_seen(projects: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The size and times are what they were, but the bytes never reached the disk."""
    dice = Random(4)
    path = write(projects, lines(dice, 3_000_000))
    keep(projects)
    keep(projects)
    status, data = path.stat(), path.read_bytes()
    with path.open("r+b") as file:
        file.seek(1_500_000)
        file.write(bytes(4096))
        file.seek(0, os.SEEK_END)
        file.write(lines(dice, 100))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    monkeypatch.setattr(capture.boot, "name", lambda: "another")
    keep(projects)
    hole, whole = transcript_versions(path)
    assert content(hole) == path.read_bytes() and content(whole) == data


def test_a_rewritten_transcript_shares_its_pieces(projects: Path) -> None:
    dice = Random(5)
    data = lines(dice, 8_000_000)
    path = write(projects, data)
    keep(projects)
    [before] = kept_transcripts()
    path.write_bytes(data[:4_000_000] + b'{"type":"user","text":"inserted"}\n' + data[4_000_000:])
    keep(projects)
    [after] = kept_transcripts()
    assert (after.versions, after.contents) == (2, 2)
    assert after.stored - before.stored < before.stored / 4


def test_a_transcript_that_is_rewritten_while_it_is_read_is_passed_over(
    projects: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = lines(Random(6), 300_000)
    path = write(projects, data)
    keep(projects)
    path.write_bytes(data + b"{}\n" * 30_000)
    time.sleep(TICK)
    cut = _core.cut

    def meanwhile(*arguments: object) -> object:
        found = cut(*arguments)  # type: ignore[arg-type]
        path.write_bytes(b"{}\n")
        return found

    with monkeypatch.context() as patch:
        patch.setattr(_core, "cut", meanwhile)
        report = snapshot_transcripts(projects)
    assert [one for one, _ in report.passed_over] == [str(path)] and not report.kept
    assert [content(version) for version in transcript_versions(path)] == [data]
    keep(projects)
    assert [content(version) for version in transcript_versions(path)] == [b"{}\n", data]
    assert verify_snapshots() == []


# Putting back


def test_a_transcript_that_is_gone_comes_back_with_its_folder(projects: Path) -> None:
    data = lines(Random(7), 2_000_000)
    path = write(projects, data)
    keep(projects)
    shutil.rmtree(path.parent)
    assert kept_transcripts()[0].gone
    run = restore(path)
    assert path.read_bytes() == data
    assert abs(path.stat().st_mtime - time.time()) < 60, "an old one would be swept at once"
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert restore_transcript(path).actions == ()
    undone = undo(run)
    assert undone is not None and undone.exit_status == 0
    assert not path.exists()


def test_a_stub_is_replaced_by_what_was_there_before(projects: Path) -> None:
    data = lines(Random(8), 2_000_000)
    path = write(projects, data)
    keep(projects)
    path.write_bytes(b"{}\n")
    keep(projects)
    run = restore(path)
    assert path.read_bytes() == data
    assert restore_transcript(path).actions == ()
    assert undo(run, force=True)
    assert path.read_bytes() == b"{}\n"
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_what_was_not_kept_yet_is_kept_before_it_is_replaced(projects: Path) -> None:
    path = write(projects, b'{"n":1}\n')
    keep(projects)
    path.write_bytes(b'{"n":22}\n')
    restore(path)
    assert path.read_bytes() == b'{"n":1}\n'
    assert b'{"n":22}\n' in [content(version) for version in transcript_versions(path)]


def test_what_cannot_be_put_back_is_refused(projects: Path) -> None:
    path = write(projects, b'{"n":1}\n')
    keep(projects)
    report = restore_transcript(path).apply()
    assert report.actions == ()
    path.write_bytes(b"{}\n")
    [action] = restore_transcript(path).apply().actions
    assert action.status == "refused" and "may be in use" in (action.error or "")
    plan = restore_transcript(path)
    path.write_bytes(b"{}\n{}\n")
    [action] = plan.apply(force=True).actions
    assert action.status == "refused" and "has changed" in (action.error or "")
    path.unlink()
    path.mkdir()
    with pytest.raises(sessscan.RefusedError, match="not a regular file"):
        restore_transcript(path)
    with pytest.raises(UnknownSnapshotError, match="no snapshot"):
        restore_transcript(path, 1)
    with pytest.raises(UnknownSnapshotError, match="no transcript"):
        restore_transcript("ffffffff")


def test_a_mark_of_deletion_is_told(projects: Path) -> None:
    path = write(projects, b'{"n":1}\n')
    keep(projects)
    path.unlink()
    path.with_suffix(".desktop-released.json").write_text(
        '{"v":1,"releasedAt":1764374400000,"reason":"delete"}', encoding="utf-8"
    )
    [remark] = restore_transcript(path).remarks
    assert "was deleted in the app" in remark


# Kills, full disks, damage


def _in_child(work: Callable[[], object]) -> int:
    """Run in a forked process; return its exit status."""
    child = os.fork()
    if not child:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@posix
@pytest.mark.full
def test_a_kill_at_any_statement_loses_nothing_that_was_kept(
    projects: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = Random(9)
    old = [lines(dice, size) for size in (10, 90_000, 700_000)]
    paths = [write(projects, data, number) for number, data in enumerate(old)]
    keep(projects)
    new = [old[0] + lines(dice, 200_000), old[1] + lines(dice, 100), b"{}\n" + old[2]]
    for path, data in zip(paths, new, strict=True):
        path.write_bytes(data)
    time.sleep(TICK)
    whole = state.with_name("whole")
    shutil.copytree(state, whole)
    monkeypatch.setattr(capture, "_BATCH", 50_000)
    calls = 0

    def dying(method: Callable[..., object]) -> Callable[..., object]:
        def statement(*arguments: object) -> object:
            nonlocal left
            left -= 1
            if not left:
                os._exit(9)
            return method(*arguments)

        return statement

    for name in ("_all", "_run", "commit"):
        monkeypatch.setattr(store.KeptFile, name, dying(getattr(store.KeptFile, name)))
    while True:
        calls += 1
        left = calls
        shutil.rmtree(state)
        shutil.copytree(whole, state)
        status = _in_child(lambda: snapshot_transcripts(projects))
        left = -1
        assert verify_snapshots() == []
        for path, before in zip(paths, old, strict=True):
            assert before in [content(version) for version in transcript_versions(path)]
        if status == 0:
            break
        assert status == 9
        snapshot_transcripts(projects)
        for path, data in zip(paths, new, strict=True):
            assert content(transcript_versions(path)[0]) == data
        assert verify_snapshots() == []
    assert calls > 30


@pytest.mark.parametrize("pages", [12, 30, 60])
def test_a_full_disk_loses_nothing_that_was_kept(
    projects: Path, monkeypatch: pytest.MonkeyPatch, pages: int
) -> None:
    dice = Random(10)
    data = [lines(dice, 600_000) for _ in range(6)]
    paths = [write(projects, one, 0x10 + number if number < 4 else number) for number, one in enumerate(data)]
    keep(projects)
    new = [one + lines(dice, 700_000) for one in data]
    for path, one in zip(paths, new, strict=True):
        path.write_bytes(one)
    time.sleep(TICK)
    with monkeypatch.context() as patch:
        each = (*database.LAYOUT.each_time, f"max_page_count={pages}")
        patch.setattr(store, "LAYOUT", dataclasses.replace(database.LAYOUT, each_time=each))
        patch.setattr(capture, "_BATCH", 100_000)
        report = snapshot_transcripts(projects)
        assert report.failed and "full" in report.failed[0][1] and report.exit_status == 4
        for path, before, after in zip(paths, data, new, strict=True):
            versions = [content(version) for version in transcript_versions(path)]
            assert before in versions
            assert (after in versions) == (str(path) in report.kept)
    assert verify_snapshots() == []
    keep(projects)
    for path, one in zip(paths, new, strict=True):
        assert content(transcript_versions(path)[0]) == one


def test_a_damaged_file_takes_no_other_along(projects: Path, state: Path) -> None:
    data = {write(projects, lines(Random(n), 100_000), n << 4 | 1): n for n in range(6)}
    keep(projects)
    keep(projects)
    victim, *others = data
    damaged = state / "transcripts" / f"{victim.name[0]}.db"
    damaged.write_bytes(b"no database" * 1000)
    for path in others:
        assert content(transcript_versions(path)[0]) == path.read_bytes()
    with pytest.raises(SnapshotError, match="damaged"):
        transcript_versions(victim)
    report = snapshot_transcripts(projects)
    assert [remark for remark in report.remarks if "was renamed" in remark]
    assert report.kept == [str(victim)] and report.unchanged == len(others)
    assert damaged.with_name(damaged.name + ".damaged").exists()
    assert content(transcript_versions(victim)[0]) == victim.read_bytes()


def test_verify_finds_a_flipped_bit_and_a_missing_piece(projects: Path, state: Path) -> None:
    path = write(projects, lines(Random(11), 1_000_000))
    keep(projects)
    assert verify_snapshots() == []
    file = state / "transcripts" / f"{path.name[0]}.db"
    with sqlite3.connect(file) as connection:
        [(number, data)] = connection.execute("SELECT id, data FROM piece LIMIT 1").fetchall()
        wrong = data[:-1] + bytes([data[-1] ^ 1])
        connection.execute("UPDATE piece SET data = ? WHERE id = ?", (wrong, number))
    connection.close()
    [problem] = verify_snapshots()
    assert str(path) in problem
    with pytest.raises(SnapshotError, match="damaged"):
        restore_transcript(path, None) if not path.unlink() else None  # type: ignore[func-returns-value]
        restore(path)
    assert not path.exists()
    with sqlite3.connect(file) as connection:
        connection.execute("DELETE FROM part WHERE begin = 0")
    connection.close()
    assert any(str(path) in problem for problem in verify_snapshots())


# Limits, forgetting, privacy


def test_keep_drops_all_but_the_newest_contents(projects: Path) -> None:
    dice = Random(12)
    path = write(projects, lines(dice, 10_000))
    for _ in range(3):
        keep(projects)
        path.write_bytes(lines(dice, 10_000))
    keep(projects)
    assert len(transcript_versions(path)) == 4
    keep(projects, keep=2)
    assert len(transcript_versions(path)) == 2
    assert content(transcript_versions(path)[0]) == path.read_bytes()
    with pytest.raises(UsageError):
        snapshot_transcripts(projects, keep=0)


def test_max_size_drops_the_oldest_and_never_the_last_of_one_that_is_gone(
    projects: Path, state: Path
) -> None:
    dice = Random(13)
    gone, there = write(projects, lines(dice, 800_000), 1), write(projects, lines(dice, 800_000), 2)
    last = gone.read_bytes()
    keep(projects)
    there.write_bytes(lines(dice, 800_000))
    keep(projects)
    gone.unlink()
    before = sum(file.stat().st_size for file in (state / "transcripts").iterdir())
    report = keep(projects, max_size=before - 300_000)
    assert report.size <= before - 300_000 and not report.remarks
    [version] = transcript_versions(there)
    assert content(version) == there.read_bytes(), "the older one is dropped first"
    report = keep(projects, max_size=1)
    assert any("more than 1" in remark for remark in report.remarks)
    with pytest.raises(UnknownSnapshotError):
        transcript_versions(there)
    assert content(transcript_versions(gone)[0]) == last
    assert verify_snapshots() == []


def _traces(state: Path, needles: list[bytes]) -> list[str]:
    found = []
    for file in state.rglob("*"):
        if file.is_file():
            data = file.read_bytes()
            found += [str(file) for needle in needles if needle in data]
    return found


def _pieces(file: Path, session: str) -> Iterator[bytes]:
    connection = sqlite3.connect(file)
    yield from (
        data
        for (data,) in connection.execute(
            "SELECT data FROM piece JOIN part ON piece = piece.id JOIN content ON content.id = content"
            " JOIN transcript ON transcript.id = transcript WHERE name = ?",
            (f"{session}.jsonl".encode(),),
        )
    )
    connection.close()


def test_forget_leaves_no_trace_in_any_file_of_the_state(projects: Path, state: Path, tmp_path: Path) -> None:
    dice = Random(14)
    secret = b'{"type":"user","message":{"content":"the secret"}}\n'
    path = write(projects, secret + lines(dice, 500_000), 0x10)
    other = write(projects, lines(dice, 9000), 0x11)
    rows = tmp_path / "Claude" / "claude-code-sessions" / "acc" / "org"
    rows.mkdir(parents=True)
    row = rows / f"local_{uuid.UUID(int=77)}.json"
    fields = {"sessionId": row.stem, "cliSessionId": path.stem, "title": "a secret title", "cwd": "/x"}
    row.write_text(json.dumps(fields | {"createdAt": 1, "lastActivityAt": 2}), encoding="utf-8")
    assert sessscan.snapshot([tmp_path / "Claude"]).captured.kept
    sessscan.find_sessions([tmp_path / "Claude"], [projects])
    keep(projects)
    path.write_bytes(lines(dice, 300_000))
    keep(projects)
    path.unlink()
    restore(path)
    own = set(_pieces(state / "transcripts" / f"{path.name[0]}.db", path.stem))
    needles = [piece[at : at + 64] for piece in own for at in range(0, len(piece) - 64, 1000)]
    needles += [path.stem.encode(), path.stem.upper().encode(), b"a secret title", b"the secret"]
    assert len(_traces(state, needles)) > 20
    done = forget(str(path))
    assert (done.transcripts, done.rows, len(done.runs)) == ((str(path),), (str(row),), 1)
    assert _traces(state, needles) == []
    assert content(transcript_versions(other)[0]) == other.read_bytes()
    assert verify_snapshots() == []
    assert forget(path.stem).versions == 0
    with pytest.raises(UnknownSnapshotError, match="whole id"):
        forget(path.stem[:8])


@posix
def test_only_the_user_can_read_what_is_kept_whatever_the_umask(projects: Path, state: Path) -> None:
    before = os.umask(0)
    try:
        path = write(projects, lines(Random(15), 100_000))
        keep(projects)
        path.unlink()
        restore(path)
        modes = {one: stat.S_IMODE(one.stat().st_mode) for one in (state, *state.rglob("*"))}
    finally:
        os.umask(before)
    assert {mode for one, mode in modes.items() if one.is_dir()} == {0o700}
    assert not any(mode & 0o077 for mode in modes.values()), modes


# The commands


@pytest.mark.full
def test_the_commands(projects: Path, tmp_path: Path) -> None:
    env = {**os.environ, "SESSSCAN_HOME": str(tmp_path / "state")}
    data = lines(Random(16), 200_000)
    path = write(projects, data)
    options = ("--transcripts", "--projects", projects)
    first = run(env, "snapshot", *options)
    assert first.returncode == 0 and "1 transcript has changed and was kept" in first.stdout
    listed = run(env, "snapshots", "--transcripts")
    assert path.stem in listed.stdout and "0 of them gone" in listed.stdout
    taken = sum(file.stat().st_size for file in (tmp_path / "state" / "transcripts").glob("*.db"))
    told = json.loads(run(env, "snapshots", "--transcripts", "--format", "json").stdout)
    assert told["bytes_kept"] == taken and "All that is kept takes" in " ".join(listed.stdout.split())
    path.unlink()
    assert "1 of them gone" in run(env, "snapshots", "--transcripts").stdout
    dry = run(env, "restore", path.stem[:8])
    assert dry.returncode == 1 and "can be put back" in dry.stdout and not path.exists()
    done = run(env, "restore", path.stem[:8], "--apply")
    assert done.returncode == 0, done.stderr
    assert path.read_bytes() == data
    assert "transcript put back" in run(env, "log").stdout
    assert "first kept" in run(env, "snapshots", "--transcripts", path.stem).stdout
    assert run(env, "snapshots", "--verify").returncode == 0
    assert "is forgotten" in run(env, "forget", path.stem).stdout
    assert "No transcripts are kept" in run(env, "snapshots", "--transcripts").stdout
    for wrong in (
        ("snapshot", "--max-size", "1G"),
        ("snapshot", *options, "--max-size", "much"),
        ("snapshot", *options, "--store", tmp_path),
        ("snapshots", "--verify", "--transcripts"),
        ("snapshots", "--transcripts", "--forget", "abcd"),
        ("restore", "abcdabcd"),
        ("forget", "abcd"),
    ):
        assert run(env, *wrong).returncode == 2, wrong


def test_all_files_have_names_of_one_digit(projects: Path, state: Path) -> None:
    write(projects, b"{}\n")
    keep(projects)
    assert [file.name for file in limits.databases(state / "transcripts")] == ["0.db"]


# Findings


def found(projects: Path) -> list[tuple[str, str, str]]:
    rules = ("transcript-gone", "shrunk", "rewritten")
    plan = sessscan.reconcile((), projects)
    return [(one.rule, one.severity, one.path) for one in plan.findings if one.rule in rules]


def test_what_a_transcript_has_lost_is_found_until_it_is_back(projects: Path) -> None:
    dice = Random(17)
    data = lines(dice, 300_000)
    path = write(projects, data)
    assert found(projects) == []
    keep(projects)
    assert found(projects) == []
    with path.open("ab") as file:
        file.write(lines(dice, 1000))
    assert found(projects) == [], "an append is no loss"
    keep(projects)
    path.write_bytes(b"{}\n")
    assert found(projects) == [("shrunk", "warning", str(path))]
    keep(projects)
    assert found(projects) == [("shrunk", "warning", str(path))], "also when the rest was kept"
    restore(path)
    assert found(projects) == []
    data = path.read_bytes()
    path.write_bytes(data[:100_000] + bytes(1000) + data[101_000:])
    keep(projects)
    assert found(projects) == [("rewritten", "note", str(path))]


def test_a_transcript_that_is_gone_is_told_as_what_it_is(projects: Path) -> None:
    dice = Random(18)
    gone, swept, deleted, moved = (write(projects, lines(dice, 2000), number) for number in range(1, 5))
    old = time.time() - 40 * 86_400
    os.utime(swept, (old, old))
    keep(projects)
    mark = deleted.with_suffix(".desktop-released.json")
    mark.write_text('{"v":1,"releasedAt":1764374400000,"reason":"delete"}', encoding="utf-8")
    (projects / "-b").mkdir()
    moved.rename(projects / "-b" / moved.name)
    for path in (gone, swept, deleted):
        path.unlink()
    assert sorted(found(projects)) == [
        ("transcript-gone", "note", str(swept)),
        ("transcript-gone", "warning", str(gone)),
    ]
    assert found(projects / "-b") == [], "what was not looked at is not told"
    restore(gone)
    restore(swept)
    assert found(projects) == []


def test_what_repair_has_edited_is_no_loss(projects: Path) -> None:
    line = b'{"type":"user","uuid":"%032d","parentUuid":null,"message":{"role":"user","content":"a"}}\n'
    path = write(projects, line % 1 + bytes(5000) + b"\n" + line % 2)
    os.utime(path, (1e9, 1e9))
    keep(projects)
    report = sessscan.repair([str(path)], projects).apply()
    assert [action.status for action in report.actions] == ["applied"]
    keep(projects)
    assert len(transcript_versions(path)) == 2
    assert found(projects) == []
