"""Write an edited copy of a file of any size in the file's place, or a new file, in constant memory."""

from collections.abc import Callable, Sequence
from os import PathLike
from typing import TypeAlias

Stamp: TypeAlias = tuple[int, int, int]
"""A file's size in bytes, its mtime in nanoseconds since 1970, and its inode; 0: it is not compared."""

def edit(
    path: str | PathLike[str],
    edits: Sequence[tuple[int, bytes, bytes, int]],
    *,
    seen: Stamp,
    utf16: bool = False,
    source: tuple[str | PathLike[str], Stamp] | None = None,
    backup: str | PathLike[str] | None = None,
    announce: Callable[[Stamp], object] | None = None,
) -> Stamp:
    """Give a file an edited content, durably and in one step, in constant memory.

    The new file shares the blocks of the old one where the file system can do that. It has the mode, owner
    and extended attributes of the old one, and a new mtime. If the file is written to at any time until
    shortly after the exchange, everything is put back, with all that was appended.

    Args:
        path: The file.
        edits: For each the offset, the old bytes, the new bytes, and how often both stand there one after the
            other: 1 except in a run. Old bytes that are empty insert, new bytes that are empty remove. In the
            order of the offsets, without overlaps.
        seen: What the file was when the edits were made.
        utf16: The content is in UTF-16 and becomes UTF-8, without a byte order mark; the edits are about
            the latter.
        source: Another file whose content, mode and owner are taken instead, and what it was.
        backup: Keep the old file under this name, which must be in the same folder and must not exist.
        announce: Called with the stamp of the new file when that is whole and on the disk, and before it can
            be seen. What it raises is raised, and nothing was written.

    Returns:
        The stamp of the new file.

    Raises:
        ConflictError: The file is something else, has other bytes at an edit, or is being written to; it is
            as its owner left it.
        UnconfirmedError: The file was written, but the disk would not confirm it.
        ValueError: The edits are not in order, overlap, or lie beyond the end.
        OSError: Nothing was written.
    """

def copy_new(
    path: str | PathLike[str],
    source: str | PathLike[str],
    seen: Stamp,
    *,
    announce: Callable[[Stamp], object] | None = None,
) -> Stamp:
    """Make a new file with the content, mode and owner of another one, durably and in one step.

    Args:
        path: The new file. Nothing must have this name.
        source: The other file.
        seen: What that was when it was looked at.
        announce: As in `edit`.

    Returns:
        The stamp of the new file.

    Raises:
        ConflictError: There is a file already, or the source is something else.
        UnconfirmedError: The file was written, but the disk would not confirm it.
        OSError: Nothing was written.
    """
