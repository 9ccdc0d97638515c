"""Write tables to Parquet and Arrow files with pyarrow, batch by batch."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import OutputFileError
from ..render import newfile
from .arrow import EventsTable, Table


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


def write(table: Table | EventsTable, form: str, output: Path | None) -> None:
    """Write a table to a new file, or to stdout. `form`: parquet, or arrow, the Arrow (IPC) file format.

    The file appears when it is whole. Raises OSError, and `FileExistsError` if a file of that name has
    appeared meanwhile.
    """
    if output is None:
        _write(table, form, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    else:
        with newfile.create(output) as stream:
            _write(table, form, stream)


def _write(table: Table | EventsTable, form: str, stream: BinaryIO) -> None:
    import pyarrow

    if isinstance(table, EventsTable):
        batches = pyarrow.RecordBatchReader.from_stream(table)
    else:
        # An Arrow file can have only one dictionary for each column.
        batches = pyarrow.table(table).unify_dictionaries().to_reader()
    with _writer(form, stream, batches.schema) as writer:
        try:
            for batch in batches:
                writer.write_batch(batch)
        except OSError as error:
            if "interrupted (KeyboardInterrupt)" in str(error):
                raise KeyboardInterrupt from None
            raise


def _writer(form: str, stream: BinaryIO, schema: Any) -> Any:
    if form == "parquet":
        from pyarrow.parquet import ParquetWriter

        return ParquetWriter(stream, schema, compression="zstd")
    from pyarrow.ipc import new_file

    return new_file(stream, schema)
