"""Put one row back as a snapshot has it, because the user asks for it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..changes.plan import Plan, Report
from ..errors import RefusedError
from ..model import Action, Evidence, Finding, Fingerprint, Progress, Store
from ..rules import finding
from ..snapshots.capture import capture_rows
from ..snapshots.select import find_row, open_snapshots, version
from ..snapshots.store import RowVersion
from ..stores.locate import REGISTRIES, StrPath
from ..stores.row_states import LOST_STATES, MISSING
from ..stores.rows import bare_id, classify_row, read_file, read_store, readable_members
from .inventory import UUID


@dataclass(frozen=True, kw_only=True)
class RestorePlan(Plan):
    """The plan to put one row back. It has no action where the row is already as the snapshot has it."""

    version: RowVersion
    """The snapshot."""
    before: bytes | None
    """The row's present content; None where there is no row."""

    def apply(self, *, exact: bool = False, force: bool = False, progress: Progress | None = None) -> Report:
        """Take a snapshot of the row as it is, then carry the plan out as `Plan.apply` does.

        Raises `SnapshotError` before anything is written if the snapshot cannot be taken, and else as
        `Plan.apply`. A row that the app cannot read is not kept: its backup beside it is.
        """
        if self.actions:
            with open_snapshots() as snapshots:
                capture_rows(snapshots, [self.version.path])
        return super().apply(exact=exact, force=force, progress=progress)


def restore(row: StrPath, at: int | None = None) -> RestorePlan:
    """Plan to put one row back, byte for byte, as it was at a time, by default as its newest snapshot has it.

    Making the plan writes nothing. Applying it first keeps the present row as a snapshot too.

    Args:
        row: the row's path, file name or session id, or the beginning of one.
        at: epoch ms.

    Raises:
        UnknownSnapshotError: no kept row has that name, several have, or no snapshot is that old.
        RefusedError: the row must not be put back: its session was deleted, or it cannot be replaced.
        SnapshotError: the snapshots cannot be read.
    """
    with open_snapshots() as snapshots:
        kept = find_row(snapshots.rows(), os.fspath(row))
        wanted = version(snapshots.versions(kept.path), at)
        content = wanted.data
    store = _store_of(wanted.path)
    if classify_row(content, wanted.session_id, store.format)[0] != "ok":
        raise RefusedError(f"the snapshot of {wanted.path} is not a row that the app could read")
    contents = read_store(store)
    if contents.tombstones & {bare_id(wanted.session_id), wanted.cli_session_id}:
        raise RefusedError(f"{wanted.session_id} was deleted in the app, and deleted sessions stay deleted")
    target, before = _read_target(wanted.path)
    remarks = tuple(
        f"{other.session_id} names the same transcript: with both rows the conversation is listed twice"
        for other in contents.rows
        if other.state == "ok" and other.session_id != wanted.session_id
        if wanted.cli_session_id and other.fields.get("cliSessionId") == wanted.cli_session_id
    )
    return RestorePlan(
        stores=((store, len(contents.rows)),),
        rows=len(contents.rows),
        transcripts=0,
        bytes=0,
        findings=tuple(_findings(wanted, before, store)),
        actions=() if before == content else (_action(wanted, content, target),),
        remarks=remarks,
        version=wanted,
        before=before,
    )


def _store_of(path: str) -> Store:
    folder = Path(path).parent
    registry = folder.parent.parent
    if registry.name in REGISTRIES:
        return Store(str(folder), str(registry.parent), REGISTRIES[registry.name])
    return Store(str(folder), None)


def _read_target(path: str) -> tuple[Fingerprint, bytes | None]:
    """Read the file that would be replaced."""
    try:
        status = os.lstat(path)
        data, _ = read_file(path, status.st_size)
    except FileNotFoundError:
        return Fingerprint(path, False), None
    except OSError as error:
        raise RefusedError(f"{path} cannot be replaced: {error.strerror or error}") from error
    digest = hashlib.sha256(data).hexdigest()
    return Fingerprint(path, True, len(data), status.st_mtime_ns, status.st_ino, digest), data


def _findings(wanted: RowVersion, before: bytes | None, store: Store) -> Iterator[Finding]:
    path, session_id = wanted.path, wanted.session_id
    if before is None:
        message = "The row is gone. So the session is missing from its list."
        yield finding(MISSING, path, message, session_id=session_id)
        return
    state, offset, length = classify_row(before, session_id, store.format)
    if state != "ok":
        message = f"The app cannot read this row: {LOST_STATES[state].problem}."
        yield finding(state, path, message, session_id=session_id, offset=offset, length=length)


def _action(wanted: RowVersion, content: bytes, target: Fingerprint) -> Action:
    row = readable_members(content)
    folder = Path(wanted.path).parent
    names = [bare_id(wanted.session_id)]
    if wanted.cli_session_id is not None and UUID.fullmatch(wanted.cli_session_id):
        names.append(wanted.cli_session_id)
    return Action(
        kind="restore",
        path=wanted.path,
        session_id=wanted.session_id,
        cli_session_id=wanted.cli_session_id,
        source="snapshot",
        evidence=(Evidence("snapshot", "you asked for this snapshot of it"),),
        row=row,
        provenance=dict.fromkeys(row, "its snapshot"),
        content=content,
        rests_on=(target, *(Fingerprint(str(folder / f"deleted_{name}"), False) for name in names)),
    )
