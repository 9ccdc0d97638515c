"""Scan transcripts for what the matching of lost rows asks beyond their summaries."""

from collections.abc import Sequence
from os import PathLike
from typing import Literal, final

@final
class Details:
    """The titles, directories, activity and uuids of one transcript, all bounded in number."""

    @property
    def path(self) -> str:
        """The file, as it was given."""
    @property
    def error(self) -> OSError | None:
        """Why the file could not be read; all else is then empty."""
    @property
    def titles(self) -> list[tuple[int, Literal["custom", "ai"], str, int | None]]:
        """The titles as (line, source, title, after), in file order: an entry whenever the title differs from
        the one before of the same source. `after` is the last timestamp in a record before it, in epoch
        milliseconds. The last 10,000."""
    def title_line(self, source: Literal["custom", "ai"], value: str) -> int | None:
        """Return the last line that gives a title.

        Args:
            source: Who gave it.
            value: The title.

        Returns:
            The line, from 1; None if no line gives it.

        Raises:
            ValueError: There is no such source of title records.
        """
    def title_at(self, source: Literal["custom", "ai"], time: float) -> str | None:
        """Return the title that stood at a time.

        Titles have no timestamps of their own: one counts from the next record with a timestamp on, since it
        may have been given only shortly before that.

        Args:
            source: Who gave it.
            time: The time, in epoch milliseconds.

        Returns:
            The last title of this source that counted before the first record later than `time`, if any.

        Raises:
            ValueError: There is no such source of title records.
        """
    @property
    def cwds(self) -> list[tuple[int, str]]:
        """The working directories as (line, directory), an entry whenever it differs from the one before.
        The first 10,000."""
    @property
    def activity(self) -> list[tuple[int, int]]:
        """First and last time of each span of activity, in epoch milliseconds, sorted.

        All top-level timestamps count. Neighbours less than 60,000 ms apart are in one span, so that a
        question whether anything happened in a window can only err towards yes. The gap is doubled, as often
        as need be, as soon as there are more than 4,096 spans.
        """
    @property
    def uuid_count(self) -> int:
        """How many different top-level uuids the records have.

        Exact up to 65,536 pairs of a uuid and a session id. Of more, only those whose 64-bit hash lies below
        a threshold are kept, and this and the counts below are scaled accordingly; the error is then about
        half a per cent of this number.
        """
    def count_shared(self, other: Details) -> int:
        """Return how many of the different uuids another file has too.

        Args:
            other: The other file's details.
        """
    def count_shared_under(self, other: Details, session_id: str | None = None) -> int:
        """Return how many records have a uuid that another file has too, and a certain session id.

        Args:
            other: The other file's details.
            session_id: The session id, whatever the case of its letters; None: any, or none. Of a file with
                records of more than 255 sessions, those of further sessions count as having none.
        """

def details(paths: Sequence[str | PathLike[str]], *, threads: int | None = None) -> list[Details]:
    """Scan many transcripts for their details, in the order given.

    Args:
        paths: The transcripts.
        threads: How many threads, the calling one included; None: as many as there are processors.

    Returns:
        One `Details` for each path. One that cannot be read has its `error` set.
    """
