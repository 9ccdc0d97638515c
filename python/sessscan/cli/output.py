"""Files of columns: the formats that are written, not printed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .options import fail

if TYPE_CHECKING:
    from ..tables.arrow import EventsTable, Table

FORMS = ("parquet", "arrow")


def is_columnar(form: str, output: Path | None) -> bool:
    """Whether this is such a format. Ends with status 2 where it could not be written."""
    if form not in FORMS:
        if output is not None:
            fail(f"-o is for {' and '.join(FORMS)}; of {form} the output goes to stdout: > FILE", 2)
        return False
    from ..errors import OutputFileError
    from ..tables.files import check

    try:
        check(output)
    except OutputFileError as error:
        fail(f"--format {form}: {error}", 2)
    return True


def write(table: Table | EventsTable, form: str, output: Path | None) -> None:
    """Writes it. Ends with status 2 where the file came to be meanwhile."""
    from ..tables.files import write as write_columns

    try:
        write_columns(table, form, output)
    except FileExistsError:
        fail(f"-o {output}: there is a file already", 2)
