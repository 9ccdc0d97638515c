"""The base of all tables, which any Arrow library takes.

None of these libraries is needed: the core builds the columns and exports them by Arrow's C interface (the
"PyCapsule" protocol), as a fresh stream each time. Times are timestamps in milliseconds UTC, text that
repeats is a dictionary, sizes and offsets are signed 64-bit numbers. Bytes of a path that are not UTF-8
become U+FFFD.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import _core

SHOWN = 20
"""Rows of a preview: half of them from the table's beginning, half from its end."""


class Previewed:
    """The base of all tables: the Arrow streams, and a preview for terminals and notebooks."""

    __slots__ = ("_batches", "_first", "columns")

    def __init__(
        self, batches: _core.Batches | _core.EventBatches | _core.FieldsBatches, first: Sequence[str]
    ) -> None:
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


class Table(Previewed):
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
