"""Test that scans with the index give what full scans give, whatever happens to files and index."""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import psutil
import pytest
import sessscan
from sessscan.scan_cache import boot, cache
from sessscan.scan_cache import scan as index
from support.histories import STEPS, TICK, History
from support.program import run
from support.rounds import rounds

pytestmark = pytest.mark.full

SIDE_BY_SIDE = 250
STEPS_EACH = 8


# --- After every history --------------------------------------------------------------------------------


@rounds(300, thorough=3_000)
def test_after_every_history_the_index_gives_what_a_full_scan_gives(
    tmp_path: Path, seed: int, rounds: int
) -> None:
    read, whole, happened = 0, 0, Counter[str]()
    for first in range(0, rounds, SIDE_BY_SIDE):
        batch = tmp_path / str(first)
        batch.mkdir()
        numbers = range(first, min(first + SIDE_BY_SIDE, rounds))
        histories = [History.begin(batch / str(number), seed, number) for number in numbers]
        dice = Random(f"{seed} {first}")
        strict = dice.random() < 0.3
        for step in range(STEPS_EACH + 1):
            if step:
                for history in histories:
                    history.step()
            if dice.random() < 0.8:
                time.sleep(TICK)  # otherwise the index must notice that the stamps are not conclusive
            hurt(tmp_path / "home" / "index.db", dice)
            more, bytes_there = check(histories, tmp_path / "home", strict, dice)
            read, whole = read + more, whole + bytes_there
        for history in histories:
            happened.update(said.split()[0] for said in history.said)
        shutil.rmtree(batch)
    assert set(happened) == {name for name, _ in STEPS}
    # The index was used: not everything was read.
    assert read < 0.75 * whole, f"{read} bytes read of {whole}"


def hurt(database: Path, dice: Random) -> None:
    """Remove, cut or damage the index now and then."""
    kind = dice.random()
    if kind > 0.05 or not database.exists():
        return
    if kind < 0.02:
        database.unlink()
    elif kind < 0.03:
        os.truncate(database, dice.randrange(database.stat().st_size))
    else:
        with database.open("r+b") as file:
            for _ in range(20):
                file.seek(dice.randrange(database.stat().st_size))
                file.write(dice.randbytes(50))


def check(histories: list[History], home: Path, strict: bool, dice: Random) -> tuple[int, int]:
    """Check that both scans give the same. Return how many bytes the index read, and how many there are."""
    told: list[int] = []
    paths = [path for history in histories for path in history.paths]
    found = index.scan_many(
        paths,
        strict=strict,
        threads=dice.choice((1, 2, 3)),
        progress=lambda done, total: told.append(done),
        home=home,
    )
    expected = sessscan.scan_many(paths, strict=strict)
    assert [one.modified_at for one in found] == [one.modified_at for one in expected]
    if found != expected or [str(t.error) for t in found] != [str(t.error) for t in expected]:
        owners = [history for history in histories for _ in history.paths]
        for history, one, other in zip(owners, found, expected, strict=True):
            assert one.to_dict() == other.to_dict(), f"history {history.number}: {', '.join(history.said)}"
        raise AssertionError("different, and yet not")
    return told[-1], sum(transcript.size for transcript in expected)


# --- What is read ---------------------------------------------------------------------------------------


def record(number: int, words: int = 40) -> bytes:
    text = " ".join(f"w{number * words + word}" for word in range(words))
    return (
        f'{{"parentUuid":null,"type":"user","message":{{"content":"{text}"}},"uuid":"u{number}",'
        f'"timestamp":"2026-08-01T00:00:{number % 60:02}.000Z","cwd":"/home","sessionId":"s"}}\n'
    ).encode()


@pytest.fixture
def transcripts(tmp_path: Path) -> list[Path]:
    """Make transcripts of 4 MB in all, one of them of 3 MB."""
    (tmp_path / "t").mkdir()
    paths = [tmp_path / "t" / f"{number}.jsonl" for number in range(20)]
    for number, path in enumerate(paths):
        path.write_bytes(b"".join(record(line) for line in range(10_000 if number == 7 else 150)))
    time.sleep(TICK)
    return paths


SCAN = """
import json, sys
from pathlib import Path
import sessscan
from sessscan.scan_cache import scan as index
found = index.scan_many(sys.argv[2:], threads=1, home=Path(sys.argv[1]))
print(json.dumps([transcript.to_dict() for transcript in found]))
"""
CALLS = "open,openat,read,pread64,readv,preadv,preadv2,mmap"


