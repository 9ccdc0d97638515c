"""Snapshots keep every byte of healthy rows, store only what changed, and survive crashes and damage."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sessscan import private_database
from sessscan.errors import SnapshotError, UnknownSnapshotError, UsageError
from sessscan.model import CODE
from sessscan.snapshots import capture, database, select
from sessscan.snapshots.capture import capture_rows, snapshot
from sessscan.snapshots.diff import differences
from sessscan.snapshots.select import kept_rows, kept_versions, mark_removed
from sessscan.snapshots.store import DEFAULT_LIMIT, ChangedRow, RowVersion, Snapshots
from sessscan.stores import json_members as members
from sessscan.stores.rows import classify_row
from support.system import WINDOWS

POSIX = os.name == "posix"
ID = "local_00000000-0000-4000-8000-00000000000"


def row(name: str, **more: Any) -> bytes:
    fields = {"sessionId": name, "cliSessionId": "A-b", "createdAt": 1, "lastActivityAt": 2, **more}
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "Claude" / "claude-code-sessions" / "acc" / "org"
    made.mkdir(parents=True)
    return made


@pytest.fixture
def snapshots() -> Iterator[Snapshots]:
    with Snapshots.open() as opened:
        yield opened


def write(folder: Path, number: int, **more: Any) -> Path:
    path = folder / f"{ID}{number}.json"
    path.write_bytes(row(path.stem, **more))
    return path


def home(tmp_path: Path) -> Path:
    return tmp_path / "state"


def write_version(snapshots: Snapshots, path: Path, data: bytes, modified_ns: int = 1) -> list[str]:
    """Keep a row's bytes without a file."""
    return snapshots.write([ChangedRow(str(path), data, modified_ns, None)])


# Taking and reading


def test_every_version_is_kept_byte_for_byte_and_listed_newest_first(
    folder: Path, snapshots: Snapshots
) -> None:
    path = folder / f"{ID}1.json"
    # Spellings that are lost when JSON is parsed and written again.
    states = [
        row(path.stem)[:-1] + more
        for more in (
            b"}",
            b',"n":1e3}',
            b',"n":-0.0,"n":1E400 }',
            b',"t":"\\u00e4\\ud83d \xff" }',
            b',"": 1}',
        )
    ]
    states = [state for state in states if classify_row(state, path.stem, CODE)[0] == "ok"]
    assert len(states) > 3
    for state in states:
        path.write_bytes(state)
        assert capture_rows(snapshots, [path]).kept == [str(path)]
    found = snapshots.versions(path)
    assert [version.data for version in found] == states[::-1]
    assert found[0].size == len(states[-1]) and found[0].session_id == path.stem
    assert found[0].modified_ns == path.stat().st_mtime_ns
    assert abs(found[0].taken_at - time.time() * 1000) < 600_000
    assert found[0].cli_session_id == "a-b"
    [kept] = snapshots.rows()
    assert (kept.versions, kept.newest, kept.deleted) == (len(states), found[0], False)


def test_only_the_changed_piece_of_a_row_is_stored_again(
    folder: Path, tmp_path: Path, snapshots: Snapshots
) -> None:
    dice = Random(1)
    connectors = [{"name": str(n), "token": dice.randbytes(400).hex()} for n in range(100)]
    paths = [write(folder, n, remoteMcpServersConfig=connectors, title=str(n)) for n in range(9)]
    capture_rows(snapshots, paths)
    for title in range(15):
        write(folder, 0, remoteMcpServersConfig=connectors, title=f"again {title}")
        capture_rows(snapshots, paths)
    assert len(snapshots.versions(paths[0])) == 16
    assert snapshots.versions(paths[0])[0].data == paths[0].read_bytes()
    [(count, amount)] = sqlite3.connect(home(tmp_path) / database.FILE).execute(
        "SELECT count(*), sum(length(data)) FROM blob"
    )
    assert amount < paths[0].stat().st_size, "24 versions that differ in one part take less than one row"
    assert count == 9 + 1 + (9 + 15), "the part before the connectors, the connectors, the part after them"


