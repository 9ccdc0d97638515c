"""Make the files that are measured. Each set is made once, from a seed, and kept in the cache folder."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

from . import content, rows, sessions
from .sessions import HUGE, LONGEST, SHORT, USUAL, Session, Shape, Truth

SEED = 20260801
TRUTH = "truth.json"

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Scale:
    """How large the sets are: bytes, and for `files` and `rows` a number."""

    transcript: int
    longest: int
    short: int
    huge: int
    huge_text: int
    copies: int
    line: int
    files: int
    store: int
    rows: int
    row: int


FULL = Scale(
    transcript=1_000_000_000,
    longest=sessions.LARGEST,
    short=128_000_000,
    huge=256_000_000,
    huge_text=HUGE.typical,
    copies=4,
    line=1_000_000_000,
    files=10_000,
    store=2_200_000_000,
    rows=4_000,
    row=100_000,
)
QUICK = Scale(
    transcript=4_000_000,
    longest=500_000,
    short=500_000,
    huge=4_000_000,
    huge_text=500_000,
    copies=4,
    line=4_000_000,
    files=60,
    store=3_000_000,
    rows=40,
    row=20_000,
)


class Data:
    """The sets of one scale."""

    def __init__(self, cache: Path, scale: Scale, progress: Progress) -> None:
        self.cache, self.scale, self.progress = cache, scale, progress
        digest = hashlib.sha256(repr((SEED, scale)).encode())
        for module in (content, sessions, rows):
            digest.update(Path(str(module.__file__)).read_bytes())
        digest.update(Path(__file__).read_bytes())
        self.key = digest.hexdigest()[:12]
        """A key that changes with everything that the content of the sets depends on."""
        self._content: content.Content | None = None

    def folder(self, name: str) -> Path:
        """Return the folder of a set, made if need be; `truth.json` in it has the expected results."""
        folder = self.cache / f"{name}-{self.key}"
        if folder.is_dir():
            return folder
        for other in self.cache.glob(f"{name}-*"):
            if re.fullmatch(r"[0-9a-f]{12}(\.part)?", other.name.removeprefix(f"{name}-")):
                shutil.rmtree(other)  # what an older generator made, or an interrupted one
        self.progress(f"making data: {name}")
        part = self.cache / f"{name}-{self.key}.part"
        part.mkdir(parents=True)
        truth = MAKERS[name](self, part)
        (part / TRUTH).write_text(json.dumps(truth))
        part.rename(folder)
        return folder

    @property
    def content(self) -> content.Content:
        if self._content is None:
            self._content = content.make(SEED)
        return self._content

    def dice(self, name: str) -> Random:
        return Random(f"{SEED} {name}")


def warm(folder: Path) -> None:
    """Read a set's files, so that they are in the page cache."""
    buffer = bytearray(1 << 20)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb", buffering=0) as file:
                while file.readinto(buffer):
                    pass


# --- One transcript ---------------------------------------------------------------------------------------


def _one(data: Data, folder: Path, name: str, size: int, shape: Shape) -> dict[str, Any]:
    session = Session(data.dice(name), data.content, "/home/ada/engine", size, shape, forked=True)
    path = folder / f"{session.session_id}.jsonl"
    with path.open("wb") as file:
        file.writelines(session.lines())
    return {
        "path": path.name,
        "transcript": asdict(session.truth),
        "events": asdict(session.said),
        "conversation": {"messages": session.messages, "uuids": session.uuids.hexdigest()},
    }


def _transcript(data: Data, folder: Path) -> dict[str, Any]:
    shape = dataclasses.replace(LONGEST, longest=data.scale.longest)
    return _one(data, folder, "transcript", data.scale.transcript, shape)


def _short(data: Data, folder: Path) -> dict[str, Any]:
    return _one(data, folder, "short", data.scale.short, SHORT)


def _huge(data: Data, folder: Path) -> dict[str, Any]:
    shape = dataclasses.replace(HUGE, typical=data.scale.huge_text)
    return _one(data, folder, "huge", data.scale.huge, shape)


def _long(data: Data, folder: Path) -> dict[str, Any]:
    """Make a file that holds the transcript several times."""
    source = data.folder("transcript")
    truth: dict[str, Any] = json.loads((source / TRUTH).read_text())
    with (folder / truth["path"]).open("wb") as file:
        for _ in range(data.scale.copies):
            with (source / truth["path"]).open("rb") as one:
                shutil.copyfileobj(one, file, 1 << 20)
    for key in ("size", "lines", "records", "own_records", "turns"):
        truth["transcript"][key] *= data.scale.copies
    for key in ("title", "timestamp"):
        truth["events"][key] *= data.scale.copies
    del truth["events"]["cwd"]  # whether it changes where two copies meet is of no interest here
    return truth


