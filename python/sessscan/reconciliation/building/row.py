"""Build the bytes of a row that is put back, with the provenance of each field.

A whole state that remains of the row is written as it is. Otherwise the row's own fields come first, then
those of older copies, then what the transcript says. Nothing comes from another session's row.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from functools import lru_cache
from typing import Any

from ... import _core
from ...errors import UnbuildableError
from ...model import Action, Evidence, Fingerprint, Row
from ...stores.opening import open_stream
from ...stores.project_files import RELEASED
from ...stores.row_fields import DEFAULTS
from ...stores.rows import (
    MAX_ROW_SIZE,
    bare_id,
    classify_row,
    read_file,
    readable_members,
    remote_machine,
)
from ...stores.transcripts import path_of, transcript_id
from ..details import Details
from ..matching.lost_row import Held, LostRow, Matched, Remains, candidate, held
from ..matching.sources import SOURCES, is_last_save
from ..matching.state import State
from .from_transcript import Fields, fields_of
from .refresh import refreshed

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


def actions(state: State) -> list[Action]:
    """Return what would be done about each lost row: `restore` or `hold`.

    A row of which there is no file cannot be held: there is nothing to leave as it is.
    """
    found = []
    for lost in state.lost:
        decision = state.verdict(lost)
        if isinstance(decision, Matched) or (isinstance(decision, Held) and not lost.is_gone):
            found.append(action(lost, decision, state.details))
    return found


def action(lost: LostRow, decision: Matched | Held, details: Details) -> Action:
    """Return what is to be done about a lost row: put it back, or hold it and say why."""
    if isinstance(decision, Matched):
        try:
            return _restore(lost, decision, details)
        except UnbuildableError as refusal:
            transcript = decision.transcript
            offered = (
                ()
                if transcript is None or lacking(lost)
                else (candidate(transcript, transcript_id(transcript), "it is the row's, by the evidence"),)
            )
            decision = held(lost, str(refusal), *offered)
    candidates, reason = decision.candidates, decision.reason
    unknown = lacking(lost)
    if unknown and candidates:
        # The user's word on the transcript would not give what the app wants besides.
        candidates = ()
        reason = (
            f"{reason}; it cannot be built in any case, since a {lost.row.store.format.name} row needs its "
        )
        reason += f"{' and '.join(unknown)}, which only the app knew"
    return Action(
        kind="hold",
        path=lost.path,
        session_id=lost.session_id,
        candidates=candidates,
        status="held",
        error=reason,
    )


def lacking(lost: LostRow) -> list[str]:
    """Return what the app needs in a row of this kind that no transcript tells and that is lost with it."""
    needed = [name for name in lost.row.store.format.required if name != "cwd"]
    return [name for name in needed if not any(isinstance(one.fields.get(name), str) for one in lost.remains)]


def adopt(lost: LostRow, match: Matched, details: Details) -> Action:
    """Return the action that makes a row for a transcript that has none, under the transcript's own uuid.

    Raises `UnbuildableError`.
    """
    return replace(_restore(lost, match, details), kind="adopt")


def _restore(lost: LostRow, match: Matched, details: Details) -> Action:
    row, provenance, content, read = _content(lost, match, details)
    state, _, _ = classify_row(content, lost.session_id, lost.row.store.format)
    if state != "ok":
        row_format = lost.row.store.format
        needed = " and ".join(row_format.required)
        missing = f" (a {row_format.name} row needs its {needed})" if needed else ""
        raise UnbuildableError(f"what can be known of it does not make a row that the app accepts{missing}")
    transcript = match.transcript
    evidence = match.evidence
    if transcript is not None and details.places.is_mirror(transcript) and remote_machine(row) is None:
        raise UnbuildableError(
            "its transcript is a copy of one on another machine, and only the app knew how to reach that"
        )
    if transcript is not None and not _is_found(row, lost, transcript, details):
        evidence = (
            *evidence,
            Evidence("place", f"it has a transcript {details.places.why_not_found(row, transcript)}"),
        )
    return Action(
        kind="restore",
        path=lost.path,
        session_id=lost.session_id,
        cli_session_id=match.cli_session_id,
        transcript=None if transcript is None else path_of(transcript),
        source=match.source,
        evidence=evidence,
        row=row,
        provenance=provenance,
        content=content,
        rests_on=_fingerprints(lost, match, read),
        absence=match.absence,
    )


def _content(
    lost: LostRow, match: Matched, details: Details
) -> tuple[dict[str, Any], dict[str, str], bytes, dict[str, bytes]]:
    """Return the row, each field's provenance, its bytes, and the files that were read for it."""
    read = {one.path: _read_again(one) for one in match.base if one.version is None}
    best = match.base[0] if match.base else None
    transcript = match.transcript
    lines = None if transcript is None else details.of(transcript)
    if best is not None and best.version is not None:
        return (*refreshed(lost, match, best.version, best.data, lines), read)
    if best is not None:
        whole = read[best.path]
        text = _core.row_text(whole)
        if best.kind == "tmp" and is_last_save(best, lost):
            return _verbatim(whole, SOURCES["tmp"].name, read)
        if best.kind == "own" and classify_row(text, lost.session_id, lost.row.store.format)[0] == "ok":
            return _verbatim(text, SOURCES["own"].name, read)
    fields: Fields = {}
    for one in match.base:
        source = SOURCES[one.kind]
        for key, value in source.contribute(one, readable_members(read[one.path])).items():
            fields.setdefault(key, (value, source.provenance(one)))
    derived = {} if transcript is None else fields_of(transcript, lines, lost.session_id)
    if transcript is not None:
        _settle_directory(lost, derived, transcript, details)
    if match.base and all(one.kind in ("copy", "tmp") for one in match.base):
        _bring_up_to_date(fields, derived)
    entire = best is not None and best.kind != "prefix" and lost.row.state != "not-a-row"
    for key, value in derived.items():
        if key not in fields and (not entire or key in KEPT):
            fields[key] = value
    _correct(lost, match, fields, derived)
    row, content = _fitting(fields, derived)
    return row, {key: fields[key][1] for key in row}, content, read


