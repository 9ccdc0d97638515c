"""The records that pass between the stages of a reconciliation. They hold facts and do nothing.

Data flows one way: stores → rows and transcripts → findings → matches → plan → receipts.
Times are epoch milliseconds UTC, sizes and offsets bytes, paths absolute and as they were found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["error", "warning", "note"]
ActionKind = Literal["restore", "hold", "adopt", "rebuild-index"]
"""Put a row back; leave it, since the evidence does not decide; make a row for an orphan; write an index."""

Source = Literal["snapshot", "tmp", "copy", "prefix", "transcript"]
Status = Literal["planned", "applied", "held", "refused", "failed"]

Progress = Callable[[int, int], object]
"""Called with how much is done and how much there is in all."""


@dataclass(frozen=True, slots=True)
class RowFormat:
    """A kind of store: where it lies, what its rows must say, and where their transcripts are."""

    name: str
    registry: str
    """The name of its folder in a userData folder."""
    required: tuple[str, ...]
    """The texts the app needs in a row besides `sessionId`, `createdAt` and `lastActivityAt`."""
    transcripts_in_projects: bool
    """Whether the transcripts lie under the CLI's projects root, so that an orphan may be from such a store.
    Otherwise they lie beside the row, in a folder of its name."""


CODE = RowFormat("Code", "claude-code-sessions", required=(), transcripts_in_projects=True)
COWORK = RowFormat(
    "Cowork", "local-agent-mode-sessions", required=("processName", "cwd"), transcripts_in_projects=False
)
ROW_FORMATS = (CODE, COWORK)


@dataclass(frozen=True, slots=True)
class Store:
    """One account/organisation folder of a registry: the folder its rows are in."""

    path: str
    user_data: str | None
    """The userData folder above it, where that is known; `git-worktrees.json` is there."""
    format: RowFormat = CODE

    @property
    def agent_mode(self) -> bool:
        """Whether its rows are Cowork's, by the name that plan files and tables have for it."""
        return self.format == COWORK


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a file was when the plan was made: enough to see that it is still the same."""

    path: str
    exists: bool
    size: int = 0
    mtime_ns: int = 0
    inode: int = 0
    sha256: str | None = None
    """Of the whole content; None for a file that is only ever looked at by its metadata (a transcript)."""


@dataclass(frozen=True, slots=True)
class Row:
    """One registry file, healthy or not."""

    path: str
    session_id: str
    """The file's stem, `local_<uuid>`."""
    store: Store
    state: str
    """`ok`, or the name of the finding that says what is wrong with its bytes."""
    size: int
    mtime: int
    offset: int = 0
    """Where what is wrong begins, and how far it goes."""
    length: int = 0
    fields: dict[str, Any] = field(default_factory=dict)
    """The scalars that could be read, also from a truncated or refused row."""
    error: str | None = None
    """Why it could not be read (`unreadable`)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A fact about the store, under a rule's name."""

    rule: str
    severity: Severity
    path: str
    message: str
    session_id: str | None = None
    transcript: str | None = None
    offset: int | None = None
    length: int | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """One reason to believe that a row belonged to a transcript, in words a person understands."""

    kind: str
    detail: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A transcript that a held row may have belonged to."""

    transcript: str
    cli_session_id: str
    title: str | None
    cwd: str | None
    last_activity_at: int | None
    reason: str
    """Why it is one, and why that does not decide."""


@dataclass(frozen=True, slots=True)
class Action:
    """What would be done, or was done, about one row or index."""

    kind: ActionKind
    path: str
    session_id: str | None
    cli_session_id: str | None = None
    transcript: str | None = None
    source: Source | None = None
    evidence: tuple[Evidence, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    row: dict[str, Any] = field(default_factory=dict)
    """The row that will be written, as its JSON reads."""
    provenance: dict[str, str] = field(default_factory=dict)
    """For each field of `row`, where its value comes from."""
    status: Status = "planned"
    backup: str | None = None
    error: str | None = None
    content: bytes = b""
    """The very bytes that will be written."""
    rests_on: tuple[Fingerprint, ...] = ()
    """The files it was concluded from; the first is the target itself."""
