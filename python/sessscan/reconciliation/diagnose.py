"""Find what is wrong with a store.

Each function below finds one thing, or a few, and is registered with the names of the rules for it. They run
in the order in which they stand here. To add a finding, add its rule to `rules.py` and a function here.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from .. import _core
from ..model import Finding, Row, Severity
from ..rules import finding
from ..stores.project_folder import matches_key
from ..stores.row_states import LOST_STATES, MISSING
from ..stores.rows import Contents, bare_id
from ..stores.transcripts import folder_of, path_of, transcript_id
from . import sessions_index
from .checks import Checks
from .inventory import Inventory
from .matching.lost_row import Held, LostRow, Matched, Nothing, Verdict
from .matching.state import State
from .naming import called, of_row, of_transcript

RANK: dict[Severity, int] = {"error": 0, "warning": 1, "note": 2}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the stores and transcripts when the findings are made."""

    inventory: Inventory
    lost: Mapping[str, tuple[LostRow, Verdict | None]]
    """The lost rows and the verdicts on them, by path. Rows of deleted sessions may be left out."""
    orphans: Sequence[_core.Transcript]


@dataclass(slots=True)
class Link:
    """A readable row that names a transcript, and the transcript."""

    row: Row
    name: str
    """The transcript's uuid, as the row spells it."""
    transcripts: Sequence[_core.Transcript]
    """The files of that uuid: none, one, or copies in several project folders."""
    first: Row
    """The first row of the store that names the same transcript."""

    def finding(self, rule: str, message: str) -> Finding:
        """Return a finding on the row, which names the session as the app does."""
        path = path_of(self.transcripts[0]) if self.transcripts else None
        row = self.row
        return finding(rule, row.path, message, session_id=row.session_id, transcript=path, about=of_row(row))


DELETED = Nothing("the session was deleted")
"""The verdict on a row that is not among the lost ones."""

STORE_CHECKS: Checks[Facts] = Checks()
LINK_CHECKS: Checks[Link] = Checks()


def diagnose(state: State, orphans: Sequence[_core.Transcript]) -> list[Finding]:
    """Return all findings, the worst first."""
    lost = {one.path: (one, state.verdict(one)) for one in state.lost}
    facts = Facts(state.inventory, lost, orphans)
    return sorted(STORE_CHECKS.run(facts), key=lambda found: RANK[found.severity])


# Rows that the app cannot read


@STORE_CHECKS.finds(*(name for name, state in LOST_STATES.items() if state.has_file))
def _damaged_rows(facts: Facts) -> Iterator[Finding]:
    for contents in facts.inventory.contents:
        for row in contents.rows:
            if row.state != "ok":
                _, verdict = facts.lost.get(row.path, (None, DELETED))
                yield _damaged_row(row, isinstance(verdict, Nothing))


def _damaged_row(row: Row, deleted: bool) -> Finding:
    state = LOST_STATES[row.state]
    message = f"The app cannot read this row: {state.problem}"
    if row.error is not None:
        message += f" ({row.error})"
    if state.amount:
        message += f"; {state.amount.format(size=row.size, offset=row.offset)}"
    if deleted:
        message += ". The session was deleted, so nothing is lost."
    else:
        message += ". So the session is missing from its list."
    return finding(
        row.state,
        row.path,
        message,
        severity="note" if deleted else "error",
        session_id=row.session_id,
        offset=row.offset,
        length=row.length,
        about=of_row(row),
    )


@STORE_CHECKS.finds(MISSING)
def _missing_rows(facts: Facts) -> Iterator[Finding]:
    for lost, verdict in facts.lost.values():
        if lost.row.state != MISSING or isinstance(verdict, Nothing):
            continue
        severity: Severity = "error"
        message = "The row is gone, although the session was not deleted. "
        message += "So the session is missing from its list"
        if isinstance(verdict, Held):
            message += f", and the row cannot be put back: {verdict.reason}"
            if verdict.replaced:
                severity = "note"
                message = f"The row is gone, but its conversation is listed all the same: {verdict.reason}"
        yield finding(
            MISSING,
            lost.path,
            f"{message}.",
            severity=severity,
            session_id=lost.session_id,
            about=of_row(lost.row),
        )


