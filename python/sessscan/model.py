"""Define the records that pass from one stage of a reconciliation to the next.

Data flows one way: stores → rows and transcripts → findings → matches → plan → journal. Times are epoch
milliseconds UTC, sizes and offsets bytes, paths absolute and as they were found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

Severity = Literal["error", "warning", "note"]

ActionKind = Literal[
    "restore",
    "hold",
    "adopt",
    "relink",
    "rebuild-index",
    "repair",
    "restore-transcript",
    "move",
    "move-row",
    "move-leases",
]
"""Put a row back; leave a row or transcript, since the evidence does not decide; make a row for an orphan;
link a readable row to its transcript again; write an index; edit a damaged transcript; put a transcript back;
move a transcript, or what lies beside it, to another project folder; give other directories to a row; give
them to leases of worktrees."""

MOVE: Final = "move"
MOVE_ROW: Final = "move-row"
MOVE_LEASES: Final = "move-leases"

TRANSCRIPT_KINDS: frozenset[str] = frozenset(("repair", "restore-transcript", MOVE))
"""The kinds of actions that write transcripts. These may have gigabytes, and are known by their metadata."""

Source = Literal["snapshot", "tmp", "copy", "prefix", "transcript"]
"""Where most of a row's content is taken from."""

Status = Literal["planned", "applied", "held", "refused", "failed"]
"""What became of an action. `refused`: a file it rests on has changed; `failed`: it could not be written."""

EvidenceKind = Literal[
    "match",
    "snapshot",
    "tmp",
    "copy",
    "own",
    "prefix",
    "own-folder",
    "uuid",
    "lease",
    "time",
    "missing",
    "continued",
    "orphan",
    "index",
    "place",
    "words",
]

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
    """What is known of a file when a plan is made: enough to see later that it has not changed."""

    path: str
    exists: bool
    size: int = 0
    mtime_ns: int = 0
    inode: int = 0
    sha256: str | None = None
    """Of the whole content; None for a transcript, which is compared by its metadata."""


@dataclass(frozen=True, slots=True)
class Row:
    """A registry file, whether the app can read it or not."""

    path: str
    session_id: str
    """The file's stem, `local_<uuid>`."""
    store: Store
    state: str
    """`ok`, or the name of the `LostState` that says why the app cannot read it."""
    size: int
    mtime: int
    offset: int = 0
    """Where the damage begins; of a row that the app can read, where the first bytes are not UTF-8."""
    length: int = 0
    """How many bytes are damaged."""
    fields: dict[str, Any] = field(default_factory=dict)
    """The scalar members that could be read, also of a lost row, and `priorCliSessionIds`."""
    error: str | None = None
    """Why it could not be read, in the system's words, or why it is no file."""
    remote: str | None = None
    """The other machine that the session runs on, and where its transcript is there, in words."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A fact about a store, a row or a transcript, under the name of its rule."""

    rule: str
    severity: Severity
    path: str
    message: str
    session_id: str | None = None
    transcript: str | None = None
    offset: int | None = None
    length: int | None = None
    title: str | None = field(default=None, compare=False)
    """The session's title, as far as it is known; so too its directory and when it was last used. These three
    are not in the JSON, where `message` has them in words, nor in a plan file."""
    cwd: str | None = field(default=None, compare=False)
    last_activity_at: int | None = field(default=None, compare=False)
    """Epoch ms UTC."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One reason for an action, in words for the user: mostly, why a row belonged to a transcript."""

    kind: EvidenceKind
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
    """Why it is a candidate, and why that does not decide."""


@dataclass(frozen=True, slots=True)
class Absence:
    """What was not there when a row was matched, and must not have come since.

    No readable row named the transcript, and no other transcript without a row was active in the time that
    decides. Times are epoch ms.
    """

    transcript: str
    """The uuid of the transcript that the row was matched to."""
    after: int
    until: int
    """From `after` to `until` nothing else that could be the row's was active."""
    directories: tuple[str, ...]
    """The directories that the row is from, in the form of `project_folder.normalize`; none: not known."""
    newest_change_ns: int
    """When the newest of the transcripts looked at was made or written, epoch ns: those that changed later
    have not been looked at."""
    stores: tuple[str, ...]
    projects: tuple[str, ...]
    """Where rows and transcripts were looked for."""
    named_by: tuple[str, ...] = ()
    """The readable rows, by path, that named the transcript already: the lost row was one of several."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of some bytes of a transcript."""

    offset: int
    """Where the old bytes begin; in a transcript in UTF-16, in the UTF-8 that it becomes."""
    old: bytes
    """What stands there; empty: the new bytes are inserted."""
    new: bytes
    """What takes its place; empty: the old bytes are removed."""
    reason: str
    """Why, in words for the user."""
    times: int = 1
    """How often `old` stands there, one after the other, and `new` will: more than once in a run."""


