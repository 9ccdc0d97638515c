"""What can go wrong that Python has no exception of its own for.

Where Python has one (`FileNotFoundError`, `PermissionError`, …) that one is raised, with `errno` and
`filename` set. The core raises these very classes.
"""


class SessscanError(Exception):
    """The base of every error of sessscan's own."""


class ConflictError(SessscanError):
    """A file is not what it was expected to be; it was left as it is and nothing was written."""


class UnconfirmedError(SessscanError):
    """The new content is in place, but the disk would not confirm that it will survive a power cut."""


class RefusedError(SessscanError):
    """sessscan will not write now; nothing was written."""


class AppRunningError(RefusedError):
    """The desktop app is running: it would overwrite a repaired row from its memory."""


class LockedError(RefusedError):
    """Another sessscan is writing."""


class PlanChangedError(RefusedError):
    """Something the plan rests on is no longer what it was when the plan was made."""


class PlanFileError(SessscanError):
    """A plan file is damaged, of a version this sessscan does not know, or asks for more than a plan may."""


class JournalError(SessscanError):
    """The journal of a run is missing, unreadable or of a version this sessscan does not know."""


class SnapshotError(SessscanError):
    """The snapshots cannot be read or written, or a newer sessscan has written them."""
