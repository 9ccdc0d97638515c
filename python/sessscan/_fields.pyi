"""Read the values of any keys at any depth, one row a record."""

from collections.abc import Iterator, Sequence
from os import PathLike
from typing import Any, final

from typing_extensions import Buffer

from ._table import Batches
from ._transcript import Defect

@final
class FieldsBatches:
    """The fields of files, in the order of the files, in batches that are read as a stream is pulled.

    Memory is constant. Each stream reads the files anew.
    """

    def __new__(
        cls,
        paths: Sequence[str | PathLike[str]],
        select: Sequence[tuple[str, str, str | None]],
        conditions: Sequence[tuple[str, Sequence[str]]],
        *,
        path: bool = False,
        line: bool = False,
        skip: bool = False,
        threads: int | None = None,
        strict: bool = False,
    ) -> FieldsBatches:
        """Make a table of the files' fields.

        Args:
            paths: The transcripts.
            select: The columns: name, path, and type; without one it may stand behind a colon in the path.
            conditions: Paths, and the strings that the value there may be.
            path: Add a column of paths, as a dictionary.
            line: Add a column of line numbers, from 1.
            skip: Skip a file that cannot be read. By default it ends the stream with an error that names it.
            threads: How many threads read; None: one for each processor.
            strict: Check every byte of every value.

        Raises:
            ValueError: A path is none, there is no such type, nothing is selected, or a name comes twice.
            OverflowError: The paths are longer than 2 GiB together.
        """
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...
    def __arrow_c_schema__(self) -> object: ...
    def rows(self, *, noted: bool = True) -> FieldsRows:
        """Read the rows as tuples.

        Args:
            noted: Count what this reading comes upon as what the newest one did.
        """
    @property
    def columns(self) -> list[str]:
        """The columns' names."""
    @property
    def types(self) -> dict[str, str]:
        """The type of each selected column."""
    @property
    def other_types(self) -> dict[str, int]:
        """How many values of each selected column had another type, in the newest stream."""
    @property
    def defects(self) -> list[tuple[str, Defect]]:
        """The paths and defects that the newest stream came upon, at most 10,000."""
    @property
    def defect_count(self) -> int:
        """How many defects the newest stream came upon."""
    @property
    def skipped(self) -> list[OSError]:
        """The errors of the files that the newest stream skipped."""

@final
class FieldsRows(Iterator[list[tuple[Any, ...]]]):
    """An iterator over rows, a list of tuples at a time. Times are epoch milliseconds."""

    def __iter__(self) -> FieldsRows: ...
    def __next__(self) -> list[tuple[Any, ...]]: ...

@final
class FieldsRange:
    """A reading of the fields of the lines that begin in a range of a file, of bytes from anywhere."""

    def __new__(
        cls,
        select: Sequence[tuple[str, str, str | None]],
        conditions: Sequence[tuple[str, Sequence[str]]],
        *,
        size: int,
        start: int,
        end: int,
        strict: bool = False,
    ) -> FieldsRange:
        """Begin to read the lines that begin from `start` to `end`.

        Args:
            select: As for `FieldsBatches`.
            conditions: Likewise.
            size: The file's size in bytes.
            start: Where the range begins, in bytes.
            end: Where it ends.
            strict: Check every byte of every value.

        Raises:
            ValueError: A file of `size` bytes has no such range, or what `FieldsBatches` raises.
        """
    @property
    def position(self) -> int:
        """The offset of the byte that is to be fed next: first the one before the range."""
    def feed(self, chunk: Buffer) -> bool:
        """Take in more bytes, cut anywhere.

        Args:
            chunk: The bytes. All but `bytes` is copied first.

        Returns:
            Whether more bytes are needed.

        Raises:
            ValueError: The range is finished.
        """
    def take(self) -> Batches:
        """Return the rows since the last call, in one batch.

        Raises:
            ValueError: The range is finished.
        """
    def finish(self) -> Batches:
        """Return the rows that are left, in one batch. Afterwards the range is finished.

        Raises:
            ValueError: More bytes are needed, or the range is finished.
        """
    @property
    def other_types(self) -> dict[str, int]:
        """How many values of each column had another type, in the rows that were taken."""
    @property
    def defect_count(self) -> int:
        """How many defects were found before the last call of `take` or `finish`."""
