"""Save a plan to a file and load it again, so that it can be read now and applied later, exactly.

The file is the JSON of `reconcile --format json` with all that is needed to apply it: for each action the
bytes to be written (base64), and the fingerprints of the files it rests on. A checksum shows damage.
`validate` refuses a file that asks for more than a plan may.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from .. import _core
from ..errors import PlanFileError
from ..model import (
    CODE,
    COWORK,
    MOVE,
    MOVE_LEASES,
    Action,
    ActionKind,
    EvidenceKind,
    Finding,
    FolderMove,
    Severity,
    Source,
    Status,
    Store,
)
from ..stores.locate import StrPath, format_of
from ..stores.rows import readable_members
from .outcome import RECONCILE, RELOCATE, REPAIR, Outcome, Schema
from .validate import validate

SCHEMA = "sessscan.plan/1"

_Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""A size, a time or an inode: as large as the system has them, and as the journal can keep them."""

_Size = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]

_OWN_MEMBERS: dict[str, tuple[Schema, ...]] = {
    "edits": (REPAIR, RELOCATE),
    "utf16": (REPAIR,),
    "reached": (REPAIR,),
    "left_out": (REPAIR,),
    "held": (REPAIR,),
    "target": (RELOCATE,),
}
"""The members of an action that only plans of some kinds have."""

_WITHOUT_ROW = frozenset(("rebuild-index", "repair", MOVE, MOVE_LEASES))
"""The kinds of actions that write no row."""

T = TypeVar("T")
P = TypeVar("P", bound=Outcome)