def read_by_another_process(home: Path, paths: list[Path], log: Path) -> tuple[list[dict[str, Any]], int]:
    """Return what a scan with the index gives in another process, and how many bytes it read or mapped."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("no strace: it tells what is read")
    names = [str(path) for path in paths]
    done = subprocess.run(
        [
            strace,
            "-f",
            "-y",
            "-qq",
            "-e",
            f"trace={CALLS}",
            "-o",
            log,
            sys.executable,
            "-c",
            SCAN,
            home,
            *names,
        ],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        pytest.skip(f"strace cannot be used here: {done.stderr[-300:]}")
    count = 0
    for line in log.read_text().splitlines():
        if str(paths[0].parent) not in line or " = -1" in line:
            continue
        if mapped := re.search(r" mmap\(\w+, (\d+), ", line):
            count += int(mapped[1])
        elif read := re.search(r" (?:p?read\w*)\(.* = (\d+)$", line):
            count += int(read[1])
        else:
            assert " open" in line, line
    return json.loads(done.stdout), count


def test_only_what_is_new_is_read(transcripts: list[Path], tmp_path: Path) -> None:
    home, log = tmp_path / "home", tmp_path / "log"
    size = sum(path.stat().st_size for path in transcripts)
    _, count = read_by_another_process(home, transcripts, log)
    assert count >= size
    _, count = read_by_another_process(home, transcripts, log)
    assert count == 0
    assert str(transcripts[0].parent / '7.jsonl"') not in log.read_text()  # not even opened

    more = (
        b"".join(record(line, 400) for line in range(100)) + b'{"type":"custom-title","customTitle":"End"}\n'
    )
    with transcripts[7].open("ab") as file:
        file.write(more)
    said, count = read_by_another_process(home, transcripts, log)
    assert said == [sessscan.scan(path).to_dict() for path in transcripts]
    assert said[7]["custom_title"] == "End"
    # The new part, the pages of the old fingerprint, and those of the new one.
    pages = 2 * 8 * 4096
    assert len(more) <= count <= len(more) + pages + 64 * 1024  # maps begin at multiples of that


def test_an_unfinished_line_is_read_again_with_its_end(transcripts: list[Path], tmp_path: Path) -> None:
    line = record(1).rstrip(b"\n")
    for end in (line[:50], line[50:], b"\n", b'{"type":"custom-title","customTitle":"A"}', b"\n"):
        with transcripts[0].open("ab") as file:
            file.write(end)
        [found] = index.scan_many(transcripts[:1], home=tmp_path / "home")
        assert found == sessscan.scan(transcripts[0])
    assert found.custom_title == "A" and found.records == 152 and not found.defects


def test_changes_within_a_tick_of_the_clock_are_seen(tmp_path: Path) -> None:
    """Where the clock of the file system is coarse, neither size nor times show these changes."""
    path, home = tmp_path / "s.jsonl", tmp_path / "home"
    path.write_bytes(b'{"type":"custom-title","customTitle":"0000"}\n')
    for number in range(500):
        with path.open("r+b") as file:
            file.seek(38)
            file.write(b"%04d" % number)
        assert index.scan(path, home=home).custom_title == f"{number:04}"


def test_a_file_written_just_before_is_read_again(tmp_path: Path) -> None:
    """It is read again once, since a change in the same tick would not show."""
    path, home = tmp_path / "s.jsonl", tmp_path / "home"
    for _ in range(200):  # a busy machine may need longer than a tick from one line to the next
        path.write_bytes(record(1))
        bytes_read([path], home)
        if bytes_read([path], home):
            break
    else:
        raise AssertionError("trusted at once")
    time.sleep(TICK)
    bytes_read([path], home)
    assert bytes_read([path], home) == 0


@pytest.mark.not_wine("wine gives a file a new time of birth with each write, so that it counts as another")
def test_a_read_only_index_is_used(
    transcripts: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    bytes_read(transcripts, home)
    connect = sqlite3.connect

    def read_only(path: Path, **options: Any) -> sqlite3.Connection:
        return connect(f"{path.as_uri()}?mode=ro", uri=True, **options)

    monkeypatch.setattr(sqlite3, "connect", read_only)
    assert bytes_read(transcripts, home) == 0
    with transcripts[0].open("ab") as file:
        file.write(record(7))
    for _ in range(2):
        assert 0 < bytes_read(transcripts, home) < 1000  # what was known is used, what is new is not kept


def test_a_leaf_in_the_part_that_is_not_read_again_is_found(tmp_path: Path) -> None:
    """An appended `summary` may name a record of the part that was read before."""
    path = tmp_path / "s.jsonl"
    path.write_bytes(b"".join(record(line) for line in range(300)))
    for leaf in ("u7", "foreign", "late", "u299"):
        index.scan(path, home=tmp_path / "home")
        with path.open("ab") as file:
            file.write(f'{{"type":"summary","summary":"of {leaf}","leafUuid":"{leaf}"}}\n'.encode())
        found = index.scan(path, home=tmp_path / "home")
        assert found == sessscan.scan(path)
        assert found.summary == {"foreign": "of u7", "late": "of u7"}.get(leaf, f"of {leaf}")
    with path.open("ab") as file:
        file.write(b'{"uuid":"late"}\n')
    assert index.scan(path, home=tmp_path / "home") == sessscan.scan(path)


@pytest.mark.not_wine("wine gives a file a new time of birth with each write, so that it counts as another")
def test_a_file_scanned_in_ranges_goes_on_from_its_state(tmp_path: Path) -> None:
    """A file that several threads scanned has the state of all its parts: it grows afterwards."""
    path = tmp_path / "s.jsonl"
    block = b"".join(record(line, 2000) for line in range(500))
    with path.open("wb") as file:
        file.write(b'{"type":"summary","summary":"S","leafUuid":"u499"}\n\0\0{"type":"torn\n')
        for _ in range(8):
            file.write(block + b"neither object nor blank\n")
        file.write(b'{"type":"ai-title","aiTi')
    assert path.stat().st_size > 50_000_000
    time.sleep(TICK)
    for more in (b"", b'tle":"whole"}\n{"type"', b':"x"}\n\0\0\0\n'):
        with path.open("ab") as file:
            file.write(more)
        assert (bytes_read([path], tmp_path / "home", threads=3) < 100_000) == bool(more)
    found = index.scan(path, home=tmp_path / "home")
    assert found.summary == "S" and found.ai_title == "whole" and len(found.defects) == 11


@pytest.mark.posix("a file in UTF-16 is read anew each time where there is no ctime")
@pytest.mark.parametrize("lines", [3, 12_000])
def test_a_file_in_utf16_is_kept_and_read_anew_when_it_has_grown(tmp_path: Path, lines: int) -> None:
    path = tmp_path / "s.jsonl"
    path.write_bytes(b"".join(record(line) for line in range(lines)).decode().encode("utf-16"))
    time.sleep(TICK)
    for more in ("", '{"type":"ai-title","aiTi', 'tle":"whole"}\n'):
        with path.open("ab") as file:
            file.write(more.encode("utf-16-le"))
        time.sleep(TICK)
        assert bytes_read([path], tmp_path / "home", threads=3) == path.stat().st_size
        assert bytes_read([path], tmp_path / "home", threads=3) == 0
    found = index.scan(path, home=tmp_path / "home")
    assert (found.ai_title, found.records) == ("whole", lines + 1)
    assert [(defect.kind, defect.length) for defect in found.defects] == [("utf-16", path.stat().st_size)]


@pytest.mark.not_wine("wine gives a file a new time of birth with each write, so that it counts as another")
def test_the_number_of_defects_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_bytes(b"}\n" * 12_000)
    time.sleep(TICK)
    bytes_read([path], tmp_path / "home")
    assert bytes_read([path], tmp_path / "home") == 0
    with path.open("ab") as file:
        file.write(b"}\n" * 3)
    assert bytes_read([path], tmp_path / "home") < 10_000
    found = index.scan(path, home=tmp_path / "home")
    assert (found.defect_count, len(found.defects)) == (12_003, 10_000)


# --- After a power cut ----------------------------------------------------------------------------------


@contextlib.contextmanager
def power_cut(path: Path, begin: int) -> Iterator[None]:
    """Zero a file from `begin` on at the end of the block, and leave its size and times as they are in it.

    Linux sets the times when a page of a map is first written to, and not again while that page is dirty.
    """
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as pages:
        for at in range(0, len(pages), mmap.PAGESIZE):
            pages[at] = pages[at]
        time.sleep(TICK)
        before = path.stat()
        yield
        pages[begin:] = bytes(len(pages) - begin)
        after = path.stat()
        if (after.st_mtime_ns, after.st_ctime_ns) != (before.st_mtime_ns, before.st_ctime_ns):
            pytest.skip("this file system notes each write to a map")
        assert (after.st_size, after.st_ino) == (before.st_size, before.st_ino)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems set a map's times otherwise")
@pytest.mark.parametrize("lost", [300, 5_000, 2_000_000])
def test_what_a_power_cut_zeroed_is_seen(
    transcripts: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: int
) -> None:
    """Size, mtime, ctime and inode are as they were, and the file was scanned shortly before the cut."""
    home, path = tmp_path / "home", transcripts[7]
    with power_cut(path, path.stat().st_size - lost):
        whole = index.scan(path, home=home)
        assert not whole.defects
        assert bytes_read([path], home) == 0
    # Without a boot in between the file is not opened: the answer is the old one.
    assert index.scan(path, home=home) == whole

    boot_id = tmp_path / "boot_id"
    boot_id.write_text("ab1e0000-0000-4000-8000-000000000000\n")
    monkeypatch.setattr(boot, "BOOT_ID", boot_id)
    found = index.scan(path, home=home)
    assert found == sessscan.scan(path)
    assert [(defect.kind, defect.length) for defect in found.defects if defect.kind == "nul-run"] == [
        ("nul-run", lost)
    ]
    assert bytes_read([path], home) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="other systems set a map's times otherwise")
def test_what_a_power_cut_zeroed_is_seen_in_a_file_that_has_grown_since(
    transcripts: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The zeros lie before the pages that are compared, and the scan would have gone on after them."""
    home, path = tmp_path / "home", transcripts[7]
    end = path.read_bytes()[-20_000:]
    with power_cut(path, path.stat().st_size - 20_000):
        index.scan(path, home=home)
    with path.open("r+b") as file:
        file.seek(-10_000, os.SEEK_END)
        file.write(end[10_000:])
        file.write(record(1))
    monkeypatch.setattr(boot, "BOOT_ID", tmp_path / "none")  # the time of the boot stands for it
    found = index.scan(path, home=home)
    assert found == sessscan.scan(path)
    assert [defect.length for defect in found.defects if defect.kind == "nul-run"] == [10_000]


