"""Test the core's writer from Python: the file is entirely old or new, and errors are the right
exceptions."""

import copy
import errno
import hashlib
import os
import pickle
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from sessscan import _core
from sessscan._core import ABSENT, append_durable, remove, replace, sweep
from sessscan.errors import ConflictError, SessscanError

OLD = b"\x00" * 1000
NEW = b'{"sessionId":"local_a"}'
unprivileged = pytest.mark.not_root("root may write everywhere")
posix = pytest.mark.posix("needs a Unix system")


@pytest.fixture
def row(tmp_path: Path) -> Path:
    path = tmp_path / "local_a.json"
    path.write_bytes(OLD)
    return path


def names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.parent.iterdir())


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("expected", [None, OLD, sha(OLD), sha(OLD).upper()])
@pytest.mark.parametrize("backup", [False, True])
def test_replace_keeps_the_mode_and_the_backup(row: Path, expected: bytes | str | None, backup: bool) -> None:
    row.chmod(0o640)
    kept = row.with_name("local_a.json.corrupted-bak") if backup else None
    replace(row, NEW, expected=expected, backup=kept)
    assert row.read_bytes() == NEW
    assert names(row) == ["local_a.json"] + ["local_a.json.corrupted-bak"] * backup
    if kept:
        assert kept.read_bytes() == OLD
    if os.name != "nt":
        assert stat.S_IMODE(row.stat().st_mode) == 0o640
        assert row.stat().st_nlink == 1


@posix
def test_a_new_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "local_a.json"
    before = os.umask(0)
    try:
        replace(path, NEW, expected=ABSENT)
    finally:
        os.umask(before)
    assert path.read_bytes() == NEW
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("data", [b"", b"x" * (5 << 20), bytearray(b"x")])
def test_replace_takes_content_of_any_size_and_buffer(row: Path, data: bytes | bytearray) -> None:
    replace(str(row), data)
    assert row.read_bytes() == data


@pytest.mark.parametrize("expected", [b"", NEW, OLD + b"\x00", OLD[1:], sha(NEW), ABSENT])
def test_a_conflict_leaves_the_file_unchanged(row: Path, expected: object) -> None:
    before = row.stat()
    with pytest.raises(ConflictError, match=r"local_a\.json") as caught:
        replace(row, NEW, expected=expected, backup=row.with_suffix(".bak"))  # type: ignore[arg-type]
    assert isinstance(caught.value, SessscanError)
    assert row.read_bytes() == OLD
    after = row.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert names(row) == ["local_a.json"]


@pytest.mark.parametrize("expected", [OLD, sha(OLD)])
def test_a_missing_file_is_a_conflict_if_content_is_expected(tmp_path: Path, expected: bytes | str) -> None:
    path = tmp_path / "local_a.json"
    with pytest.raises(ConflictError):
        replace(path, NEW, expected=expected)
    replace(path, NEW)
    assert names(path) == ["local_a.json"]


def test_an_existing_backup_is_not_overwritten(row: Path) -> None:
    backup = row.with_name("local_a.json.corrupted-bak")
    backup.write_bytes(b"an earlier backup")
    with pytest.raises(FileExistsError) as caught:
        replace(row, NEW, expected=OLD, backup=backup)
    assert caught.value.errno == errno.EEXIST
    assert caught.value.filename == str(backup)
    assert row.read_bytes() == OLD
    assert backup.read_bytes() == b"an earlier backup"
    assert names(row) == ["local_a.json", "local_a.json.corrupted-bak"]


def test_without_a_file_there_is_no_backup(tmp_path: Path) -> None:
    path = tmp_path / "local_a.json"
    replace(path, NEW, backup=tmp_path / "backup")
    assert names(path) == ["local_a.json"]


