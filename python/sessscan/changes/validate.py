"""Check that a plan asks only for what a plan may ask for, wherever it comes from.

A plan file may be old, or written by somebody else. So everything that is certain of a plan just made is
checked again before it is saved and after it is loaded: it writes only rows into the stores it names, each
under its own name and of its own session, and indexes of transcripts in folders that have an index.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

from ..errors import PlanFileError
from ..model import MOVE, MOVE_LEASES, MOVE_ROW, Action, Fingerprint, Store
from ..rules import BY_NAME
from ..stores.locate import TRANSCRIPT_NAME
from ..stores.project_files import INDEX_NAME
from ..stores.rows import classify_row, readable_members
from ..stores.worktrees import FILE_NAME as LEASES_NAME
from .journal import is_move_within_root, may_be_moved
from .outcome import RELOCATE, REPAIR, Outcome

_ROW_NAME = re.compile(r"local_.*\.json", re.DOTALL)
_SHA256 = re.compile(r"[0-9a-f]{64}")


def validate(plan: Outcome) -> None:
    """Raise `PlanFileError` for a plan that asks for more than a plan may, or contradicts itself."""
    stores = {store.path: store for store, _ in plan.stores}
    if (plan.schema == RELOCATE) != (plan.moved is not None):
        raise PlanFileError("it does not say which folder was moved, or moves one that it is not about")
    for path in stores:
        _check_path(path)
    for finding in plan.findings:
        if finding.rule not in BY_NAME:
            raise PlanFileError(f"it finds {finding.rule!r}, which this sessscan does not know")
    seen: set[str] = set()
    for action in plan.actions:
        _check_path(action.path)
        if action.path in seen:
            raise PlanFileError(f"it names two actions for {action.path}")
        seen.add(action.path)
        if (action.target is not None) != (action.kind == MOVE):
            raise PlanFileError(f"it moves {action.path}, and does not say that or where")
        if plan.schema == RELOCATE:
            _check_about_folder(action, stores)
        elif action.kind in (MOVE, MOVE_ROW, MOVE_LEASES):
            raise PlanFileError(f"it moves no folder, and would move {action.path}")
        elif plan.schema == REPAIR:
            _check_about_transcript(action)
        elif action.kind == "repair" or action.edits or action.utf16 or action.reached is not None:
            raise PlanFileError(f"it is about rows, and would edit {action.path}")
        elif action.kind == "hold":
            _check_hold(action, stores)
        elif action.kind == "rebuild-index":
            _check_index(action)
        else:
            _check_row(action, stores)


def _check_path(path: str) -> None:
    """Refuse a path that is relative, has `..` or the like in it, or that no file can have."""
    try:
        possible = b"\0" not in os.fsencode(path)
    except UnicodeError:
        possible = False
    if not possible or not Path(path).is_absolute() or os.path.normpath(path) != path:
        raise PlanFileError(f"{path!r} is not a plain absolute path")


def _check_hold(action: Action, stores: dict[str, Store]) -> None:
    _store_of(action, stores)
    if action.status != "held" or action.content or action.row:
        raise PlanFileError(f"it holds {action.path} and would write it all the same")


def _check_row(action: Action, stores: dict[str, Store], *, transcript_known: bool = True) -> None:
    """Refuse an action that would write anything but a row of its own session into its place."""
    store = _store_of(action, stores)
    target = _target_of(action)
    if action.kind == "adopt" and target.exists:
        raise PlanFileError(f"it would make {action.path} anew, which is there already")
    if action.kind == "relink" and not (target.exists and action.transcript):
        raise PlanFileError(f"it would link {action.path}, and does not say to which transcript")
    name = action.session_id or ""
    if classify_row(action.content, name, store.format)[0] != "ok":
        raise PlanFileError(f"what it would write into {action.path} is no row of that session")
    named = readable_members(action.content).get("cliSessionId")
    if isinstance(named, str) and named.lower() != (action.cli_session_id or "").lower():
        raise PlanFileError(f"what it would write into {action.path} names another transcript than it says")
    if action.transcript is not None and transcript_known:
        _check_path(action.transcript)
        own = Path(action.transcript).name.lower() == f"{(action.cli_session_id or '').lower()}.jsonl"
        if not own or action.transcript not in {fingerprint.path for fingerprint in action.rests_on}:
            raise PlanFileError(f"the transcript it gives to {action.path} is not the one that it names")


def _check_about_transcript(action: Action) -> None:
    """Refuse an action of a repair that would do anything but edit a transcript where it says."""
    folder, name = os.path.split(action.path)
    own = (
        _is_transcript_in(action.path, folder)
        and name.lower() == f"{(action.cli_session_id or '').lower()}.jsonl"
    )
    if not own or action.transcript != action.path or action.content or action.row:
        raise PlanFileError(f"{action.path} is not the transcript of the session that it names")
    if action.kind == "hold":
        if action.status != "held" or action.edits or action.utf16:
            raise PlanFileError(f"it holds {action.path} and would edit it all the same")
        return
    if action.kind != "repair" or not (action.edits or action.utf16):
        raise PlanFileError(f"it does not say how it would edit {action.path}")
    target = _target_of(action)
    end = 0
    for edit in action.edits:
        within = action.utf16 or edit.offset + len(edit.old) * edit.times <= target.size
        if edit.times < 1 or edit.offset < end or not within or edit.old == edit.new:
            raise PlanFileError(f"its edits do not fit {action.path}")
        end = edit.offset + len(edit.old) * edit.times


def _check_about_folder(action: Action, stores: dict[str, Store]) -> None:
    """Refuse an action that does anything but move a session's files between project folders, append a line
    to its transcript, and name the new directory in rows and leases."""
    if action.utf16 or action.left_out or action.held or action.assembled is not None:
        raise PlanFileError(f"it moves a folder, and would do something else to {action.path}")
    if action.kind == "hold":
        if action.status != "held" or action.content or action.row or action.edits:
            raise PlanFileError(f"it holds {action.path} and would change it all the same")
        return
    target = _target_of(action)
    if action.kind == MOVE_ROW:
        _check_row(action, stores, transcript_known=False)
    elif action.kind == MOVE_LEASES:
        folder, name = os.path.split(action.path)
        if name != LEASES_NAME or folder not in {store.user_data for store in stores.values()}:
            raise PlanFileError(f"{action.path} is no list of worktrees of a store that it names")
    elif action.kind != MOVE or action.content or action.row:
        raise PlanFileError(f"it does not say how it would move {action.path}")
    elif action.target is not None:
        _check_path(action.target)
        name = Path(action.path).name
        if not is_move_within_root(action.path, action.target) or not may_be_moved(name):
            raise PlanFileError(f"{action.path} is nothing that could be moved to {action.target}")
        appended = [
            edit for edit in action.edits if edit.old or edit.offset != target.size or edit.times != 1
        ]
        if appended or len(action.edits) > 1 or (action.edits and not TRANSCRIPT_NAME.fullmatch(name)):
            raise PlanFileError(f"it would change {action.path} and not only append to it")


def _check_index(action: Action) -> None:
    """Refuse an index that is not there yet, or that would list anything but transcripts beside it."""
    target = _target_of(action)
    folder, name = os.path.split(action.path)
    if name != INDEX_NAME or not target.exists or action.session_id is not None or action.row:
        raise PlanFileError(f"{action.path} is no index that could be rebuilt")
    known = {fingerprint.path for fingerprint in action.rests_on}
    try:
        document = json.loads(action.content)
        listed = [entry["fullPath"] for entry in document["entries"]]
    except (ValueError, RecursionError, KeyError, TypeError):
        raise PlanFileError(f"what it would write into {action.path} is no index") from None
    for path in listed:
        if not _is_transcript_in(path, folder) or path not in known:
            raise PlanFileError(f"what it would write into {action.path} is no index of that folder")


def _is_transcript_in(path: Any, folder: str) -> bool:
    if not isinstance(path, str):
        return False
    parent, name = os.path.split(path)
    return parent == folder and TRANSCRIPT_NAME.fullmatch(name) is not None


def _store_of(action: Action, stores: dict[str, Store]) -> Store:
    """Return the store that the action's row lies in, directly and under the name of its session."""
    folder, name = os.path.split(action.path)
    store = stores.get(folder)
    stream = sys.platform == "win32" and ":" in name  # `a:b.json` is a stream of the file `a`
    if store is None or stream or not _ROW_NAME.fullmatch(name) or name != f"{action.session_id}.json":
        raise PlanFileError(f"{action.path} is no row of a store that it names")
    return store


def _target_of(action: Action) -> Fingerprint:
    """Return the fingerprint of the file to be written, which must come first. Check the others, too."""
    if (
        action.status != "planned"
        or action.backup is not None
        or not (action.content or action.kind in ("repair", MOVE))
    ):
        raise PlanFileError(f"it does not say what it would write into {action.path}")
    for fingerprint in action.rests_on:
        _check_path(fingerprint.path)
        if fingerprint.sha256 is not None and not _SHA256.fullmatch(fingerprint.sha256):
            raise PlanFileError(f"it does not say what {fingerprint.path} was")
    target = next(iter(action.rests_on), None)
    whole = action.kind in ("repair", MOVE)
    told = target is not None and (target.exists if whole else _has_hash(target))
    if target is None or target.path != action.path or not told:
        raise PlanFileError(f"it does not say what {action.path} was")
    return target


def _has_hash(fingerprint: Fingerprint) -> bool:
    return not fingerprint.exists or fingerprint.sha256 is not None
