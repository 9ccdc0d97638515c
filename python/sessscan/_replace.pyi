"""Write, remove and append durably: all changes to files go through here."""

from os import PathLike
from typing import final

from ._edit import Stamp

@final
class Absent:
    """The type of `ABSENT`."""

ABSENT: Absent
"""For `replace(expected=...)`: the file must not exist."""

def replace(
    path: str | PathLike[str],
    data: bytes | bytearray,
    *,
    expected: bytes | str | Absent | None = None,
    backup: str | PathLike[str] | None = None,
    modified_ns: int | None = None,
) -> None:
    """Replace a file's content, or create the file (mode 0600), durably and in one step.

    A file that is replaced keeps its mode, owner and extended attributes where that is possible. Links are
    not followed.

    Args:
        path: The file.
        data: Its new content.
        expected: What it must be: exactly these bytes, content with this SHA-256 (hex), `ABSENT`, or anything
            (None).
        backup: Keep the file that is replaced under this name, which must be in the same folder and must not
            exist.
        modified_ns: The mtime of the new file, in nanoseconds since 1970, which it bears from the first
            moment; None: the present. Best effort, as file systems count time differently.

    Raises:
        ConflictError: The file is something else; nothing was written.
        UnconfirmedError: The file was written, but the disk would not confirm it.
        OSError: Nothing was written.
    """

def remove(path: str | PathLike[str], *, expected: bytes | str | Stamp) -> None:
    """Remove a file durably if it has the expected content.

    Args:
        path: The file.
        expected: Its content, the content's SHA-256 in hex, or, for a content that is not to be read, what it
            was when it was looked at.

    Raises:
        ConflictError: The file is something else, or gone; nothing was done.
        UnconfirmedError: The file was removed, but the disk would not confirm it.
        OSError: Nothing was removed.
    """

def relocate(path: str | PathLike[str], to: str | PathLike[str], *, inode: int = 0) -> None:
    """Move a file or folder durably and in one step to a name that is free, on the same file system.

    Args:
        path: The file or folder.
        to: Its new name, in a folder that exists.
        inode: The inode it must have; 0: any.

    Raises:
        ConflictError: There is something else, a link, or nothing, or the new name is taken; nothing was
            done.
        UnconfirmedError: It was moved, but the disk would not confirm it.
        OSError: Nothing was moved; `errno.EXDEV` if the new name is on another file system.
    """

def append_durable(path: str | PathLike[str], data: bytes | bytearray) -> None:
    """Append durably to a file of sessscan's own. Create the file (mode 0600) if it does not exist.

    Args:
        path: The file.
        data: What to append.

    Raises:
        OSError: It failed; what was appended is then removed again, if that is possible.
    """

def sweep(directory: str | PathLike[str]) -> list[str]:
    """Remove the temporary files that interrupted runs of sessscan left in a folder.

    Files of a process that is still running stay for a minute after their last change, and those that may
    hold the only copy of something stay for good.

    Args:
        directory: The folder.

    Returns:
        The paths of the removed files.

    Raises:
        OSError: The folder cannot be read.
    """
