"""Change files step by step, as a live store does and worse, to test the index.

Many histories go on side by side, each in a folder of its own, so that the pause which lets the clock of the
file system tick is taken once for all of them.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

TICK = 0.03
"""Seconds after which another change shows in a file's times, so that the index relies on them."""

FILES = 3
PAGE = 4096
WHOLLY_CHECKED = 8 * PAGE
"""Up to this size in bytes, all that was read before is compared when a file has grown."""

Step = Callable[["History", Path], None]


@dataclass
class History:
    folder: Path
    dice: Random
    number: int
    paths: list[Path] = field(default_factory=list)
    """All paths that were ever used: some files may be gone."""
    uuids: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    """What happened so far, for the message of a failure."""

    @classmethod
    def begin(cls, folder: Path, seed: int, number: int) -> History:
        history = cls(folder, Random(f"{seed} {number}"), number)
        folder.mkdir()
        for _ in range(FILES):
            # Some are too large to be compared as a whole.
            lines = history.dice.choice((0, 1, 3, 10, 30, *([150] * 2)))
            history.write(history.new_path(), history.lines(lines))
        return history

    def new_path(self) -> Path:
        self.paths.append(self.folder / f"{uuid.UUID(int=self.dice.getrandbits(128))}.jsonl")
        return self.paths[-1]

    def write(self, path: Path, data: bytes) -> None:
        path.write_bytes(data)

    def step(self) -> None:
        """Change one of the files, or a small one twice."""
        there = [number for number, path in enumerate(self.paths) if path.is_file()]
        number = self.dice.choice(there or range(len(self.paths)))
        steps = 2 if self.dice.random() < 0.2 else 1
        for _ in range(steps):
            path = self.paths[number]
            # A rewrite far from the ends, with growth besides, may go unnoticed, as documented.
            if steps == 2 and path.is_file() and path.stat().st_size > WHOLLY_CHECKED - 4 * PAGE:
                break
            name, happens = self.dice.choice(STEPS)
            if path.is_file() or happens is recreate:
                self.said.append(f"{name} {path.name[:8]}")
                happens(self, path)

    def lines(self, count: int) -> bytes:
        return b"".join(self.line() for _ in range(count))

    def line(self) -> bytes:
        dice = self.dice
        end = dice.choice((b"\n",) * 8 + (b"\r\n", b"\n\n"))
        if dice.random() < 0.1:
            return dice.choice(DAMAGED) + end
        stem = dice.choice(self.paths).stem if self.paths else "none"
        record = dice.choice(RECORDS)(self, stem)
        return json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode() + end

    def identity(self) -> str:
        """Return a new uuid or an earlier one."""
        if self.uuids and self.dice.random() < 0.3:
            return self.dice.choice(self.uuids)
        self.uuids.append(str(uuid.UUID(int=self.dice.getrandbits(128))))
        return self.uuids[-1]


DAMAGED = (
    b"",
    b"\0\0\0\0",
    b"{",
    b'{"type":"ai-ti{"type":"ai-title","aiTitle":"behind a cut one"}',
    b'{"type":"x"}{"type":"custom-title","customTitle":"glued"}',
    b'{"type":"custom-title","customTitle":"caf\xe9"}',
    b'\0\0{"type":"user","message":{"content":"behind zeros"}}\0',
    b"\xef\xbb\xbf{}",
    b'{"type":"x","value":01}',
)


def _chain(history: History, stem: str) -> dict[str, object]:
    dice = history.dice
    return {
        "parentUuid": None,
        "isSidechain": dice.random() < 0.3,
        "type": dice.choice(("user", "assistant")),
        "message": {"model": f"model-{dice.randrange(9)}", "content": "words " * dice.choice((1, 9, 90))},
        "uuid": history.identity(),
        "timestamp": f"2026-08-{dice.randint(1, 28):02}T10:00:{dice.uniform(0, 59):06.3f}Z",
        "cwd": f"/home/{dice.randrange(5)}",
        "sessionId": dice.choice((stem, "another")),
        "gitBranch": f"branch-{dice.randrange(5)}",
        "version": f"2.1.{dice.randrange(99)}",
        "entrypoint": dice.choice(("cli", "claude-desktop")),
    }


RECORDS: tuple[Callable[[History, str], dict[str, object]], ...] = (
    *[_chain] * 4,
    lambda history, stem: {"type": "summary", "summary": f"{stem[:4]}", "leafUuid": history.identity()},
    lambda history, stem: {"type": "custom-title", "customTitle": f"custom {history.dice.random()}"},
    lambda history, stem: {"type": "ai-title", "aiTitle": "設定" + str(history.dice.random())},
    lambda history, stem: {"type": "worktree-state", "worktreeSession": {"worktreePath": f"/w/{stem[:3]}"}},
    lambda history, stem: {"type": "relocated", "relocatedCwd": f"/r/{stem[:2]}"},
    lambda history, stem: {
        "type": "continued-in",
        "continuedInSessionId": history.dice.choice(("", history.identity())),
        **history.dice.choice(({}, {"timestamp": "2026-08-07T10:00:00.000Z"})),
    },
)


