"""Give transcripts, events, rows, findings and actions as tables that any Arrow library takes.

None of these libraries is needed: the core builds the columns and exports them by Arrow's C interface (the
"PyCapsule" protocol), as a fresh stream each time. Times are timestamps in milliseconds UTC, text that
repeats is a dictionary, sizes and offsets are signed 64-bit numbers. Bytes of a path that are not UTF-8
become U+FFFD.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Literal

from .. import _core
from ..changes.plan import Plan, Report
from ..model import Action, Finding, Progress, Row
from ..stores.locate import StrPath, locate
from ..stores.project_files import list_transcripts

Paths = StrPath | Iterable[StrPath] | None
Kind = Literal["title", "cwd", "timestamp"]

KINDS: tuple[Kind, ...] = ("title", "cwd", "timestamp")
SHOWN = 20
"""Rows of a preview: half of them from the table's beginning, half from its end."""


class _Previewed:
    """The base of both tables: the Arrow streams, and a preview for terminals and notebooks."""

    __slots__ = ("_batches", "_first", "columns")

    def __init__(self, batches: _core.Batches | _core.EventBatches, first: Sequence[str]) -> None:
        self._batches = batches
        self._first = first
        self.columns: tuple[str, ...] = tuple(batches.columns)
        """The names of the columns."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return a stream that begins at the first row. A requested schema is ignored, as the protocol
        allows."""
        return self._batches.__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> object:
        """Return the names and types of the columns."""
        return self._batches.__arrow_c_schema__()

    def show(self, rows: int = SHOWN) -> None:
        """Print that many rows, with the columns that fit. Raises OSError for a file that cannot be read."""
        from ..render.preview import print_preview

        print_preview(*self._preview(rows), self.columns, self._first, self._size())

    def _repr_html_(self) -> str:
        from ..render.preview import html

        try:
            return html(*self._preview(SHOWN), self.columns, self._first, self._size())
        except OSError as error:
            return html([], [], self.columns, self._first, str(error))

    def __repr__(self) -> str:
        return f"<sessscan.{type(self).__name__}: {self._size()}, {len(self.columns)} columns>"

    def _size(self) -> str:
        raise NotImplementedError

    def _preview(self, rows: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Return rows from the beginning, and if not all are shown, rows from the end."""
        raise NotImplementedError


class Table(_Previewed):
    """A table in memory: `pyarrow.table(t)`, `polars.DataFrame(t)`, `duckdb.sql("from t")` and
    `pandas.DataFrame.from_arrow(t)` take it, any number of times."""

    __slots__ = ("_as_dict", "_noun", "_rows")

    def __init__(
        self,
        batches: _core.Batches,
        noun: str,
        rows: Sequence[Any],
        as_dict: Callable[[Any], dict[str, Any]],
        first: Sequence[str],
    ) -> None:
        super().__init__(batches, first)
        self._noun = noun
        self._rows = rows
        self._as_dict = as_dict

    def __len__(self) -> int:
        return len(self._rows)

    def _size(self) -> str:
        return f"{len(self):,} {self._noun if len(self) == 1 else self._noun + 's'}"

    def _preview(self, rows: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        rows = max(rows, 1)
        whole = len(self) <= rows
        head = self._rows if whole else self._rows[: (rows + 1) // 2]
        tail = [] if whole else self._rows[len(self) - rows // 2 :]
        return [self._as_dict(row) for row in head], [self._as_dict(row) for row in tail]


class EventsTable(_Previewed):
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
        if isinstance(of, Plan | Report):
            raise TypeError("a plan has two tables: actions_table(plan) and findings_table(plan)")
        given: list[Any] = list(of)
        if given and all(isinstance(one, _core.Transcript) for one in given):
            return _transcripts(given)
        of = given
    transcripts = _core.scan_many(_files(of), threads=threads, strict=strict, progress=progress)
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
    files = _files(of)
    if errors == "raise":
        for file in files:
            os.stat(file)  # noqa: PTH116  # takes half the time of Path.stat, for many files
    return EventsTable(files, kinds, errors == "skip")


def findings_table(of: Plan | Report | Iterable[Finding]) -> Table:
    """Return a table of findings, with the fields of `reconcile --format json` under the same names."""
    findings = of.findings if isinstance(of, Plan | Report) else tuple(of)
    return _columnar("finding", findings, _FINDING, _attributes(_FINDING), ("severity", "rule", "message"))


def actions_table(of: Plan | Report | Iterable[Action]) -> Table:
    """Return a table of a plan's or a report's actions, with the fields of `reconcile --format json`.

    `evidence` and `candidates` are lists of structs, `provenance` is a list of structs of field and origin,
    and `row` is JSON text, since rows may have any keys.
    """
    actions = of.actions if isinstance(of, Plan | Report) else tuple(of)
    return _columnar("action", actions, _ACTION, _action, ("kind", "status", "session_id", "source"))


def rows_table(stores: StrPath | Iterable[StrPath] | None = None) -> Table:
    """Return a table of all rows of stores: the state of each row, and the fields that can be read of it.

    `stores` as in `reconcile`. A folder that cannot be listed has a row with `state` `unreadable` and an
    `error`. Raises OSError for a named folder that does not exist.
    """
    from ..stores.rows import read_store

    places = locate(stores, ())
    contents = [read_store(store) for store in places.stores]
    errors = [*places.errors, *(error for found in contents for error in found.errors)]
    rows: list[Row | OSError] = [*(row for found in contents for row in found.rows), *errors]
    return _columnar("row", rows, _ROW, _row, ("session_id", "state", "last_activity_at", "title"))


_Type = Any  # of `_core.columns_batch`

_FINDING: dict[str, _Type] = {
    "rule": "repeated",
    "severity": "repeated",
    "path": "text",
    "session_id": "text",
    "transcript": "text",
    "offset": "int",
    "length": "int",
    "message": "text",
}
_CANDIDATE: dict[str, _Type] = {
    "transcript": "text",
    "cli_session_id": "text",
    "title": "text",
    "cwd": "repeated",
    "last_activity_at": "time",
    "reason": "text",
}
_EVIDENCE: dict[str, _Type] = {"kind": "repeated", "detail": "text"}
_PROVENANCE: dict[str, _Type] = {"field": "repeated", "origin": "repeated"}
_ACTION: dict[str, _Type] = {
    "kind": "repeated",
    "path": "text",
    "session_id": "text",
    "cli_session_id": "text",
    "transcript": "text",
    "source": "repeated",
    "evidence": {"list": list(_EVIDENCE.items())},
    "candidates": {"list": list(_CANDIDATE.items())},
    "row": "text",
    "provenance": {"list": list(_PROVENANCE.items())},
    "status": "repeated",
    "backup": "text",
    "error": "text",
}
_ROW: dict[str, _Type] = {
    "path": "text",
    "session_id": "text",
    "store": "repeated",
    "agent_mode": "bool",
    "state": "repeated",
    "size": "int",
    "modified_at": "time",
    "offset": "int",
    "length": "int",
    "cli_session_id": "text",
    "title": "text",
    "cwd": "repeated",
    "origin_cwd": "repeated",
    "worktree_path": "text",
    "process_name": "text",
    "created_at": "time",
    "last_activity_at": "time",
    "last_focused_at": "time",
    "error": "text",
}


def _transcripts(transcripts: Sequence[_core.Transcript]) -> Table:
    first = ("last_activity_at", "turns", "title", "cwd", "size", "session_id", "git_branch", "defects")
    batches = _core.transcript_batches(transcripts, rows=65_536)
    return Table(batches, "transcript", transcripts, _core.Transcript.to_dict, first)


def _columnar(
    noun: str,
    rows: Sequence[Any],
    types: Mapping[str, _Type],
    as_dict: Callable[[Any], dict[str, Any]],
    first: Sequence[str],
) -> Table:
    dicts = [as_dict(row) for row in rows]
    columns = [
        (name, kind, [_tuples(kind, values[name]) for values in dicts]) for name, kind in types.items()
    ]
    return Table(_core.columns_batch(columns), noun, dicts, lambda values: values, first)


def _tuples(kind: _Type, value: Any) -> Any:
    """Turn a list of dicts into the list of tuples that the core takes."""
    if isinstance(kind, dict) and value is not None:
        names = [name for name, _ in kind["list"]]
        return [tuple(item[name] for name in names) for item in value]
    return value


def _attributes(types: Mapping[str, _Type]) -> Callable[[Any], dict[str, Any]]:
    return lambda record: {name: getattr(record, name) for name in types}


def _action(action: Action) -> dict[str, Any]:
    evidence, candidate = _attributes(_EVIDENCE), _attributes(_CANDIDATE)
    return {
        **{name: getattr(action, name) for name in _ACTION},
        "evidence": [evidence(one) for one in action.evidence],
        "candidates": [candidate(one) for one in action.candidates],
        "row": json.dumps(action.row) if action.row else None,
        "provenance": [{"field": key, "origin": value} for key, value in action.provenance.items()],
    }


def _row(row: Row | OSError) -> dict[str, Any]:
    if isinstance(row, OSError):
        known = {"path": row.filename, "state": "unreadable", "error": row.strerror or str(row)}
        return {**dict.fromkeys(_ROW), **known}
    words = ("cliSessionId", "title", "cwd", "originCwd", "worktreePath", "processName")
    times = ("createdAt", "lastActivityAt", "lastFocusedAt")
    return {
        "path": row.path,
        "session_id": row.session_id,
        "store": row.store.path,
        "agent_mode": row.store.agent_mode,
        "state": row.state,
        "size": row.size,
        "modified_at": row.mtime,
        "offset": row.offset,
        "length": row.length,
        **{_snake(key): value if isinstance(value := row.fields.get(key), str) else None for key in words},
        **{_snake(key): _time(row.fields.get(key)) for key in times},
        "error": row.error,
    }


def _snake(key: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in key)


def _time(value: object) -> int | None:
    """Return epoch milliseconds if they fit a column: a row may hold any number at all."""
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1 << 62:
        return int(value)
    return None


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


def _files(of: Any) -> list[StrPath]:
    """Return the named files, and the sessions in named folders.

    A folder that cannot be listed is returned itself, and fails when it is read.
    """
    if of is None:
        return _listed(locate((), None).projects)
    if isinstance(of, str | os.PathLike):
        of = [of]
    files: list[StrPath] = []
    for path in of:
        if not isinstance(path, str | os.PathLike):
            raise TypeError(f"neither a path nor, like all others, a transcript: {path!r:.80}")
        files += _listed([os.fspath(path)]) if os.path.isdir(path) else [path]  # noqa: PTH112  # as above
    return files


def _listed(roots: Iterable[str]) -> list[StrPath]:
    listing = list_transcripts(roots)
    return [*listing.transcripts, *(error.filename for error in listing.errors if error.filename)]
