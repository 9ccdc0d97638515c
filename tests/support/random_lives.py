"""Stores made by living through random days of the app, so that what each row named last is known.

Sessions begin, go on, are cleared, resumed, imported, deleted and looked at; snapshots, backups and
unfinished saves are left at random moments; then a crash damages rows, and transcripts too, and some folders
can no longer be listed or lie behind links. `live(folder, seed)` gives the store and the truth about it.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from support.store_factory import DAY, HOUR, NOW, compact, key
from support.system import can_link
from support.transcript_factory import DESKTOP, TERMINAL, Record, line, new_id, stamp

Keep = Callable[[list[Path], int], None]

SECOND, MINUTE = 1_000, 60_000
DIRECTORIES = tuple(
    f"/home/ada/code/{name}" for name in ("shop", "shop/api", "site", "bot", "thesis", "infra")
)


@dataclass
class Session:
    """One transcript as it grows."""

    id: str
    cwd: str
    entrypoint: str = DESKTOP
    records: list[Record] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    branch: str = "main"
    worktree: Record | None = None

    @property
    def ended(self) -> int:
        """The time of its last record, epoch ms."""
        return max(self.times)

    @property
    def began(self) -> int:
        """The time of its first record, epoch ms."""
        return min(self.times)

    def turn(self, dice: Random, time: int) -> int:
        """Add a prompt and its answer; return when the answer ended."""
        end = time + dice.randrange(2 * SECOND, 3 * MINUTE)
        for kind, at in (("user", time), ("assistant", end)):
            message: Record = {"role": kind, "content": f"{kind} {dice.randrange(10**9)}"}
            if kind == "assistant":
                message = {**message, "model": "claude-opus-4-5", "content": [{"type": "text", "text": "ok"}]}
            parent = self.records[-1].get("uuid") if self.records else None
            self.records.append(
                {
                    "parentUuid": parent,
                    "isSidechain": False,
                    "type": kind,
                    "message": message,
                    "uuid": new_id(dice),
                    "timestamp": stamp(at),
                    "userType": "external",
                    "entrypoint": self.entrypoint,
                    "cwd": self.cwd,
                    "sessionId": self.id,
                    "version": "2.1.200",
                    "gitBranch": self.branch,
                }
            )
            self.times.append(at)
        return end

    def resumed(self, dice: Random) -> Session:
        """Return the copy in a new file that a resume makes, with every id rewritten."""
        new = Session(new_id(dice), self.cwd, self.entrypoint, branch=self.branch, worktree=self.worktree)
        new.records = [{**record, "sessionId": new.id} for record in self.records]
        new.times = list(self.times)
        return new


@dataclass
class LivedRow:
    """A row of the app, and everything it has named."""

    session_id: str
    store: Path
    current: Session
    prior: list[str] = field(default_factory=list)
    written: int = 0
    deleted: bool = False

    @property
    def path(self) -> Path:
        """Its file."""
        return self.store / f"{self.session_id}.json"


@dataclass
class LostTruth:
    """A lost row and what it named last."""

    row: LivedRow
    damage: str
    evidence: str
    """What speaks for it: `tmp`, `prefix`, `snapshot`, `copy`, `uuid`, `lease` or `time`."""
    provable: bool
    """Whether nothing in the store could explain the row's last write as well."""
    right: str


@dataclass
class Life:
    """A store, and the truth about what is lost in it."""

    user_data: Path
    projects: Path
    lost: list[LostTruth] = field(default_factory=list)
    unlistable: list[Path] = field(default_factory=list)


