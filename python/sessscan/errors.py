"""Define the errors that Python has no exception for: one tree, with `SessscanError` at its root.

Where Python has one (`FileNotFoundError`, `PermissionError`, …) that one is raised, with `errno` and
`filename` set. The core raises the classes defined here, not copies of them.
"""


class SessscanError(Exception):
    """The base of all of sessscan's own errors."""


# The caller asked for something that makes no sense: exit status 2


class UsageError(SessscanError, ValueError):
    """A request that makes no sense. The text says what is wrong with it, in words for the user."""


class MatchError(UsageError):
    """A `--match ROW=TRANSCRIPT` that names nothing, the same twice, or what must not be matched."""


class UnknownRuleError(UsageError):
    """A rule name that no finding bears."""


class TooLargeError(UsageError):
    """A damaged line, or a transcript in UTF-16, that is too large to be repaired."""


class UnknownRunError(UsageError):
    """A run id that no journal bears."""


class UnknownSnapshotError(UsageError):
    """A row or a time for which no snapshot is kept, or a name that several rows fit."""


class TimeFormatError(UsageError):
    """A text that is not a point in time."""


class OutputFileError(UsageError):
    """An output that cannot be written where it was asked for. Nothing was read or written yet."""


# sessscan refuses to write: exit status 3


class RefusedError(SessscanError):
    """A refusal to write now. Nothing was written."""


class AppRunningError(RefusedError):
    """The desktop app is running: it would overwrite a restored row from its memory."""


class ProcessListError(RefusedError):
    """The system does not list its processes, so it is not known whether the desktop app is running."""


class LockedError(RefusedError):
    """Another sessscan is writing."""


class PlanChangedError(RefusedError):
    """A file the plan rests on has changed since the plan was made."""


class InsecureStateError(RefusedError):
    """sessscan's own state belongs to another user or others can write it, so it cannot be trusted."""

    def __init__(self, reason: str, path: object) -> None:
        super().__init__(
            f"{reason}, and what is kept there decides what is written into your stores. If you trust its "
            f"content: chmod go-w '{path}' (or chown it); or choose another folder with SESSSCAN_HOME; or "
            "give --insecure-state"
        )


# One file cannot be read or written: exit status 4, or 5 for `UnconfirmedError`


class ConflictError(SessscanError):
    """A file does not hold what it was expected to hold. It was left as it is and nothing was written."""


class UnconfirmedError(SessscanError):
    """The new content is in place, but the disk did not confirm that it will survive a power cut."""


class UnbuildableError(SessscanError):
    """A row that cannot be built. The text says why."""


# A file of sessscan's own cannot be used


class PlanFileError(SessscanError):
    """A plan file that is damaged, of an unknown version, or asks for more than a plan may."""


class JournalError(SessscanError):
    """The journal of a run that is missing, unreadable or of an unknown version."""


class SnapshotError(SessscanError):
    """Snapshots that cannot be read or written, or were written by a newer sessscan."""


class DamagedSnapshotsError(SnapshotError):
    """A snapshot database that is damaged."""


def describe(error: Exception) -> str:
    """Return an error in words for the user, with the file it is about."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return str(error)