@dataclass(frozen=True, slots=True)
class Reached:
    """How many messages of a transcript a reader reaches, before it is repaired and after."""

    before: int
    after: int


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A message that no reader gives once a transcript is repaired, since half of its tool call was lost."""

    record: str
    """Its uuid."""
    line: int
    text: str
    """The beginning of what it says."""


@dataclass(frozen=True, slots=True)
class ParentCandidate:
    """A record of a transcript that another one may have followed."""

    record: str
    """Its uuid."""
    line: int
    timestamp: int | None
    """Epoch ms UTC."""
    text: str
    """The beginning of what it says."""


@dataclass(frozen=True, slots=True)
class HeldParent:
    """A record whose parent was lost, where it is not certain what it followed."""

    record: str
    """Its uuid."""
    line: int
    text: str
    """The beginning of what it says."""
    why: str
    """Why that is not certain."""
    candidates: tuple[ParentCandidate, ...]
    """What it may have followed, the likeliest first."""


@dataclass(frozen=True, slots=True)
class Action:
    """What would be done, or was done, about one row, index or transcript."""

    kind: ActionKind
    path: str
    session_id: str | None
    cli_session_id: str | None = None
    transcript: str | None = None
    source: Source | None = None
    evidence: tuple[Evidence, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    row: dict[str, Any] = field(default_factory=dict)
    """The members of the row that will be written."""
    provenance: dict[str, str] = field(default_factory=dict)
    """For each field of `row`, where its value comes from."""
    status: Status = "planned"
    backup: str | None = None
    """Where the replaced file is kept, once the action is applied."""
    error: str | None = None
    """Why the row is held, refused or not written; of an applied action, why it may not survive a power
    cut."""
    content: bytes = b""
    """The bytes that will be written."""
    rests_on: tuple[Fingerprint, ...] = ()
    """The files it was concluded from. The first is the file that will be written."""
    absence: Absence | None = None
    """What must not have come since."""
    edits: tuple[Edit, ...] = ()
    """Of a repair, in the order of their offsets and without overlaps, in place of `content`."""
    utf16: bool = False
    """Whether the transcript is in UTF-16, and becomes UTF-8."""
    assembled: Fingerprint | None = None
    """Of a transcript that is put back, the file of sessscan's own that holds what it will be."""
    reached: Reached | None = None
    """Of a repair, what it gives back."""
    left_out: tuple[LeftOut, ...] = ()
    """Of a repair, the messages that stay out."""
    held: tuple[HeldParent, ...] = ()
    """Of a transcript, the links that stay lost until the user decides."""
    target: str | None = None
    """Of a move, the path that the file or folder will have. A transcript whose project folder has the same
    name as before stays where it is."""
    title: str | None = field(default=None, compare=False)
    """What the session of a move is called. It is not in the JSON, nor in a plan file."""


@dataclass(frozen=True, slots=True)
class FolderMove:
    """A project's folder that is somewhere else now, as `move` was told."""

    old: str
    """Where it was, an absolute path of this machine or another one."""
    new: str
    """Where it is: a folder of this machine, with its links resolved."""
    prefix: bool = False
    """Whether both are only the beginnings of paths, as a store from another machine has them."""


@dataclass(frozen=True, slots=True)
class Missed:
    """How many sessions a person misses, as the app does not list them, or lists them and cannot open them.

    Each is counted once, by what can be done about it.
    """

    back: int = 0
    """Put back, or given a row, by this run."""
    restorable: int = 0
    """Their row can be put back, or made, by `--apply`."""
    relinkable: int = 0
    """The app lists them and cannot open them, and `--apply` links their row to its transcript again."""
    to_choose: int = 0
    """Their row is held, with candidates for `--match`."""
    unlinked_to_choose: int = 0
    """The app lists them and cannot open them; their row is held, with candidates for `--match`."""
    undecided: int = 0
    """Their row is held, and there is no candidate."""
    beyond_repair: int = 0
    """Nothing is left of them but a row that the app cannot read."""
    refused: int = 0
    failed: int = 0
    orphans: int = 0
    """They have no row, and `--adopt` was not given or cannot make one."""
    hollow: int = 0
    """The app lists them, but their transcript holds no conversation."""
    unlinked: int = 0
    """The app lists them, but their row has lost its transcript, and none fits it."""
    dangling: int = 0
    """The app lists them, but their transcript was not found. It may be elsewhere: these do not count."""
    moved: int = 0
    """The app lists them, but their transcript lies where it does not look. These do not count either."""
    forgotten: int = 0
    """Only an old index names them."""
    unread: int = 0
    """Files and folders that could not be read, and may hold any of these."""

    @property
    def lost(self) -> int:
        """How many sessions have lost their row."""
        held = self.to_choose + self.undecided
        return self.restorable + held + self.beyond_repair + self.refused + self.failed

    @property
    def total(self) -> int:
        """How many sessions are missed."""
        unlinked = self.unlinked + self.unlinked_to_choose + self.relinkable
        return self.lost + self.orphans + self.hollow + unlinked