def test_a_boot_has_one_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert boot.name() and boot.name() == boot.name()
    monkeypatch.setattr(boot, "BOOT_ID", tmp_path / "none")
    now = psutil.boot_time() // 10 * 10
    names = []
    for seconds in (0.0, 1.5, 9.9, 10.0):
        monkeypatch.setattr(psutil, "boot_time", lambda seconds=seconds: now + seconds)
        names.append(boot.name())
    assert names[0] == names[1] == names[2] != names[3]
    monkeypatch.setattr(psutil, "boot_time", lambda: (_ for _ in ()).throw(PermissionError()))
    assert boot.name() == ""
    (tmp_path / "none").write_bytes(b"\xff\xfe")
    assert boot.name() == ""


# --- Wherever and whatever the index is -----------------------------------------------------------------


def bytes_read(paths: list[Path], home: Path, threads: int | None = None) -> int:
    """Return how many bytes a scan with the index reads, and check what it gives."""
    told: list[int] = []
    found = index.scan_many(paths, threads=threads, home=home, progress=lambda done, total: told.append(done))
    assert found == sessscan.scan_many(paths)
    return told[-1]


OTHER_BUILD = "substr(entries, 1, 8) || randomblob(8) || substr(entries, 17)"


def test_a_damaged_or_foreign_index_is_replaced(transcripts: list[Path], tmp_path: Path) -> None:
    home = tmp_path / "home"
    database = home / "index.db"
    size = bytes_read(transcripts, home)
    assert bytes_read(transcripts, home) == 0
    if os.name == "posix":
        assert stat.S_IMODE(database.stat().st_mode) == 0o600
        assert stat.S_IMODE(home.stat().st_mode) == 0o700

    def execute(*statements: str) -> Callable[[], None]:
        def run() -> None:
            with contextlib.closing(sqlite3.connect(database)) as connection:
                for statement in statements:
                    connection.execute(statement)
                connection.commit()

        return run

    whole = database.read_bytes()
    for damage in (
        lambda: database.unlink(),
        lambda: database.write_bytes(b""),
        lambda: database.write_bytes(b"no database at all" * 1000),
        lambda: database.write_bytes(whole[:100] + bytes(len(whole) - 100)),
        lambda: os.truncate(database, len(whole) // 2),
        execute("PRAGMA user_version = 99"),  # written by a newer sessscan
        execute("DROP TABLE shard", "CREATE TABLE shard (id TEXT)"),
        execute("UPDATE shard SET entries = 7, states = 'text'"),
        execute("UPDATE shard SET entries = states, states = entries"),
        execute("UPDATE shard SET entries = substr(entries, 1, length(entries) - 1)"),
        # As if another build had written it: its scans may have found something else.
        execute(f"UPDATE shard SET entries = CAST({OTHER_BUILD} AS BLOB)"),
    ):
        damage()
        assert bytes_read(transcripts, home) == size
        assert bytes_read(transcripts, home) == 0


def test_an_index_damaged_anywhere_changes_no_result(transcripts: list[Path], tmp_path: Path) -> None:
    home, dice = tmp_path / "home", Random(3)
    database = home / "index.db"
    for _ in range(60):
        if not database.exists():  # the damage was noticed when it was written
            bytes_read(transcripts, home)
        data = bytearray(database.read_bytes())
        for _ in range(dice.choice((1, 3, 100))):
            data[dice.randrange(len(data))] ^= dice.randrange(1, 256)
        database.write_bytes(data)
        with transcripts[3].open("ab") as file:
            file.write(record(dice.randrange(99)))
        bytes_read(transcripts, home)
    bytes_read(transcripts, home)
    time.sleep(TICK)
    bytes_read(transcripts, home)
    assert bytes_read(transcripts, home) == 0


def test_without_a_usable_state_folder_all_is_read(transcripts: list[Path], tmp_path: Path) -> None:
    size = bytes_read(transcripts, tmp_path / "home")
    file = tmp_path / "file"
    file.write_bytes(b"")
    assert bytes_read(transcripts, file) == size  # the state folder is a file
    assert bytes_read(transcripts, file / "in it") == size
    (tmp_path / "other" / "index.db").mkdir(parents=True)
    assert bytes_read(transcripts, tmp_path / "other") == size
    assert (tmp_path / "other" / "index.db").is_dir()


@pytest.mark.not_root("for this user nothing is read-only")
def test_a_read_only_state_folder_stays_empty(transcripts: list[Path], tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o500)
    try:
        assert bytes_read(transcripts, home) == bytes_read(transcripts, home) > 0
        assert not any(home.iterdir())
    finally:
        home.chmod(0o700)


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="links")
def test_a_link_in_place_of_the_index_is_not_followed(transcripts: list[Path], tmp_path: Path) -> None:
    """The file that the link leads to is not touched."""
    other = tmp_path / "other"
    other.write_bytes(b"precious")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "index.db").symlink_to(other)
    assert bytes_read(transcripts, tmp_path / "home") > 0
    assert other.read_bytes() == b"precious"


