"""Give the values of any keys of transcripts as a table, one row a record."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, Literal

from .. import _core
from ..stores.locate import StrPath
from .arrow import Previewed
from .inputs import Paths, files_of

Select = Mapping[str, str | tuple[str, str]]
Where = Mapping[str, str | Iterable[str]]


class FieldsTable(Previewed):
    """A table of fields that are read in batches while the table is taken, in constant memory.

    `pyarrow.table(t)`, `polars.DataFrame(t)`, `duckdb.sql("from t")` and `pandas.DataFrame.from_arrow(t)`
    take it. Without an Arrow library, iterate over it for a dict a row, or over `rows()`, which is faster.
    Taking it twice reads the files twice. Its length is not known in advance.
    """

    __slots__ = ("_files",)
    _batches: _core.FieldsBatches

    def __init__(self, batches: _core.FieldsBatches, files: Sequence[StrPath]) -> None:
        super().__init__(batches, batches.columns)
        self._files = files

    def rows(self) -> Iterator[list[tuple[Any, ...]]]:
        """Read the rows, a batch at a time: lists of tuples, whose values are in the order of `columns`.

        Values are None, int, float, str or bool; times are epoch milliseconds UTC. Raises OSError for a file
        that cannot be read, unless such files are skipped.
        """
        return self._batches.rows()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Read the rows as dicts, with the values that `rows` gives."""
        for row in chain.from_iterable(self.rows()):
            yield dict(zip(self.columns, row, strict=True))

    @property
    def types(self) -> dict[str, str]:
        """The type of each selected column."""
        return self._batches.types

    @property
    def other_types(self) -> dict[str, int]:
        """How many values of another type, which are null, the newest reading had in each selected column."""
        return self._batches.other_types

    @property
    def defects(self) -> tuple[tuple[str, _core.Defect], ...]:
        """The damage that the newest reading came upon: the path and the defect, of the first 10,000."""
        return tuple((os.fspath(path), defect) for path, defect in self._batches.defects)

    @property
    def defect_count(self) -> int:
        """How many defects the newest reading came upon."""
        return self._batches.defect_count

    @property
    def skipped(self) -> tuple[OSError, ...]:
        """With `errors="skip"`: the errors of the files that the newest reading has skipped."""
        return tuple(self._batches.skipped)

    def _size(self) -> str:
        return f"fields of {len(self._files):,} {'file' if len(self._files) == 1 else 'files'}"

    def _preview(self, rows: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        rows = max(rows, 1)
        read = islice(chain.from_iterable(self._batches.rows(noted=False)), rows + 1)
        found = [dict(zip(self.columns, row, strict=True)) for row in read]
        return (found[:-1], [dict.fromkeys(self.columns)]) if len(found) > rows else (found, [])


def fields(
    paths: Paths,
    select: Select,
    where: Where | None = None,
    *,
    path: bool = False,
    line: bool = False,
    errors: Literal["raise", "skip"] = "raise",
    threads: int | None = None,
    strict: bool = False,
) -> FieldsTable:
    """Return a table of the values of any keys at any depth, one row a record; it is read while it is taken.

    The values are those that a full parse of every line gives: of a key given twice the last one counts, and
    a damaged line has a row for each record that can be read of it.

    Args:
        paths: Files and folders. Of a folder (a project's, or the root of all projects) the sessions are
            taken; a named file is taken whatever its name. None: this user's sessions.
        select: For each column its path, such as `message.usage.input_tokens`: keys between dots, and numbers
            of elements, from 0 (`message.content.0.text`). A dot, colon or backslash that is part of a key
            has a backslash before it. The type stands behind a colon (`"message.usage.input_tokens:int"`) or
            in a tuple (`("message.usage.input_tokens", "int")`):

            - `text`, if none is given: a string as it is, any other value as its JSON text
            - `str`: strings; `bool`: true and false
            - `int`: numbers without fraction and exponent that fit 64 bits; `float`: numbers, as doubles
            - `time`: RFC 3339 times with a zone, as timestamps in milliseconds UTC
            - `json`: any value as its JSON text, as the file has it

            Null and what is absent is null; a value of another type is null and counted in `other_types`.
        where: Paths and the string, or strings, that the value there must be; all must hold. A record for
            which one does not is dropped before its other values are looked at. A value that is no string is
            not equal to any.
        path: Add a column `path`: the record's file.
        line: Add a column `line`: the record's line in its file, from 1.
        errors: With `raise` reading ends with an error that names the first unreadable file; with `skip` the
            others are read, and `skipped` has the errors.
        threads: How many threads read; None: one for each processor.
        strict: Check every byte of every value, as `scan` does, which takes longer.

    Raises:
        OSError: A named file does not exist (unless `errors` is `skip`).
        ValueError: A path is none, there is no such type, nothing is selected, or two columns have one name.
        TypeError: `select` or `where` is not a mapping of such values, or `paths` has anything but paths.
    """
    if errors not in ("raise", "skip"):
        raise ValueError(f'errors must be "raise" or "skip", not {errors!r}')
    chosen, conditions = selection(select), filters(where)
    files = files_of(paths)
    if errors == "raise":
        for file in files:
            os.stat(file)  # noqa: PTH116  # takes half the time of Path.stat, for many files
    batches = _core.FieldsBatches(
        files,
        chosen,
        conditions,
        path=path,
        line=line,
        skip=errors == "skip",
        threads=threads,
        strict=strict,
    )
    return FieldsTable(batches, files)


def selection(select: Select) -> list[tuple[str, str, str | None]]:
    """Return name, path and type of each column, as the core takes them. Raises TypeError."""
    if not isinstance(select, Mapping):
        raise TypeError(
            f'select must map names to paths, as {{"model": "message.model"}}, not {select!r:.80}'
        )
    chosen: list[tuple[str, str, str | None]] = []
    for name, given in select.items():
        parts: tuple[Any, ...] = given if isinstance(given, tuple) else (given, None)
        path, kind = parts if len(parts) == 2 else (None, None)
        if not (isinstance(name, str) and isinstance(path, str) and isinstance(kind, str | None)):
            raise TypeError(f"neither a path nor a path and a type, for {name!r:.80}: {given!r:.80}")
        chosen.append((name, path, kind))
    return chosen


def filters(where: Where | None) -> list[tuple[str, list[str]]]:
    """Return path and strings of each condition, as the core takes them. Raises TypeError."""
    if where is None:
        return []
    if not isinstance(where, Mapping):
        raise TypeError(f'where must map paths to strings, as {{"type": "assistant"}}, not {where!r:.80}')
    conditions: list[tuple[str, list[str]]] = []
    for path, given in where.items():
        texts = [given] if isinstance(given, str) else list(given)
        if not isinstance(path, str) or not all(isinstance(text, str) for text in texts):
            raise TypeError(f"where compares strings only: {path!r:.80}: {given!r:.80}")
        conditions.append((path, texts))
    return conditions
