"""Scan many files of which some are known: the core of `sessscan.scan_cache`."""

from collections.abc import Callable, Sequence
from os import PathLike
from typing import final

from ._transcript import Transcript

@final
class Rescan:
    """A scan of many files of which some are known from earlier scans. It keeps nothing itself.

    To be called in this order: `know` with the entries of its `shards`, `know_states` with the states of its
    `shards_of_states`, `scan`, and `merge` for the shards that `changed`. Bytes that were not written by this
    version are ignored.
    """

    def __new__(cls, paths: Sequence[str | PathLike[str]], *, strict: bool = False, boot: str = "") -> Rescan:
        """Look at the files, without opening them.

        Args:
            paths: The transcripts.
            strict: As for `scan`.
            boot: Names the run of the system since it was started, differently each time; empty: it is not
                known. What another boot may have kept in memory only is read again.
        """
    def shards(self) -> list[int]:
        """Return the shards, of 256, whose entries are to be given to `know`."""
    def know(self, shard: int, entries: bytes) -> None:
        """Take the entries of a shard.

        Raises:
            ValueError: There is no such shard.
        """
    def shards_of_states(self) -> list[int]:
        """Return the shards whose states are to be given to `know_states`, once all entries were given."""
    def know_states(self, shard: int, states: bytes) -> None:
        """Take the states of a shard.

        Raises:
            ValueError: There is no such shard.
        """
    def scan(
        self, *, threads: int | None = None, progress: Callable[[int, int], object] | None = None
    ) -> list[Transcript]:
        """Scan the files, but read only what is not known.

        Args:
            threads: As for `scan_many`.
            progress: As for `scan_many`. The total is the number of bytes that are to be read.

        Returns:
            What `scan_many` returns.
        """
    def changed(self) -> list[int]:
        """Return the shards to be written afterwards."""
    def merge(self, shard: int, entries: bytes, states: bytes) -> tuple[bytes, bytes]:
        """Return a shard's new entries and states. To be called once for each shard.

        Args:
            shard: The shard.
            entries: The entries it has now: another process may have written it meanwhile.
            states: The states it has now.

        Raises:
            ValueError: There is no such shard.
        """
