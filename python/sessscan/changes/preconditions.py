"""What a plan may ask for, wherever it comes from, and whether it still fits.

A plan may have lain about, or come from somebody else. So what is certain of a plan that was just made is
looked at again: it writes nothing but rows into the stores that it names, each under its own name and of its
own session, and the indexes of transcripts where there are some.
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
from ..stores.locate import INDEX_NAME, TRANSCRIPT_NAME
from ..stores.rows import classify_row, readable_members
from .fingerprint import Checker
from .plan import Plan

_ROW_NAME = re.compile(r"local_.*\.json", re.DOTALL)
_SHA256 = re.compile(r"[0-9a-f]{64}")


def check(plan: Plan) -> None:
    """Raises `PlanFileError` for a plan that asks for more than a plan may, or does not hang together."""
    stores = {store.path: store for store, _ in plan.stores}
    for path in stores:
        _plain(path)
    for finding in plan.findings:
        if finding.rule not in BY_NAME:
            raise PlanFileError(f"it finds {finding.rule!r}, which this sessscan does not know")
    seen: set[str] = set()
    for action in plan.actions:
        _plain(action.path)
        if action.path in seen:
            raise PlanFileError(f"it says twice what is to be done about {action.path}")
        seen.add(action.path)
        if action.kind == "hold":
            _hold(action, stores)
        elif action.kind in ("restore", "adopt"):
            _row(action, stores)
        elif action.kind == "rebuild-index":
            _index(action)
        else:
            raise PlanFileError(f"it wants to {action.kind!r}, which this sessscan does not know")


def changes(plan: Plan) -> list[str]:
    """What is no longer as it was when the plan was made: a line for each file, which names it."""
    checker = Checker()
    found: dict[str, str] = {}
    for action in plan.actions:
        if action.status == "planned":
            folder = os.path.dirname(action.path)  # noqa: PTH120 - a str is at hand
            if action.source != "snapshot" and not Path(folder).is_dir():
                found.setdefault(folder, f"{folder} is gone")
                continue
            for fingerprint in action.rests_on:
                reason = checker.changed(fingerprint)
                if reason is not None:
                    found.setdefault(fingerprint.path, reason)
    return list(found.values())


def _plain(path: str) -> None:
    """Absolute, without `..` or the like, and one that the system has files under."""
    try:
        possible = b"\0" not in os.fsencode(path)
    except UnicodeError:
        possible = False
    if not possible or not Path(path).is_absolute() or os.path.normpath(path) != path:
        raise PlanFileError(f"{path!r} is not a plain absolute path")


def _hold(action: Action, stores: dict[str, Store]) -> None:
    _place(action, stores)
    if action.status != "held" or action.content or action.row:
        raise PlanFileError(f"it holds {action.path} and would write it all the same")


def _row(action: Action, stores: dict[str, Store]) -> None:
    """A row that is to be written."""
    store = _place(action, stores)
    target = _rests(action)
    if action.kind == "adopt" and target.exists:
        raise PlanFileError(f"it would make {action.path} anew, which is there already")
    name = action.session_id or ""
    if classify_row(action.content, name, store.format)[0] != "ok":
        raise PlanFileError(f"what it would write into {action.path} is no row of that session")
    named = readable_members(action.content).get("cliSessionId")
    if isinstance(named, str) and named.lower() != (action.cli_session_id or "").lower():
        raise PlanFileError(f"what it would write into {action.path} names another transcript than it says")
    if action.transcript is not None:
        _plain(action.transcript)
        own = Path(action.transcript).name.lower() == f"{(action.cli_session_id or '').lower()}.jsonl"
        if not own or action.transcript not in {fingerprint.path for fingerprint in action.rests_on}:
            raise PlanFileError(f"the transcript it gives to {action.path} is not the one that it names")


def _index(action: Action) -> None:
    """An index that is to be rebuilt: one that is there, from transcripts that lie beside it."""
    target = _rests(action)
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
        if path not in known or not _beside(path, folder):
            raise PlanFileError(f"what it would write into {action.path} is no index of that folder")


def _beside(path: Any, folder: str) -> bool:
    return (
        isinstance(path, str)
        and os.path.split(path)[0] == folder
        and TRANSCRIPT_NAME.fullmatch(os.path.split(path)[1]) is not None
    )


def _place(action: Action, stores: dict[str, Store]) -> Store:
    """The store that an action's row lies in, directly and under its session's name."""
    folder, name = os.path.split(action.path)
    store = stores.get(folder)
    stream = sys.platform == "win32" and ":" in name  # `a:b.json` is a stream of the file `a`
    if store is None or stream or not _ROW_NAME.fullmatch(name) or name != f"{action.session_id}.json":
        raise PlanFileError(f"{action.path} is no row of a store that it names")
    return store


def _rests(action: Action) -> Fingerprint:
    """The target's own fingerprint, which must be there and come first; the others must be sound as well."""
    if action.status != "planned" or not action.content or action.backup is not None:
        raise PlanFileError(f"it does not say what it would write into {action.path}")
    for fingerprint in action.rests_on:
        _plain(fingerprint.path)
        if fingerprint.sha256 is not None and not _SHA256.fullmatch(fingerprint.sha256):
            raise PlanFileError(f"it does not say what {fingerprint.path} was")
    target = next(iter(action.rests_on), None)
    if target is None or target.path != action.path or (target.exists and target.sha256 is None):
        raise PlanFileError(f"it does not say what {action.path} was")
    return target