# Files and folders that cannot be read


@STORE_CHECKS.finds("unreadable")
def _unreadable(facts: Facts) -> Iterator[Finding]:
    for error in facts.inventory.errors:
        path = os.fsdecode(error.filename or "")
        yield finding(
            "unreadable", path, f"The folder cannot be read ({describe(error)}).", severity="warning"
        )
    for worktrees in facts.inventory.worktrees:
        if worktrees.error is not None:
            message = f"The leases cannot be read ({describe(worktrees.error)})."
            yield finding("unreadable", worktrees.path, message, severity="warning")
    for transcript in facts.inventory.unread:
        path = path_of(transcript)
        message = f"The transcript cannot be read ({describe(transcript.error)})."
        yield finding("unreadable", path, message, severity="warning", transcript=path)


def describe(error: OSError | None) -> str:
    """Return what the system says about an error."""
    return "" if error is None else error.strerror or str(error)


# Readable rows and the transcripts they name


@LINK_CHECKS.finds("dangling")
def _dangling(link: Link) -> Iterator[Finding]:
    if not link.transcripts:
        message = (
            f"Its transcript {link.name} was not found: it was deleted (the CLI does so after 30 days), or "
            "is somewhere else. The app lists the session but cannot open it."
        )
        yield link.finding("dangling", message)


@LINK_CHECKS.finds("duplicate")
def _duplicate(link: Link) -> Iterator[Finding]:
    if link.first is not link.row:
        message = f"{link.first.session_id} names the same transcript: one conversation is listed twice."
        yield link.finding("duplicate", message)


@LINK_CHECKS.finds("moved")
def _moved(link: Link) -> Iterator[Finding]:
    cwd = link.row.fields.get("cwd")
    if not link.transcripts or type(cwd) is not str or not cwd:
        return
    folder = folder_of(link.transcripts[0])
    if not _is_home(cwd, folder) and not any(_belongs(link.row, each) for each in link.transcripts):
        message = f"Its transcript lies under {folder}, which is not the folder of its directory {cwd}."
        yield link.finding("moved", message)


_is_home = lru_cache(maxsize=4096)(matches_key)
"""`matches_key`, remembered: many rows have the same directory."""


def _belongs(row: Row, transcript: _core.Transcript) -> bool:
    """Tell whether a transcript lies in the project folder of another directory of its session."""
    folder, worktree = folder_of(transcript), transcript.worktree
    directories = [row.fields.get(key) for key in ("cwd", "originCwd", "worktreePath")]
    directories.append(transcript.relocated_cwd)
    if worktree is not None:
        directories += [worktree.path, worktree.original_cwd]
    cwd = row.fields["cwd"]
    if isinstance(cwd, str) and os.path.isabs(cwd):  # noqa: PTH117 - a str is at hand
        directories.append(os.path.realpath(cwd))  # the CLI makes the key from the physical directory
    return any(isinstance(each, str) and bool(each) and matches_key(each, folder) for each in directories)


@LINK_CHECKS.finds("title-drift")
def _title_drift(link: Link) -> Iterator[Finding]:
    title = link.transcripts[0].custom_title if link.transcripts else None
    shown = link.row.fields.get("title")
    if title is None or title == shown or (isinstance(shown, str) and shown.strip() == title.strip()):
        return
    listed = f'as "{shown}"' if isinstance(shown, str) and shown else "without a title"
    message = f'It is listed {listed}, while its transcript was named "{title}".'
    yield link.finding("title-drift", message)


@STORE_CHECKS.finds(*LINK_CHECKS.rules)
def _links(facts: Facts) -> Iterator[Finding]:
    for link in _readable_links(facts.inventory):
        yield from LINK_CHECKS.run(link)


def _readable_links(inventory: Inventory) -> Iterator[Link]:
    """Yield each readable row that names a transcript, unless that is there but cannot be read."""
    by_id, unread = inventory.by_id, {transcript_id(transcript) for transcript in inventory.unread}
    for contents in inventory.contents:
        first: dict[str, Row] = {}
        for row in contents.rows:
            name = row.fields.get("cliSessionId")
            if row.state != "ok" or not isinstance(name, str) or not name:
                continue  # a session that was never started has no transcript
            found = by_id.get(name) or by_id.get(name.lower())
            if found is not None:
                yield Link(row, name, found, first.setdefault(name.lower(), row))
            elif name.lower() not in unread:
                yield Link(row, name, [], row)