def test_a_backup_must_be_beside_the_file(row: Path, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for backup in (tmp_path / "folder" / "backup", row, ".."):
        with pytest.raises(OSError) as caught:
            replace(row, NEW, backup=backup)
        assert caught.value.errno == errno.EINVAL
    assert row.read_bytes() == OLD


@posix
def test_links_are_not_followed(row: Path) -> None:
    link = row.with_name("local_b.json")
    link.symlink_to(row)
    with pytest.raises(OSError) as caught:
        replace(link, NEW)
    assert (caught.value.errno, caught.value.filename) == (errno.ELOOP, str(link))
    for expected in (OLD, ABSENT):
        with pytest.raises(ConflictError):
            replace(link, NEW, expected=expected)
    with pytest.raises(ConflictError):
        remove(link, expected=OLD)
    assert link.is_symlink()
    assert row.read_bytes() == OLD
    assert names(row) == ["local_a.json", "local_b.json"]


def test_a_folder_is_not_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "local_a.json"
    folder.mkdir()
    with pytest.raises(IsADirectoryError) as caught:
        replace(folder, NEW)
    assert (caught.value.errno, caught.value.filename) == (errno.EISDIR, str(folder))
    with pytest.raises(ConflictError):
        replace(folder, NEW, expected=OLD)
    assert names(folder) == ["local_a.json"]


def test_a_missing_folder_is_not_created(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "local_a.json"
    with pytest.raises(FileNotFoundError) as caught:
        replace(path, NEW, expected=ABSENT)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOENT, str(path))


@unprivileged
def test_no_permission_to_write_in_the_folder(row: Path) -> None:
    row.parent.chmod(0o500)
    try:
        with pytest.raises(PermissionError) as caught:
            replace(row, NEW, expected=OLD)
        assert (caught.value.errno, caught.value.filename) == (errno.EACCES, str(row))
        assert names(row) == ["local_a.json"]
    finally:
        row.parent.chmod(0o700)
    assert row.read_bytes() == OLD


@pytest.mark.linux("needs /proc")
def test_a_read_only_file_system_names_the_file() -> None:
    path = Path("/proc/local_a.json")
    with pytest.raises(OSError) as caught:
        replace(path, NEW, expected=ABSENT)
    assert caught.value.errno
    assert caught.value.filename == str(path)


@posix
def test_a_fifo_does_not_hang(tmp_path: Path) -> None:
    path = tmp_path / "local_a.json"
    os.mkfifo(path)
    with pytest.raises(OSError) as caught:
        replace(path, NEW)
    assert caught.value.errno == errno.EINVAL
    with pytest.raises(ConflictError):
        replace(path, NEW, expected=b"")


@posix
def test_names_need_not_be_utf8(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"local_\xff\n.json")
    replace(path, OLD, expected=ABSENT)
    with pytest.raises(FileNotFoundError) as caught:
        replace(path.parent / "missing" / path.name, NEW)
    assert caught.value.filename == str(path.parent / "missing" / path.name)
    replace(path, NEW, expected=OLD)
    assert path.read_bytes() == NEW


@pytest.mark.parametrize("expected", ["", "zz" * 32, sha(OLD)[:-1], sha(OLD) + "0", "+" * 64, "é" * 32])
def test_an_invalid_digest_is_a_value_error(row: Path, expected: str) -> None:
    with pytest.raises(ValueError, match="SHA-256"):
        replace(row, NEW, expected=expected)


@pytest.mark.parametrize("expected", [1, object(), ["x"]])
def test_an_expectation_of_another_type_is_a_type_error(row: Path, expected: object) -> None:
    with pytest.raises(TypeError):
        replace(row, NEW, expected=expected)  # type: ignore[arg-type]
    for nothing in (ABSENT, None):
        with pytest.raises(TypeError):
            remove(row, expected=nothing)  # type: ignore[arg-type]
    assert row.read_bytes() == OLD


def test_absent_is_a_singleton() -> None:
    assert repr(ABSENT) == "sessscan.ABSENT"
    assert copy.deepcopy(ABSENT) is ABSENT is pickle.loads(pickle.dumps(ABSENT))
    with pytest.raises(TypeError):
        type(ABSENT)()


@pytest.mark.parametrize("expected", [OLD, sha(OLD)])
def test_remove_needs_the_expected_content(row: Path, expected: bytes | str) -> None:
    with pytest.raises(ConflictError):
        remove(row, expected=NEW)
    assert names(row) == ["local_a.json"]
    remove(row, expected=expected)
    assert names(row) == []
    with pytest.raises(ConflictError):
        remove(row, expected=expected)


def test_append_creates_the_file_or_adds_to_it(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    append_durable(path, b"one\n")
    append_durable(path, bytearray(b"two\n"))
    assert path.read_bytes() == b"one\ntwo\n"
    if os.name != "nt":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(FileNotFoundError) as caught:
        append_durable(tmp_path / "missing" / "journal.jsonl", b"")
    assert caught.value.filename == str(tmp_path / "missing" / "journal.jsonl")


@posix
def test_append_does_not_follow_a_link(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError) as caught:
        append_durable(tmp_path / "journal.jsonl", b"x")
    assert caught.value.errno == errno.ELOOP
    assert not (tmp_path / "elsewhere").exists()


def test_sweep_removes_what_ended_processes_left(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = tmp_path / f".sessscan-{dead.pid}-00ff"
    left.write_bytes(b"half of a row")
    ours = tmp_path / f".sessscan-{os.getpid()}-00ff"
    ours.write_bytes(b"being written")
    changed = tmp_path / f".sessscan-{dead.pid}-00ff-1-{'0' * 32}"
    changed.write_bytes(b"what the app wrote at the moment of the crash")
    others = [tmp_path / name for name in (".sessscan-notes", "local_a.json", "local_a.json.tmp")]
    for other in others:
        other.write_bytes(b"")
    assert sweep(tmp_path) == [str(left)]
    assert not left.exists()
    assert all(path.exists() for path in (ours, changed, *others))
    with pytest.raises(FileNotFoundError) as caught:
        sweep(tmp_path / "missing")
    assert caught.value.filename == str(tmp_path / "missing")


@pytest.mark.linux("needs an exchange of files, which Linux has")
def test_an_owner_who_writes_meanwhile_loses_nothing(row: Path) -> None:
    """The owner's last version is there in the end, however often the file was replaced."""
    row.write_bytes(b"0")
    end = time.monotonic() + 1
    written = 0

    def write_versions() -> None:
        nonlocal written
        while time.monotonic() < end:
            written += 1
            new = row.with_name("owner.tmp")
            new.write_bytes(b"%d" % written)
            new.rename(row)
            time.sleep(0.0005)

    owner = threading.Thread(target=write_versions)
    owner.start()
    replaced = conflicts = 0
    while owner.is_alive():
        before = row.read_bytes()
        try:
            replace(row, before.split()[0] + b" replaced", expected=before)
            replaced += 1
        except ConflictError:
            conflicts += 1
    owner.join()
    assert int(row.read_bytes().split()[0]) == written
    assert replaced
    assert conflicts
    assert names(row) == ["local_a.json"]


def test_other_threads_run_during_a_write(row: Path) -> None:
    """The interpreter lock is released: another thread counts while 64 MiB are written."""
    ticks = 0
    over = threading.Event()

    def count() -> None:
        nonlocal ticks
        while not over.is_set():
            ticks += 1
            time.sleep(0.0005)

    counter = threading.Thread(target=count)
    counter.start()
    try:
        before = ticks
        replace(row, bytes(64 << 20))
        during = ticks - before
    finally:
        over.set()
        counter.join()
    assert during > 1


def test_no_other_name_in_the_core_says_that_it_writes() -> None:
    assert {name for name in dir(_core) if "write" in name or "rename" in name} == set()
