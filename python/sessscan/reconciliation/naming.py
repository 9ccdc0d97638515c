"""Tell by what a person knows a session: its title, its directory, and when it was last used."""

from __future__ import annotations

from .. import _core
from ..model import Row
from ..rules import Named
from .matching.lost_row import moment


def of_row(row: Row) -> Named:
    """Return what a row says of its session, as far as it can be read."""
    title, cwd, last = (row.fields.get(key) for key in ("title", "cwd", "lastActivityAt"))
    return (
        title if isinstance(title, str) else None,
        cwd if isinstance(cwd, str) else None,
        int(last) if isinstance(last, int | float) and abs(last) < 1e15 else None,
    )


def of_transcript(transcript: _core.Transcript) -> Named:
    """Return what a transcript says of its session."""
    return transcript.title, transcript.cwd, transcript.last_activity_at


def called(named: Named) -> str:
    """Return in words what a session is called: with its title, its directory and when it was last used."""
    title, cwd, last = named
    parts = [f'The session "{title}"' if title else "A session without a title"]
    parts += [f"of {cwd}"] if cwd else []
    parts += [f"last used {moment(last)}"] if last is not None else []
    return ", ".join(parts) + ("," if len(parts) > 1 else "")