SessionHealth = Literal["ok", "damaged", "empty", "hollow", "lost"]
SessionKind = Literal["sdk", "archived", "sidechain", "empty", "deleted", "continued"]
"""The kinds of sessions that a list can leave out: see `sessions.listing.find_sessions`."""
DesktopState = Literal["listed", "lost", "orphan", "deleted", "continued", "none"]
WatchEventKind = Literal["finding", "resolved", "repaired", "held", "failed"]


@dataclass(frozen=True, slots=True)
class Session:
    """One session as `sessscan list` shows it. Times are epoch milliseconds UTC, sizes bytes."""

    session_id: str
    path: str
    title: str | None
    title_source: str | None
    """Where the title comes from: `custom`, `ai`, `summary` or `prompt` of the transcript, or its `row`."""
    first_prompt: str | None
    """What the user typed first; where that was a slash command, its name and arguments."""
    last_prompt: str | None
    tag: str | None
    cwd: str | None
    git_branch: str | None
    created_at: int | None
    last_activity_at: int | None
    last_modified: int
    """The mtime of the transcript."""
    turns: int
    size: int
    defects: int
    health: SessionHealth
    """The first that applies: `lost` (the app should list it and does not: `desktop` is `lost` or `orphan`),
    `hollow`, `damaged` (bytes of its transcript are damaged; a torn last line counts only where there is
    nothing else), `empty` (its transcript holds no conversation: no byte, or nothing but state lines),
    `ok`."""
    desktop: DesktopState | None
    """What the desktop app knows of it (see `reconciliation.desktop_status`); None where no store of the app
    was read."""
    row: str | None
    """The app's row that names it, or named it."""
    entrypoint: str | None = None
    """How it was last entered: `cli`, `claude-desktop`, `sdk-py`, …"""
    archived: bool | None = None
    """Whether it is archived, by its row or by `archived.json` beside its transcript; None where neither says
    anything."""
    hollow: bool = False
    """Whether its row counted turns although the transcript holds no conversation."""
    sidechain: bool = False
    """Whether its transcript is a subagent's: every record is of a sidechain."""
    in_future: bool = False
    """Whether its last activity is later than the clock of this machine, which cannot be."""
    records: int = 0
    """How many records its transcript has."""
    own_records: int = 0
    """How many of them name this session as theirs; those of another session were copied."""

    @property
    def heading(self) -> str:
        """The text to list it under: its title, or else the prompt that was typed last or first."""
        title = self.title if self.title_source != "prompt" else self.first_prompt
        return title or self.last_prompt or self.first_prompt or ""

    @property
    def active_at(self) -> int:
        """The time of its last activity; where no line has a time, the mtime of its transcript."""
        return self.last_modified if self.last_activity_at is None else self.last_activity_at


@dataclass(frozen=True, slots=True)
class SessionListing:
    """The sessions that were found, and what was read to find them."""

    sessions: tuple[Session, ...]
    matched: int
    """How many sessions match the filters; `sessions` has no more of them than the limit allows."""
    total: int
    """How many sessions there are."""
    stores: tuple[str, ...]
    """The stores of the desktop app that were read."""
    held: int
    """How many rows the app cannot read and no evidence assigns to a session."""
    errors: tuple[tuple[str, str], ...]
    """The paths that could not be read, each with the reason."""
    in_future: int = 0
    """How many sessions match but for `until`, which leaves them out, and have a time that cannot be."""
    missed: Missed = Missed()
    """How many sessions of these stores are missed, whatever the filters."""
    rows: int = 0
    """How many rows these stores have."""
    retention: tuple[str, ...] = ()
    """How long the transcripts in each root are kept, in sentences."""
    retention_doubts: tuple[str, ...] = ()
    """Those of them that say that it is not known."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that `sessscan list --format json` prints."""
        return {
            "schema": "sessscan.list/1",
            "stores": list(self.stores),
            "total": self.total,
            "matched": self.matched,
            "held": self.held,
            "in_future": self.in_future,
            "retention": list(self.retention),
            "errors": [{"path": path, "message": message} for path, message in self.errors],
            "sessions": [asdict(session) for session in self.sessions],
        }


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """Something that a watch reports: a new finding, or what became of an earlier one."""

    kind: WatchEventKind
    finding: Finding
    """The finding it is about; its `message` says what has happened now."""
    time: int
    """When it was reported, epoch ms."""
    run: str | None = None
    """The run that put the row back, for `undo`."""
