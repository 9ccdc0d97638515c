"""Scan one big file in ranges, by several processes."""

from collections.abc import Sequence
from typing import final

from typing_extensions import Buffer

from ._transcript import Transcript

@final
class RangeScanner:
    """A scan of the lines of a transcript that begin in one range of it."""

    def __new__(
        cls, session_id: str | None, *, version: str, size: int, start: int, end: int, strict: bool = False
    ) -> RangeScanner:
        """Start a scan of the bytes from `start` to `end`.

        Args:
            session_id: The session's id.
            version: Any text that names the state of the file: only parts of the same state can be joined.
            size: The file's size in bytes.
            start: Where the range begins, in bytes.
            end: Where it ends.
            strict: As for `scan`.

        Raises:
            ValueError: A file of `size` bytes has no such range.
        """
    @property
    def position(self) -> int:
        """The offset of the byte that is to be fed next: first the one before the range."""
    def feed(self, chunk: Buffer) -> bool:
        """Take in more bytes, cut anywhere.

        Args:
            chunk: The bytes. All but `bytes` is copied first.

        Returns:
            Whether more bytes are needed.

        Raises:
            ValueError: The scanner is finished.
        """
    def finish(self) -> bytes:
        """Return what was found, for `PartJoiner`. Afterwards the scanner is finished.

        Raises:
            ValueError: Bytes are missing, or the scanner is finished.
        """

@final
class PartJoiner:
    """The parts of one file, joined."""

    def __new__(cls, parts: Sequence[bytes]) -> PartJoiner:
        """Join all the parts of a file.

        Args:
            parts: What `RangeScanner.finish` returned, in any order.

        Raises:
            ValueError: One is missing, damaged, of another file, or of another state of it.
        """
    @property
    def in_doubt(self) -> bool:
        """Whether the file must be fed once more, from its first byte on.

        That is so if a summary names a record that may be before it: parts do not keep all records' uuids.
        """
    @property
    def size(self) -> int:
        """The file's size in bytes."""
    @property
    def version(self) -> str:
        """The `version` that was given to the scanners."""
    @property
    def strict(self) -> bool:
        """Whether every byte of every value was checked."""
    def feed(self, chunk: Buffer) -> bool:
        """Take in bytes of the file once more.

        Args:
            chunk: The bytes. All but `bytes` is copied first.

        Returns:
            Whether more bytes are needed.

        Raises:
            ValueError: The joiner is finished.
        """
    def finish(self) -> Transcript:
        """Return what the whole file says. Afterwards the joiner is finished.

        Raises:
            ValueError: It is still in doubt, or the joiner is finished.
        """
