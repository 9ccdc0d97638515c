"""One lost row and what is known of it, from the first look to the verdict."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Literal

from ... import _core
from ...model import Candidate, Evidence, Row, Source
from ...snapshots.store import RowVersion
from ...stores.row_states import LOST_STATES

WitnessKind = Literal["snapshot", "tmp", "own", "prefix", "copy"]


@dataclass(frozen=True, slots=True)
class Witness:
    """A file that holds a state of the lost row, whole or in part, in the session's own words; or a snapshot
    of it, whose file is the database."""

    kind: WitnessKind
    path: str
    status: os.stat_result
    fields: dict[str, Any]
    """Those members that may say which session it is."""
    cli_session_id: str | None
    whole: bool
    elsewhere: bool = False
    """Whether it lies under another account or organisation."""
    partial: bool = False
    """Whether the transcript's id is cut off in it, and was completed from the one transcript it fits."""
    version: RowVersion | None = None
    """The snapshot, and its bytes."""
    data: bytes = b""

    @property
    def mtime(self) -> int:
        """When the row was last written as it is here, epoch ms."""
        written = self.status.st_mtime_ns if self.version is None else self.version.modified_ns
        return written // 1_000_000


@dataclass
class Case:
    """A row that the app cannot read, or of which only a `.tmp` is left, and what becomes of it.

    In the end there is either a `source` (put it back), or a `reason` (hold it), or neither (leave it alone).
    """

    row: Row
    status: os.stat_result | None
    """What the row's file was when it was read; None where there is none."""
    witnesses: list[Witness] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    """What looked like evidence and is none, and why."""

    misnamed: str | None = None
    """What the row's own cliSessionId says, where that cannot be a transcript's name."""
    foreign: bool = False
    """Whether its content is another session's: then its time is not that of its own last write."""
    id_beginning: str = ""
    """What is left of a cut-off cliSessionId: the transcript's uuid begins so."""
    confined: set[str] | None = None
    """Ids of the only transcripts that it can be, where a live lease says so."""

    transcript: _core.Transcript | None = None
    cli_session_id: str | None = None
    source: Source | None = None
    evidence: list[Evidence] = field(default_factory=list)
    base: list[Witness] = field(default_factory=list)
    """The witnesses whose fields go into the row, the first before the later ones."""
    rests_on: list[str] = field(default_factory=list)
    """Further files that the verdict was concluded from."""

    deleted: bool = False
    """Whether the user deleted the session: then nothing is done."""
    replaced: bool = False
    """Whether another row has taken its conversation over, so that nothing is lost without it."""
    reason: str | None = None
    candidates: list[Candidate] = field(default_factory=list)

    @property
    def session_id(self) -> str:
        return self.row.session_id

    @property
    def lost(self) -> bool:
        """Whether there is no row at all, only a `.tmp` of one, or a snapshot."""
        return not LOST_STATES[self.row.state].has_file

    @property
    def open(self) -> bool:
        return self.source is None and self.reason is None and not self.deleted

    def hold(self, reason: str, *candidates: Candidate) -> None:
        """Leaves the row as it is, and says why."""
        self.source = None
        self.transcript = None
        self.cli_session_id = None
        self.evidence = []
        self.base = []
        self.reason = reason
        known = {one.transcript for one in self.candidates}
        self.candidates.extend(one for one in candidates if one.transcript not in known)

    def because(self, reason: str) -> str:
        """A reason, with whatever looked like evidence and was none."""
        return "; ".join([reason, *self.remarks])


def candidate(transcript: _core.Transcript, transcript_id: str, reason: str) -> Candidate:
    """What a person needs to know of a transcript to decide whether it is the one."""
    return Candidate(
        transcript=transcript.path or "",
        cli_session_id=transcript_id,
        title=transcript.title,
        cwd=transcript.cwd,
        last_activity_at=transcript.last_activity_at,
        reason=reason,
    )


def span(milliseconds: int) -> str:
    """A length of time in words."""
    seconds = abs(milliseconds) // 1000
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= 2 * size or (seconds >= size and unit != "minute"):
            count = seconds // size
            return f"{count} {unit}{'s' if count != 1 else ''}"
    return f"{seconds} second{'s' if seconds != 1 else ''}"
