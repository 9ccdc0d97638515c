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
from ..model import Action, Fingerprint, Store
from ..rules import BY_NAME
from ..stores.locate import TRANSCRIPT_NAME
from ..stores.project_files import INDEX_NAME
from ..stores.rows import classify_row, readable_members
from .outcome import Outcome

_ROW_NAME = re.compile(r"local_.*\.json", re.DOTALL)
_SHA256 = re.compile(r"[0-9a-f]{64}")


def validate(plan: Outcome) -> None:
    """Raise `PlanFileError` for a plan that asks for more than a plan may, or contradicts itself."""
    stores = {store.path: store for store, _ in plan.stores}
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
        if action.kind == "hold":
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


def _check_row(action: Action, stores: dict[str, Store]) -> None:
    """Refuse an action that would write anything but a row of its own session into its place."""
    store = _store_of(action, stores)
    target = _target_of(action)
    if action.kind == "adopt" and target.exists:
        raise PlanFileError(f"it would make {action.path} anew, which is there already")
    name = action.session_id or ""
    if classify_row(action.content, name, store.format)[0] != "ok":
        raise PlanFileError(f"what it would write into {action.path} is no row of that session")
    named = readable_members(action.content).get("cliSessionId")
    if isinstance(named, str) and named.lower() != (action.cli_session_id or "").lower():
        raise PlanFileError(f"what it would write into {action.path} names another transcript than it says")
    if action.transcript is not None:
        _check_path(action.transcript)
        own = Path(action.transcript).name.lower() == f"{(action.cli_session_id or '').lower()}.jsonl"
        if not own or action.transcript not in {fingerprint.path for fingerprint in action.rests_on}:
            raise PlanFileError(f"the transcript it gives to {action.path} is not the one that it names")


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
    if action.status != "planned" or not action.content or action.backup is not None:
        raise PlanFileError(f"it does not say what it would write into {action.path}")
    for fingerprint in action.rests_on:
        _check_path(fingerprint.path)
        if fingerprint.sha256 is not None and not _SHA256.fullmatch(fingerprint.sha256):
            raise PlanFileError(f"it does not say what {fingerprint.path} was")
    target = next(iter(action.rests_on), None)
    if target is None or target.path != action.path or (target.exists and target.sha256 is None):
        raise PlanFileError(f"it does not say what {action.path} was")
    return target