def test_ten_thousand_unchanged_rows_cost_one_lstat_each(
    folder: Path, snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [folder / f"local_{number}.json" for number in range(10_000)]
    for path in paths:
        path.write_bytes(row(path.stem))
    assert len(capture_rows(snapshots, paths).kept) == 10_000
    looked: list[str] = []
    lstat = os.lstat

    def counted(path: str) -> os.stat_result:
        looked.append(path)
        return lstat(path)

    opened: list[str] = []
    watching = True
    sys.addaudithook(
        lambda event, args: opened.append(str(args[0])) if watching and event == "open" else None
    )
    monkeypatch.setattr(os, "lstat", counted)
    paths[77].write_bytes(row(paths[77].stem, title="new"))
    opened.clear()
    taken = capture_rows(snapshots, paths)
    watching = False
    assert (taken.kept, taken.unchanged, taken.passed_over) == ([str(paths[77])], 9_999, [])
    others = [path for path in looked if path != str(paths[77]) and path.startswith(str(folder))]
    assert sorted(others) == sorted(str(path) for path in paths if path != paths[77])
    if not WINDOWS:  # there the core opens files, and no audit event tells of it
        assert {path for path in opened if path.startswith(str(folder))} == {str(paths[77])}


def test_a_row_rewritten_at_once_with_the_same_length_is_noticed(folder: Path, snapshots: Snapshots) -> None:
    for number in range(20):
        path = write(folder, 1, title=f"{number:02}a")
        capture_rows(snapshots, [path])
        write(folder, 1, title=f"{number:02}b")
        capture_rows(snapshots, [path])
        assert snapshots.versions(path)[0].data == path.read_bytes()


def test_only_new_content_makes_a_new_version(folder: Path, snapshots: Snapshots) -> None:
    path = write(folder, 1)
    first = path.read_bytes()
    capture_rows(snapshots, [path])
    os.utime(path, ns=(5, 5))
    assert capture_rows(snapshots, [path]).unchanged == 1
    path.rename(folder / "x")
    (folder / "x").rename(path)
    assert capture_rows(snapshots, [path]).unchanged == 1
    write(folder, 1, title="other")
    capture_rows(snapshots, [path])
    path.write_bytes(first)
    assert capture_rows(snapshots, [path]).kept == [str(path)], "a return to older content is a new version"
    assert [version.data == first for version in snapshots.versions(path)] == [True, False, True]


def test_the_newest_versions_are_kept_up_to_the_limit_and_at_least_one(
    folder: Path, snapshots: Snapshots
) -> None:
    path, other = write(folder, 1), write(folder, 2)
    capture_rows(snapshots, [path, other])
    for number in range(DEFAULT_LIMIT + 5):
        assert write_version(snapshots, path, row(path.stem, title=str(number)), number)
    assert not write_version(snapshots, path, row(path.stem, title=str(DEFAULT_LIMIT + 4)), 7)
    found = snapshots.versions(path)
    assert [version.title for version in found] == [str(number) for number in range(DEFAULT_LIMIT + 4, 4, -1)]
    assert len(snapshots.versions(other)) == 1
    snapshots.limit = 1
    assert snapshots.limit == 1
    path.unlink()
    other.write_bytes(b"")
    capture_rows(snapshots, [path, other])
    write_version(snapshots, path, row(path.stem, title="last"))
    assert [version.title for version in snapshots.versions(path)] == ["last"]
    assert snapshots.versions(other)[0].data == row(other.stem), "the newest version is never dropped"
    with Snapshots.open() as again:
        assert again.limit == 1
    left = snapshots._connection.execute("SELECT count(*) FROM blob").fetchone()
    assert left == (2,), "blobs that no version uses are dropped"


def test_a_version_is_dropped_without_the_pieces_of_others(folder: Path, snapshots: Snapshots) -> None:
    """A large member that a row keeps, and another row has too, is one piece of all their versions."""
    large = {"remoteMcpServersConfig": ["x" * 100_000]}
    path, other = write(folder, 1, **large), write(folder, 2, **large)
    snapshots.limit = 1
    for title in ("first", "second"):
        for each, number in ((path, 1), (other, 2)):
            write(folder, number, title=title, **large)
            assert write_version(snapshots, each, each.read_bytes())
    for each in (path, other):
        [version] = snapshots.versions(each)
        assert (version.title, snapshots.content(version)) == ("second", each.read_bytes())


def test_a_limit_of_none_keeps_the_newest_all_the_same(folder: Path, snapshots: Snapshots) -> None:
    """No command sets it, but the file may say so."""
    path = write(folder, 1)
    snapshots.limit = 0
    assert write_version(snapshots, path, path.read_bytes())
    assert [version.data for version in snapshots.versions(path)] == [path.read_bytes()]


@pytest.mark.posix("what stat tells on Windows has no ctime, so such a row counts as unchanged")
def test_a_row_with_its_old_time_and_size_is_read_again(folder: Path, snapshots: Snapshots) -> None:
    path = write(folder, 1, title="one")
    capture_rows(snapshots, [path])
    before = path.stat()
    time.sleep(0.05)
    path.write_bytes(path.read_bytes().replace(b"one", b"two"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert capture_rows(snapshots, [path]).kept == [str(path)]


def test_a_row_whose_time_is_that_of_a_coarse_clock_is_not_trusted(
    folder: Path, snapshots: Snapshots
) -> None:
    """FAT keeps times in steps of two seconds, so the next change may bear the same."""
    path = write(folder, 1)
    now = time.time_ns() // 2_000_000_000 * 2_000_000_000
    for mtime, trusted in ((now, False), (now - 60_000_000_000, True), (now + 100, True)):
        os.utime(path, ns=(mtime, mtime))
        capture_rows(snapshots, [path])
        assert (snapshots.signatures()[snapshots.key(path)] is not None) == trusted


def test_a_row_that_is_written_while_it_is_read_is_passed_over(
    folder: Path, snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(folder, 1, title="before")
    read = capture.read_file

    def written_after(name: str, limit: int) -> object:
        found = read(name, limit)
        path.write_bytes(row(path.stem, title="after"))
        return found

    monkeypatch.setattr(capture, "read_file", written_after)
    assert capture_rows(snapshots, [path]).passed_over == [(str(path), "being written")]
    assert snapshots.versions(path) == []


def test_of_a_transaction_that_fails_nothing_is_written(snapshots: Snapshots) -> None:
    with pytest.raises(KeyError), private_database.transaction(snapshots._connection):
        snapshots._connection.execute("INSERT INTO setting VALUES ('half', 1)")
        raise KeyError
    assert snapshots._connection.execute("SELECT count(*) FROM setting").fetchone() == (0,)


def test_a_database_that_another_process_made_anew_is_not_moved(tmp_path: Path) -> None:
    path = tmp_path / "snapshots.db"
    path.write_bytes(b"damaged")
    opened = path.stat()
    (tmp_path / "new").write_bytes(b"new and whole")
    (tmp_path / "new").replace(path)
    assert private_database.move_aside(path, opened) is None
    assert path.read_bytes() == b"new and whole"


@pytest.mark.parametrize(
    "content",
    [b"", bytes(300), b"{", b'{"sessionId":"x"}', b"\xef\xbb\xbf" + row(f"{ID}1"), row("local_x"), b"[1]"],
)
def test_a_row_the_app_cannot_read_is_not_kept_and_its_versions_stay(
    folder: Path, snapshots: Snapshots, content: bytes
) -> None:
    path = write(folder, 1)
    whole = path.read_bytes()
    capture_rows(snapshots, [path])
    path.write_bytes(content)
    taken = capture_rows(snapshots, [path])
    assert (taken.kept, taken.unchanged, len(taken.passed_over)) == ([], 0, 1)
    assert [version.data for version in snapshots.versions(path)] == [whole]


def test_links_folders_and_oversize_files_are_not_kept(folder: Path, snapshots: Snapshots) -> None:
    target = write(folder, 1)
    (folder / "local_link.json").symlink_to(target)
    (folder / "local_folder.json").mkdir()
    (folder / "local_large.json").write_bytes(b" " * (capture.MAX_ROW_SIZE + 1))
    names = ("local_link.json", "local_folder.json", "local_large.json", "local_none.json")
    taken = capture_rows(snapshots, [folder / name for name in names])
    assert len(taken.passed_over) == 4 and taken.rows == 4 and not snapshots.rows()


def test_an_agent_mode_row_needs_a_process_name_and_a_cwd(tmp_path: Path, snapshots: Snapshots) -> None:
    store = tmp_path / "local-agent-mode-sessions" / "a" / "b"
    store.mkdir(parents=True)
    path = write(store, 1)
    assert capture_rows(snapshots, [path]).passed_over == [(str(path), "not-a-row")]
    path = write(store, 1, processName="p", cwd="/")
    assert capture_rows(snapshots, [path]).kept == [str(path)]


def test_a_row_is_the_same_through_any_link_to_its_folder(
    folder: Path, tmp_path: Path, snapshots: Snapshots
) -> None:
    path = write(folder, 1)
    (tmp_path / "link").symlink_to(folder)
    assert capture_rows(snapshots, [tmp_path / "link" / path.name]).kept
    assert capture_rows(snapshots, [path]).unchanged == 1
    assert snapshots.versions(path) == snapshots.versions(tmp_path / "link" / path.name)


@pytest.mark.linux("no such file names elsewhere")
def test_file_names_and_titles_may_hold_any_bytes(folder: Path, snapshots: Snapshots) -> None:
    names = ["local_\x1b[2J.json", "local_'; DROP TABLE row; --.json"]
    if POSIX:
        names.append(os.fsdecode(b"local_\xff\xfe.json"))
    for name in names:
        (folder / name).write_bytes(
            row("x", title="\x1b]0;x\x07").replace(b'"x"', json.dumps(name[:-5]).encode())
        )
    taken = capture_rows(snapshots, [folder / name for name in names])
    assert len(taken.kept) + len(taken.passed_over) == len(names) and len(taken.kept) >= 2
    for kept in snapshots.rows():
        assert kept.newest.data == Path(kept.path).read_bytes()


# The functions of the library


def test_the_library_takes_and_lists_snapshots(folder: Path, tmp_path: Path) -> None:
    assert kept_rows() == []
    with pytest.raises(UnknownSnapshotError, match="there are no snapshots yet"):
        kept_versions(ID)
    path = write(folder, 1)
    report = snapshot(tmp_path / "Claude", keep=2)
    assert report.captured.kept == [str(path)] and [store.path for store in report.stores] == [str(folder)]
    assert (report.exit_status, report.remarks, report.errors) == (0, (), ())
    assert report.to_dict()["database"] == str(home(tmp_path) / database.FILE)
    states = [path.read_bytes()]
    for title in ("a", "b"):
        states.append(write(folder, 1, title=title).read_bytes())
        snapshot(folder)
    assert [version.data for version in kept_versions(path.name)] == states[:0:-1], "the limit is kept"
    [kept] = kept_rows()
    assert (kept.path, kept.versions, kept.deleted) == (str(path), 2, False)
    assert mark_removed(path).path == str(path)
    assert kept_rows()[0].deleted


def test_a_limit_below_one_is_a_usage_error_and_nothing_is_created(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least one version"):
        snapshot(folder, keep=0)
    assert not home(tmp_path).exists()


def test_a_version_is_not_read_from_another_database(folder: Path, tmp_path: Path) -> None:
    write(folder, 1)
    snapshot(folder)
    [version] = kept_versions(ID)
    (home(tmp_path) / database.FILE).unlink()
    with pytest.raises(SnapshotError, match="no such file"):
        _ = version.data
    assert not (home(tmp_path) / database.FILE).exists()
    write(folder, 1, title="another")
    snapshot(folder)
    with pytest.raises(SnapshotError, match="is damaged"):
        _ = version.data


# Permissions


@pytest.mark.posix("modes are of POSIX")
def test_only_the_owner_can_read_the_database(folder: Path, tmp_path: Path) -> None:
    mask = os.umask(0)
    try:
        with Snapshots.open() as snapshots:
            capture_rows(snapshots, [write(folder, 1)])
            found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in home(tmp_path).iterdir()}
    finally:
        os.umask(mask)
    assert found == dict.fromkeys([database.FILE, f"{database.FILE}-wal", f"{database.FILE}-shm"], 0o600)
    assert stat.S_IMODE(home(tmp_path).stat().st_mode) == 0o700
    (home(tmp_path) / database.FILE).chmod(0o644)
    Snapshots.open().close()
    assert stat.S_IMODE((home(tmp_path) / database.FILE).stat().st_mode) == 0o600


def test_a_link_in_place_of_the_database_is_not_followed(tmp_path: Path) -> None:
    home(tmp_path).mkdir()
    (home(tmp_path) / database.FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SnapshotError, match="not a regular file"):
        Snapshots.open()
    assert not (tmp_path / "elsewhere").exists()


def test_opening_an_existing_database_creates_nothing(tmp_path: Path) -> None:
    assert Snapshots.open_existing() is None
    assert not home(tmp_path).exists()


# Several processes, and killed ones


WORKER = """
import sys
from pathlib import Path
from sessscan.snapshots.capture import capture_rows
from sessscan.snapshots.store import Snapshots
folder, rounds = Path(sys.argv[1]), int(sys.argv[2])
for _ in range(rounds):
    with Snapshots.open() as snapshots:
        capture_rows(snapshots, sorted(folder.iterdir()))
print("done")
"""


def worker(folder: Path, rounds: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(folder), str(rounds)], stdout=subprocess.PIPE, text=True
    )


def assert_intact(snapshots: Snapshots) -> None:
    assert snapshots._connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert snapshots._connection.execute("PRAGMA foreign_key_check").fetchall() == []
    for kept in snapshots.rows():
        for version in snapshots.versions(kept.path):
            assert json.loads(version.data)["sessionId"] == kept.session_id


def test_several_processes_keep_each_version_once(folder: Path) -> None:
    paths = [folder / f"local_{number}.json" for number in range(150)]
    for path in paths:
        path.write_bytes(row(path.stem))
    workers = [worker(folder, 4) for _ in range(4)]
    for running in workers:
        assert running.communicate(timeout=120)[0] == "done\n"
    with Snapshots.open() as snapshots:
        assert_intact(snapshots)
        assert [(kept.path, kept.versions) for kept in snapshots.rows()] == [
            (str(path), 1) for path in sorted(paths)
        ]


def test_the_database_is_intact_after_a_kill_at_any_moment(folder: Path) -> None:
    dice = Random(3)
    for number in range(400):
        name = f"local_{number}"
        (folder / f"{name}.json").write_bytes(
            row(name, config=["x" * 9_000], more=dice.randbytes(4_000).hex())
        )
    kept = []
    for _ in range(5):
        running = worker(folder, 1)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and running.poll() is None:
            store = Snapshots.open_existing()
            if store is not None:
                store.close()
                break
            time.sleep(0.005)
        time.sleep(dice.uniform(0, 0.2))
        running.send_signal(signal.SIGKILL if POSIX else signal.SIGTERM)
        running.communicate(timeout=60)
        with Snapshots.open() as snapshots:
            assert_intact(snapshots)
            kept.append(len(snapshots.rows()))
    assert kept == sorted(kept), "no kept row is lost"
    assert worker(folder, 1).communicate(timeout=120)[0] == "done\n"
    with Snapshots.open() as snapshots:
        assert len(snapshots.rows()) == 400


def test_waiting_too_long_for_another_writer_is_an_error(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(private_database, "BUSY_TIMEOUT", 0.05)
    Snapshots.open().close()
    other = sqlite3.connect(home(tmp_path) / database.FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with Snapshots.open() as snapshots:
        with pytest.raises(SnapshotError, match="another sessscan is writing"):
            capture_rows(snapshots, [write(folder, 1)])
        other.execute("ROLLBACK")
        assert capture_rows(snapshots, [write(folder, 1)]).kept
    other.close()


# Damaged databases, and those of a newer sessscan or another program


def damage(path: Path, how: str) -> bytes:
    """Damage the database; return its bytes afterwards."""
    data = bytearray(path.read_bytes())
    if how == "zeros":
        data = bytearray(len(data))
    elif how == "text":
        data = bytearray(b"this is no database\n" * 50)
    elif how == "short":
        data = data[:1000]
    elif how == "tables":
        data[100:4096] = b"\xff" * 3996
    elif how == "rest":
        data[4096:] = b"\x5a" * (len(data) - 4096)
    path.write_bytes(data)
    return bytes(data)


@pytest.mark.parametrize("how", ["zeros", "text", "short", "tables", "rest"])
def test_a_damaged_database_is_renamed_and_not_deleted(folder: Path, tmp_path: Path, how: str) -> None:
    path = home(tmp_path) / database.FILE
    for number in range(2):
        rows = [write(folder, n, title=f"{number}", more="x" * 5_000) for n in range(3)]
        with Snapshots.open() as snapshots:
            assert len(capture_rows(snapshots, rows).kept) == 3
        damaged = damage(path, how)
        with Snapshots.open() as snapshots:
            assert len(capture_rows(snapshots, rows).kept) == 3
            assert_intact(snapshots)
            copy = snapshots.damaged_copy
            assert copy is not None and str(copy) in (snapshots.damage_remark or "")
            assert copy.name == (f"{database.FILE}.damaged.1" if number else f"{database.FILE}.damaged")
            assert copy.read_bytes() == damaged
            assert not POSIX or stat.S_IMODE(copy.stat().st_mode) == 0o600


def test_another_programs_database_is_left_alone(folder: Path, tmp_path: Path) -> None:
    home(tmp_path).mkdir()
    path = home(tmp_path) / database.FILE
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(SnapshotError, match="another program"):
        Snapshots.open()
    assert path.read_bytes() == before
    assert list(home(tmp_path).iterdir()) == [path]


def test_a_newer_sessscans_database_is_left_alone(folder: Path, tmp_path: Path) -> None:
    path = home(tmp_path) / database.FILE
    with Snapshots.open() as snapshots:
        capture_rows(snapshots, [write(folder, 1)])
        snapshots._connection.execute("PRAGMA user_version=2")
    before = path.read_bytes()
    for _ in range(2):
        with pytest.raises(SnapshotError, match=r"newer sessscan.*version 2.*reads 1.*update sessscan"):
            Snapshots.open()
        with pytest.raises(SnapshotError, match=r"newer"):
            Snapshots.open_existing()
    assert path.read_bytes() == before
    assert not list(home(tmp_path).glob("*damaged*"))


def test_damaged_bytes_of_a_version_are_an_error(folder: Path, snapshots: Snapshots) -> None:
    path = write(folder, 1)
    capture_rows(snapshots, [path])
    [version] = snapshots.versions(path)
    for data in (zlib.compress(row(path.stem, title="forged")), b"no zlib", zlib.compress(bytes(1 << 26))):
        snapshots._connection.execute("UPDATE blob SET data = ?", (data,))
        with pytest.raises(SnapshotError, match="damaged"):
            _ = version.data
    snapshots._connection.execute("DELETE FROM piece")
    with pytest.raises(SnapshotError, match="not kept any more"):
        _ = version.data


def test_a_file_in_place_of_the_state_folder_is_an_error(tmp_path: Path) -> None:
    home(tmp_path).write_bytes(b"")
    with pytest.raises(SnapshotError, match="state"):
        Snapshots.open()


# Members and pieces of a row's JSON

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)
SPACE = st.sampled_from(["", " ", "\n\t", "\r\n  "])


@st.composite
def rows(draw: st.DrawFn) -> str:
    """Draw the text of a JSON object with any white space and spelling."""
    found = draw(st.dictionaries(st.text(max_size=8), JSON, max_size=6))
    ascii_only = draw(st.booleans())
    parts = []
    for key, value in found.items():
        a, b, c, d = (draw(SPACE) for _ in range(4))
        text = json.dumps(value, ensure_ascii=ascii_only)
        parts.append(f"{a}{json.dumps(key, ensure_ascii=ascii_only)}{b}:{c}{text}{d}")
    return f"{draw(SPACE)}{{{','.join(parts) or draw(SPACE)}}}{draw(SPACE)}"


def encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@settings(max_examples=150, deadline=None)
@given(rows(), st.dictionaries(st.text(max_size=8), JSON, max_size=3))
def test_changing_some_members_leaves_every_other_byte(text: str, values: dict[str, Any]) -> None:
    known = json.loads(text)
    values |= dict.fromkeys(list(known)[:1], "new")
    data = encoded(text)
    result = members.replace_members(data, {key: json.dumps(value) for key, value in values.items()})
    after = json.loads(result.decode("utf-8", "surrogatepass"))
    assert after == known | values
    assert list(after) == list(known | values), "the order of the members stays"
    unchanged = members.replace_members(
        result, {key: text[m.value : m.end] for m in members.members(text) if (key := m.key) in values}
    )
    if set(values) <= set(known):
        assert unchanged == data, "changing them back gives the same bytes"
    assert members.replace_members(data, {}) == data


@settings(max_examples=100, deadline=None)
@given(rows(), st.binary(max_size=20))
def test_the_pieces_of_a_row_joined_are_the_row(text: str, junk: bytes) -> None:
    large = json.dumps(["x" * 5_000])
    for data in (encoded(text), encoded(f'{{"a":1,"b":{large},"c":{text},"d":{large},"e":2}}') + junk):
        assert b"".join(members.split_large_members(data)) == data
    assert len(members.split_large_members(encoded(f'{{"a":1,"b":{large},"c":2,"d":{large},"e":2}}'))) == 5


def test_the_last_of_two_equal_keys_is_changed() -> None:
    assert members.replace_members(b'{"a":1,"b":2,"a":3}', {"a": "4"}) == b'{"a":1,"b":2,"a":4}'
    assert members.replace_members(b"{}", {"a": "4"}) == b'{"a":4}'
    for wrong in (b"", b"[]", b'{"a":1', b'{"a" 1}', b"{1:2}", b'{"a":1,}', b"{" + b'"a":[' * 99_999):
        with pytest.raises((ValueError, RecursionError)):
            members.replace_members(wrong, {"a": "1"})
        assert members.split_large_members(wrong) == [wrong]


# Which row, which version, which differences


def test_the_version_a_row_had_at_a_time() -> None:
    def kept(taken: int, written: int) -> RowVersion:
        return RowVersion(
            "/x/local_a.json", "local_a", taken, written * 1_000_000, 1, "", None, None, taken, Path("db")
        )

    # Written at 10, kept at 100; written at 150, kept at 200; then replaced by an old copy, kept at 300.
    versions = [kept(300, 5), kept(200, 150), kept(100, 10)]
    at = {time: select.version(versions, time).taken_at for time in (10, 99, 149, 150, 200, 201, 300, 999)}
    assert at == {10: 100, 99: 100, 149: 100, 150: 200, 200: 200, 201: 300, 300: 300, 999: 300}
    assert select.version(versions, None) is versions[0]
    with pytest.raises(ValueError, match="from before 1970-01-01 00:00:00"):
        select.version(versions, 9)


def test_a_row_is_found_by_path_file_name_id_or_prefix(
    folder: Path, tmp_path: Path, snapshots: Snapshots
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    one, two, twin = write(folder, 1), write(folder, 2), write(other, 2)
    capture_rows(snapshots, [one, two, twin])
    found = snapshots.rows()
    for name in (str(one), one.name, one.stem, one.stem.removeprefix("local_"), one.stem.upper()[6:]):
        assert select.find_row(found, name).path == str(one)
    assert select.find_row(found, str(twin)).path == str(twin)
    for name in (two.stem, "0000", two.name):
        with pytest.raises(ValueError, match="give the path"):
            select.find_row(found, name)
    for name in ("", "000", "local_", "nowhere", str(folder), str(one) + "x", "../" + one.name):
        with pytest.raises(ValueError, match="there is no snapshot of a row"):
            select.find_row(found, name)


def test_differences_are_short_and_show_no_secret() -> None:
    before = row("local_x", title="a" * 99, gone=1, servers=[{"token": "s3cret"}], apiKey="s3cret", n=1)
    after = row("local_x", title="b", servers=[{"token": "s3cret2"}], apiKey="s3cret2", n=1, new=True)
    found = {one.member: (one.before, one.after) for one in differences(before, after)}
    assert set(found) == {"title", "gone", "servers", "apiKey", "new"}
    assert found["new"] == (None, "true") and found["gone"] == ("1", None)
    assert found["title"] == (f'"{"a" * 59}… (101 characters)', '"b"')
    assert "s3cret" not in str(found)
    assert [one.member for one in differences(b'{"a":1}', b'{"a":true}')] == ["a"]