class _Object(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A JSON object of the file. It must have exactly these members, each of its type."""


class _Store(_Object, frozen=True):
    path: str
    user_data: str | None
    agent_mode: bool
    rows: _Int64


class _Summary(_Object, frozen=True):
    rows: _Int64
    transcripts: _Int64
    bytes: _Int64
    findings: dict[str, int]
    actions: dict[str, int]


class _Finding(_Object, frozen=True):
    rule: str
    severity: Severity
    path: str
    message: str
    session_id: str | None
    transcript: str | None
    offset: _Int64 | None
    length: _Int64 | None


class _Evidence(_Object, frozen=True):
    kind: EvidenceKind
    detail: str


class _Candidate(_Object, frozen=True):
    transcript: str
    cli_session_id: str
    title: str | None
    cwd: str | None
    last_activity_at: _Int64 | None
    reason: str


class _Fingerprint(_Object, frozen=True):
    path: str
    exists: bool
    size: _Int64
    mtime_ns: _Int64
    inode: _Int64
    sha256: str | None


class _Absence(_Object, frozen=True):
    transcript: str
    after: _Int64
    until: _Int64
    directories: tuple[str, ...]
    newest_change_ns: _Int64
    stores: tuple[str, ...]
    projects: tuple[str, ...]
    named_by: tuple[str, ...] = ()  # plans of version 0.1.0 do not say it


class _Edit(_Object, frozen=True):
    offset: _Size
    old: bytes
    new: bytes
    reason: str
    times: _Size


class _Reached(_Object, frozen=True):
    before: _Size
    after: _Size


class _LeftOut(_Object, frozen=True):
    record: str
    line: _Size
    text: str


class _ParentCandidate(_Object, frozen=True):
    record: str
    line: _Size
    timestamp: _Int64 | None
    text: str


class _HeldParent(_Object, frozen=True):
    record: str
    line: _Size
    text: str
    why: str
    candidates: tuple[_ParentCandidate, ...]


class _Action(_Object, frozen=True):
    kind: ActionKind
    path: str
    session_id: str | None
    cli_session_id: str | None
    transcript: str | None
    source: Source | None
    evidence: tuple[_Evidence, ...]
    candidates: tuple[_Candidate, ...]
    row: dict[str, Any]
    provenance: dict[str, str]
    status: Status
    backup: str | None
    error: str | None
    content: bytes
    rests_on: tuple[_Fingerprint, ...]
    absence: _Absence | None = None  # plans of version 0.1.0 have none
    edits: tuple[_Edit, ...] = ()  # these five only plans of repairs have
    utf16: bool = False
    reached: _Reached | None = None
    left_out: tuple[_LeftOut, ...] = ()
    held: tuple[_HeldParent, ...] = ()
    target: str | None = None  # only plans of moves have it


class _FolderMove(_Object, frozen=True):
    old: str
    new: str
    prefix: bool


class _Document(_Object, frozen=True):
    schema: Literal["sessscan.plan/1"]
    version: str
    stores: tuple[_Store, ...]
    summary: _Summary
    findings: tuple[_Finding, ...]
    actions: tuple[_Action, ...]
    about: Schema = RECONCILE  # plans of version 0.1.0 do not say it
    moved: _FolderMove | None = None  # only plans of moves have it


def save(plan: Outcome, path: StrPath) -> None:
    """Write a plan to a new file, which only its owner may read.

    Raises `ConflictError` if the file exists already, `PlanFileError` for a plan that could not be loaded
    again, and OSError.
    """
    validate(plan)
    stores = [_Store(store.path, store.user_data, store.agent_mode, rows) for store, rows in plan.stores]
    actions = [dataclasses.replace(action, row=_row_of(action)) for action in plan.actions]
    document = _convert(
        {
            "schema": SCHEMA,
            "version": _core.__version__,
            "stores": stores,
            "summary": plan.summary,
            "findings": plan.findings,
            "actions": actions,
            "about": plan.schema,
            "moved": plan.moved,
        },
        _Document,
    )
    sealed = msgspec.to_builtins(document)
    if plan.schema == RECONCILE:
        del sealed["about"]
    if plan.moved is None:
        del sealed["moved"]
    for action in sealed["actions"]:
        if action["absence"] is None:
            del action["absence"]
        for name, owners in _OWN_MEMBERS.items():
            if plan.schema not in owners:
                del action[name]
    sealed["sha256"] = _checksum(sealed)
    _core.replace(path, json.dumps(sealed, indent=1).encode() + b"\n", expected=_core.ABSENT)


def load(kind: type[P], path: StrPath) -> P:
    """Load a plan from a file that `save` wrote. Raises OSError, and `PlanFileError` for any other file."""
    content = Path(path).read_bytes()
    try:
        plan = _read(kind, json.loads(content.decode("utf-8")))
        validate(plan)
    except PlanFileError as error:
        raise PlanFileError(f"{path} is no plan that can be carried out: {error}") from None
    except (ValueError, RecursionError):
        raise PlanFileError(f"{path} is no plan: it is not JSON, or only a part of it") from None
    return plan


def _read(kind: type[P], sealed: Any) -> P:
    if not isinstance(sealed, dict) or not isinstance(sealed.get("schema"), str):
        raise PlanFileError("it does not say that it is one")
    if sealed["schema"] != SCHEMA:
        raise PlanFileError(f"it is a {sealed['schema']!r}, and this sessscan reads {SCHEMA!r}")
    if sealed.pop("sha256", None) != _checksum(sealed):
        raise PlanFileError("it was damaged or changed since it was made (its checksum does not fit)")
    document = _convert(sealed, _Document)
    plan = kind(
        tuple((_store(store), store.rows) for store in document.stores),
        document.summary.rows,
        document.summary.transcripts,
        document.summary.bytes,
        _convert(document.findings, tuple[Finding, ...]),
        _convert(document.actions, tuple[Action, ...]),
        schema=document.about,
        moved=_convert(document.moved, FolderMove) if document.moved is not None else None,
    )
    if msgspec.to_builtins(document.summary) != plan.summary:
        raise PlanFileError("its summary does not fit what it lists")
    for action in plan.actions:
        if action.row != _row_of(action):
            raise PlanFileError(f"the row it shows for {action.path} is not the one it would write")
    return plan


def _store(store: _Store) -> Store:
    return Store(store.path, store.user_data, format_of(store.path, COWORK if store.agent_mode else CODE))


def _row_of(action: Action) -> dict[str, Any]:
    """Return the members of the row that an action would write, as they are shown in the file."""
    return {} if action.kind in _WITHOUT_ROW else readable_members(action.content)


def _checksum(document: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _convert(value: Any, kind: type[T]) -> T:
    """Convert between the file's objects and the model's records, checking every member."""
    try:
        return msgspec.convert(value, kind, from_attributes=True)
    except msgspec.ValidationError as error:
        raise PlanFileError(str(error)) from None
    except UnicodeEncodeError as error:  # half of a surrogate pair in the name of a member or of a kind
        raise PlanFileError(f"{error.object!r} is no text") from None
