"""Tell whether the desktop app lists a session. Its rules are known from its files and from reports."""

from __future__ import annotations

import os
from collections.abc import Iterator

from ..model import Row
from ..reconciliation.inventory import cli_session_id
from ..reconciliation.matching.lost_row import LostRow, Nothing
from ..stores.row_states import LOST_STATES
from ..stores.rows import bare_id, read_file
from ..visibility_result import SurfaceVerdict, VisibilityReason
from .rules import reason
from .subject import Subject

_CANNOT_OPEN = ("dangling", "hollow", "unlinked", "moved", "folder-gone", "remote", "unreadable", "duplicate")
"""The findings about a readable row that say what becomes of it when it is opened."""


def app(subject: Subject) -> SurfaceVerdict:
    """Return whether the desktop app lists the session."""
    inventory, known = subject.inventory, subject.known
    stores = [contents.store for contents in inventory.contents]
    rows = [row for row in known.rows if row.store in stores]
    if rows:
        return _of_rows(subject, rows)
    deleted = _deleted(subject)
    if deleted is not None:
        return SurfaceVerdict("app", "hidden", (deleted,))
    lost = [one for one in known.lost if one.row.store in stores]
    if lost:
        return SurfaceVerdict(
            "app", "hidden", tuple(_lost(subject, one) for one in lost), tuple(_ways_back(subject, lost))
        )
    now = [row for row in inventory.claims.get(subject.name or "", ()) if row not in known.rows]
    if now:
        return SurfaceVerdict("app", "hidden", tuple(map(_continued, now)))
    if known.rows or known.lost:
        others = tuple(_other_account(one) for one in (*known.rows, *(lost.row for lost in known.lost)))
        return SurfaceVerdict("app", "hidden", others)
    unread = [error for contents in inventory.contents for error in contents.errors]
    if unread:
        where = os.fsdecode(unread[0].filename or "")
        return SurfaceVerdict(
            "app", "unknown", (reason("app", "unreadable-store", f"{where} cannot be read."),)
        )
    if not stores:
        return SurfaceVerdict(
            "app", "unknown", (reason("app", "no-store", "No store of the app was found here."),)
        )
    return _without_row(subject)


def _of_rows(subject: Subject, rows: list[Row]) -> SurfaceVerdict:
    remarks = [found.message for found in subject.about(*_CANNOT_OPEN)]
    remarks += [text for row in rows if (text := _account(subject, row)) is not None]
    if not all(row.store.format.transcripts_in_projects for row in rows):
        remarks.append("It is one of the app's Cowork sessions, which have a list of their own.")
    deleted = _deleted(subject)
    if deleted is not None:
        remarks.append("Its row is there all the same. What the app makes of both is not known.")
        return SurfaceVerdict("app", "unknown", (deleted,), tuple(remarks))
    active = [row for row in rows if row.fields.get("isArchived") is not True]
    if active:
        shown = tuple(
            reason("app", "readable-row", f"It can read the row {row.session_id}.") for row in active
        )
        return SurfaceVerdict("app", "shown", shown, tuple(remarks))
    remarks.insert(0, "Reports disagree on whether the app's filter for archived sessions shows it.")
    archived = tuple(
        reason("app", "archived", f"The row {row.session_id} says that it is archived.") for row in rows
    )
    return SurfaceVerdict("app", "hidden", archived, tuple(remarks))


def _account(subject: Subject, row: Row) -> str | None:
    """Return whose list a row is in, where there are several accounts on this machine."""
    others = {
        contents.store.path
        for contents in subject.inventory.every_store()
        if contents.store.format == row.store.format
    }
    if len(others) < 2:
        return None
    organisation = os.path.basename(row.store.path)  # noqa: PTH119 - a str is at hand
    account = os.path.basename(os.path.dirname(row.store.path))  # noqa: PTH119, PTH120
    return (
        f"It is in the list of the account {account}, organisation {organisation}, while that is signed in: "
        f"there are {len(others):,} such lists here."
    )