def append(history: History, path: Path) -> None:
    with path.open("ab") as file:
        file.write(history.lines(history.dice.randint(1, 5)))


def append_cut(history: History, path: Path) -> None:
    """Append a line that is still being written."""
    line = history.line()
    with path.open("ab") as file:
        file.write(line[: history.dice.randrange(len(line) + 1)])


def append_nuls(history: History, path: Path) -> None:
    with path.open("ab") as file:
        file.write(bytes(history.dice.choice((1, 10, 700, 9000))) + history.dice.choice((b"", b"\n")))


def grow_by_a_hole(history: History, path: Path) -> None:
    os.truncate(path, path.stat().st_size + history.dice.randint(1, 6000))


def truncate(history: History, path: Path) -> None:
    os.truncate(path, history.dice.randrange(path.stat().st_size + 1))


def rewrite(history: History, path: Path) -> None:
    """Write other content of any size into the same file."""
    history.write(path, history.lines(history.dice.randint(0, 12)))


def rewrite_in_place(history: History, path: Path) -> None:
    """Write other bytes somewhere, and keep the size."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        for _ in range(history.dice.randint(1, 3)):
            file.seek(history.dice.randrange(size + 1))
            file.write(history.dice.choice((b"x", b"\n", b"\0", b'"', b"}"))[: size - file.tell()])


def other_end(history: History, path: Path) -> None:
    """Write another last line of the same length, and keep the mtime."""
    before = path.stat()
    data = path.read_bytes()
    start = data.rstrip(b"\n").rfind(b"\n") + 1
    other = json.dumps({"type": "custom-title", "customTitle": str(history.dice.random())}).encode()
    history.write(path, data[:start] + (other + b" " * len(data))[: len(data) - start])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replace(history: History, path: Path) -> None:
    """Put another file in its place, larger or smaller."""
    beside = path.with_suffix(".new")
    data = path.read_bytes()
    beside.write_bytes(history.dice.choice((history.lines(5), data + history.line(), data[: len(data) // 2])))
    beside.replace(path)


def replace_by_its_like(history: History, path: Path) -> None:
    """Put another file in its place, of the same size and mtime."""
    before = path.stat()
    beside = path.with_suffix(".new")
    beside.write_bytes((history.lines(3) * (before.st_size // 100 + 1))[: before.st_size])
    os.utime(beside, ns=(before.st_atime_ns, before.st_mtime_ns))
    beside.replace(path)


def rename(history: History, path: Path) -> None:
    """Give the file another name, and so another session."""
    path.rename(history.new_path())


def exchange(history: History, path: Path) -> None:
    """Exchange the names of two files."""
    other = history.dice.choice([other for other in history.paths if other.is_file()])
    between = path.with_suffix(".between")
    for old, new in ((path, between), (other, path), (between, other)):
        if old.exists():
            old.rename(new)


def another_folder(history: History, path: Path) -> None:
    """Rename the folder with all its files."""
    folder = history.folder.with_name(f"{history.folder.name}x")
    history.folder.rename(folder)
    history.folder = folder
    history.paths = [folder / path.name for path in history.paths]


def touch(history: History, path: Path) -> None:
    os.utime(path)


def set_time(history: History, path: Path) -> None:
    """Set the mtime to any time."""
    os.utime(path, (0, history.dice.choice((0, 1, 1_700_000_000, 1_900_000_000, 4_000_000_000))))


def set_time_back(history: History, path: Path) -> None:
    """Append something, and keep the mtime."""
    before = path.stat()
    append(history, path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def change_mode(history: History, path: Path) -> None:
    path.chmod(history.dice.choice((0o600, 0o644)))


def remove(history: History, path: Path) -> None:
    path.unlink()


def recreate(history: History, path: Path) -> None:
    """Remove the file and create it again, often with the same inode."""
    data = path.read_bytes() if path.is_file() else b""
    path.unlink(missing_ok=True)
    history.write(path, history.dice.choice((data, data + history.line(), history.lines(4))))


def link(history: History, path: Path) -> None:
    """Give a file a second name."""
    try:
        os.link(path, history.new_path())
    except OSError:
        shutil.copy(path, history.paths[-1])


def nothing(history: History, path: Path) -> None:
    """Change nothing, as is most common."""


STEPS: tuple[tuple[str, Step], ...] = tuple(
    (step.__name__, step)
    for step in (
        *[append] * 5,
        *[append_cut] * 3,
        append_nuls,
        grow_by_a_hole,
        *[truncate] * 2,
        rewrite,
        *[rewrite_in_place] * 2,
        *[other_end] * 2,
        *[replace] * 2,
        replace_by_its_like,
        *[rename] * 2,
        exchange,
        another_folder,
        touch,
        set_time,
        *[set_time_back] * 2,
        change_mode,
        remove,
        *[recreate] * 2,
        link,
        *[nothing] * 4,
    )
)
