"""Find what is wrong with a store.

Each function below finds one thing, or a few, and is registered with the names of the rules for it. They run
in the order in which they stand here. To add a finding, add its rule to `rules.py` and a function here.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import _core
from ..model import Finding, Row, Severity
from ..rules import finding
from ..scan_cache.conversations import ConversationCheck
from ..stores.retention import retention
from ..stores.row_states import LOST_STATES, MISSING
from ..stores.rows import Contents, bare_id
from ..stores.transcripts import path_of
from . import kept_transcripts, sessions_index
from .checks import Checks
from .inventory import Inventory, cli_session_id
from .links import LINK_CHECKS, Surroundings, readable_links
from .lost_links import found_unlinked, unlinked
from .matching.lost_row import Held, LostRow, Matched, Nothing, Verdict
from .matching.state import State
from .naming import called, of_row, of_transcript
from .transcript_damage import broken_chain, damaged_transcript, refused_content, unpaired_call
from .what_is_left import Leftovers

RANK: dict[Severity, int] = {"error": 0, "warning": 1, "note": 2}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the stores and transcripts when the findings are made."""

    inventory: Inventory
    lost: Mapping[str, tuple[LostRow, Verdict | None]]
    """The lost rows and the verdicts on them, by path. Rows of deleted sessions may be left out."""
    orphans: Sequence[_core.Transcript]
    leftovers: Leftovers
    around: Surroundings
    state: State


DELETED = Nothing("the session was deleted")
"""The verdict on a row that is not among the lost ones."""

STORE_CHECKS: Checks[Facts] = Checks()


def diagnose(state: State, orphans: Sequence[_core.Transcript]) -> list[Finding]:
    """Return all findings, the worst first."""
    lost = {one.path: (one, state.verdict(one)) for one in state.lost}
    left = Leftovers(state.inventory, (name for _, name, _ in sessions_index.forgotten(state.inventory)))
    around = Surroundings(state.inventory, state.details.places, orphans, left, found_unlinked(state))
    facts = Facts(state.inventory, lost, orphans, left, around, state)
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


@STORE_CHECKS.finds("invalid-utf8")
def _rows_with_other_bytes(facts: Facts) -> Iterator[Finding]:
    for contents in facts.inventory.contents:
        for row in contents.rows:
            if row.state == "ok" and row.length:
                yield finding(
                    "invalid-utf8",
                    row.path,
                    "It has bytes that are not UTF-8, for which the app shows \ufffd.",
                    session_id=row.session_id,
                    offset=row.offset,
                    length=row.length,
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
    owned = (one for found in facts.inventory.own.values() for one in found if one.error is not None)
    for transcript in (*facts.inventory.unread, *owned):
        path = path_of(transcript)
        message = f"The transcript cannot be read ({describe(transcript.error)})."
        yield finding("unreadable", path, message, severity="warning", transcript=path)


def describe(error: OSError | None) -> str:
    """Return what the system says about an error."""
    return "" if error is None else error.strerror or str(error)


# Readable rows and the transcripts they name


@STORE_CHECKS.finds("unlinked")
def _unlinked(facts: Facts) -> Iterator[Finding]:
    return unlinked(facts.state, facts.leftovers)


@STORE_CHECKS.finds(*LINK_CHECKS.rules)
def _links(facts: Facts) -> Iterator[Finding]:
    for link in readable_links(facts.inventory, facts.around):
        yield from LINK_CHECKS.run(link)


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


@STORE_CHECKS.finds("conflict-copy")
def _conflict_copies(facts: Facts) -> Iterator[Finding]:
    for contents in facts.inventory.contents:
        rows = {row.session_id: row for row in contents.rows} if contents.conflict_copies else {}
        for copy, original in contents.conflict_copies:
            message = _use_of_copy(copy, rows.get(original))
            yield finding("conflict-copy", copy.path, message, session_id=copy.session_id)


def _use_of_copy(copy: Row, original: Row | None) -> str:
    if original is None or original.state != "ok":
        return "A tool that syncs folders made this copy of a row. The row itself is lost."
    message = f"A tool that syncs folders made this copy of {original.session_id}, which the app lists."
    named = cli_session_id(copy)
    if named is not None and named != cli_session_id(original):
        return f"{message} It names another transcript than the row does now: {named}."
    return f"{message} Nothing is lost."


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
    for transcript in facts.inventory.transcripts:
        check = facts.inventory.conversations.get(path_of(transcript))
        yield from damaged_transcript(transcript, check)


@STORE_CHECKS.finds("broken-chain")
def _broken_chains(facts: Facts) -> Iterator[Finding]:
    return (found for one, check in _conversations(facts) for found in broken_chain(one, check))


@STORE_CHECKS.finds("unpaired-call")
def _unpaired_calls(facts: Facts) -> Iterator[Finding]:
    return (found for one, check in _conversations(facts) for found in unpaired_call(one, check))


@STORE_CHECKS.finds("refused-content")
def _refused_content(facts: Facts) -> Iterator[Finding]:
    return (found for one, check in _conversations(facts) for found in refused_content(one, check))


def _conversations(facts: Facts) -> Iterator[tuple[_core.Transcript, ConversationCheck]]:
    """Yield the transcripts whose conversation is not whole."""
    for transcript in facts.inventory.transcripts:
        check = facts.inventory.conversations.get(path_of(transcript))
        if check is not None and not check.is_whole:
            yield transcript, check


@STORE_CHECKS.finds("orphan")
def _orphans(facts: Facts) -> Iterator[Finding]:
    for transcript in facts.orphans:
        path = path_of(transcript)
        session = called(of_transcript(transcript))
        message = f"{session} was begun in the app, but no row names it, so the app does not list it."
        where = transcript.relocated_cwd or facts.around.places.directory_of(transcript) or transcript.cwd
        proposal = facts.around.whereabouts.proposal(where)
        message = f"{message} {proposal}" if proposal else message
        yield finding("orphan", path, message, transcript=path, about=of_transcript(transcript))


@STORE_CHECKS.finds(*kept_transcripts.RULES)
def _kept_transcripts(facts: Facts) -> Iterator[Finding]:
    return kept_transcripts.kept_transcripts(facts.inventory, facts.leftovers.losses)


@STORE_CHECKS.finds("forgotten")
def _forgotten(facts: Facts) -> Iterator[Finding]:
    for path, name, named in sessions_index.forgotten(facts.inventory):
        left = facts.leftovers.told(name)
        message = f"{called(named)} is named by an old index alone: its transcript {name} was not found."
        yield finding("forgotten", path, " ".join((message, *left)), about=named)


@STORE_CHECKS.finds("retention")
def _retention(facts: Facts) -> Iterator[Finding]:
    inventory = facts.inventory
    for root in inventory.projects:
        kept = retention(root, inventory.transcripts)
        if not kept.is_known:
            path = str(Path(root).parent / "settings.json")
            yield finding("retention", path, f"The transcripts in {root} are kept for {kept.source}.")


@STORE_CHECKS.finds("stale-index")
def _stale_indexes(facts: Facts) -> Iterator[Finding]:
    for path, reason, _ in sessions_index.stale(facts.inventory):
        yield finding("stale-index", path, f"The sessions index {reason}. Nothing depends on it.")
