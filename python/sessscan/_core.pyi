"""The Rust core."""

from collections.abc import Callable, Iterator, Sequence
from os import PathLike
from typing import Any, Literal, final

from typing_extensions import Buffer

__all__ = [
    "ABSENT",
    "ROW_STATES",
    "Absent",
    "Batches",
    "Defect",
    "Details",
    "Event",
    "EventBatches",
    "EventIterator",
    "PartJoiner",
    "RangeScanner",
    "Rescan",
    "RowKind",
    "RowState",
    "Scanner",
    "Transcript",
    "Worktree",
    "__version__",
    "append_durable",
    "classify",
    "classify_bytes",
    "classify_many",
    "columns_batch",
    "details",
    "events",
    "remove",
    "replace",
    "row_prefix",
    "scan",
    "scan_bytes",
    "scan_many",
    "sweep",
    "transcript_batches",
    "uuids",
]

__version__: str

# Transcripts

@final
class Defect:
    """Something wrong with bytes of a transcript."""

    @property
    def kind(self) -> Literal["glued", "invalid", "invalid-utf8", "nul-run", "spliced", "torn"]:
        """`nul-run`: a maximal run of NUL bytes. `glued`: several whole objects on a line, the newline
        between them
        missing. `spliced`: a cut record with a whole one behind it on the same line. `torn`: the last
        line was cut, or is still being written. `invalid`: no object, or not a whole one. `invalid-
        utf8`: the line has bytes that are not UTF-8; its records count all the same."""
    @property
    def line(self) -> int:
        """The line it begins on, from 1; blank lines count."""
    @property
    def offset(self) -> int:
        """Where it begins in the file, in bytes."""
    @property
    def length(self) -> int:
        """How many bytes it covers."""
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Worktree:
    """The git worktree that a session works in, as its own last `worktree-state` line says."""

    @property
    def path(self) -> str | None: ...
    @property
    def name(self) -> str | None: ...
    @property
    def branch(self) -> str | None: ...
    @property
    def original_cwd(self) -> str | None: ...
    @property
    def original_branch(self) -> str | None: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class Transcript:
    """What a transcript says of its session. Times are epoch milliseconds UTC; None where nothing is said.

    Only keys at depth 1 of a line's objects count, the last of those that are given twice, and only values of
    the right type.
    """

    @property
    def path(self) -> str | None:
        """As it was given; None for bytes."""
    @property
    def size(self) -> int:
        """Bytes scanned."""
    @property
    def session_id(self) -> str | None:
        """The file's stem."""
    @property
    def lines(self) -> int:
        """Lines that are not blank; NUL, space, tab and CR are blank."""
    @property
    def records(self) -> int:
        """Complete objects; a glued line has several."""
    @property
    def custom_title(self) -> str | None:
        """The last title that the user gave (`custom-title`)."""
    @property
    def ai_title(self) -> str | None:
        """The last title that the model found (`ai-title`)."""
    @property
    def summary(self) -> str | None:
        """The last `summary` whose leaf is a record of this file: others belong to other sessions."""
    @property
    def first_prompt(self) -> str | None:
        """The first human prompt, white space folded, at most 200 characters."""
    @property
    def title(self) -> str | None:
        """The first of custom title, AI title, summary and first prompt that there is."""
    @property
    def title_source(self) -> Literal["custom", "ai", "summary", "prompt"] | None:
        """Which of them it is."""
    @property
    def cwd(self) -> str | None:
        """The first working directory: the session's own."""
    @property
    def last_cwd(self) -> str | None:
        """The last one."""
    @property
    def git_branch(self) -> str | None:
        """The last one."""
    @property
    def version(self) -> str | None:
        """Of the CLI that wrote last."""
    @property
    def entrypoint(self) -> str | None:
        """How the session was entered last: `cli`, `claude-desktop`, …"""
    @property
    def model(self) -> str | None:
        """The last model that answered."""
    @property
    def worktree(self) -> Worktree | None:
        """The last one."""
    @property
    def created_at(self) -> int | None:
        """The smallest timestamp of the session's own records; where they have none, of all."""
    @property
    def last_activity_at(self) -> int | None:
        """The largest one, likewise."""
    @property
    def turns(self) -> int:
        """Human prompts."""
    @property
    def is_sidechain(self) -> bool:
        """Whether it is a subagent's: there are chain records, and all have isSidechain."""
    @property
    def born_in(self) -> str | None:
        """The first entrypoint."""
    @property
    def relocated_cwd(self) -> str | None:
        """Where the session was last moved to (`relocated`)."""
    @property
    def first_uuid(self) -> str | None:
        """Of the first record that has one."""
    @property
    def last_uuid(self) -> str | None:
        """Of the last record that has one."""
    @property
    def own_records(self) -> int:
        """Records whose sessionId is the file's stem."""
    @property
    def defects(self) -> tuple[Defect, ...]:
        """What is wrong with the bytes, in the order of the file."""
    @property
    def tag(self) -> str | None:
        """The user's tag: what the last `tag` record says; an empty one takes it away. Not in `to_dict`."""
    @property
    def first_prompt_is_cut(self) -> bool:
        """Whether `first_prompt` is longer than what is given of it. Not in `to_dict`."""
    @property
    def first_command(self) -> str | None:
        """Of a session without any prompt the name of its first slash command. Not in `to_dict`."""
    @property
    def last_prompt(self) -> str | None:
        """The last non-empty `lastPrompt` of a `last-prompt` record. Not in `to_dict`."""
    @property
    def continued_in(self) -> str | None:
        """The session this one goes on in: the last non-empty `continuedInSessionId` of a `continued-in`
        record. Not in `to_dict`."""
    @property
    def continued_at(self) -> int | None:
        """The timestamp of that record, in epoch milliseconds. Not in `to_dict`."""
    @property
    def modified_at(self) -> int | None:
        """The file's mtime when it was opened for the scan, in epoch milliseconds; None for bytes and
        streams. Not in `to_dict`."""
    @property
    def error(self) -> OSError | None:
        """Why the file could not be read (`scan_many`); all else is then empty."""
    def to_dict(self) -> dict[str, Any]:
        """All fields but those that say otherwise, as `json` can write them."""
    def __eq__(self, other: object, /) -> bool: ...

