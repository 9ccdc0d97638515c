"""Find legacy `sessions-index.json` files that are out of date, and plan to rebuild them.

Their format is not documented anywhere (FORMATS section 3). `messageCount` is in no transcript: it is taken
over from entries that are up to date, and left out otherwise.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .. import _core
from ..model import Action, Evidence, Fingerprint
from ..rules import Named
from ..stores.project_folder import normalize
from ..stores.rows import read_file
from ..stores.transcripts import directories, is_conversation, path_of, transcript_id
from .inventory import UUID, Inventory

TOLERANCE = 1_000
"""Ms by which a transcript may be newer than its entry, since the CLI rounded the times in the index."""


@dataclass
class Folder:
    """The transcripts in the project folder of an index."""

    read: list[_core.Transcript] = field(default_factory=list)
    unread: list[_core.Transcript] = field(default_factory=list)
    """They are there but could not be read: their entries stay as they are."""


def stale(inventory: Inventory) -> Iterator[tuple[str, str, Folder]]:
    """Yield each index that is out of date or damaged: its path, what is wrong, and its folder."""
    if not inventory.listing.indexes:
        return
    folders: dict[str, Folder] = defaultdict(Folder)
    for transcript in inventory.transcripts:
        folders[_parent(path_of(transcript))].read.append(transcript)
    for transcript in inventory.unread:
        folders[_parent(path_of(transcript))].unread.append(transcript)
    for path in inventory.listing.indexes:
        reason = _problem(path, folders[_parent(path)])
        if reason is not None:
            yield path, reason, folders[_parent(path)]


def rebuilds(inventory: Inventory) -> list[Action]:
    """Return an action for each index that is out of date or damaged."""
    actions = []
    names = Counter(path for path, _, _ in forgotten(inventory))
    for path, reason, folder in stale(inventory):
        try:
            before, status = read_file(path)
            content, known = _content(before, folder)
        except OSError:
            continue
        digest = hashlib.sha256(before).hexdigest()
        target = Fingerprint(path, True, status.st_size, status.st_mtime_ns, status.st_ino, digest)
        actions.append(
            Action(
                kind="rebuild-index",
                path=path,
                session_id=None,
                source="transcript",
                evidence=(Evidence("index", f"it {reason}"), *_kept_names(path, names)),
                content=content,
                rests_on=(target, *known),
            )
        )
    return actions


def _kept_names(path: str, names: Mapping[str, int]) -> Iterator[Evidence]:
    """Yield where the names of sessions go that the new index does not list, since they are not there."""
    if names[path]:
        yield Evidence("index", f"what it says of {names[path]:,} sessions that are gone stays in the backup")


def _problem(path: str, folder: Folder) -> str | None:
    """Return what is wrong with an index, as the end of a sentence; None if it is up to date."""
    try:
        document = json.loads(read_file(path)[0].decode("utf-8", "replace"))
    except OSError as error:
        return f"cannot be read ({error.strerror or error})"
    except (ValueError, RecursionError):
        return "is damaged: it is not JSON"
    if not isinstance(document, dict) or not isinstance(document.get("entries"), list):
        return "is damaged: it has no list of sessions"
    listed = _entries(document)
    present = {transcript_id(transcript): transcript for transcript in folder.read}
    vanished = len(
        listed.keys() - present.keys() - {transcript_id(transcript) for transcript in folder.unread}
    )
    if vanished:
        return f"is out of date: it lists {vanished} of {len(listed)} sessions that are not there"
    unlisted = sum(name not in listed for name, transcript in present.items() if is_conversation(transcript))
    if unlisted:
        return f"is out of date: it does not list {unlisted} of {len(present)} sessions"
    wrong = Counter(
        key for name, transcript in present.items() for key in _differing(listed.get(name, {}), transcript)
    )
    if wrong:
        return f"is out of date: its entries do not say what the transcripts say ({', '.join(wrong)})"
    for name, transcript in present.items():
        noted = listed[name].get("fileMtime") if name in listed else None
        if isinstance(noted, int | float) and _mtime(path_of(transcript)) > noted + TOLERANCE:
            return "is out of date: sessions continued after it was written"
    return None


def forgotten(inventory: Inventory) -> Iterator[tuple[str, str, Named]]:
    """Yield each session that only an old index still names: the index, its id, and what it says of it.

    That is one whose transcript is nowhere, that no readable row names and that nobody deleted.
    """
    seen: set[str] = set()
    for path in inventory.listing.indexes:
        for name, entry in (listed_in(path) or {}).items():
            if (
                name not in seen
                and UUID.fullmatch(name)
                and not inventory.files(name)
                and name not in inventory.unread_ids
                and inventory.unclaimed(name)
            ):
                seen.add(name)
                yield path, name, _named(entry)


def listed_in(path: str) -> dict[str, dict[str, Any]] | None:
    """Return the entries of an index by session id, in small letters; None where it cannot be read."""
    try:
        document = json.loads(read_file(path)[0].decode("utf-8", "replace"))
    except (OSError, ValueError, RecursionError):
        return None
    return _entries(document) if isinstance(document, dict) else None


def _named(entry: dict[str, Any]) -> Named:
    """Return what an entry says of its session: its title, its directory, and when it was last used."""
    title = next((text for key in ("summary", "firstPrompt") if (text := _text(entry.get(key)))), None)
    return (
        title,
        _text(entry.get("projectPath")),
        _time(entry.get("modified")) or _time(entry.get("fileMtime")),
    )


def _differing(entry: dict[str, Any], transcript: _core.Transcript) -> list[str]:
    """Return the keys of an entry that contradict its transcript.

    What an entry leaves out contradicts nothing, nor does a prompt that it cuts short.
    """
    path, project, summary = (_text(entry.get(key)) for key in ("fullPath", "projectPath", "summary"))
    prompt, branch, created = (
        _text(entry.get("firstPrompt")),
        _text(entry.get("gitBranch")),
        _time(entry.get("created")),
    )
    titles = {transcript.custom_title, transcript.ai_title, transcript.summary} - {None}
    known = directories(transcript)
    sidechain = entry.get("isSidechain")
    differs = {
        "fullPath": path is not None and os.path.normpath(path) != path_of(transcript),
        "projectPath": project is not None and bool(known) and normalize(project) not in known,
        "summary": summary is not None and bool(titles) and summary not in titles,
        "firstPrompt": prompt is not None and not _begins_alike(prompt, transcript.first_prompt),
        "gitBranch": None not in (branch, transcript.git_branch) and branch != transcript.git_branch,
        "created": None not in (created, transcript.created_at)
        and abs((created or 0) - (transcript.created_at or 0)) > TOLERANCE,
        "isSidechain": isinstance(sidechain, bool) and sidechain != transcript.is_sidechain,
    }
    return [key for key, is_wrong in differs.items() if is_wrong]


def _begins_alike(stated: str, prompt: str | None) -> bool:
    """Tell whether one of two prompts is the other, cut short."""
    one = " ".join(stated.removesuffix("…").split())
    return prompt is None or one.startswith(prompt) or prompt.startswith(one)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _time(value: object) -> int | None:
    """Return a time in epoch ms, from a number or from RFC 3339 with a zone; None for anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return int(value) if abs(value) < 1e15 else None
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        return None if moment is None or moment.tzinfo is None else int(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def _content(before: bytes, folder: Folder) -> tuple[bytes, list[Fingerprint]]:
    """Return the new index and the fingerprints of its transcripts. Raises OSError if one has vanished."""
    try:
        old = json.loads(before.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        old = {}
    old = old if isinstance(old, dict) else {}
    listed = _entries(old)
    entries, known = [], []
    unread = {path_of(transcript) for transcript in folder.unread}
    for transcript in sorted([*folder.read, *folder.unread], key=path_of):
        path, old_entry = path_of(transcript), listed.get(transcript_id(transcript), {})
        if path in unread:
            entry = {**old_entry, "fullPath": path} if old_entry else {}
        else:
            entry = _entry(transcript, old_entry) if is_conversation(transcript) else {}
        if entry:
            entries.append(entry)
            status = os.stat(path)  # noqa: PTH116 - there may be thousands
            known.append(Fingerprint(path, True, status.st_size, status.st_mtime_ns, status.st_ino))
    document = {"version": 1, "originalPath": _original_path(old, folder.read), "entries": entries}
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace"), known  # a lone surrogate becomes an escape again


def _entry(transcript: _core.Transcript, old_entry: dict[str, Any]) -> dict[str, Any]:
    mtime = _mtime(path_of(transcript))
    entry = {
        "sessionId": transcript.session_id,
        "fullPath": path_of(transcript),
        "fileMtime": mtime,
        "firstPrompt": transcript.first_prompt,
        "summary": None if transcript.title_source == "prompt" else transcript.title,
        "messageCount": old_entry.get("messageCount") if old_entry.get("fileMtime") == mtime else None,
        "created": _iso(transcript.created_at),
        "modified": _iso(mtime),
        "gitBranch": transcript.git_branch,
        "projectPath": transcript.cwd,
        "isSidechain": transcript.is_sidechain,
    }
    return {key: value for key, value in entry.items() if value is not None}


def _entries(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the entries of an index by session id."""
    entries = document.get("entries")
    return {
        entry["sessionId"].lower(): entry
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, dict) and isinstance(entry.get("sessionId"), str)
    }


def _original_path(old: dict[str, Any], transcripts: Sequence[_core.Transcript]) -> str | None:
    """Return the directory of the project folder, from the index or else from a transcript."""
    stated = old.get("originalPath")
    if isinstance(stated, str) and stated:
        return stated
    return next((transcript.cwd for transcript in transcripts if transcript.cwd is not None), None)


def _parent(path: str) -> str:
    return path.rpartition(os.sep)[0]


def _iso(milliseconds: int | None) -> str | None:
    if milliseconds is None:
        return None
    try:
        moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None  # a file may have any time at all
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _mtime(path: str) -> int:
    try:
        return Path(path).stat().st_mtime_ns // 1_000_000
    except OSError:
        return 0
