"""Link a readable row to its transcript again, by changing a few members and no other byte."""

from __future__ import annotations

import hashlib
import json
import os

from ...errors import UnbuildableError
from ...model import Action, Evidence, Fingerprint
from ...stores.json_members import appended, edit_members, members_of
from ...stores.project_files import RELEASED
from ...stores.rows import (
    MAX_ROW_SIZE,
    PRIOR,
    UNAVAILABLE,
    bare_id,
    classify_row,
    read_file,
    readable_members,
)
from ...stores.transcripts import path_of
from ..details import Details
from ..matching.lost_row import Held, Matched, candidate
from ..matching.state import State
from ..matching.unlinked import Unlinked


def relinks(state: State) -> list[Action]:
    """Return what would be done about each row that has lost its link: `relink` or `hold`.

    Nothing is done about one that nothing fits.
    """
    found = []
    for path, one in state.unlinked.items():
        decision = state.verdicts.get(path)
        if isinstance(decision, Matched) or (isinstance(decision, Held) and decision.candidates):
            found.append(_action(one, decision, state.details))
    return found


def _action(one: Unlinked, decision: Matched | Held, details: Details) -> Action:
    """Return what is to be done about a row that has lost its link: `relink`, or hold it and say why."""
    if isinstance(decision, Matched):
        try:
            return _relink(one, decision, details)
        except UnbuildableError as refusal:
            transcript = decision.transcript
            offered = (
                ()
                if transcript is None
                else (
                    candidate(transcript, decision.cli_session_id or "", "it is the row's, by the evidence"),
                )
            )
            decision = Held(str(refusal), offered)
    return Action(
        kind="hold",
        path=one.row.path,
        session_id=one.row.session_id,
        candidates=decision.candidates,
        status="held",
        error=decision.reason,
    )


def _relink(one: Unlinked, match: Matched, details: Details) -> Action:
    row, transcript = one.row, match.transcript
    if transcript is None or match.cli_session_id is None:
        raise UnbuildableError("there is no transcript to link it to")
    try:
        data, status = read_file(row.path)
    except OSError as error:
        raise UnbuildableError(f"{row.path} could not be read again ({error.strerror or error})") from None
    if (status.st_size, status.st_mtime_ns // 1_000_000) != (row.size, row.mtime):
        raise UnbuildableError(f"{row.path} changed while it was looked at")
    content, changed = linked(data, match.spelled_id or match.cli_session_id)
    if len(content) > MAX_ROW_SIZE or classify_row(content, row.session_id, row.store.format)[0] != "ok":
        raise UnbuildableError("with the transcript's id the app would not read the row any more")
    fields = readable_members(content)
    evidence = match.evidence
    if not details.places.is_found(fields, row.session_id, row.store.format, transcript):
        why = details.places.why_not_found(fields, transcript)
        evidence = (*evidence, Evidence("place", f"it has a transcript {why}"))
    return Action(
        kind="relink",
        path=row.path,
        session_id=row.session_id,
        cli_session_id=match.cli_session_id,
        transcript=path_of(transcript),
        evidence=evidence,
        row=fields,
        provenance=dict.fromkeys(fields, "the row itself")
        | {k: v for k, v in changed.items() if k in fields},
        content=content,
        rests_on=_fingerprints(one, match, data, status),
        absence=match.absence,
    )


def linked(data: bytes, name: str) -> tuple[bytes, dict[str, str]]:
    """Return a row that names another transcript, and where each changed member comes from.

    The id that it named goes to the end of `priorCliSessionIds`; the notes that its transcript is not
    available, and what errors the app met, are dropped; all else stays byte for byte. Raises
    `UnbuildableError` for a row that is nested too deeply.
    """
    fields = readable_members(data)
    former = fields.get("cliSessionId")
    values = {"cliSessionId": json.dumps(name)}
    changed = {"cliSessionId": "the transcript's name"}
    try:
        present = members_of(data)
        known = fields.get(PRIOR)
        if isinstance(former, str) and former and former.lower() != name.lower():
            if not (isinstance(known, list) and former in known):
                values[PRIOR] = appended(data, PRIOR, json.dumps(former))
                changed[PRIOR] = "the transcript that it named is added"
        elif former == name:
            del values["cliSessionId"], changed["cliSessionId"]
        dropped = {key for key in present if key == UNAVAILABLE or key.startswith("error")}
        return edit_members(data, values, dropped), changed
    except (ValueError, RecursionError):
        raise UnbuildableError("it is nested more deeply than can be followed") from None


def _fingerprints(
    one: Unlinked, match: Matched, data: bytes, status: os.stat_result
) -> tuple[Fingerprint, ...]:
    """Return the files that the match was concluded from, the row first."""
    row, transcript = one.row, match.transcript
    digest = hashlib.sha256(data).hexdigest()
    found = [Fingerprint(row.path, True, status.st_size, status.st_mtime_ns, status.st_ino, digest)]
    if transcript is not None:
        path = path_of(transcript)
        try:
            now = os.stat(path)  # noqa: PTH116 - a str is at hand
        except OSError as error:
            raise UnbuildableError(f"{path} vanished while it was looked at ({error.strerror})") from None
        found.append(Fingerprint(path, True, transcript.size, now.st_mtime_ns, now.st_ino))
        mark = f"{path.removesuffix('.jsonl')}{RELEASED}"
        if not os.path.lexists(mark):
            found.append(Fingerprint(mark, False))
    folder = row.path.rpartition(os.sep)[0]
    for name in (bare_id(row.session_id), match.cli_session_id):
        found.append(Fingerprint(f"{folder}{os.sep}deleted_{name}", False))
    return tuple(dict.fromkeys(found))
