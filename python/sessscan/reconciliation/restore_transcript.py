"""Put one transcript back as it was kept, because the user asks for it."""

from __future__ import annotations

import datetime
import os
import stat
from dataclasses import dataclass, replace
from pathlib import Path

from .. import _core
from ..changes.plan import Plan, Report
from ..errors import RefusedError
from ..keeping.assemble import assembled
from ..keeping.capture import TranscriptsReport, keep_transcripts
from ..keeping.database import folder
from ..keeping.select import transcript_versions, version_at
from ..keeping.store import KeptFile, TranscriptVersion
from ..model import Action, Evidence, Fingerprint, Progress
from ..stores.beside_transcripts import released
from ..stores.locate import StrPath


@dataclass(frozen=True, kw_only=True)
class TranscriptRestorePlan(Plan):
    """The plan to put one transcript back. It has no action where the file holds just that already."""

    version: TranscriptVersion
    """What it will be."""
    size: int | None
    """Bytes that the file has now; None where there is none."""

    def apply(self, *, exact: bool = False, force: bool = False, progress: Progress | None = None) -> Report:
        """Keep the transcript as it is now, then carry the plan out as `Plan.apply` does.

        Raises `SnapshotError` before anything is written if what is kept cannot be read, and else as
        `Plan.apply`.
        """
        if not self.actions:
            return super().apply(exact=exact, force=force, progress=progress)
        kept = TranscriptsReport(folder=folder(make=True))
        if self.size is not None:
            keep_transcripts([self.version.path], kept)
        with assembled(self.version) as source:
            [action] = self.actions
            plan = Plan((), 0, self.transcripts, self.bytes, (), (replace(action, assembled=source),))
            report = plan.apply(exact=exact, force=force, progress=progress)
        # What it is now is then what was kept last, and the next call finds nothing to put back.
        keep_transcripts([self.version.path], kept)
        return replace(report, actions=tuple(replace(each, assembled=None) for each in report.actions))


def restore_transcript(session: StrPath, at: int | None = None) -> TranscriptRestorePlan:
    """Plan to put one transcript back, byte for byte, as it was at a time.

    By default as it was last kept; where it is just that, and had been longer before it was rewritten, as it
    was then. Making the plan writes nothing. Applying it first keeps the present transcript too.

    Args:
        session: its id, the path of its transcript, or the beginning of an id.
        at: epoch ms.

    Raises:
        UnknownSnapshotError: no kept transcript has that name, several have, or none was kept that early.
        RefusedError: there is something in its place that cannot be replaced.
        SnapshotError: what is kept cannot be read.
    """
    versions = transcript_versions(session)
    wanted = version_at(versions, at)
    path = wanted.path
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        target = Fingerprint(path, False)
    except OSError as error:
        raise RefusedError(f"{path} cannot be replaced: {error.strerror or error}") from error
    else:
        if not stat.S_ISREG(status.st_mode):
            raise RefusedError(f"{path} cannot be replaced: it is not a regular file")
        target = Fingerprint(path, True, status.st_size, status.st_mtime_ns, status.st_ino)
    same = target.exists and _is_at(wanted)
    if same and at is None:
        before = next((one for one in versions if one.content != wanted.content), wanted)
        if before.size > wanted.size:
            wanted, same = before, False
    action = Action(
        kind="restore-transcript",
        path=path,
        session_id=None,
        cli_session_id=wanted.session_id,
        transcript=path,
        source="snapshot",
        evidence=(Evidence("snapshot", "you asked for it"),),
        rests_on=(target,),
    )
    return TranscriptRestorePlan(
        stores=(),
        rows=0,
        transcripts=1,
        bytes=wanted.size,
        findings=(),
        actions=() if same else (action,),
        remarks=tuple(_remarks(path)),
        version=wanted,
        size=target.size if target.exists else None,
    )


def _is_at(version: TranscriptVersion) -> bool:
    """Tell whether the file holds the bytes of a version and nothing else."""
    if Path(version.path).stat().st_size != version.size:
        return False
    with KeptFile.at(version.database) as kept:
        for part in kept.parts(version.content):
            if part.end <= version.size:
                if _core.digest(version.path, part.begin, part.end) != part.sha256:
                    return False
            elif part.begin < version.size:
                with Path(version.path).open("rb") as file:
                    file.seek(part.begin)
                    if file.read(version.size - part.begin) != kept.piece(part)[: version.size - part.begin]:
                        return False
    return True


def _remarks(path: str) -> list[str]:
    parent, name = os.path.split(path)
    mark = released(parent, name.removesuffix(".jsonl"))
    if mark is None or not mark.deleted:
        return []
    when = (
        ""
        if mark.at is None
        else f" at {datetime.datetime.fromtimestamp(mark.at / 1000, datetime.UTC):%F %T} UTC"
    )
    return [f"its session was deleted in the app{when}: the app may remove the transcript again"]
