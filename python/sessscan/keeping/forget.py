"""Remove every trace of a session from sessscan's own state."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..changes.journal import Journal, runs
from ..changes.lock import exclusive
from ..errors import SnapshotError, UnknownSnapshotError
from ..scan_cache.cache import Cache
from ..snapshots.store import Snapshots
from ..state import home
from ..stores.locate import TRANSCRIPT_NAME
from .assemble import remove_assembled
from .database import digit_of, folder
from .store import KeptFile

SCHEMA = "sessscan.forget/1"


@dataclass(frozen=True)
class Forgotten:
    """What was removed of a session."""

    session_id: str
    transcripts: tuple[str, ...]
    """The paths of the transcripts of which versions were kept."""
    versions: int
    rows: tuple[str, ...]
    """The paths of the rows of which snapshots were kept."""
    runs: tuple[str, ...]
    """The runs whose journals were removed: they cannot be undone any more."""
    remarks: tuple[str, ...]
    """What still names the session, in sentences for the user."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that `sessscan forget --format json` prints."""
        return {
            "schema": SCHEMA,
            "session_id": self.session_id,
            "transcripts": list(self.transcripts),
            "versions": self.versions,
            "rows": list(self.rows),
            "runs": list(self.runs),
            "remarks": list(self.remarks),
        }


def forget(session: str) -> Forgotten:
    """Remove what sessscan's own state holds of a session: versions of its transcript, snapshots of its rows,
    what was read of it, and the journals of runs that changed nothing else. No store is written.

    `session`: the whole id of the session, or the path of its transcript.

    Raises:
        UnknownSnapshotError: that is no id.
        LockedError, RefusedError: another sessscan is writing.
        SnapshotError: a file cannot be written; or another process reads it, so that traces may be left.
    """
    name = Path(session).name
    uuid = name.removesuffix(".jsonl").lower()
    if not TRANSCRIPT_NAME.fullmatch(f"{uuid}.jsonl"):
        raise UnknownSnapshotError(
            f"{session} is not a session's whole id: `sessscan snapshots --transcripts` shows the ids"
        )
    state = home()
    if not state.is_dir():
        return Forgotten(uuid, (), 0, (), (), ())
    with exclusive(state):
        transcripts, versions = _forget_transcripts(uuid)
        rows = _forget_rows(uuid)
        names = {Path(row).stem for row in rows}
        removed, remarks = _forget_runs(uuid, names)
        try:
            Cache(state).discard()
        except OSError as error:
            raise SnapshotError(f"{error.filename}: {error.strerror}") from error
    for aside in sorted([*state.glob("*.damaged*"), *folder().glob(f"{digit_of(uuid)}.db.damaged*")]):
        remarks.append(f"{aside} is damaged and may still hold something of the session: remove it")
    return Forgotten(uuid, tuple(transcripts), versions, tuple(rows), tuple(removed), tuple(remarks))


def _forget_transcripts(uuid: str) -> tuple[list[str], int]:
    database = folder() / f"{digit_of(uuid)}.db"
    remove_assembled(uuid)
    if not database.exists():
        return [], 0
    with KeptFile.at(database) as kept:
        found = [version for version in kept.versions() if version.session_id == uuid]
        keys = [
            (parent, name)
            for parent, name, _ in kept.signatures()
            if os.fsdecode(name).lower().removesuffix(".jsonl") == uuid
        ]
        with kept.transaction():
            for key in keys:
                kept.drop_transcript(key)
        kept.shrink()
    return list(dict.fromkeys(version.path for version in found)), len(found)


def _forget_rows(uuid: str) -> list[str]:
    snapshots = Snapshots.open_existing()
    if snapshots is None:
        return []
    with snapshots:
        return snapshots.forget(uuid)


def _forget_runs(uuid: str, rows: set[str]) -> tuple[list[str], list[str]]:
    """Remove the journals of runs that changed nothing but this session; say which others name it."""
    removed, remarks = [], []
    for run in runs()[0]:
        own = [entry.session_id in rows or uuid in Path(entry.path).name.lower() for entry in run.entries]
        if all(own):
            with contextlib.suppress(OSError):
                Journal(run.id, run.journal).discard()
                removed.append(run.id)
                continue
        if any(own):
            remarks.append(
                f"{run.journal} still names the session: run {run.id} changed others too, and could not be "
                "undone without it"
            )
    return removed, remarks
