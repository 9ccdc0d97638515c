"""Tables by the Arrow C interface, without an Arrow library on Python's side."""

from collections.abc import Sequence
from os import PathLike
from typing import Any, final

from ._transcript import Transcript

@final
class Batches:
    """Rows in memory, in batches of one schema. Each stream begins with the first row."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...
    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]:
        """Return all rows as one array.

        Raises:
            ValueError: There are several batches.
        """
    def __arrow_c_schema__(self) -> object: ...
    def __len__(self) -> int: ...
    @property
    def columns(self) -> list[str]:
        """The columns' names."""

@final
class EventBatches:
    """The events of files, one file after the other, in batches that are read as a stream is pulled.

    Memory is constant. Each stream reads the files anew.
    """

    def __new__(
        cls,
        paths: Sequence[str | PathLike[str]],
        kinds: Sequence[str] | None = None,
        *,
        skip: bool = False,
    ) -> EventBatches:
        """Make a table of the files' events.

        Args:
            paths: The transcripts.
            kinds: As for `events`; None: all.
            skip: Skip a file that cannot be read. By default it ends the stream with an error that names it.

        Raises:
            ValueError: There is no such kind.
            OverflowError: The paths are longer than 2 GiB together.
        """
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...
    def __arrow_c_schema__(self) -> object: ...
    @property
    def columns(self) -> list[str]:
        """The columns' names."""
    @property
    def skipped(self) -> list[OSError]:
        """The errors of the files that the newest stream skipped."""

def transcript_batches(transcripts: Sequence[Transcript], *, rows: int | None = None) -> Batches:
    """Lay transcripts out as columns, under the names and in the order of `Transcript.to_dict`.

    Args:
        transcripts: The rows.
        rows: At most so many rows a batch; None: no limit.

    Returns:
        One batch, unless `rows` or text of more than 256 MiB makes it several.

    Raises:
        OverflowError: The text of one transcript is larger than 2 GiB.
    """

def columns_batch(columns: Sequence[tuple[str, Any, Sequence[Any]]]) -> Batches:
    """Lay columns of Python values out as a table of one batch.

    Args:
        columns: The columns as (name, type, values). Types: `text`, `repeated` (text as a dictionary), `int`,
            `time` (epoch ms), `bool`, `[(name, type), …]` for tuples, `{"list": type}` for sequences. Any
            value may be None.

    Raises:
        OverflowError: The text of a column is larger than 2 GiB.
        ValueError: There is no such type.
        TypeError: A value is of another type.
    """