def _lost(subject: Subject, lost: LostRow) -> VisibilityReason:
    state = LOST_STATES[lost.row.state]
    found = next((one.message for one in subject.findings if one.path == lost.path), None)
    detail = found or f"The app cannot read its row: {state.problem}."
    return reason("app", "unreadable-row", f"{lost.session_id}: {detail}", lost.row.mtime or None)


def _ways_back(subject: Subject, lost: list[LostRow]) -> Iterator[str]:
    for one in lost:
        for action in subject.planned:
            if action.path == one.path and action.kind == "restore":
                yield f"`sessscan reconcile --apply` puts the row {one.session_id} back."
            elif action.path == one.path:
                yield f"The row {one.session_id} is held: {action.error}. `sessscan reconcile` shows more."


def _continued(row: Row) -> VisibilityReason:
    detail = (
        f"The row {row.session_id} named it before, and names {cli_session_id(row) or 'no transcript'} now."
    )
    return reason("app", "continued-row", detail)


def _other_account(row: Row) -> VisibilityReason:
    return reason("app", "other-account", f"Its row is in another store than those asked for: {row.path}.")


def _without_row(subject: Subject) -> SurfaceVerdict:
    begun = next((file.transcript.born_in for file in subject.files if file.transcript.born_in), None)
    remarks = list(_rows_that_may_be_its(subject))
    paths = set(subject.known.paths())
    if any(found.rule == "orphan" and found.path in paths for found in subject.findings):
        detail = "It was begun in the app, and no row that the app can read names it."
        if not remarks:
            remarks.append("`sessscan reconcile --adopt` makes a row for it.")
    elif not subject.files:
        detail = "No row names it."
    elif subject.is_desktop:
        detail = "It was begun in the app, and no row names it."
    else:
        detail = f"It was not begun in the app ({f'entrypoint {begun}' if begun else 'no entrypoint'})."
    return SurfaceVerdict("app", "hidden", (reason("app", "no-row", detail),), tuple(remarks))


def _rows_that_may_be_its(subject: Subject) -> Iterator[str]:
    """Yield a sentence about each row that is lost, or has lost its link, and may be the session's."""
    for action in subject.planned:
        if action.kind == "relink" and action.cli_session_id == subject.name:
            yield (
                f"The row {action.session_id} has lost its link to it: `sessscan reconcile --apply` links it "
                "again."
            )
        elif any(one.cli_session_id == subject.name for one in action.candidates):
            what = "which has lost its link" if action.path in subject.state.unlinked else "whose row is lost"
            yield (
                f"It may be the session of {action.session_id}, {what}: `sessscan reconcile` shows that row "
                "with its candidates."
            )


def _deleted(subject: Subject) -> VisibilityReason | None:
    """Return the mark that says that the user deleted the session, if there is one."""
    inventory = subject.inventory
    ids = {*subject.row_ids, *({subject.name} if subject.name else ()), *subject.known.ids}
    for contents in inventory.every_store():
        for name, path in contents.deletions:
            if name in ids:
                return reason("app", "deleted", f"{path} says that you deleted it.", _time_in(path))
    if subject.name is not None and subject.name in inventory.released:
        at = inventory.released[subject.name]
        detail = f"{subject.name}.desktop-released.json beside the transcript says that you deleted it."
        return reason("app", "deleted", detail, at)
    deleted = [one for one in subject.known.lost if isinstance(subject.state.verdict(one), Nothing)]
    if deleted:
        return reason("app", "deleted", f"{bare_id(deleted[0].session_id)} was deleted.")
    return None


def _time_in(path: str) -> int | None:
    """Return the time that a mark of deletion holds, epoch ms."""
    try:
        text = read_file(path, 64)[0].decode("ascii").strip()
    except (OSError, ValueError):
        return None
    return int(text) if text.isdigit() and len(text) == 13 else None
