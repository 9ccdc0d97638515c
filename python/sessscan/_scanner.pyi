"""Scan bytes as they come."""

from typing import final

from typing_extensions import Buffer

from ._transcript import Transcript

@final
class Scanner:
    """A scan of a transcript that comes in pieces; its state can be saved and restored.

    Memory grows only with the longest line, and by 16 bytes for each record with a uuid, since an old
    `summary` may name any of them.
    """

    def __new__(cls, session_id: str | None = None, *, strict: bool = False) -> Scanner:
        """Start a scan.

        Args:
            session_id: The session's id. Without it the timestamps of all records count.
            strict: As for `scan`.
        """
    def feed(self, chunk: Buffer) -> None:
        """Take in more bytes, cut anywhere.

        Args:
            chunk: The bytes. All but `bytes` is copied first.

        Raises:
            ValueError: The scanner is finished.
        """
    def finish(self) -> Transcript:
        """Return what all of it says. Afterwards the scanner is finished.

        Raises:
            ValueError: The scanner is finished.
        """
    def state(self) -> bytes:
        """Return all that must be known to go on later, in another process too.

        Raises:
            ValueError: The scanner is finished.
        """
    @staticmethod
    def restore(state: bytes) -> Scanner:
        """Return a scanner that goes on from a saved state.

        Args:
            state: What `state` returned.

        Raises:
            ValueError: It is damaged, or of a version that this one does not know: scan anew.
        """
    @property
    def size(self) -> int:
        """How many bytes were taken in so far."""
