"""Find the transcript that the user means, and show what is kept of it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import UnknownSnapshotError
from ..snapshots import select as rows
from ..stores.locate import StrPath, real_path
from .database import digit_of, folder
from .limits import databases, size_of
from .store import KeptFile, TranscriptVersion

_MIN_PREFIX = 4
"""Characters of a session id that are enough to name it, if no other id begins with them."""


@dataclass(frozen=True, slots=True)
class KeptTranscript:
    """A transcript of which at least one version is kept."""

    path: str
    session_id: str
    versions: int
    contents: int
    """How often it was rewritten, and once: versions that only grew count as one."""
    newest: TranscriptVersion
    stored: int
    """Bytes that its pieces take; what it shares with others counts in each."""
    gone: bool
    """Whether there is no such file any more."""


def kept_transcripts() -> list[KeptTranscript]:
    """Return every transcript of which versions are kept, in the order of their paths.

    Raises `SnapshotError`.
    """
    found: list[KeptTranscript] = []
    for database in databases(folder()):
        with KeptFile.at(database) as kept:
            stored = kept.stored()
            of_path: dict[str, list[TranscriptVersion]] = {}
            for version in kept.versions():
                of_path.setdefault(version.path, []).append(version)
        for path, versions in of_path.items():
            parent, name = os.path.split(path)
            found.append(
                KeptTranscript(
                    path,
                    versions[0].session_id,
                    len(versions),
                    len({version.content for version in versions}),
                    versions[0],
                    stored.get((os.fsencode(parent), os.fsencode(name)), 0),
                    not os.path.lexists(path),
                )
            )
    return sorted(found, key=lambda kept: kept.path)


def kept_bytes() -> int:
    """Return how many bytes all files that hold transcripts take."""
    return size_of(folder())


def kept_sizes() -> dict[str, int]:
    """Return by path how many bytes each transcript had when it was kept last. Raises `SnapshotError`."""
    found: dict[str, int] = {}
    for database in databases(folder()):
        with KeptFile.at(database) as kept:
            found.update({newest.path: newest.size for newest, _ in kept.ends()})
    return found


def transcript_versions(session: StrPath) -> list[TranscriptVersion]:
    """Return the versions of one transcript that are kept, newest first.

    `session`: its id, its path, or the beginning of an id. Raises `UnknownSnapshotError` where no kept
    transcript has that name, or several have, and `SnapshotError`.
    """
    path = find_path(os.fspath(session))
    parent, name = os.path.split(path)
    with KeptFile.at(folder() / f"{digit_of(name)}.db") as kept:
        return kept.versions((os.fsencode(parent), os.fsencode(name)))


def find_path(name: str) -> str:
    """Return the path of the kept transcript that `name` means; errors as in `transcript_versions`."""
    absolute = Path(name).absolute()
    physical = str(Path(real_path(absolute.parent), absolute.name))
    is_name = Path(name).name == name
    wanted = name.lower().removesuffix(".jsonl") if is_name else ""
    digits = digit_of(wanted if is_name else absolute.name)
    paths = list(_paths(folder() / f"{digits}.db"))
    if physical in paths:
        return physical
    found = [path for path in paths if wanted and _session(path) == wanted]
    if not found and len(wanted) >= _MIN_PREFIX:
        found = [path for path in paths if _session(path).startswith(wanted)]
    if not found:
        raise UnknownSnapshotError(
            f"no transcript {name} is kept: `sessscan snapshots --transcripts` lists those that are"
        )
    if len(found) > 1:
        raise UnknownSnapshotError(
            f"{name} may be one of {len(found)} transcripts; give the path: {', '.join(found[:5])}"
        )
    return found[0]


def version_at(versions: list[TranscriptVersion], at: int | None) -> TranscriptVersion:
    """Return the version that a transcript had at a time (epoch ms), or its newest. `versions`: newest first.

    Raises `UnknownSnapshotError` for a time before the oldest version.
    """
    return rows.version(versions, at)


def verify_snapshots() -> list[str]:
    """Read all that is kept of rows and transcripts; return what is wrong, a sentence each.

    Raises `SnapshotError` where a file cannot be read at all.
    """
    problems = rows.problems()
    for database in databases(folder()):
        with KeptFile.at(database) as kept:
            problems += kept.problems()
    return problems


def _paths(database: Path) -> Iterable[str]:
    if not database.exists():
        return ()
    with KeptFile.at(database) as kept:
        return list(_joined(kept.versions()))


def _joined(versions: Iterable[TranscriptVersion]) -> Iterator[str]:
    yield from dict.fromkeys(version.path for version in versions)


def _session(path: str) -> str:
    return Path(path).name.lower().removesuffix(".jsonl")
