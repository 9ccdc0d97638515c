"""One row, put back as a snapshot has it, because the user says so."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from ..changes.plan import Plan
from ..errors import RefusedError
from ..model import Action, Evidence, Finding, Fingerprint, Store
from ..snapshots import select as choice
from ..snapshots.store import KeptRow, RowVersion, Snapshots
from ..stores.locate import REGISTRIES
from ..stores.row_states import LOST_STATES
from ..stores.rows import bare_id, classify_row, read_file, read_store, readable_members
from .inventory import UUID


@dataclass(frozen=True)
class Restoration:
    """The plan for one row, and what it is about."""

    plan: Plan
    """Without an action where the row is already what it would become."""
    version: RowVersion
    before: bytes | None
    """The row's content now; None where it is not there."""


def restore(snapshots: Snapshots, name: str, at: int | None = None) -> Restoration:
    """Plans to put one row back byte for byte as it was at `at` (epoch ms), or as its newest snapshot has it.

    `name`: its path, file name, session id, or the beginning of one. Raises `ValueError` where there is no
    such row or no snapshot that old, `RefusedError` where it must not be written, `SnapshotError`.
    """
    kept = choice.find_row(snapshots.rows(), name)
    version = choice.version(snapshots.versions(kept.path), at)
    content = version.data
    store = _store(kept)
    if classify_row(content, kept.session_id, store.format)[0] != "ok":
        raise RefusedError(f"the snapshot of {kept.path} is no row that the app could read")
    contents = read_store(store)
    for deleted in (bare_id(kept.session_id), version.cli_session_id):
        if deleted in contents.tombstones:
            raise RefusedError(f"{kept.session_id} was deleted in the app, and deleted sessions stay deleted")
    target, before = _target(kept.path)
    actions, findings = [], []
    if before != content:
        actions.append(_action(kept, version, content, target))
    if before is None:
        message = "The row is gone. So the session is missing from its list."
        findings.append(Finding("missing", "error", kept.path, message, kept.session_id))
    else:
        state, offset, length = classify_row(before, kept.session_id, store.format)
        if state != "ok":
            message = f"The app cannot read this row: {LOST_STATES[state].words}."
            findings.append(
                Finding(state, "error", kept.path, message, kept.session_id, None, offset, length)
            )
    remarks = tuple(
        f"{row.session_id} names the same transcript: with both rows the conversation is listed twice"
        for row in contents.rows
        if row.state == "ok" and row.session_id != kept.session_id
        if version.cli_session_id and row.fields.get("cliSessionId") == version.cli_session_id
    )
    plan = Plan(
        ((store, len(contents.rows)),),
        len(contents.rows),
        0,
        0,
        tuple(findings),
        tuple(actions),
        None,
        remarks,
    )
    return Restoration(plan, version, before)


def _store(kept: KeptRow) -> Store:
    folder = Path(kept.path).parent
    registry = folder.parent.parent
    if registry.name in REGISTRIES:
        return Store(str(folder), str(registry.parent), REGISTRIES[registry.name])
    return Store(str(folder), None)


def _target(path: str) -> tuple[Fingerprint, bytes | None]:
    """What stands in the row's place."""
    try:
        status = os.lstat(path)
        data, _ = read_file(path, status.st_size)
    except FileNotFoundError:
        return Fingerprint(path, False), None
    except OSError as error:
        raise RefusedError(f"{path} cannot be replaced: {error.strerror or error}") from error
    digest = hashlib.sha256(data).hexdigest()
    return Fingerprint(path, True, len(data), status.st_mtime_ns, status.st_ino, digest), data


def _action(kept: KeptRow, version: RowVersion, content: bytes, target: Fingerprint) -> Action:
    row = readable_members(content)
    folder = Path(kept.path).parent
    tombstones = [bare_id(kept.session_id)]
    if version.cli_session_id is not None and UUID.fullmatch(version.cli_session_id):
        tombstones.append(version.cli_session_id)
    return Action(
        kind="restore",
        path=kept.path,
        session_id=kept.session_id,
        cli_session_id=version.cli_session_id,
        source="snapshot",
        evidence=(Evidence("snapshot", "you asked for this snapshot of it"),),
        row=row,
        provenance=dict.fromkeys(row, "its snapshot"),
        content=content,
        rests_on=(target, *(Fingerprint(str(folder / f"deleted_{name}"), False) for name in tombstones)),
    )
