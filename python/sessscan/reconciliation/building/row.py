"""From a decided case to the very bytes of its row, with the provenance of each field.

What a witness has whole is written as it is. Otherwise the row's own words come first, then those of older
copies, then what the transcript says. Nothing comes from another session's row.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from ...errors import UnbuildableError
from ...model import Action, Fingerprint, Row
from ...stores.rows import BOM, MAX_ROW_SIZE, bare_id, classify_row, read_file, readable_members
from ..inventory import path_of, transcript_id
from ..matching.lost_row import Case, Witness, candidate
from ..matching.remains import is_fresh
from ..matching.state import Docket
from .from_transcript import DEFAULTS, Fields, derive
from .refresh import brought_up_to_date

PASSING = frozenset(
    (
        "interruptedByQuitAt",
        "armedWorkAtQuit",
        "pendingFirstStart",
        "transcriptUnavailable",
        "stagedTranscriptPath",
    )
)
"""Fields about the moment they were written in: later they make the app resume, delete or report."""
ELSEWHERE = frozenset(("importedFrom", "sshConfig", "wslConfig"))
ELSEWHERE_PARTS = ("bridge", "cloud", "remote", "scratch")
"""What a copy under another account must not bring with it: ties to that account, and connections."""
GRANTS = frozenset(DEFAULTS)
"""A copy under another account was granted these there; here nothing is known to be."""
KEPT = (
    "sessionId",
    "cliSessionId",
    "cwd",
    "originCwd",
    "createdAt",
    "lastActivityAt",
    "title",
    "titleSource",
)
"""What stays in a row that is too large, whatever else has to go."""
TIMES = ("createdAt", "lastActivityAt", "lastFocusedAt")


def verdicts(docket: Docket) -> list[Action]:
    """What would be done about each lost row: `restore` or `hold`. Without a row there is nothing to hold."""
    return [
        rebuild(case)
        for case in docket.cases
        if case.source is not None or (case.reason is not None and not case.lost)
    ]


def rebuild(case: Case) -> Action:
    """What is to be done about a case: put the row back, or hold it and say why."""
    if case.source is not None:
        try:
            return _restore(case)
        except UnbuildableError as refusal:
            transcript = case.transcript
            offered = (
                ()
                if transcript is None
                else (candidate(transcript, transcript_id(transcript), "it is the row's, by the evidence"),)
            )
            case.hold(case.because(str(refusal)), *offered)
    return Action(
        kind="hold",
        path=case.row.path,
        session_id=case.session_id,
        candidates=tuple(case.candidates),
        status="held",
        error=case.reason,
    )


def adopt(case: Case) -> Action:
    """A row for a transcript that has none, under the transcript's own uuid."""
    return replace(_restore(case), kind="adopt")


def _restore(case: Case) -> Action:
    row, provenance, content, read = _content(case)
    state, _, _ = classify_row(content, case.session_id, case.row.store.format)
    if state != "ok":
        row_format = case.row.store.format
        needed = " and ".join(row_format.required)
        missing = f" (a {row_format.name} row needs its {needed})" if needed else ""
        raise UnbuildableError(f"what can be known of it does not make a row that the app accepts{missing}")
    transcript = case.transcript
    return Action(
        kind="restore",
        path=case.row.path,
        session_id=case.session_id,
        cli_session_id=case.cli_session_id,
        transcript=None if transcript is None else path_of(transcript),
        source=case.source,
        evidence=tuple(case.evidence),
        row=row,
        provenance=provenance,
        content=content,
        rests_on=_fingerprints(case, read),
    )


