"""Parquet and Arrow files, written by pyarrow as the batches come."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from ..tables import EventsTable, Table


class Unwritable(Exception):
    """What stands in the way of writing; nothing was read or written yet."""


def check(output: Path | None) -> None:
    """Raises `Unwritable` where nothing could be written, before anything is read."""
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise Unwritable("this format needs pyarrow: pip install 'sessscan[arrow]'") from None
    if output is None:
        if sys.stdout.isatty():
            raise Unwritable("this is nothing to look at: name a file with -o FILE")
    elif os.path.lexists(output):
        raise Unwritable(f"-o {output}: there is a file already: remove it, or name another")
    elif not output.absolute().parent.is_dir():
        raise Unwritable(f"-o {output}: there is no such folder")


def write(table: Table | EventsTable, form: str, output: Path | None) -> None:
    """Writes a table to a new file, or to stdout. `form`: parquet, or arrow, the Arrow (IPC) file format.

    The file appears when it is whole. Raises OSError, also `FileExistsError` for one that came meanwhile.
    """
    if output is None:
        _write(table, form, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    else:
        with _new(output) as stream:
            _write(table, form, stream)


def _write(table: Table | EventsTable, form: str, stream: BinaryIO) -> None:
    import pyarrow

    if isinstance(table, EventsTable):
        batches = pyarrow.RecordBatchReader.from_stream(table)
    else:
        # An Arrow file has one dictionary for each column.
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


@contextmanager
def _new(output: Path) -> Iterator[BinaryIO]:
    """A file that gets its name when it is whole, and takes nobody's."""
    temporary = output.absolute().parent / f".sessscan-{secrets.token_hex(8)}.part"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(temporary, flags, 0o600), "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        try:
            os.link(temporary, output)
        except FileExistsError:
            raise
        except OSError:
            # A file system without links. Whoever makes that name in this very moment is overwritten.
            if os.path.lexists(output):
                raise FileExistsError(17, "there is a file already", str(output)) from None
            os.rename(temporary, output)  # noqa: PTH104
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)  # noqa: PTH108