# What lies beside the rows and the transcripts


@STORE_CHECKS.finds("leftover-tmp")
def _leftovers(facts: Facts) -> Iterator[Finding]:
    for contents in facts.inventory.contents:
        rows = {row.path: row for row in contents.rows}
        for leftover in contents.temporaries:
            target = leftover.path.removesuffix(".tmp")
            _, verdict = facts.lost.get(target, (None, None))
            what = _use_of_leftover(contents, rows.get(target), verdict, bare_id(leftover.session_id))
            message = f"The app left a temporary copy of a row behind. {what}"
            yield finding("leftover-tmp", leftover.path, message, session_id=leftover.session_id)


def _use_of_leftover(contents: Contents, row: Row | None, verdict: Verdict | None, name: str) -> str:
    if row is not None and row.state == "ok":
        return "The row itself can be read, so the copy is not used."
    if name in contents.tombstones or isinstance(verdict, Nothing):
        return "The session was deleted, so it is not used."
    if isinstance(verdict, Matched) and any(one.kind == "tmp" for one in verdict.evidence):
        state = "is not there" if row is None else "cannot be used"
        return f"The row itself {state}: it can be put back from the copy."
    if row is None:
        reason = verdict.reason if isinstance(verdict, Held) else "it cannot be used"
        return f"The row itself is not there, but cannot be put back from the copy: {reason}."
    return "It does not help to put the row back."


@STORE_CHECKS.finds("lost-lease")
def _lost_leases(facts: Facts) -> Iterator[Finding]:
    readable: dict[str | None, set[str]] = defaultdict(set)
    for contents in facts.inventory.every_store():
        readable[contents.store.user_data].update(
            bare_id(row.session_id) for row in contents.rows if row.state == "ok"
        )
    for worktrees in facts.inventory.worktrees:
        for lease in worktrees.leases:
            if bare_id(lease.session_id) not in readable[worktrees.home]:
                message = (
                    f"The worktree {lease.path} is lent to {lease.session_id}, but no row that the app can "
                    "read has that name."
                )
                yield finding("lost-lease", worktrees.path, message, session_id=lease.session_id)


@STORE_CHECKS.finds("damaged-transcript")
def _damaged_transcripts(facts: Facts) -> Iterator[Finding]:
    for transcript in filter(is_damaged, facts.inventory.transcripts):
        defects = [defect for defect in transcript.defects if defect.kind != "torn"]
        kinds = Counter(defect.kind for defect in defects)
        counted = ", ".join(f"{kind} {count} times" if count > 1 else kind for kind, count in kinds.items())
        first, path = defects[0], path_of(transcript)
        yield finding(
            "damaged-transcript",
            path,
            f"Parts of it are damaged ({counted}; the first in line {first.line}); the rest is whole.",
            transcript=path,
            offset=first.offset,
            length=first.length,
            about=of_transcript(transcript),
        )


def is_damaged(transcript: _core.Transcript) -> bool:
    """Tell whether a transcript has a defect other than a torn last line, which may just be being written."""
    defects = transcript.defects
    return bool(defects) and any(defect.kind != "torn" for defect in defects)


@STORE_CHECKS.finds("orphan")
def _orphans(facts: Facts) -> Iterator[Finding]:
    for transcript in facts.orphans:
        path = path_of(transcript)
        session = called(of_transcript(transcript))
        message = f"{session} was begun in the app, but no row names it, so the app does not list it."
        yield finding("orphan", path, message, transcript=path, about=of_transcript(transcript))


@STORE_CHECKS.finds("stale-index")
def _stale_indexes(facts: Facts) -> Iterator[Finding]:
    for path, reason, _ in sessions_index.stale(facts.inventory):
        yield finding("stale-index", path, f"The sessions index {reason}. Nothing depends on it.")
