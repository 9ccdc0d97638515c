"""The records that matching passes from step to step: a lost row, what remains of it, and the verdict."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from ... import _core
from ...model import Absence, Candidate, Evidence, Row, Source
from ...snapshots.store import RowVersion
from ...stores.row_states import LOST_STATES

RemainsKind = Literal["snapshot", "tmp", "own", "prefix", "copy"]


@dataclass(frozen=True, slots=True)
class Remains:
    """A state of a lost row that can still be read, whole or in part: in its file, beside it, or kept."""

    kind: RemainsKind
    path: str
    """The file it is in; of a snapshot the database."""
    status: os.stat_result | None
    """What the file was when it was read; None for a snapshot."""
    fields: dict[str, Any]
    """Those members that may tell which session it is."""
    cli_session_id: str | None
    """The transcript it names, in small letters."""
    whole: bool
    stated_until: int
    """The latest time, epoch ms, at which the row is known to have said this; 0 if nothing tells."""
    elsewhere: bool = False
    """Whether it lies under another account or organisation."""
    partial: bool = False
    """Whether the transcript's id is cut off in it, and was completed from the one transcript it fits."""
    version: RowVersion | None = None
    """The snapshot."""
    data: bytes = b""
    """The snapshot's bytes."""

    @property
    def modified_at(self) -> int:
        """When the row was last written as it is here, epoch ms."""
        if self.version is not None:
            return self.version.modified_ns // 1_000_000
        return 0 if self.status is None else self.status.st_mtime_ns // 1_000_000


@dataclass(frozen=True, slots=True)
class LostRow:
    """A row the app cannot read, or that is gone, and everything that remains of it."""

    row: Row
    status: os.stat_result | None
    """What the row's file was when it was read; None where there is none."""
    remains: tuple[Remains, ...] = ()
    """The best first."""
    notes: tuple[str, ...] = ()
    """What looked like evidence and is none, and why."""
    misnamed: str | None = None
    """What the row's own cliSessionId says, where that cannot be a transcript's name."""
    contradiction: str | None = None
    """Why the row's own content does not say which transcript it names last."""
    foreign: bool = False
    """Whether its content is another session's: then its time is not that of its own last write."""
    id_beginning: str = ""
    """What is left of a cut-off cliSessionId: the transcript's uuid begins so."""

    @property
    def path(self) -> str:
        """The row's file, whether it is there or not."""
        return self.row.path

    @property
    def session_id(self) -> str:
        """The file's stem, `local_<uuid>`."""
        return self.row.session_id

    @property
    def is_gone(self) -> bool:
        """Whether there is no file at all, only a `.tmp` of the row or a snapshot."""
        return not LOST_STATES[self.row.state].has_file

    @property
    def named(self) -> frozenset[str]:
        """The transcripts that anything of the row names."""
        return frozenset(r.cli_session_id for r in self.remains if r.cli_session_id is not None)


@dataclass(frozen=True, slots=True)
class Matched:
    """The row is put back, from `base` and from `transcript`."""

    source: Source
    transcript: _core.Transcript | None
    cli_session_id: str | None
    evidence: tuple[Evidence, ...]
    base: tuple[Remains, ...] = ()
    """The remains whose fields go into the row, the first before the later ones."""
    rests_on: tuple[str, ...] = ()
    """Further files that the verdict was concluded from."""
    absence: Absence | None = None
    """What must not have come since for the verdict to stand."""

    @property
    def spelled_id(self) -> str | None:
        """The transcript's uuid as its file spells it: the app looks for a file of exactly that name."""
        return self.cli_session_id if self.transcript is None else self.transcript.session_id


@dataclass(frozen=True, slots=True)
class Held:
    """The row is left as it is, since the evidence does not decide."""

    reason: str
    candidates: tuple[Candidate, ...] = ()
    replaced: bool = False
    """Whether another row has taken its conversation over, so that nothing is lost without it."""
    rivalled: bool = False
    """Whether it is held only because another transcript may be its own: when that turns out to be another
    row's, it can be decided."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """The row is left alone, since the user deleted its session."""

    reason: str


Verdict = Matched | Held | Nothing


def held(row: LostRow, reason: str, *candidates: Candidate, notes: Iterable[str] = (), **more: bool) -> Held:
    """Return a hold; the reason is followed by whatever looked like evidence and was none."""
    once: dict[str, Candidate] = {}
    for one in candidates:
        once.setdefault(one.transcript, one)
    return Held("; ".join(dict.fromkeys([reason, *row.notes, *notes])), tuple(once.values()), **more)


def candidate(transcript: _core.Transcript, transcript_id: str, reason: str) -> Candidate:
    """Return what a person needs to know of a transcript to decide whether it is the one."""
    return Candidate(
        transcript=transcript.path or "",
        cli_session_id=transcript_id,
        title=transcript.title,
        cwd=transcript.cwd,
        last_activity_at=transcript.last_activity_at,
        reason=reason,
    )


def moment(milliseconds: int) -> str:
    """Return a time in words: `2026-11-20 09:14:05 UTC`."""
    try:
        return datetime.fromtimestamp(milliseconds // 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return "an impossible time"


def span(milliseconds: int) -> str:
    """Return a length of time in words: `7 seconds`, `3 days`."""
    seconds = abs(milliseconds) // 1000
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= 2 * size or (seconds >= size and unit != "minute"):
            count = seconds // size
            return f"{count} {unit}{'s' if count != 1 else ''}"
    return f"{seconds} second{'s' if seconds != 1 else ''}"