def scan(path: str | PathLike[str], *, strict: bool = False) -> Transcript:
    """What one transcript says of its session.

    By default a line's object is complete when its strings are closed, its brackets match and the grammar
    of its own members holds; `strict` checks every byte of every value against RFC 8259. Memory does not
    grow with the file. Raises the `OSError` that says why the file cannot be read.
    """

def scan_many(
    paths: Sequence[str | PathLike[str]],
    *,
    threads: int | None = None,
    strict: bool = False,
    progress: Callable[[int, int], object] | None = None,
) -> list[Transcript]:
    """What each of many transcripts says, in the order given; one that cannot be read has its `error` set.

    `threads`: how many, the calling one included; all processors by default. `progress` is called now and
    then, on the calling thread, with the bytes that are scanned and that are to be; what it raises ends the
    scan.
    """

def scan_bytes(data: Buffer, *, session_id: str | None = None, strict: bool = False) -> Transcript:
    """The same of bytes that are at hand. Without `session_id` all timestamps count."""

@final
class Scanner:
    """Scans a transcript that comes in pieces, cut anywhere; its state can be put away and taken up again.

    Memory grows only by the longest line, and by 16 bytes for each record with a uuid, since an old
    `summary` may name any of them.
    """

    def __new__(cls, session_id: str | None = None, *, strict: bool = False) -> Scanner: ...
    def feed(self, chunk: Buffer) -> None:
        """Takes in more bytes. Raises `ValueError` if the scanner is finished."""
    def finish(self) -> Transcript:
        """What all of it says. Afterwards the scanner is used up."""
    def state(self) -> bytes:
        """All that must be known to go on later, in another process too."""
    @staticmethod
    def restore(state: bytes) -> Scanner:
        """Goes on from a state that was put away.

        Raises `ValueError` if it is damaged, or was saved by a version that this one does not know: scan
        anew.
        """
    @property
    def size(self) -> int:
        """Bytes taken in so far."""

