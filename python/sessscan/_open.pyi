"""Tell what Python's own `open` and `stat` cannot, and open files without being in the app's way."""

import sys
from os import PathLike

def born_at(path: str | PathLike[str]) -> int | None:
    """Return when a file was made, in nanoseconds since 1970; None where the file system does not keep that.

    Links are not followed.

    Raises:
        OSError: The file is not there, or its folder may not be looked at.
    """

if sys.platform == "win32":
    def open_handle(path: str | PathLike[str], *, follow: bool = False) -> int:
        """Open a regular file for reading, with every share flag, and return its handle.

        `follow`: also behind a link. The caller closes the handle. Python's own `open` does not share
        deleting: while it has a file open, the app cannot replace it.

        Raises:
            OSError: The file cannot be opened, is no regular file, or its content is in the cloud.
        """

    def changed_at(path: str | PathLike[str]) -> int:
        """Return when anything about a file was last changed, its times included, in nanoseconds since 1970.

        Raises:
            OSError: The file cannot be opened for that.
        """