def _settle_directory(lost: LostRow, derived: Fields, transcript: _core.Transcript, details: Details) -> None:
    """Take the directory in whose project folder a transcript lies, where its own lines name another."""
    own = derived.get("cwd")
    if own is None or _is_found(
        {key: value for key, (value, _) in derived.items()}, lost, transcript, details
    ):
        return
    directory = details.places.directory_of(transcript)
    if directory is not None:
        settled = (directory, "the directory of the other sessions in its project folder")
        if derived.get("originCwd", own)[0] == own[0]:
            derived["originCwd"] = settled
        derived["cwd"] = settled


def _is_found(fields: dict[str, Any], lost: LostRow, transcript: _core.Transcript, details: Details) -> bool:
    return details.places.is_found(fields, lost.session_id, lost.row.store.format, transcript)


def _verbatim(
    content: bytes, origin: str, read: dict[str, bytes]
) -> tuple[dict[str, Any], dict[str, str], bytes, dict[str, bytes]]:
    row = readable_members(content)
    return row, dict.fromkeys(row, origin), content, read


def _bring_up_to_date(fields: Fields, derived: Fields) -> None:
    """Take from the transcript what has happened since an older state of the row was written."""
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


def _correct(lost: LostRow, match: Matched, fields: Fields, derived: Fields) -> None:
    """Make the fields fit for a row: the id is the file's name, and the times are numbers."""
    if fields.get("sessionId", (None, ""))[0] != lost.session_id:
        fields["sessionId"] = (lost.session_id, "the row's name")
    stated = fields.get("cliSessionId", (None, ""))[0]
    if match.cli_session_id is not None and stated != match.spelled_id:
        fields["cliSessionId"] = (match.spelled_id, "the transcript's name")
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
    """Return the row and its bytes, without what JSON cannot say and what would make it too large for the
    app."""
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
    """Encode a row as compact JSON in UTF-8. A lone surrogate stays an escape, which JSON allows."""
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


def _read_again(remains: Remains) -> bytes:
    """Return the content of the file that remains were found in, if it is still the same file."""
    try:
        data, now = read_file(remains.path)
    except OSError as error:
        raise UnbuildableError(
            f"{remains.path} could not be read again ({error.strerror or error})"
        ) from None
    _same(remains.path, remains.status, now)
    return data


def _same(path: str, before: os.stat_result | None, now: os.stat_result) -> None:
    if before is None or (before.st_size, before.st_mtime_ns, before.st_ino) != (
        now.st_size,
        now.st_mtime_ns,
        now.st_ino,
    ):
        raise UnbuildableError(f"{path} changed while it was looked at")


def _identity(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_ino


def _fingerprints(lost: LostRow, match: Matched, read: dict[str, bytes]) -> tuple[Fingerprint, ...]:
    """Return the files that the match was concluded from, the target first."""
    found = [_target(lost.row, lost.status, read)]
    for path in dict.fromkeys([*read, *match.rests_on]):
        if path != lost.path:
            found.append(_content_of(path, read.get(path)))
    transcript = match.transcript
    if transcript is not None:
        path = path_of(transcript)
        status = _status(path)
        found.append(Fingerprint(path, True, transcript.size, status.st_mtime_ns, status.st_ino))
        mark = f"{path.removesuffix('.jsonl')}{RELEASED}"
        if not os.path.lexists(mark):
            found.append(Fingerprint(mark, False))
    folder = lost.path.rpartition(os.sep)[0]
    for name in (bare_id(lost.session_id), match.cli_session_id):
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
        with open_stream(path, follow=True) as file:
            _same(path, before, os.fstat(file.fileno()))
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UnbuildableError(f"{path} could not be read again ({error.strerror})") from None


@lru_cache(maxsize=4096)
def _hash_of_zeros(size: int) -> str:
    """Return the SHA-256 of so many zero bytes. Rows of zeros come by the thousand, and of few lengths."""
    digest = hashlib.sha256()
    block = bytes(1 << 16)
    for _ in range(size >> 16):
        digest.update(block)
    digest.update(block[: size & 0xFFFF])
    return digest.hexdigest()
