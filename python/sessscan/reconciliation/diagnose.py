"""What is wrong with a store: each finding a fact, under a rule's name, in words for a worried person."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from .. import _core
from ..model import Finding, Row, Severity
from ..stores.project_folder import matches_key
from ..stores.row_states import LOST_STATES, MISSING
from ..stores.rows import Contents, bare_id
from . import sessions_index as index
from .inventory import Survey, folder_of, path_of, transcript_id
from .matching.candidates import DESKTOP, is_conversation
from .matching.lost_row import Case
from .matching.state import Docket

RANK: dict[Severity, int] = {"error": 0, "warning": 1, "note": 2}


def diagnose(docket: Docket, orphans: list[_core.Transcript]) -> list[Finding]:
    """All findings, the worst first."""
    survey = docket.survey
    findings = [
        *_damaged_rows(docket),
        *_missing_rows(docket),
        *_unreadable(survey),
        *_healthy_rows(survey),
        *_leftovers(docket),
        *_leases(survey),
        *(_damaged_transcript(t) for t in survey.transcripts if is_damaged(t)),
        *(_orphan(transcript) for transcript in orphans),
        *_indexes(survey),
    ]
    findings.sort(key=lambda finding: RANK[finding.severity])
    return findings


def find_orphans(docket: Docket) -> list[_core.Transcript]:
    """The conversations begun in the app that no row names: none that goes on in another, and no fork or copy
    that was made outside the app."""
    survey, lineage = docket.survey, docket.lineage
    orphans = []
    for name, found in survey.by_id.items():
        if not survey.unclaimed(name) or name in docket.taken:
            continue
        transcript = survey.pick(name) or found[0]
        if (
            transcript.born_in != DESKTOP
            or not is_conversation(transcript)
            or lineage.newer_copy(transcript) is not None
        ):
            continue
        older = lineage.older_copies(transcript)
        if any(not survey.unclaimed(o) or o in docket.taken for o in map(transcript_id, older)):
            continue
        if transcript.entrypoint != DESKTOP and (older or lineage.is_fork(transcript)):
            continue
        orphans.append(transcript)
    return orphans


def _damaged_rows(docket: Docket) -> Iterator[Finding]:
    cases = {case.row.path: case for case in docket.cases}
    for contents in docket.survey.contents:
        for row in contents.rows:
            if row.state != "ok":
                yield _damaged_row(row, cases.get(row.path))


def _damaged_row(row: Row, case: Case | None) -> Finding:
    state = LOST_STATES[row.state]
    what = state.words if row.error is None else f"{state.words} ({row.error})"
    if state.amount:
        what += f"; {state.amount.format(size=row.size, offset=row.offset)}"
    deleted = case is None or case.deleted
    if deleted:
        what += ". The session was deleted, so nothing is lost"
    else:
        what += ". So the session is missing from its list"
    return Finding(
        row.state,
        "note" if deleted else "error",
        row.path,
        f"The app cannot read this row: {what}.",
        row.session_id,
        None,
        row.offset,
        row.length,
    )


def _missing_rows(docket: Docket) -> Iterator[Finding]:
    for case in docket.cases:
        if case.row.state == MISSING and not case.deleted:
            yield _missing_row(case)


def _missing_row(case: Case) -> Finding:
    severity: Severity = "error"
    message = "The row is gone, although the session was not deleted. So the session is missing from its list"
    if case.replaced:
        severity = "note"
        message = f"The row is gone; its conversation is listed all the same: {case.reason}"
    elif case.reason is not None:
        message += f", and the row cannot be put back: {case.reason}"
    return Finding("missing", severity, case.row.path, f"{message}.", case.session_id)


def _unreadable(survey: Survey) -> Iterator[Finding]:
    for error in survey.errors:
        path = os.fsdecode(error.filename or "")
        yield Finding("unreadable", "warning", path, f"The folder cannot be read ({describe(error)}).")
    for worktrees in survey.worktrees:
        if worktrees.error is not None:
            message = f"The leases cannot be read ({describe(worktrees.error)})."
            yield Finding("unreadable", "warning", worktrees.path, message)
    for transcript in survey.unread:
        path = path_of(transcript)
        message = f"The transcript cannot be read ({describe(transcript.error)})."
        yield Finding("unreadable", "warning", path, message, None, path)


def describe(error: OSError | None) -> str:
    """An error in the system's own words."""
    return "" if error is None else error.strerror or str(error)


def _healthy_rows(survey: Survey) -> Iterator[Finding]:
    by_id, unread = survey.by_id, {transcript_id(transcript) for transcript in survey.unread}
    at_home: dict[tuple[str, str], bool] = {}
    for contents in survey.contents:
        first: dict[str, Row] = {}
        for row in contents.rows:
            if row.state != "ok":
                continue
            name = row.fields.get("cliSessionId")
            if not isinstance(name, str) or not name:
                continue  # a session that was never started has no transcript
            found = by_id.get(name) or by_id.get(name.lower())
            if found is None:
                if name.lower() not in unread:
                    yield _dangling(row, name)
                continue
            other = first.setdefault(name.lower(), row)
            if other is not row:
                yield _duplicate(row, other, found[0])
            cwd = row.fields.get("cwd")
            if type(cwd) is str and cwd:
                folder = folder_of(found[0])
                known = at_home.get((cwd, folder))
                if known is None:
                    known = at_home[(cwd, folder)] = matches_key(cwd, folder)
                if not known and not any(_belongs(row, transcript) for transcript in found):
                    yield _moved(row, found[0])
            title = found[0].custom_title
            if title is not None and title != row.fields.get("title"):
                yield from _title_drift(row, found[0], title)


