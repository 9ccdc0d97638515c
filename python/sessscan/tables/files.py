"""Write tables to Parquet and Arrow files with pyarrow, batch by batch."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import OutputFileError
from ..render import newfile
from .arrow import Table
from .transcripts import EventsTable


def check(output: Path | None) -> None:
    """Raise `OutputFileError` if `output` (None: stdout) cannot be written, before anything is read."""
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise OutputFileError("this format needs pyarrow: pip install 'sessscan[arrow]'") from None
    if output is None:
        if sys.stdout.isatty():
            raise OutputFileError("a terminal cannot show this format: name a file with -o FILE")
    else:
        newfile.check(output)


def write_parquet(table: Table | EventsTable, output: Path | None) -> None:
    """Write a table as Parquet to a new file, or to stdout. The file appears when it is whole.

    Raises OSError; `FileExistsError` if a file of that name was made meanwhile.
    """
    from pyarrow.parquet import ParquetWriter

    _write(table, output, lambda stream, schema: ParquetWriter(stream, schema, compression="zstd"))


def write_arrow(table: Table | EventsTable, output: Path | None) -> None:
    """Write a table as an Arrow IPC file, in the way of `write_parquet`."""
    from pyarrow.ipc import new_file

    _write(table, output, new_file)


def _write(table: Table | EventsTable, output: Path | None, writer: Callable[[BinaryIO, Any], Any]) -> None:
    if output is None:
        _write_batches(table, sys.stdout.buffer, writer)
        sys.stdout.buffer.flush()
    else:
        with newfile.create(output) as stream:
            _write_batches(table, stream, writer)


def _write_batches(
    table: Table | EventsTable, stream: BinaryIO, writer: Callable[[BinaryIO, Any], Any]
) -> None:
    import pyarrow

    if isinstance(table, EventsTable):
        batches = pyarrow.RecordBatchReader.from_stream(table)
    else:
        # An Arrow file can have only one dictionary for each column.
        batches = pyarrow.table(table).unify_dictionaries().to_reader()
    with writer(stream, batches.schema) as file:
        try:
            for batch in batches:
                file.write_batch(batch)
        except OSError as error:
            if "interrupted (KeyboardInterrupt)" in str(error):
                raise KeyboardInterrupt from None
            raise