def _line(data: Data, folder: Path) -> dict[str, Any]:
    """Make a transcript of one line."""
    session_id = str(uuid.UUID(int=data.dice("line").getrandbits(128), version=4))
    truth = Truth(
        session_id, lines=1, records=1, own_records=1, cwd="/home/ada/engine", last_cwd="/home/ada/engine"
    )
    text = sessions.ENCODE(data.content.far).encode()[1:-1]
    path = folder / f"{session_id}.jsonl"
    with path.open("wb") as file:
        file.write(b'{"parentUuid":null,"isSidechain":false,"type":"user","toolUseResult":"')
        while file.tell() < data.scale.line:
            file.write(text)
        file.write(f'","cwd":"{truth.cwd}","sessionId":"{session_id}"}}\n'.encode())
        truth.size = file.tell()
    return {"path": path.name, "transcript": asdict(truth)}


def _damaged(data: Data, folder: Path) -> dict[str, Any]:
    """Make a transcript with the damage seen in the field, each where one of the answers is."""
    session = Session(data.dice("damaged"), data.content, "/home/ada/engine", 200_000, USUAL, old=0)
    lines = list(session.lines())
    session_id = session.session_id

    def record(name: str, stamp: str, cwd: str) -> bytes:
        return (
            f'{{"parentUuid":null,"isSidechain":false,"type":"user","message":{{"role":"user","content":"{name}"}},'
            f'"uuid":"{uuid.UUID(int=len(name), version=4)}","timestamp":"{stamp}","cwd":"{cwd}",'
            f'"sessionId":"{session_id}"}}'
        ).encode()

    begun, ended = "2026-01-01T00:00:00.000Z", "2027-01-01T00:00:00.000Z"
    title = sessions.ENCODE({"type": "custom-title", "customTitle": "The last one", "sessionId": session_id})
    cut_emoji = record("a cut emoji: \\ud83d", "2026-08-01T00:00:00.000Z", "/home/ada/first")
    spliced = lines[8][:200] + record("the newline went with the rest", begun, "/home/ada")
    padded = record("then the power went", ended, "/home/ada") + bytes(9_000)
    glued = record("no newline", "2026-08-01T00:00:00.000Z", "/home/ada") + title.encode()
    middle = len(lines) // 2
    damaged = [
        cut_emoji + b"\n",
        *lines[:middle],
        spliced + b"\n",
        padded + b"\n",
        glued + b"\n",
        *lines[middle + 1 :],
    ]
    path = folder / f"{session_id}.jsonl"
    path.write_bytes(b"".join(line for line in damaged if not line.startswith(b'{"type":"custom-title"')))
    transcript = {
        "title": "The last one",
        "cwd": "/home/ada/first",
        "created_at": 1_767_225_600_000,
        "last_activity_at": 1_798_761_600_000,
    }
    return {"path": path.name, "transcript": transcript}


# --- Many -------------------------------------------------------------------------------------------------


def _store(data: Data, folder: Path) -> dict[str, Any]:
    """Make transcripts of log-normal size in project folders; a few are damaged."""
    dice = data.dice("store")
    sizes = [dice.lognormvariate(0, 1.7) for _ in range(data.scale.files)]
    unit = data.scale.store / sum(sizes)
    projects = [
        f"/home/ada/work/{dice.choice(content.NAMES)}-{number}"
        for number in range(max(data.scale.files // 250, 3))
    ]
    truths: list[dict[str, Any]] = []
    for number, share in enumerate(sizes):
        if number % 100 == 0:
            data.progress(f"making data: store, {number:,} of {data.scale.files:,} files")
        cwd = dice.choice(projects)
        session = Session(
            dice,
            data.content,
            cwd,
            int(share * unit),
            USUAL,
            old=dice.choice((0, 0, 0, 1, 1, 0.5)),
            entrypoint=dice.choice(("claude-desktop", "cli")),
            custom=dice.random() < 0.05,
            forked=dice.random() < 0.05,
        )
        path = folder / "projects" / _key(cwd) / f"{session.session_id}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.writelines(session.lines())
            if number % 40 == 7:
                file.write(_damage(session.truth, torn=number % 80 == 7))
        time = (session.truth.last_activity_at or 0) * 1_000_000
        os.utime(path, ns=(time, time))
        truths.append({"path": str(path.relative_to(folder)), "transcript": asdict(session.truth)})
    return {"bytes": sum(truth["transcript"]["size"] for truth in truths), "transcripts": truths}


def _damage(truth: Truth, torn: bool) -> bytes:
    """Return bytes that damage a transcript when they are appended, and record the defect."""
    if torn:
        damage = b'{"parentUuid":null,"isSidechain":false,"message":{"role":"assis'
        kind, length = "torn", len(damage)
        truth.lines += 1
        line = truth.lines
    else:
        damage = bytes(512) + b"\n"
        kind, length, line = "nul-run", 512, truth.lines + 1
    truth.defects.append({"kind": kind, "line": line, "offset": truth.size, "length": length})
    truth.size += len(damage)
    return damage


def _key(cwd: str) -> str:
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in cwd)


def _rows(data: Data, folder: Path) -> dict[str, Any]:
    return rows.make(
        folder,
        data.folder("store"),
        data.dice("rows"),
        data.content,
        count=data.scale.rows,
        size=data.scale.row,
    )


MAKERS: dict[str, Callable[[Data, Path], dict[str, Any]]] = {
    "transcript": _transcript,
    "short": _short,
    "huge": _huge,
    "long": _long,
    "line": _line,
    "damaged": _damaged,
    "store": _store,
    "rows": _rows,
}