@final
class Rescan:
    """One scan of many files of which some are known, for `sessscan.scan_cache`: it keeps nothing itself.

    In this order: `know` the entries of its `shards`, `know_states` those of `shards_of_states`, `scan`, and
    `merge` the shards that `changed`. Bytes that no scan of this version gave are taken for nothing.
    """

    def __new__(cls, paths: Sequence[str | PathLike[str]], *, strict: bool = False) -> Rescan: ...
    def shards(self) -> list[int]:
        """The shards, of 256, whose entries it should know."""
    def know(self, shard: int, entries: bytes) -> None:
        """These are the entries of a shard."""
    def shards_of_states(self) -> list[int]:
        """The shards whose states it should know, once it knows the entries."""
    def know_states(self, shard: int, states: bytes) -> None:
        """These are the states of a shard."""
    def scan(
        self, *, threads: int | None = None, progress: Callable[[int, int], object] | None = None
    ) -> list[Transcript]:
        """What each file says, as `scan_many` tells it."""
    def changed(self) -> list[int]:
        """The shards that are to be written afterwards."""
    def merge(self, shard: int, entries: bytes, states: bytes) -> tuple[bytes, bytes]:
        """A shard as it should be, its entries and its states, where it is that by now; once for each."""

def uuids(path: str | PathLike[str]) -> list[str]:
    """The top-level uuids of a transcript's records, in order. Raises `OSError`."""

@final
class RangeScanner:
    """Scans the lines of a transcript that begin in one range of it.

    `version` says which state of the file this is, in whatever way; only parts of one state can be joined.
    Raises `ValueError` if a file of `size` bytes has no such range.
    """

    def __new__(
        cls, session_id: str | None, *, version: str, size: int, start: int, end: int, strict: bool = False
    ) -> RangeScanner: ...
    @property
    def position(self) -> int:
        """The offset of the byte that is to be fed next: first the one before the range."""
    def feed(self, chunk: Buffer) -> bool:
        """Takes in more bytes, cut anywhere; whether more are needed."""
    def finish(self) -> bytes:
        """What was found, for `PartJoiner`. Afterwards the scanner is used up.

        Raises `ValueError` if bytes are missing.
        """

@final
class PartJoiner:
    """Joins all the parts of one file, given in any order.

    Raises `ValueError` if one is missing, damaged or of another file, or another state of it.
    """

    def __new__(cls, parts: Sequence[bytes]) -> PartJoiner: ...
    @property
    def in_doubt(self) -> bool:
        """Whether the file must be fed once more, from its first byte on: a summary names a record that may
        stand before it, and parts do not keep the uuids of all records."""
    @property
    def size(self) -> int:
        """The file's size in bytes."""
    @property
    def version(self) -> str:
        """Which state of the file it is, as the scanners were told."""
    @property
    def strict(self) -> bool:
        """Whether every byte of every value was checked."""
    def feed(self, chunk: Buffer) -> bool:
        """Takes in bytes of the file once more; whether more are needed."""
    def finish(self) -> Transcript:
        """What the whole file says. Afterwards the joiner is used up.

        Raises `ValueError` if it is still in doubt.
        """

@final
class Event:
    """One thing that happened in a session."""

    @property
    def line(self) -> int:
        """The line it stands on, from 1."""
    @property
    def offset(self) -> int:
        """Where its record begins in the file, in bytes."""
    @property
    def kind(self) -> Literal["title", "cwd", "timestamp"]: ...
    @property
    def value(self) -> Any:
        """The title, the directory, or the time in epoch milliseconds."""
    @property
    def source(self) -> Literal["custom", "ai"] | None:
        """Of a title: who gave it."""
    def __eq__(self, other: object, /) -> bool: ...

@final
class EventIterator(Iterator[Event]):
    """Reads a transcript's events as they are asked for."""

    def __iter__(self) -> EventIterator: ...
    def __next__(self) -> Event: ...

def events(
    path: str | PathLike[str],
    kinds: Sequence[Literal["title", "cwd", "timestamp"]] = ("title", "cwd", "timestamp"),
) -> EventIterator:
    """The events of a transcript, in the order of the file: each title given, each change of directory,
    each time.

    They are read as they are asked for, in constant memory. Raises `OSError`, here or on the way, and
    `ValueError` for a kind that there is not.
    """

# Details

