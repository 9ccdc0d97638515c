"""Test the core's writer of edited copies from Python: what comes of a file, and which errors are raised."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from sessscan import _core
from sessscan.errors import ConflictError

posix = pytest.mark.skipif(os.name == "nt", reason="needs a Unix system")
CONTENT = b'{"type":"user"}\n\0\0\0\0{"type":"assistant"}\n'


def stamp(path: Path) -> tuple[int, int, int]:
    status = path.lstat()
    return status.st_size, status.st_mtime_ns, status.st_ino


@pytest.fixture
def transcript(tmp_path: Path) -> Path:
    path = tmp_path / "a.jsonl"
    path.write_bytes(CONTENT)
    return path


def names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.parent.iterdir())


def test_a_file_is_edited_and_put_back(transcript: Path) -> None:
    transcript.chmod(0o640)
    os.utime(transcript, (1, 1))
    began = time.time_ns()
    backup = transcript.with_name("a.jsonl.corrupted-bak")
    announced: list[tuple[int, int, int]] = []
    edits = [(2, b"type", b"kind", 1), (16, b"\0", b" ", 4), (len(CONTENT), b"", b"{}\n", 1)]
    new = _core.edit(transcript, edits, seen=stamp(transcript), backup=backup, announce=announced.append)
    assert transcript.read_bytes() == b'{"kind":"user"}\n    {"type":"assistant"}\n{}\n'
    assert announced == [new] == [stamp(transcript)]
    assert backup.read_bytes() == CONTENT
    assert transcript.stat().st_mode == backup.stat().st_mode
    assert new[1] > began - 10**9, "an old mtime would have the file swept"

    _core.edit(transcript, [], seen=new, source=(backup, stamp(backup)))
    assert transcript.read_bytes() == CONTENT
    _core.remove(backup, expected=stamp(backup))
    assert names(transcript) == ["a.jsonl"]


def test_a_file_in_utf_16_becomes_utf_8(transcript: Path) -> None:
    transcript.write_text('\ufeff{"x":"é😀"}\n', encoding="utf-16-le")
    _core.edit(transcript, [(1, b'"x"', b'"y"', 1)], seen=stamp(transcript), utf16=True)
    assert transcript.read_text(encoding="utf-8") == '{"y":"é😀"}\n'


def test_what_does_not_fit_is_refused(transcript: Path, tmp_path: Path) -> None:
    taken = transcript.with_name("a.bak")
    taken.touch()
    seen = stamp(transcript)
    size, mtime, inode = seen
    wrong: list[tuple[type[Exception], str, list[tuple[int, bytes, bytes, int]], tuple[int, int, int]]] = [
        (ConflictError, "other bytes", [(0, b"x", b"y", 1)], seen),
        (ConflictError, "has grown", [], (size - 1, mtime, inode)),
        (ConflictError, "was changed", [], (size, mtime - 1, inode)),
        (ConflictError, "was changed", [], (size, mtime, inode + 1)),
        (ValueError, "overlap", [(5, b'"', b"", 1), (4, b"e", b"", 1)], seen),
        (ValueError, "beyond the end", [(size, b"x", b"", 1)], seen),
    ]
    for error, text, edits, was in wrong:
        with pytest.raises(error, match=text):
            _core.edit(transcript, edits, seen=was)
    with pytest.raises(ConflictError, match="not in UTF-16"):
        _core.edit(transcript, [], seen=seen, utf16=True)
    with pytest.raises(ConflictError, match="was changed"):
        _core.remove(transcript, expected=(size, mtime - 1, inode))
    with pytest.raises(FileExistsError):
        _core.edit(transcript, [], seen=seen, backup=taken)
    with pytest.raises(OSError, match="Invalid argument"):
        _core.edit(transcript, [], seen=seen, backup=tmp_path / "elsewhere" / "a.bak")
    assert transcript.read_bytes() == CONTENT
    assert names(transcript) == ["a.bak", "a.jsonl"]


def test_what_the_announcement_raises_is_raised(transcript: Path) -> None:
    seen = stamp(transcript)

    def refuse(_: object) -> None:
        raise KeyError("no")

    with pytest.raises(KeyError, match="no"):
        _core.edit(transcript, [], seen=seen, announce=refuse)
    assert stamp(transcript) == seen
    assert names(transcript) == ["a.jsonl"]


@posix
@pytest.mark.parametrize("kind", ["link", "fifo", "folder", "missing"])
def test_only_a_regular_file_is_edited(transcript: Path, kind: str) -> None:
    seen = stamp(transcript)
    path = transcript.with_name("b.jsonl")
    if kind == "link":
        path.symlink_to(transcript)
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    before = names(transcript)
    with pytest.raises(ConflictError, match="does not exist" if kind == "missing" else "not a regular file"):
        _core.edit(path, [], seen=(seen[0], seen[1], 0))
    assert names(transcript) == before


@posix
def test_ctrl_c_ends_a_long_copy_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with path.open("wb") as file:
        file.truncate(8 << 30)  # sparse: it takes no space, and its copy would take long
    seen = stamp(path)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        _core.edit(path, [(0, b"", b"\n", 1)], seen=seen)
    assert time.monotonic() - began < 5
    timer.join()
    assert stamp(path) == seen
    assert names(path) == ["a.jsonl"]


@posix
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with path.open("wb") as file:
        file.truncate(100 << 20)
    program = textwrap.dedent("""
        import os, resource, sys
        from sessscan import _core
        path = sys.argv[1]
        def seen():
            status = os.stat(path)
            return status.st_size, status.st_mtime_ns, status.st_ino
        def peak():
            if sys.platform == "linux":  # the other value begins with that of the parent
                return next(int(line.split()[1]) for line in open("/proc/self/status") if "VmHWM" in line)
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        before = peak()
        _core.edit(path, [(0, b"", b"{}", 1), (5, b"\\0", b"  ", 30 << 20)], seen=seen())
        print(peak() - before)
    """)
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    kibibytes = int(done.stdout) // (1024 if sys.platform == "darwin" else 1)
    assert path.stat().st_size == (130 << 20) + 2
    assert kibibytes < 16 << 10, f"{kibibytes} KiB"
