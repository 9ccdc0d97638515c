"""Plan what rows of the app, and its leases of worktrees, say once a folder has moved."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from typing import Any

from ..errors import describe
from ..model import MOVE_LEASES, MOVE_ROW, Action, Evidence, Finding, Fingerprint, Row, Store
from ..rules import finding
from ..stores.json_members import Member, elements, members, replace_members, replace_texts
from ..stores.rows import classify_row, read_file, read_store
from ..stores.worktrees import FILE_NAME
from .folders import Directories

FIELDS = ("cwd", "originCwd", "worktreePath")
"""The directories that a row names (FORMATS section 2)."""


def rows_of(stores: Iterable[Store], errors: list[OSError]) -> tuple[list[tuple[Store, int]], list[Row]]:
    """Return the stores with the number of their rows, and the rows whose sessions run on this machine.

    Rows that the app cannot read are left out, and Cowork's: their directories are those of its own machine.
    """
    counts: list[tuple[Store, int]] = []
    found: list[Row] = []
    for store in stores:
        if not store.format.transcripts_in_projects:
            continue
        contents = read_store(store)
        errors += contents.errors
        counts.append((store, len(contents.rows)))
        found += [row for row in contents.rows if row.state == "ok" and row.remote is None]
    return counts, found


def directories_of(row: Row) -> list[str]:
    """Return the directories that a row names, the one that the app looks under first."""
    return [value for name in FIELDS if isinstance(value := row.fields.get(name), str) and value]


def transcript_of(row: Row) -> str | None:
    """Return the id of the transcript that a row names, in small letters."""
    named = row.fields.get("cliSessionId")
    return named.lower() if isinstance(named, str) and named else None


def changed_fields(row: Row, directories: Directories) -> dict[str, str]:
    """Return the fields of a row that say something else once the folder has moved."""
    found = {}
    for name in FIELDS:
        value = row.fields.get(name)
        if isinstance(value, str) and (moved := directories.moved(value)) is not None:
            found[name] = moved
    return found


def action_for_row(row: Row, changed: dict[str, str], transcript: str | None) -> Action | Finding:
    """Return what is to be written into a row; a finding where it cannot be read any more.

    `transcript`: where its transcript is, or will be.
    """
    try:
        data, status = read_file(row.path)
        content = replace_members(data, {name: json_text(value) for name, value in changed.items()})
    except OSError as error:
        return finding(
            "unreadable", row.path, f"It cannot be read: {describe(error)}.", session_id=row.session_id
        )
    except (ValueError, RecursionError):
        return _unfit(row)
    if classify_row(content, row.session_id, row.store.format)[0] != "ok":
        return _unfit(row)
    before = Fingerprint(
        row.path, True, status.st_size, status.st_mtime_ns, status.st_ino, hashlib.sha256(data).hexdigest()
    )
    title = row.fields.get("title")
    return Action(
        kind=MOVE_ROW,
        path=row.path,
        session_id=row.session_id,
        cli_session_id=transcript_of(row),
        transcript=transcript,
        evidence=tuple(Evidence("place", f"{name}: {row.fields[name]}") for name in changed),
        row={**({"title": title} if isinstance(title, str) else {}), **changed},
        provenance={name: f"{row.fields[name]}, moved" for name in changed},
        content=content,
        rests_on=(before,),
    )


def _unfit(row: Row) -> Finding:
    return finding("unreadable", row.path, "It changed while it was read.", session_id=row.session_id)


def json_text(value: str) -> str:
    """Return a text as JSON, its characters as the app writes them: raw, where they can be."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value)
    return text


def actions_for_leases(stores: Iterable[Store], directories: Directories) -> Iterator[Action | Finding]:
    """Yield what is to be written into each list of worktrees of which a lease names the folder."""
    folders = dict.fromkeys(store.user_data for store in stores if store.user_data is not None)
    for folder in folders:
        path = os.path.join(folder, FILE_NAME)  # noqa: PTH118
        try:
            data, status = read_file(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            yield finding("unreadable", path, f"It cannot be read: {describe(error)}.")
            continue
        try:
            text = data.decode("utf-8", "surrogateescape")
            places = list(_places(text, directories))
        except (ValueError, RecursionError):
            continue  # the app cannot read it either: `reconcile` tells
        if not places:
            continue
        content = replace_texts(data, [(begin, end, json_text(new)) for begin, end, _, new in places])
        seen = Fingerprint(
            path, True, status.st_size, status.st_mtime_ns, status.st_ino, hashlib.sha256(data).hexdigest()
        )
        yield Action(
            kind=MOVE_LEASES,
            path=path,
            session_id=None,
            evidence=tuple(Evidence("lease", old) for old in _leased(places)),
            content=content,
            rests_on=(seen,),
        )


def _leased(places: Iterable[tuple[int, int, str, str]]) -> Iterator[str]:
    """Yield each directory that moves once, in the order of the file."""
    yield from dict.fromkeys(old for _, _, old, _ in places)


def _places(text: str, directories: Directories) -> Iterator[tuple[int, int, str, str]]:
    """Yield each directory of a lease that moves: where its text begins and ends, the old and the new one."""
    worktrees = [one for one in members(text, _begin(text)) if one.key == "worktrees"]
    if not worktrees:
        return
    at = worktrees[-1].value
    if text[at : at + 1] == "[":
        entries = [begin for begin, _ in elements(text, at)]
    else:
        entries = [one.value for one in members(text, at)]
    for entry in entries:
        if text[entry : entry + 1] != "{":
            continue
        found: dict[str, Member] = {one.key: one for one in members(text, entry)}
        values: dict[str, Any] = {key: json.loads(text[one.value : one.end]) for key, one in found.items()}
        path, owner = values.get("path"), values.get("leasedBy")
        if not (isinstance(owner, str) and owner and isinstance(path, str)):
            continue
        if directories.moved(path) is None:
            continue
        for key in ("path", "baseRepo"):
            value = values.get(key)
            if isinstance(value, str) and (moved := directories.moved(value)) is not None:
                yield found[key].value, found[key].end, value, moved


def _begin(text: str) -> int:
    return 1 if text.startswith("\ufeff") else 0