def _dangling(row: Row, name: str) -> Finding:
    message = (
        f"Its transcript {name} is not among the transcripts looked at: it was deleted (the CLI does so "
        "after 30 days), or is kept elsewhere. The session is listed but cannot be opened."
    )
    return Finding("dangling", "warning", row.path, message, row.session_id)


def _duplicate(row: Row, other: Row, transcript: _core.Transcript) -> Finding:
    path = path_of(transcript)
    message = f"{other.session_id} names the same transcript: one conversation is listed twice."
    return Finding("duplicate", "warning", row.path, message, row.session_id, path)


def _belongs(row: Row, transcript: _core.Transcript) -> bool:
    """Whether a transcript may well lie where it does, although that is not the key of its row's cwd."""
    folder, worktree = folder_of(transcript), transcript.worktree
    places = [row.fields.get(key) for key in ("cwd", "originCwd", "worktreePath")]
    places.append(transcript.relocated_cwd)
    if worktree is not None:
        places += [worktree.path, worktree.original_cwd]
    cwd = row.fields["cwd"]
    if isinstance(cwd, str) and os.path.isabs(cwd):  # noqa: PTH117 - a str is at hand
        places.append(os.path.realpath(cwd))  # the key is that of the physical directory
    return any(isinstance(place, str) and bool(place) and matches_key(place, folder) for place in places)


def _moved(row: Row, transcript: _core.Transcript) -> Finding:
    path, cwd = path_of(transcript), row.fields["cwd"]
    message = (
        f"Its transcript lies under {folder_of(transcript)}, which is not the folder of its directory {cwd}."
    )
    return Finding("moved", "note", row.path, message, row.session_id, path)


def _title_drift(row: Row, transcript: _core.Transcript, title: str) -> Iterator[Finding]:
    shown = row.fields.get("title")
    if isinstance(shown, str) and shown.strip() == title.strip():
        return
    named = f'"{shown}"' if isinstance(shown, str) and shown else "without a title"
    message = f'It is listed as {named}, while its transcript was named "{title}".'
    if not (isinstance(shown, str) and shown):
        message = f'It is listed {named}, while its transcript was named "{title}".'
    yield Finding("title-drift", "note", row.path, message, row.session_id, path_of(transcript))


def _leftovers(docket: Docket) -> Iterator[Finding]:
    cases = {case.row.path: case for case in docket.cases}
    for contents in docket.survey.contents:
        rows = {row.path: row for row in contents.rows}
        for leftover in contents.temporaries:
            target = leftover.path.removesuffix(".tmp")
            message = _left(contents, rows.get(target), cases.get(target), bare_id(leftover.session_id))
            yield Finding("leftover-tmp", "note", leftover.path, message, leftover.session_id)


def _left(contents: Contents, row: Row | None, case: Case | None, name: str) -> str:
    beginning = "The app left a temporary copy of a row behind"
    if row is not None and row.state == "ok":
        return f"{beginning}. The row itself can be read, so the copy is not used."
    if name in contents.tombstones or (case is not None and case.deleted):
        return f"{beginning}. The session was deleted, so it is not used."
    if case is not None and any(evidence.kind == "tmp" for evidence in case.evidence):
        state = "is not there" if row is None else "cannot be used"
        return f"{beginning}. The row itself {state}: it can be put back from the copy."
    if row is None:
        reason = case.reason if case is not None and case.reason is not None else "it cannot be used"
        return f"{beginning}. The row itself is not there, but cannot be put back from the copy: {reason}."
    return f"{beginning}. It says nothing of use about the row."


def _leases(survey: Survey) -> Iterator[Finding]:
    readable: dict[str | None, set[str]] = defaultdict(set)
    for contents in survey.every_store():
        readable[contents.store.user_data].update(
            bare_id(row.session_id) for row in contents.rows if row.state == "ok"
        )
    for worktrees in survey.worktrees:
        for lease in worktrees.leases:
            if bare_id(lease.session_id) not in readable[worktrees.home]:
                message = (
                    f"The worktree {lease.path} is lent to {lease.session_id}, but no row that the app can "
                    "read bears that name."
                )
                yield Finding("lost-lease", "warning", worktrees.path, message, lease.session_id)


def is_damaged(transcript: _core.Transcript) -> bool:
    """Whether bytes of it are. A torn last line is normal: the session may be writing it."""
    defects = transcript.defects
    return bool(defects) and any(defect.kind != "torn" for defect in defects)


def _damaged_transcript(transcript: _core.Transcript) -> Finding:
    path = path_of(transcript)
    defects = [defect for defect in transcript.defects if defect.kind != "torn"]
    kinds = Counter(defect.kind for defect in defects)
    counted = ", ".join(f"{kind} {count} times" if count > 1 else kind for kind, count in kinds.items())
    message = f"Parts of it are damaged ({counted}; the first in line {defects[0].line}); the rest is whole."
    return Finding(
        "damaged-transcript", "warning", path, message, None, path, defects[0].offset, defects[0].length
    )


def _orphan(transcript: _core.Transcript) -> Finding:
    path = path_of(transcript)
    message = "The session was begun in the app, but no row names it, so the app does not list it."
    return Finding("orphan", "note", path, message, None, path)


def _indexes(survey: Survey) -> Iterable[Finding]:
    for path, reason, _ in index.stale(survey):
        yield Finding("stale-index", "note", path, f"The sessions index {reason}. Nothing depends on it.")
