"""Print snapshots, the differences between versions, and the restoration of one row, as text or JSON."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from ..changes.plan import Plan, Report
from ..errors import SnapshotError
from ..snapshots.capture import SnapshotReport
from ..snapshots.diff import Difference, differences
from ..snapshots.store import KeptRow, RowVersion
from .screen import Page
from .text import command, counted, folded, moment, reasons, size, when

SCHEMA = "sessscan.snapshots/1"

FAINT, TYPE = "dim", "cyan"


def print_snapshot(report: SnapshotReport, given: Sequence[str]) -> None:
    """Print what `sessscan snapshot` did. `given`: the options for the command that is suggested."""
    captured = report.captured
    if not report.stores:
        page = Page()
        page.prose("There is no session store of the desktop app here.", style="bold")
        page.prose("If it lies elsewhere than usual on this platform, say where: --store DIR.")
    else:
        page = Page()
        new = counted(len(captured.kept), "row has changed and was", "rows have changed and were")
        page.prose(f"{new} kept anew; {captured.unchanged:,} had not changed.", style="bold")
        if captured.passed_over:
            many = counted(len(captured.passed_over), "row was", "rows were")
            why = reasons(captured.passed_over)
            page.prose(f"{many} not kept ({why}): older snapshots of them stay. To see what can be done:")
            page.whole(command(["sessscan", "reconcile", *given]), indent=2, style=TYPE)


def rows_document(rows: Sequence[KeptRow]) -> dict[str, Any]:
    """Return the rows of which snapshots are kept as a JSON object, schema `sessscan.snapshots/1`."""
    return {"schema": SCHEMA, "rows": [_row(kept) for kept in rows]}


def print_rows(rows: Sequence[KeptRow]) -> None:
    """Print every row of which snapshots are kept."""
    page = Page()
    if not rows:
        page.prose("There are no snapshots yet: `sessscan snapshot` and `sessscan reconcile` take them.")
        return
    folder = None
    for kept in rows:
        path = PurePath(kept.path)
        if path.parent != folder:
            if folder is not None:
                page.gap()
            folder = path.parent
            page.whole(str(folder), style=FAINT)
        newest = kept.newest
        deleted = "; deleted" if kept.deleted else ""
        title = folded(newest.title or "") or "(no title)"
        page.prose(title, lead=f"{when(newest.taken_at)}  ", indent=2)
        page.whole(f"{kept.session_id}, {counted(kept.versions, 'version')}{deleted}", indent=20, style=FAINT)
    page.gap()
    page.prose("Times are UTC. To see the versions of a row and how they differ:")
    page.whole(command(["sessscan", "snapshots", rows[0].session_id]), indent=2, style=TYPE)


def _changes(contents: Sequence[bytes | None]) -> list[list[Difference] | None]:
    """Return what differs between each version and the one before; None if one of them cannot be read."""
    return [
        None if old is None or new is None else differences(old, new)
        for new, old in itertools.pairwise([*contents, None])
    ]


def versions_document(versions: Sequence[RowVersion]) -> dict[str, Any]:
    """Return the versions of one row, newest first, as a JSON object, schema `sessscan.snapshots/1`."""
    changes = _changes([_content(version) for version in versions])
    entries = [
        {**_version(version), "changes": None if found is None else [_difference(one) for one in found]}
        for version, found in zip(versions, changes, strict=True)
    ]
    first = versions[0]
    return {"schema": SCHEMA, "path": first.path, "session_id": first.session_id, "versions": entries}


def print_versions(versions: Sequence[RowVersion]) -> None:
    """Print the versions of one row, newest first, each with what differs from the one before."""
    contents = [_content(version) for version in versions]
    page = Page()
    page.prose(folded(versions[0].title or "") or "(no title)", style="bold")
    page.whole(versions[0].path, style=FAINT)
    for version, content, found in zip(versions, contents, _changes(contents), strict=True):
        page.gap()
        page.prose(f"{moment(version.taken_at)} UTC, {size(version.size)}", style="bold")
        page.prose(f"written {moment(version.modified_ns // 1_000_000)} UTC", indent=2, style=FAINT)
        if content is None:
            page.prose("this version cannot be read: the database is damaged", indent=2, lead="! ")
        elif found is not None:
            _print_differences(page, found)
    page.gap()
    page.prose("To put a version back:")
    wanted = versions[min(1, len(versions) - 1)]
    time = f"{moment(wanted.taken_at).replace(' ', 'T')}Z"
    page.whole(command(["sessscan", "restore", wanted.session_id, "--at", time]), indent=2, style=TYPE)


def print_restoration(
    version: RowVersion, before: bytes | None, outcome: Plan | Report, again: Sequence[str]
) -> None:
    """Print what would be, or was, done to one row.

    `version`: the snapshot it is put back from. `before`: the row's content before. `again`: the command that
    was called.
    """
    page = Page()
    taken = f"{moment(version.taken_at)} UTC"
    path = version.path
    if not outcome.actions:
        page.prose(
            f"The row is the same as its snapshot of {taken}: there is nothing to put back.", style="bold"
        )
        page.whole(path, style=FAINT)
        page.prose("To see older versions:")
        page.whole(command(["sessscan", "snapshots", version.session_id]), indent=2, style=TYPE)
        return
    [action] = outcome.actions
    headlines = {
        "planned": "The row can be put back",
        "applied": "The row was put back",
        "refused": "The row was not put back",
        "failed": "The row could not be put back",
    }
    page.prose(f"{headlines[action.status]}, as it was in the snapshot of {taken}.", style="bold")
    page.whole(path, style=FAINT)
    if action.error is not None:
        page.prose(action.error, lead="! ", indent=2)
    for finding in outcome.findings:
        page.prose(finding.message, indent=2)
    if before is not None and not outcome.findings:
        _print_differences(page, differences(before, action.content))
    page.gap()
    if action.status == "planned":
        page.prose("Nothing has been changed. Quit the Claude desktop app, then put the row back with:")
        page.whole(command([*again, "--apply"]), indent=2, style=TYPE)
    elif action.status == "applied":
        page.prose("Start the Claude desktop app. To take this back:")
        page.whole(command(["sessscan", "undo", str(outcome.run)]), indent=2, style=TYPE)


def _print_differences(page: Page, found: Sequence[Difference]) -> None:
    if not found:
        page.prose("only the spelling differs, no value", indent=2, style=FAINT)
    for one in found:
        if one.before is None:
            page.prose(f"{folded(one.member)}: {folded(one.after or '')}", indent=2, lead="+ ")
        elif one.after is None:
            page.prose(f"{folded(one.member)}: {folded(one.before)}", indent=2, lead="- ")
        else:
            page.prose(
                f"{folded(one.member)}: {folded(one.before)} → {folded(one.after)}", indent=2, lead="~ "
            )


def _content(version: RowVersion) -> bytes | None:
    try:
        return version.data
    except SnapshotError:
        return None


def _row(kept: KeptRow) -> dict[str, Any]:
    return {
        "path": kept.path,
        "session_id": kept.session_id,
        "title": kept.newest.title,
        "versions": kept.versions,
        "deleted": kept.deleted,
        "newest": _version(kept.newest),
    }


def _version(version: RowVersion) -> dict[str, Any]:
    return {
        "taken_at": version.taken_at,
        "modified_at": version.modified_ns // 1_000_000,
        "size": version.size,
        "sha256": version.sha256,
        "cli_session_id": version.cli_session_id,
    }


def _difference(one: Difference) -> dict[str, Any]:
    return {"member": one.member, "before": one.before, "after": one.after}