def _content(case: Case) -> tuple[dict[str, Any], dict[str, str], bytes, dict[str, bytes]]:
    """The row, each field's provenance, its bytes, and the files that were read for it."""
    read = {witness.path: _read_again(witness) for witness in case.base if witness.version is None}
    best = case.base[0] if case.base else None
    if best is not None and best.version is not None:
        return (*brought_up_to_date(case, best.version, best.data), read)
    if best is not None:
        whole = read[best.path]
        stripped = whole.removeprefix(BOM)
        if best.kind == "tmp" and is_fresh(case, best):
            return _verbatim(whole, "its .tmp", read)
        if best.kind == "own" and classify_row(stripped, case.session_id, case.row.store.format)[0] == "ok":
            return _verbatim(stripped, "the row itself", read)
    fields: Fields = {}
    for witness in case.base:
        for key, value in _members(witness, read[witness.path]).items():
            fields.setdefault(key, (value, _origin(witness)))
    derived = {} if case.transcript is None else derive(case.transcript, case.session_id)
    if case.base and all(witness.kind in ("copy", "tmp") for witness in case.base):
        _bring_up_to_date(fields, derived)
    entire = best is not None and best.kind != "prefix" and case.row.state != "not-a-row"
    for key, value in derived.items():
        if key not in fields and (not entire or key in KEPT):
            fields[key] = value
    _correct(case, fields, derived)
    row, content = _fitting(fields, derived)
    return row, {key: fields[key][1] for key in row}, content, read


def _verbatim(
    content: bytes, origin: str, read: dict[str, bytes]
) -> tuple[dict[str, Any], dict[str, str], bytes, dict[str, bytes]]:
    row = readable_members(content)
    return row, dict.fromkeys(row, origin), content, read


def _members(witness: Witness, data: bytes) -> dict[str, Any]:
    """What a witness contributes to the row."""
    members = readable_members(data)
    if witness.partial:
        members["cliSessionId"] = witness.cli_session_id
    if witness.kind in ("copy", "prefix"):
        members = {k: v for k, v in members.items() if k not in PASSING and not k.startswith("error")}
    if witness.elsewhere:
        members = {
            key: value
            for key, value in members.items()
            if key not in ELSEWHERE and key not in GRANTS and not key.startswith(ELSEWHERE_PARTS)
        }
        members |= {key: type(value)(value) for key, value in DEFAULTS.items()}
    return members


def _origin(witness: Witness) -> str:
    if witness.kind == "own":
        return "the row itself"
    if witness.kind == "prefix":
        return "what is left of the row"
    return f"{'a copy' if witness.kind == 'copy' else 'its .tmp'}, {witness.path}"


def _bring_up_to_date(fields: Fields, derived: Fields) -> None:
    """Takes from the transcript what has happened since an older state of the row was written."""
    known = fields.get("lastActivityAt", (0, ""))[0]
    latest = derived.get("lastActivityAt", (0, ""))[0]
    if not _is_number(known) or latest <= known:
        return
    for key in ("lastActivityAt", "model"):
        if key in derived:
            fields[key] = derived[key]
    for key in ("lastFocusedAt", "completedTurns"):
        value = fields.get(key, (0, ""))[0]
        if key in derived and (not _is_number(value) or derived[key][0] > value):
            fields[key] = derived[key]
    if derived.get("titleSource", ("", ""))[0] == "user":
        fields["title"], fields["titleSource"] = derived["title"], derived["titleSource"]


def _correct(case: Case, fields: Fields, derived: Fields) -> None:
    """Makes a row of it: the id is the file's name, and the times are numbers."""
    if fields.get("sessionId", (None, ""))[0] != case.session_id:
        fields["sessionId"] = (case.session_id, "the row's name")
    stated = fields.get("cliSessionId", (None, ""))[0]
    if case.cli_session_id is not None and not (
        isinstance(stated, str) and stated.lower() == case.cli_session_id
    ):
        fields["cliSessionId"] = (case.cli_session_id, "the transcript's name")
    for key in ("createdAt", "lastActivityAt"):
        if not _is_number(fields.get(key, (None, ""))[0]):
            others = [(fields[name][0], f"its {name}") for name in TIMES if name in fields and name != key]
            usable = sorted(other for other in others if _is_number(other[0]))
            if key in derived:
                fields[key] = derived[key]
            elif usable:
                fields[key] = usable[0 if key == "createdAt" else -1]
            else:
                raise UnbuildableError("nothing tells when the session began, which the app must know")