@final
class Details:
    """The titles, directories, activity and uuids of one transcript, all bounded in number."""

    @property
    def path(self) -> str:
        """The file, as it was given."""
    @property
    def error(self) -> OSError | None:
        """Why the file could not be read; all else is then empty."""
    @property
    def titles(self) -> list[tuple[int, Literal["custom", "ai"], str, int | None]]:
        """The titles as (line, source, title, after), in file order: an entry whenever the title differs from
        the one before of the same source. `after` is the last timestamp in a record before it, in epoch
        milliseconds. The last 10,000."""
    def title_line(self, source: Literal["custom", "ai"], value: str) -> int | None:
        """Return the last line that gives this title; None if no line does."""
    def title_at(self, source: Literal["custom", "ai"], time: float) -> str | None:
        """Return the title of one source that stood before the first record later than `time` (epoch ms).

        Titles have no timestamps of their own: one counts from the next record with a timestamp on, since it
        may have been given only shortly before that.
        """
    @property
    def cwds(self) -> list[tuple[int, str]]:
        """The working directories as (line, directory), an entry whenever it differs from the one before.
        The first 10,000."""
    @property
    def activity(self) -> list[tuple[int, int]]:
        """First and last time of each span of activity, in epoch milliseconds, sorted.

        All top-level timestamps count. Neighbours less than 60,000 ms apart are in one span, so that a
        question whether anything happened in a window can only err towards yes. The gap is doubled, as often
        as need be, as soon as there are more than 4,096 spans.
        """
    @property
    def uuid_count(self) -> int:
        """How many different top-level uuids the records have.

        Exact up to 65,536 pairs of a uuid and a session id. Of more, only those whose 64-bit hash lies below
        a threshold are kept, and this and the counts below are scaled accordingly; the error is then about
        half a per cent of this number.
        """
    def count_shared(self, other: Details) -> int:
        """Return how many of the different uuids `other` has too."""
    def count_shared_under(self, other: Details, session_id: str | None = None) -> int:
        """Return how many records have a uuid that `other` has too, and this session id if one is given.

        The case of its letters does not count. Of a file with records of more than 255 sessions, those of
        further sessions have no session id here.
        """

def details(paths: Sequence[str | PathLike[str]], *, threads: int | None = None) -> list[Details]:
    """Scan many transcripts for their details, in the order given.

    Args:
        paths: The transcripts.
        threads: How many threads, the calling one included; None: as many as there are processors.

    Returns:
        One `Details` for each path. One that cannot be read has its `error` set.
    """

# Tables

@final
class Batches:
    """Rows that are at hand, in batches of one schema. Each stream is a new one."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...
    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]:
        """All of it as one array. Raises `ValueError` where it is several batches."""
    def __arrow_c_schema__(self) -> object: ...
    def __len__(self) -> int: ...
    @property
    def columns(self) -> list[str]:
        """Their names."""

@final
class EventBatches:
    """The events of files, one after the other, in batches that are read as a stream is pulled, in constant
    memory. Each stream begins anew.

    A file that cannot be read ends the stream with an error that names it, or with `skip` is passed over.
    Raises `ValueError` for a kind that there is not.
    """

    def __new__(
        cls,
        paths: Sequence[str | PathLike[str]],
        kinds: Sequence[str] | None = None,
        *,
        skip: bool = False,
    ) -> EventBatches: ...
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...
    def __arrow_c_schema__(self) -> object: ...
    @property
    def columns(self) -> list[str]:
        """Their names."""
    @property
    def skipped(self) -> list[OSError]:
        """What the newest stream could not read and passed over."""

def transcript_batches(transcripts: Sequence[Transcript], *, rows: int | None = None) -> Batches:
    """Transcripts as columns, under the names and in the order of `Transcript.to_dict`.

    One batch, unless a batch is limited to so many `rows`, or the text comes to more than 256 MiB. Raises
    `OverflowError` for a transcript whose text is larger than 2 GiB.
    """

def columns_batch(columns: Sequence[tuple[str, Any, Sequence[Any]]]) -> Batches:
    """A table of one batch from (name, type, values).

    Types: `text`, `repeated` (text as a dictionary), `int`, `time` (epoch ms), `bool`, `[(name, type), …]`
    for tuples, `{"list": type}` for sequences. Any value may be None. Raises `OverflowError` for a column
    of more than 2 GiB, `ValueError` for a type that there is not, `TypeError` for a value of another one.
    """

# Rows

_RowKindName = Literal[
    "ok",
    "linked",
    "empty",
    "zero-filled",
    "oversize",
    "bom",
    "truncated",
    "not-json",
    "not-a-row",
    "id-mismatch",
]

@final
class RowKind:
    """A kind of state that a registry file can be in, with what follows from it."""

    @property
    def kind(self) -> _RowKindName:
        """The name of the finding; `ok` for a row that the app can read."""
    @property
    def from_crash(self) -> bool:
        """Whether a crash leaves rows like this: only then the mtime is that of the app's last write."""
    @property
    def content(self) -> Literal["none", "beginning", "whole"]:
        """What can be read of such a row: nothing, the members before the damage, or all of it."""

