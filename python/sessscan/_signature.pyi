"""Tell which of many files may have changed."""

from collections.abc import Sequence

def changed(
    folders: Sequence[tuple[str, Sequence[str], Sequence[str | None]]], boot: str, /
) -> list[list[int]]:
    """Return for each folder the numbers of those files that may have changed since they were signed.

    Args:
        folders: For each the folder, the names of the files in it, and the signature of each file as
            `sessscan.keeping.read.Signature` makes it; None: there is none.
        boot: The name of the system's present boot.

    Returns:
        Numbers from 0, in their order. On Windows, and where a folder cannot be opened, those of all files.

    Raises:
        ValueError: There are not as many signatures as names.
    """