def _fitting(fields: Fields, derived: Fields) -> tuple[dict[str, Any], bytes]:
    """The row and its bytes, without what JSON cannot say and what would make it too large for the app."""
    order = dict.fromkeys([key for key in ("sessionId", *derived) if key in fields] + list(fields))
    row = {key: fields[key][0] for key in order}
    try:
        content = _encode(row)
    except (ValueError, RecursionError):
        row = {key: value for key, value in row.items() if _encodable(value)}
        content = _encode(row)
    if len(content) > MAX_ROW_SIZE:
        for key in sorted(row, key=lambda key: len(_encode({key: row[key]})), reverse=True):
            if key not in KEPT:
                if key in DEFAULTS:
                    fields[key] = (DEFAULTS[key], "default, since it was too large")
                    row[key] = DEFAULTS[key]
                else:
                    del row[key]
                content = _encode(row)
                if len(content) <= MAX_ROW_SIZE:
                    break
    return row, content


def _encode(row: dict[str, Any]) -> bytes:
    """Compact JSON in UTF-8. A lone surrogate stays the escape that it was, which JSON allows."""
    text = json.dumps(row, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "backslashreplace")


def _encodable(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):
        return False
    return True


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")


def _read_again(witness: Witness) -> bytes:
    """A witness's content, if it is still the file that was judged."""
    try:
        data, now = read_file(witness.path)
    except OSError as error:
        raise UnbuildableError(
            f"{witness.path} could not be read again ({error.strerror or error})"
        ) from None
    _same(witness.path, witness.status, now)
    return data


def _same(path: str, before: os.stat_result, now: os.stat_result) -> None:
    if (before.st_size, before.st_mtime_ns, before.st_ino) != (now.st_size, now.st_mtime_ns, now.st_ino):
        raise UnbuildableError(f"{path} changed while it was looked at")


def _fingerprints(case: Case, read: dict[str, bytes]) -> tuple[Fingerprint, ...]:
    """All that the case was concluded from, the target first."""
    found = [_target(case.row, case.status, read)]
    for path in dict.fromkeys([*read, *case.rests_on]):
        if path != case.row.path:
            found.append(_content_of(path, read.get(path)))
    transcript = case.transcript
    if transcript is not None:
        path = path_of(transcript)
        status = _status(path)
        found.append(Fingerprint(path, True, transcript.size, status.st_mtime_ns, status.st_ino))
    folder = case.row.path.rpartition(os.sep)[0]
    for name in (bare_id(case.session_id), case.cli_session_id):
        if name is not None:
            found.append(Fingerprint(f"{folder}{os.sep}deleted_{name}", False))
    return tuple(dict.fromkeys(found))


def _target(row: Row, status: os.stat_result | None, read: dict[str, bytes]) -> Fingerprint:
    if status is None:
        return Fingerprint(row.path, False)
    if row.state == "zero-filled":
        digest = _hash_of_zeros(status.st_size)
    elif row.path in read and status.st_size == len(read[row.path]):
        digest = hashlib.sha256(read[row.path]).hexdigest()
    else:
        digest = _hash_of_file(row.path, status)
    return Fingerprint(row.path, True, status.st_size, status.st_mtime_ns, status.st_ino, digest)


def _content_of(path: str, data: bytes | None) -> Fingerprint:
    status = _status(path)
    digest = _hash_of_file(path, status) if data is None else hashlib.sha256(data).hexdigest()
    return Fingerprint(path, True, status.st_size, status.st_mtime_ns, status.st_ino, digest)


def _status(path: str) -> os.stat_result:
    try:
        return os.stat(path)  # noqa: PTH116 - there are thousands
    except OSError as error:
        raise UnbuildableError(f"{path} vanished while it was looked at ({error.strerror})") from None


def _hash_of_file(path: str, before: os.stat_result) -> str:
    try:
        with Path(path).open("rb") as file:
            _same(path, before, os.fstat(file.fileno()))
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UnbuildableError(f"{path} could not be read again ({error.strerror})") from None


@lru_cache(maxsize=4096)
def _hash_of_zeros(size: int) -> str:
    """Rows of zeros come by the thousand, and of few lengths."""
    digest = hashlib.sha256()
    block = bytes(1 << 16)
    for _ in range(size >> 16):
        digest.update(block)
    digest.update(block[: size & 0xFFFF])
    return digest.hexdigest()