ROW_STATES: tuple[RowKind, ...]
"""All kinds of states."""

@final
class RowState:
    """The state of a registry file."""

    @property
    def path(self) -> str | None:
        """The file, as it was given; None for bytes."""
    @property
    def kind(self) -> _RowKindName:
        """What is wrong, by the name of the finding; `ok` for a row that the app can read."""
    @property
    def size(self) -> int:
        """The file's size in bytes."""
    @property
    def offset(self) -> int:
        """Where that which is wrong begins, in bytes. `truncated`: where the readable part ends."""
    @property
    def length(self) -> int:
        """How far it goes, in bytes. `truncated`: how many NUL bytes follow the readable part."""
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

def classify(path: str | PathLike[str]) -> RowState:
    """What state a registry file is in.

    Links are not followed, and what is no regular file (a FIFO, a device) is not opened. Memory is constant.
    Raises the `OSError` that says why the file cannot be read.
    """

def classify_many(paths: Sequence[str | PathLike[str]]) -> list[RowState | OSError]:
    """The states of many files, in the order given; for one that cannot be read, the error."""

def classify_bytes(data: bytes | bytearray, *, stem: str | None = None) -> RowState:
    """The same of a file's content. `stem` is its name without `.json`, which its `sessionId` must be."""

def row_prefix(data: bytes | bytearray) -> dict[str, Any]:
    """The members of a row, or of what is left of a truncated one, that are complete, in the file's order.

    A member whose value is cut off is not among them, nor is one that Python's `json` cannot take (a number
    of more than 4,300 digits, brackets nested a thousand deep).
    """

# Writing

@final
class Absent:
    """The type of `ABSENT`."""

ABSENT: Absent
"""For `replace(expected=...)`: the file must not exist."""

def replace(
    path: str | PathLike[str],
    data: bytes | bytearray,
    *,
    expected: bytes | str | Absent | None = None,
    backup: str | PathLike[str] | None = None,
) -> None:
    """Replaces a file's content, or creates the file (mode 0600), durably and in one step.

    A file that is replaced keeps its mode, owner and extended attributes where that is possible. `expected`
    says what it must be: exactly these bytes, content with this SHA-256 (hex), `ABSENT`, or whatever it is
    (None). With `backup` the file that is replaced is kept under that name, which must be in the same folder
    and must not exist. Links are not followed.

    Raises `ConflictError` (it is something else; nothing was written), `UnconfirmedError` (written, but the
    disk would not confirm it), or the `OSError` that says why nothing was written.
    """

def remove(path: str | PathLike[str], *, expected: bytes | str) -> None:
    """Removes a file, durably, if it has this content (or SHA-256 in hex).

    Raises `ConflictError` (it is something else, or gone; nothing was done), `UnconfirmedError`, `OSError`.
    """

def append_durable(path: str | PathLike[str], data: bytes | bytearray) -> None:
    """Appends to a file of sessscan's own and makes the addition durable. Creates the file (mode 0600).

    Raises the `OSError` that says why not; the data is then taken back, if that is possible.
    """

def sweep(directory: str | PathLike[str]) -> list[str]:
    """Removes what interrupted runs left in a folder, and tells the paths.

    Only temporary files of sessscan's own of processes that are gone, or that nothing happened to for a
    minute; those that may hold the only copy of something stay. Raises `OSError` if the folder cannot
    be read.
    """