def test_an_index_locked_for_long_is_not_used(
    transcripts: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "TIMEOUT", 0.2)
    home = tmp_path / "home"
    size = bytes_read(transcripts, home)
    with contextlib.closing(sqlite3.connect(home / "index.db", isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        assert bytes_read(transcripts, home) == size
    assert bytes_read(transcripts, home) == 0


def test_several_processes_share_the_index(transcripts: list[Path], tmp_path: Path) -> None:
    """Each process scans some files again and again, while they grow and the index is removed twice."""
    home = tmp_path / "home"
    script = (
        "import sys\nfrom pathlib import Path\nfrom sessscan.scan_cache import scan as index\n"
        "for number in range(25):\n"
        "    paths = [path for at, path in enumerate(sys.argv[2:]) if (at + number) % 3]\n"
        "    index.scan_many(paths, home=Path(sys.argv[1]))\n"
        "assert all(t.error is None for t in index.scan_many(sys.argv[2:], home=Path(sys.argv[1])))\n"
    )
    command = [sys.executable, "-W", "error", "-c", script, str(home), *map(str, transcripts)]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    dice = Random(5)
    losses = 2
    while any(process.poll() is None for process in running):
        with dice.choice(transcripts).open("ab") as file:
            file.write(record(dice.randrange(99)))
        bytes_of_answer_are_right(transcripts, home)
        if losses and dice.random() < 0.2:
            losses -= 1
            with contextlib.suppress(PermissionError):  # on Windows nobody removes what another holds open
                (home / "index.db").unlink(missing_ok=True)
    for process in running:
        assert process.communicate()[1] == "" and process.returncode == 0
    bytes_read(transcripts, home)
    time.sleep(TICK)
    bytes_read(transcripts, home)
    assert bytes_read(transcripts, home) == 0


def bytes_of_answer_are_right(paths: list[Path], home: Path) -> None:
    assert index.scan_many(paths, home=home) == sessscan.scan_many(paths)


def test_threads_of_one_process_share_the_index(transcripts: list[Path], tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as threads:
        work = [threads.submit(bytes_of_answer_are_right, transcripts, tmp_path / "home") for _ in range(40)]
        for done in work:
            done.result()
    assert bytes_read(transcripts, tmp_path / "home") == 0


# --- The rest of the contract ---------------------------------------------------------------------------


def test_unreadable_files_have_the_error_of_a_scan(transcripts: list[Path], tmp_path: Path) -> None:
    home = tmp_path / "home"
    paths = [transcripts[0], tmp_path / "gone.jsonl", tmp_path, tmp_path / "empty.jsonl", transcripts[0]]
    paths[3].write_bytes(b"")
    for _ in range(2):
        found, expected = index.scan_many(paths, home=home), sessscan.scan_many(paths)
        assert found == expected
        assert [repr(t.error) for t in found] == [repr(t.error) for t in expected]
        assert [t.path for t in found] == [str(path) for path in paths]
    with pytest.raises(FileNotFoundError, match=r"gone\.jsonl"):
        index.scan(paths[1], home=home)
    assert index.scan(str(transcripts[0]), home=home) == sessscan.scan(str(transcripts[0]))


def test_strict_scans_are_kept_apart(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_bytes(record(1) + b'{"type":"x","deep":{"value":01}}\n')
    time.sleep(TICK)
    for _ in range(2):
        for strict in (False, True):
            found = index.scan(path, strict=strict, home=tmp_path / "home")
            assert found == sessscan.scan(path, strict=strict)
            assert len(found.defects) == strict


def test_an_exception_of_progress_ends_the_scan(transcripts: list[Path], tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        index.scan_many(transcripts, progress=stop, home=tmp_path / "home")
    assert bytes_read(transcripts, tmp_path / "home") > 0


def test_a_file_of_which_too_much_would_be_kept_is_not_kept(tmp_path: Path) -> None:
    """A file with so long a title that the index would be as large as the file is not kept."""
    path = tmp_path / "s.jsonl"
    path.write_bytes(b'{"type":"custom-title","customTitle":"' + b"x" * 300_000 + b'"}\n')
    time.sleep(TICK)
    size = bytes_read([path], tmp_path / "home")
    assert bytes_read([path], tmp_path / "home") == size == 300_041


def test_a_scan_of_no_files_makes_no_index(tmp_path: Path) -> None:
    assert index.scan_many([], home=tmp_path / "home") == []
    assert not (tmp_path / "home").exists()


def test_commands_use_the_index_by_default(sample: Path, env: dict[str, str], tmp_path: Path) -> None:
    """`scan` and `reconcile` use the index unless told otherwise, and print the same."""
    state = tmp_path / "state"
    projects = ["--projects", str(sample / "projects")]
    stores = ["--store", str(sample / "Claude")]
    scan = ["scan", *projects, "--format", "json"]
    reconcile = ["reconcile", *projects, *stores, "--no-snapshot", "--format", "json"]
    plain = [run(env, *command, "--no-index").stdout for command in (scan, reconcile)]
    assert not state.exists()
    for _ in range(2):
        assert [run(env, *command).stdout for command in (scan, reconcile)] == plain
        assert [path.name for path in state.iterdir()] == ["index.db"]
    sessscan.reconcile(sample / "Claude", sample / "projects")
    shutil.rmtree(state)
    sessscan.reconcile(sample / "Claude", sample / "projects")
    assert not state.exists()
    sessscan.reconcile(sample / "Claude", sample / "projects", index=True)
    assert (tmp_path / "state" / "index.db").exists()
