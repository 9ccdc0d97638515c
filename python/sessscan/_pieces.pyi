"""Cut transcripts into pieces that are kept, and put pieces together again."""

from os import PathLike

def cut(
    path: str | PathLike[str], begin: int, end: int, amount: int, /
) -> list[tuple[int, int, bytes, bytes]]:
    """Cut a part of a file into pieces of 64 KiB to 1 MiB, by its content; the last may be smaller.

    Args:
        path: The file.
        begin: Where to begin, in bytes. It is to be 0, or where another piece ended.
        end: Where to end. A file that is shorter by now gives the pieces that it has.
        amount: Only pieces that begin in so many bytes are returned; the next call begins where the last
            ends.

    Returns:
        For each piece its offset, its size, its sha256, and its bytes, compressed with zstd.

    Raises:
        OSError: The file cannot be read.
    """

def digest(path: str | PathLike[str], begin: int, end: int, /) -> bytes | None:
    """Return the sha256 of the bytes from `begin` to `end` of a file; None if it is shorter.

    Raises:
        OSError: The file cannot be read.
    """

def unpack(data: bytes, size: int, sha256: bytes, /) -> bytes:
    """Return the bytes of a piece that `cut` has compressed.

    Raises:
        ValueError: The piece is damaged: it has not this size and digest.
    """
