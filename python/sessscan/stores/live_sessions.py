"""Tell whether a session is being written to: by a program that runs it, or by whoever wrote a moment ago."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .locate import projects_root
from .rows import read_file

QUIET_SECONDS = 30
"""A transcript that was written more recently may be in use, whatever else is known."""

_NAME = re.compile(r"[0-9]{1,19}\.json")

_LONGEST = 1 << 20
"""How many bytes of a file in `sessions` are read; the CLI writes some hundred."""


@dataclass(frozen=True, slots=True)
class LiveSession:
    """A session that a running program says is its own."""

    session_id: str
    pid: int
    path: str
    """The file that says so."""


def in_use(transcript: str, *, force: bool = False, now: float | None = None) -> str | None:
    """Say why a transcript must not be written now: a program runs its session, or somebody has just written.

    Args:
        transcript: its path.
        force: also where it was written in the last 30 s.
        now: seconds since 1970; None: the clock's time.

    Returns:
        The reason, in words for the user; None if there is none.
    """
    path = Path(transcript)
    for session in live_sessions(path.parent.parent.parent):
        if session.session_id.lower() == path.stem.lower():
            return f"process {session.pid} is running this session ({session.path}): end it and try again"
    if force:
        return None
    try:
        written = path.stat().st_mtime
    except OSError:
        return None  # the writer says what is wrong with it
    age = (time.time() if now is None else now) - written
    if 0 <= age < QUIET_SECONDS:
        return (
            f"{transcript} was written {age:.0f} s ago and may be in use: try again in {QUIET_SECONDS} s, "
            "or use --force"
        )
    return None


def live_sessions(*folders: Path) -> Iterator[LiveSession]:
    """Yield the sessions that running programs name in `<folder>/sessions/<pid>.json`.

    `folders`: the CLI's folders; its usual one is always looked at.
    """
    usual = Path(projects_root(sys.platform, os.environ, str(Path.home()))).parent
    for folder in dict.fromkeys((*folders, usual)):
        try:
            names = sorted(entry.name for entry in os.scandir(folder / "sessions"))
        except OSError:
            continue  # it runs nothing, or does not say so
        for name in names:
            if _NAME.fullmatch(name):
                session = _read(folder / "sessions" / name, int(name.partition(".")[0]))
                if session is not None:
                    yield session


def _read(path: Path, pid: int) -> LiveSession | None:
    try:
        content, status = read_file(str(path), _LONGEST)
        document = json.loads(content)
    except (OSError, ValueError, RecursionError):
        return None
    named = document.get("sessionId") if isinstance(document, dict) else None
    if not isinstance(named, str) or not _runs(pid, status.st_mtime):
        return None
    return LiveSession(named, pid, str(path))


def _runs(pid: int, since: float) -> bool:
    """Tell whether a process of this id runs that was there when its file was written.

    A file stays behind when its process is killed, and the id is given to another one later.
    """
    import psutil  # type: ignore[import-untyped, unused-ignore]  # its types are a package of their own

    try:
        process = psutil.Process(pid)
        return bool(process.status() != psutil.STATUS_ZOMBIE and process.create_time() <= since + 2)
    except (psutil.NoSuchProcess, OverflowError, ValueError):
        return False
    except psutil.Error:
        return True  # it is there, and may not be looked at