class Living:
    """The app, used for some days."""

    def __init__(self, folder: Path, seed: int, keep: Keep) -> None:
        self.keep = keep
        self.dice = Random(seed)
        self.life = Life(folder / "Claude", folder / "projects")
        self.registry = self.life.user_data / "claude-code-sessions"
        self.stores = [
            self.registry / new_id(self.dice) / new_id(self.dice) for _ in range(self.dice.choice((1, 1, 2)))
        ]
        for store in self.stores:
            store.mkdir(parents=True)
        self.life.projects.mkdir(parents=True)
        self.rows: list[LivedRow] = []
        self.sessions: list[Session] = []
        self.leases: list[Record] = []
        self.evidence: dict[str, tuple[str, int, Session]] = {}
        """By session id the best evidence left of a row: its kind, its time, and what it names."""

    # --- days

    def live(self) -> Life:
        """Live through some days, crash, and return what is left."""
        dice = self.dice
        time = NOW - dice.randrange(3, 20) * DAY
        steps = dice.randrange(8, 60)
        for _ in range(steps):
            time += int(dice.expovariate(1 / (dice.choice((5, 40, 400)) * MINUTE)))
            if time > NOW - 6 * HOUR:
                break
            time = self.step(time)
        self.crash(max(row.written for row in self.rows) if self.rows else time)
        return self.life

    def step(self, time: int) -> int:
        """Do one thing; return when it was done."""
        dice = self.dice
        live = [row for row in self.rows if not row.deleted]
        action = dice.choices(
            (
                "begin",
                "go on",
                "clear",
                "resume",
                "import",
                "terminal",
                "look",
                "delete",
                "backup",
                "tmp",
                "keep",
            ),
            (30, 40, 6, 4, 4, 8, 6, 3, 5, 5, 8),
        )[0]
        if action == "begin" or not live:
            return self.begin(time)
        row = dice.choice(live)
        if action == "go on":
            return self.go_on(row, time)
        if action == "clear":
            row.prior.append(row.current.id)
            row.current = self.start(row.current.cwd, time, worktree=row.current.worktree)
            return self.save(row, row.current.ended)
        if action == "resume":
            row.prior.append(row.current.id)
            row.current = row.current.resumed(dice)
            self.sessions.append(row.current)
            return self.go_on(row, time)
        if action == "import":
            return self.bring_in(time)
        if action == "terminal":
            session = self.start(dice.choice(DIRECTORIES), time, entrypoint=TERMINAL)
            return session.ended
        if action == "look":
            return self.save(row, time, turn=False)
        if action == "delete":
            row.deleted = True
            row.path.unlink()
            for name in (row.session_id.removeprefix("local_"), row.current.id):
                (row.store / f"deleted_{name}").write_text(str(time))
            if dice.random() < 0.7:
                self.sessions.remove(row.current)
        elif action == "backup":
            copy = row.path.with_name(row.path.name + ".bak")
            shutil.copy2(row.path, copy)
            self.note(row, "copy", min(row.written, row.current.ended))
        elif action == "tmp":
            shutil.copy2(row.path, f"{row.path}.tmp")
            self.note(row, "tmp", row.written)
        elif action == "keep":
            self.keep([each.path for each in live], time)
            for each in live:
                self.note(each, "snapshot", time)
        return time

    def note(self, row: LivedRow, kind: str, time: int) -> None:
        """Remember what evidence says of a row, unless something newer says more."""
        known = self.evidence.get(row.session_id)
        if known is None or known[1] <= time:
            self.evidence[row.session_id] = (kind, time, row.current)

    def start(self, cwd: str, time: int, **more: Any) -> Session:
        session = Session(new_id(self.dice), cwd, **more)
        end = time
        for _ in range(self.dice.randrange(1, 5)):
            end = session.turn(self.dice, end) + self.dice.randrange(SECOND, 4 * MINUTE)
        self.sessions.append(session)
        return session

    def begin(self, time: int) -> int:
        store = self.dice.choice(self.stores)
        session_id = f"local_{new_id(self.dice)}"
        worktree = None
        cwd = self.dice.choice(DIRECTORIES)
        if self.dice.random() < 0.15:
            name = f"w{self.dice.randrange(10**6)}"
            worktree = {
                "originalCwd": cwd,
                "worktreePath": f"{cwd}/.claude/worktrees/{name}",
                "worktreeName": name,
                "worktreeBranch": f"claude/{name}",
                "originalBranch": "main",
            }
            self.leases.append(
                {
                    "path": worktree["worktreePath"],
                    "branch": worktree["worktreeBranch"],
                    "createdAt": time - 3 * SECOND,
                    "pooledAt": None,
                    "leasedBy": session_id,
                }
            )
            cwd = worktree["worktreePath"]
        session = self.start(cwd, time, worktree=worktree)
        row = LivedRow(session_id, store, session)
        if worktree is not None:
            self.note(row, "lease", time)
        self.rows.append(row)
        return self.save(row, session.ended)

    def bring_in(self, time: int) -> int:
        session = self.start(self.dice.choice(DIRECTORIES), time, entrypoint=TERMINAL)
        row = LivedRow(f"local_{session.id}", self.dice.choice(self.stores), session)
        self.note(row, "uuid", session.began)
        self.rows.append(row)
        return self.save(row, session.ended + self.dice.randrange(HOUR), turn=False)

    def go_on(self, row: LivedRow, time: int) -> int:
        end = max(time, row.current.ended + SECOND)
        row.current.entrypoint = DESKTOP  # also where it was imported from a terminal
        for _ in range(self.dice.randrange(1, 4)):
            end = row.current.turn(self.dice, end) + self.dice.randrange(SECOND, 2 * MINUTE)
        return self.save(row, row.current.ended)

    def save(self, row: LivedRow, time: int, turn: bool = True) -> int:
        row.written = max(time + self.dice.randrange(300, 4 * SECOND) if turn else time, row.written + 1)
        current = row.current
        fields: dict[str, Any] = {
            "sessionId": row.session_id,
            "cliSessionId": current.id,
            "cwd": current.cwd,
            "originCwd": (current.worktree or {}).get("originalCwd", current.cwd),
            "createdAt": current.began - 1_800,
            "lastActivityAt": current.ended,
            "lastFocusedAt": row.written if not turn else current.ended,
            "title": f"Session {row.session_id[6:12]}",
            "titleSource": "auto",
            "isArchived": False,
            "model": "claude-opus-4-5",
            "completedTurns": len(current.times) // 2,
            "permissionMode": "acceptEdits",
            "remoteMcpServersConfig": [],
        }
        if row.prior:
            fields["priorCliSessionIds"] = row.prior
        write(row.path, compact(fields), row.written)
        return row.written

    # --- the crash

    def crash(self, time: int) -> None:
        """Write the transcripts, damage rows and transcripts, and hide some of them."""
        dice, life = self.dice, self.life
        for session in self.sessions:
            write(
                self.file(session),
                b"".join(map(line, session.records)),
                session.ended + dice.randrange(2_000),
            )
        if self.leases:
            table = {new_id(dice): lease for lease in self.leases}
            write(
                life.user_data / "git-worktrees.json", compact({"schemaVersion": 2, "worktrees": table}), time
            )
        living = [row for row in self.rows if not row.deleted]
        lost = [row for row in living if dice.random() < dice.choice((0.1, 0.3, 1.0))]
        doubly = dice.random() < 0.5
        damaged: set[str] = set()
        for session in self.sessions:
            if doubly and dice.random() < 0.12:
                damaged.add(session.id)
                self.damage(session)
        hidden = self.hide(damaged)
        rowless = self.without_row(lost)
        for row in lost:
            self.lose(row, damaged, hidden, rowless, doubly)

    def file(self, session: Session) -> Path:
        """Return the path of a session's transcript."""
        return self.life.projects / key(session.cwd) / f"{session.id}.jsonl"

    def damage(self, session: Session) -> None:
        """Delete, empty or zero-fill a transcript, or take the times out of it."""
        path = self.file(session)
        kind = self.dice.choice(("deleted", "zeroed", "timeless", "cut"))
        if kind == "deleted":
            path.unlink()
            return
        status = path.stat()
        content = path.read_bytes()
        if kind == "zeroed":
            content = bytes(len(content))
        elif kind == "cut":
            content = content[: self.dice.randrange(len(content))]
        else:
            records = [json.loads(one) for one in content.splitlines()]
            for record in records[1:]:
                record.pop("timestamp", None)
            content = b"".join(map(line, records))
        path.write_bytes(content)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    def hide(self, damaged: set[str]) -> bool:
        """Make a project folder unlistable, or put it behind a link; tell whether one is hidden then."""
        folders = sorted(folder for folder in self.life.projects.iterdir() if folder.is_dir())
        fate = self.dice.random()
        if not folders or fate > 0.2:
            return False
        folder = self.dice.choice(folders)
        if fate < 0.08:
            self.life.unlistable.append(folder)
            damaged.update(path.stem for path in folder.glob("*.jsonl"))
            return True
        if not can_link():
            return False
        elsewhere = self.life.projects.parent / "other-disk"
        folder.rename(elsewhere)
        folder.symlink_to(elsewhere if fate < 0.16 else elsewhere.with_name("not-mounted"))
        if fate >= 0.16:
            damaged.update(path.stem for path in elsewhere.glob("*.jsonl"))
        return fate >= 0.16

    def without_row(self, lost: list[LivedRow]) -> list[Session]:
        """Return the sessions of the app that no healthy row names or has named."""
        named = {name for row in self.rows if row not in lost for name in (row.current.id, *row.prior)}
        return [s for s in self.sessions if s.entrypoint == DESKTOP and s.id not in named]

    def lose(
        self, row: LivedRow, damaged: set[str], hidden: bool, rowless: list[Session], doubly: bool
    ) -> None:
        """Damage a row, and note whether the truth about it can be proved."""
        dice, current = self.dice, row.current
        content = row.path.read_bytes()
        damage = dice.choice(("zero-filled", "zero-filled", "empty", "truncated"))
        kind, since, named = self.evidence.get(row.session_id, ("time", 0, current))
        if damage == "truncated":
            cut = dice.randrange(content.index(b'"cwd"'), len(content) - 1)
            write(row.path, content[:cut], row.written)
            kind, since, named = "prefix", row.written, current
        else:
            write(row.path, bytes(len(content)) if damage == "zero-filled" else b"", row.written)
        self.life.lost.append(
            LostTruth(
                row,
                damage,
                kind,
                self.provable(row, kind, since, named, damaged, hidden, rowless, doubly),
                current.id,
            )
        )

    def provable(
        self,
        row: LivedRow,
        kind: str,
        since: int,
        named: Session,
        damaged: set[str],
        hidden: bool,
        rowless: list[Session],
        doubly: bool,
    ) -> bool:
        """Tell whether the evidence names the right transcript and nothing could have come after it."""
        current = row.current
        if named is not current or current.id in damaged:
            return False
        if kind == "prefix" or (kind in ("tmp", "snapshot") and since >= row.written):
            return True
        if hidden or doubly:
            return False
        others = [other for other in rowless if other is not current and other.id not in row.prior]
        if kind in ("tmp", "snapshot", "copy"):
            near = 0 <= row.written - current.ended <= 4 * SECOND
            return near or not any(
                other.ended >= min(since, current.ended) and _related(other.cwd, current.cwd)
                for other in others
            )
        return False


def _related(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def write(path: Path, content: bytes, time: int) -> None:
    """Write a file with a given time of its last write, epoch ms."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, ns=(time * 1_000_000, time * 1_000_000))


def live(folder: Path, seed: int, keep: Keep) -> Life:
    """Make the store that `seed` stands for. `keep` takes a snapshot of rows as if at a time, epoch ms."""
    return Living(folder, seed, keep).live()
