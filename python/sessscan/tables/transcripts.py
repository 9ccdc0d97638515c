"""Give transcripts and their events as tables."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, Literal

from .. import _core
from ..model import Progress
from ..stores.locate import StrPath
from .arrow import Previewed, Table
from .inputs import Paths, files_of

Kind = Literal["title", "cwd", "timestamp"]

KINDS: tuple[Kind, ...] = ("title", "cwd", "timestamp")


class EventsTable(Previewed):
    """A table of events that are read from the files in batches while the table is taken, in constant memory.

    Taking it twice reads the files twice. Its length is not known in advance.
    """

    __slots__ = ("_files", "_kinds", "_skip")
    _batches: _core.EventBatches

    def __init__(self, files: Sequence[StrPath], kinds: Sequence[Kind], skip: bool) -> None:
        super().__init__(_core.EventBatches(files, kinds, skip=skip), ("line", "kind", "time", "value"))
        self._files = files
        self._kinds = kinds
        self._skip = skip

    @property
    def skipped(self) -> tuple[OSError, ...]:
        """With `errors="skip"`: the errors of the files that the newest stream has skipped."""
        return tuple(self._batches.skipped)

    def _size(self) -> str:
        return f"events of {len(self._files):,} {'file' if len(self._files) == 1 else 'files'}"

    def _preview(self, rows: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        found: list[dict[str, Any]] = []
        for path in self._files:
            try:
                for event in islice(_core.events(path, self._kinds), max(rows, 1) + 1 - len(found)):
                    found.append(_event(path, event))
            except OSError:
                if not self._skip:
                    raise
            if len(found) > rows:
                return found[:-1], [dict.fromkeys(self.columns)]
        return found, []


def table(
    of: Paths | Iterable[_core.Transcript] = None,
    *,
    threads: int | None = None,
    strict: bool = False,
    progress: Progress | None = None,
) -> Table:
    """Return a table of transcripts, one a row, with all fields of `Transcript` under their names.

    `of`: scanned transcripts, or files and folders, which are scanned now by `scan_many` with its options. Of
    a folder (a project's, or the root of all projects) the sessions are taken; without `of`, this user's. An
    unreadable file has a row too, with `error` set. `worktree` is a struct, `defects` a list of structs
    (kind, line, offset, length). Raises `TypeError` for a mixture, and for anything else.
    """
    transcripts: list[_core.Transcript]
    if of is not None and not isinstance(of, str | os.PathLike):
        if hasattr(of, "actions"):
            raise TypeError("a plan has two tables: actions_table(plan) and findings_table(plan)")
        given: list[Any] = list(of)
        if given and all(isinstance(one, _core.Transcript) for one in given):
            return _transcripts(given)
        of = given
    transcripts = _core.scan_many(files_of(of), threads=threads, strict=strict, progress=progress)
    return _transcripts(transcripts)


def record_batch(transcripts: Sequence[_core.Transcript]) -> _core.Batches:
    """Return transcripts as one batch, which `pyarrow.record_batch` takes (it has `__arrow_c_array__`)."""
    return _core.transcript_batches(transcripts)


def events_table(
    of: Paths = None, kinds: Sequence[Kind] = KINDS, *, errors: Literal["raise", "skip"] = "raise"
) -> EventsTable:
    """Return a table of the events of files and folders (as in `table`); it is read while it is taken.

    Each row is an event: `path`, `line`, `offset`, `kind`; `value` of a title or a directory, `time` of a
    timestamp; `source` of a title. `errors`: with `raise` the stream ends with an error that names the first
    unreadable file; with `skip` the others are read, and `skipped` has the errors.

    Raises OSError for a named file that does not exist (unless `errors` is `skip`), `ValueError` for an
    unknown kind, `TypeError` for anything but paths.
    """
    if errors not in ("raise", "skip"):
        raise ValueError(f'errors must be "raise" or "skip", not {errors!r}')
    files = files_of(of)
    if errors == "raise":
        for file in files:
            os.stat(file)  # noqa: PTH116  # takes half the time of Path.stat, for many files
    return EventsTable(files, kinds, errors == "skip")


def _transcripts(transcripts: Sequence[_core.Transcript]) -> Table:
    first = ("last_activity_at", "turns", "title", "cwd", "size", "session_id", "git_branch", "defects")
    batches = _core.transcript_batches(transcripts, rows=65_536)
    return Table(batches, "transcript", transcripts, _core.Transcript.to_dict, first)


def _event(path: StrPath, event: _core.Event) -> dict[str, Any]:
    is_time = event.kind == "timestamp"
    return {
        "path": os.fspath(path),
        "line": event.line,
        "offset": event.offset,
        "kind": event.kind,
        "value": None if is_time else event.value,
        "time": event.value if is_time else None,
        "source": event.source,
    }
