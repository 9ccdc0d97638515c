"""Make a damaged sample store to try sessscan on: invented sessions, with many kinds of damage.

`sessions.py` lists the sessions and how the row of each is damaged; `files.py` builds the files as the CLI
and the app write them.
"""

from __future__ import annotations

import errno
import math
import os
import random
import time
from dataclasses import replace
from pathlib import Path

from ..stores.locate import list_folder
from . import files
from .sessions import CODE, SESSIONS, Session

_SEED = 20261102
_DAY = 86_400


def make(directory: Path, now: float | None = None) -> tuple[Path, Path]:
    """Make the sample store in `directory`, which must be empty or not exist.

    Its sessions took place in the weeks before `now` (epoch seconds; default: the present), since the app and
    sessscan do not trust some files that are older than a month. All else is the same each time.

    Returns the userData folder and the transcripts' root in it. Raises `FileExistsError` if `directory` is
    not empty, `NotADirectoryError` if it is a file.
    """
    if directory.exists() and list_folder(directory):
        raise FileExistsError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), str(directory))
    directory.mkdir(parents=True, exist_ok=True)
    maker = _Maker(directory)
    days = math.ceil(max(session.day for session in SESSIONS)) + 1
    today = math.floor((time.time() if now is None else now) / _DAY)
    sessions = [replace(session, epoch=(today - days) * _DAY * 1000) for session in SESSIONS]
    for session in sessions:
        maker.add(session)
    maker.finish(sessions)
    return maker.user_data, maker.projects


class _Maker:
    """Writes the sample store, session by session."""

    def __init__(self, directory: Path) -> None:
        self.dice = random.Random(_SEED)
        self.user_data = directory / "Claude"
        self.projects = directory / "projects"
        account, organisation = files.identifier(self.dice), files.identifier(self.dice)
        self.store = self.user_data / "claude-code-sessions" / account / organisation
        self.store.mkdir(parents=True, mode=0o700)
        self.worktrees: list[dict[str, object]] = []
        self.last_transcript = ""

    def add(self, session: Session) -> None:
        """Write the session's transcript and what is left of its row."""
        row_uuid, cli = files.identifier(self.dice), files.identifier(self.dice)
        if session.transcript == "shared":
            cli = self.last_transcript
        elif session.transcript != "gone":
            self._transcript(session, cli)
        self.last_transcript = cli
        row_id = f"local_{cli if session.proof == 'imported' else row_uuid}"
        whole = files.row(session, row_id, cli)
        saved = files.ended(session) + round(session.saved * 1000)
        if session.row == "tmp":
            _write(self.store / f"{row_id}.json.tmp", whole, saved)
        elif session.row != "none":
            _write(self.store / f"{row_id}.json", _damage(session, whole), saved)
        if session.proof == "tmp":
            _write(self.store / f"{row_id}.json.tmp", whole, saved - 40)
        if session.proof == "tombstone":
            self._tombstones(session, row_uuid, cli)
        if session.worktree:
            self._lease(session, row_id)

    def finish(self, sessions: list[Session]) -> None:
        """Write the files that belong to no single session."""
        # A lease that a session left behind.
        self.worktrees.append(
            {
                "path": f"{CODE}/website/.claude/worktrees/old-footer",
                "baseRepo": f"{CODE}/website",
                "branch": "claude/old-footer",
                "createdAt": files.began(sessions[0]) - 9 * 86_400_000,
                "pooledAt": None,
                "leasedBy": f"local_{files.identifier(self.dice)}",
            }
        )
        table = {files.identifier(self.dice): worktree for worktree in self.worktrees}
        _write(
            self.user_data / "git-worktrees.json",
            files.compact({"schemaVersion": 2, "worktrees": table}),
            files.ended(sessions[-1]),
        )

    def _transcript(self, session: Session, cli: str) -> None:
        content = files.transcript(session, cli, self.dice)
        if session.transcript == "nul-run":
            # What a power cut leaves: a line of NUL bytes in the middle, and a record padded with them.
            lines = content.splitlines(keepends=True)
            lines.insert(len(lines) // 2, bytes(512) + b"\n")
            lines[-3] = lines[-3][:-1] + bytes(1024) + b"\n"
            content = b"".join(lines)
        elif session.transcript == "spliced":
            # What a full disk leaves: a tool's result breaks off, and the next record follows at once.
            lines = content.splitlines(keepends=True)
            number = next(i for i in range(len(lines) // 2, len(lines)) if b'"tool_result"' in lines[i])
            lines[number] = lines[number][: len(lines[number]) // 2]
            content = b"".join(lines)
        # When a session is left, lines without a time are appended: the file is newer than its last record.
        folder = self.projects / files.key(files.folder(session))
        _write(folder / f"{cli}.jsonl", content, files.ended(session) + 3000)
        if session.turns > 15:
            # A subagent's transcript has its parent's session id, and is not a session.
            part = replace(
                session, turns=2, titled="prompt", prompt="Look for all the callers of this function"
            )
            inner = folder / cli / "subagents" / f"agent-{self.dice.getrandbits(28):07x}.jsonl"
            content = files.transcript(part, cli, self.dice).replace(
                b'"isSidechain":false', b'"isSidechain":true'
            )
            _write(inner, content, files.ended(session) - 60_000)

    def _tombstones(self, session: Session, row_uuid: str, cli: str) -> None:
        for name in (row_uuid, cli):
            at = files.ended(session) + 3_600_000
            _write(self.store / f"deleted_{name}", str(at).encode(), at)

    def _lease(self, session: Session, row_id: str) -> None:
        self.worktrees.append(
            {
                "path": files.folder(session),
                "baseRepo": files.repository(session),
                "branch": f"claude/{session.worktree}",
                "createdAt": files.began(session) - 2500,
                "pooledAt": None,
                "leasedBy": row_id,
            }
        )


def _damage(session: Session, whole: bytes) -> bytes:
    if session.row == "zero-filled":
        return bytes(session.size or len(whole))
    if session.row == "empty":
        return b""
    if session.row == "truncated":
        # The first part of the file reached the disk, the rest is NUL bytes.
        return whole[:2048] + bytes(len(whole) - 2048)
    if session.row == "bom":
        return b"\xef\xbb\xbf" + whole
    return whole


def _write(path: Path, content: bytes, modified: int) -> None:
    """Create the file, mode 0600 as the CLI and the app do, with a modification time in epoch ms."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    os.utime(path, (modified / 1000, modified / 1000))
