"""Give findings, actions and rows as tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from .. import _core
from ..changes.plan import Plan, Report
from ..model import Action, Finding, Row
from ..stores.locate import StrPath, locate
from ..stores.rows import read_store
from .arrow import Table

_Type = Any  # of `_core.columns_batch`

_FINDING: dict[str, _Type] = {
    "rule": "repeated",
    "severity": "repeated",
    "path": "text",
    "session_id": "text",
    "transcript": "text",
    "offset": "int",
    "length": "int",
    "message": "text",
}
_CANDIDATE: dict[str, _Type] = {
    "transcript": "text",
    "cli_session_id": "text",
    "title": "text",
    "cwd": "repeated",
    "last_activity_at": "time",
    "reason": "text",
}
_EVIDENCE: dict[str, _Type] = {"kind": "repeated", "detail": "text"}
_PROVENANCE: dict[str, _Type] = {"field": "repeated", "origin": "repeated"}
_ACTION: dict[str, _Type] = {
    "kind": "repeated",
    "path": "text",
    "session_id": "text",
    "cli_session_id": "text",
    "transcript": "text",
    "source": "repeated",
    "evidence": {"list": list(_EVIDENCE.items())},
    "candidates": {"list": list(_CANDIDATE.items())},
    "row": "text",
    "provenance": {"list": list(_PROVENANCE.items())},
    "status": "repeated",
    "backup": "text",
    "error": "text",
}
_ROW: dict[str, _Type] = {
    "path": "text",
    "session_id": "text",
    "store": "repeated",
    "agent_mode": "bool",
    "state": "repeated",
    "size": "int",
    "modified_at": "time",
    "offset": "int",
    "length": "int",
    "cli_session_id": "text",
    "title": "text",
    "cwd": "repeated",
    "origin_cwd": "repeated",
    "worktree_path": "text",
    "process_name": "text",
    "created_at": "time",
    "last_activity_at": "time",
    "last_focused_at": "time",
    "error": "text",
}


def findings_table(of: Plan | Report | Iterable[Finding]) -> Table:
    """Return a table of findings, with the fields of `reconcile --format json` under the same names."""
    findings = of.findings if isinstance(of, Plan | Report) else tuple(of)
    return _columnar("finding", findings, _FINDING, _attributes(_FINDING), ("severity", "rule", "message"))


def actions_table(of: Plan | Report | Iterable[Action]) -> Table:
    """Return a table of a plan's or a report's actions, with the fields of `reconcile --format json`.

    `evidence` and `candidates` are lists of structs, `provenance` is a list of structs of field and origin,
    and `row` is JSON text, since rows may have any keys.
    """
    actions = of.actions if isinstance(of, Plan | Report) else tuple(of)
    return _columnar("action", actions, _ACTION, _action, ("kind", "status", "session_id", "source"))


def rows_table(stores: StrPath | Iterable[StrPath] | None = None) -> Table:
    """Return a table of all rows of stores: the state of each row, and the fields that can be read of it.

    `stores` as in `reconcile`. A folder that cannot be listed has a row with `state` `unreadable` and an
    `error`. Raises OSError for a named folder that does not exist.
    """
    places = locate(stores, ())
    contents = [read_store(store) for store in places.stores]
    errors = [*places.errors, *(error for found in contents for error in found.errors)]
    rows: list[Row | OSError] = [*(row for found in contents for row in found.rows), *errors]
    return _columnar("row", rows, _ROW, _row, ("session_id", "state", "last_activity_at", "title"))


def _columnar(
    noun: str,
    rows: Sequence[Any],
    types: Mapping[str, _Type],
    as_dict: Callable[[Any], dict[str, Any]],
    first: Sequence[str],
) -> Table:
    dicts = [as_dict(row) for row in rows]
    columns = [
        (name, kind, [_tuples(kind, values[name]) for values in dicts]) for name, kind in types.items()
    ]
    return Table(_core.columns_batch(columns), noun, dicts, lambda values: values, first)


def _tuples(kind: _Type, value: Any) -> Any:
    """Turn a list of dicts into the list of tuples that the core takes."""
    if isinstance(kind, dict) and value is not None:
        names = [name for name, _ in kind["list"]]
        return [tuple(item[name] for name in names) for item in value]
    return value


def _attributes(types: Mapping[str, _Type]) -> Callable[[Any], dict[str, Any]]:
    return lambda record: {name: getattr(record, name) for name in types}


def _action(action: Action) -> dict[str, Any]:
    evidence, candidate = _attributes(_EVIDENCE), _attributes(_CANDIDATE)
    return {
        **{name: getattr(action, name) for name in _ACTION},
        "evidence": [evidence(one) for one in action.evidence],
        "candidates": [candidate(one) for one in action.candidates],
        "row": json.dumps(action.row) if action.row else None,
        "provenance": [{"field": key, "origin": value} for key, value in action.provenance.items()],
    }


def _row(row: Row | OSError) -> dict[str, Any]:
    if isinstance(row, OSError):
        known = {"path": row.filename, "state": "unreadable", "error": row.strerror or str(row)}
        return {**dict.fromkeys(_ROW), **known}
    words = ("cliSessionId", "title", "cwd", "originCwd", "worktreePath", "processName")
    times = ("createdAt", "lastActivityAt", "lastFocusedAt")
    return {
        "path": row.path,
        "session_id": row.session_id,
        "store": row.store.path,
        "agent_mode": row.store.agent_mode,
        "state": row.state,
        "size": row.size,
        "modified_at": row.mtime,
        "offset": row.offset,
        "length": row.length,
        **{_snake(key): value if isinstance(value := row.fields.get(key), str) else None for key in words},
        **{_snake(key): _time(row.fields.get(key)) for key in times},
        "error": row.error,
    }


def _snake(key: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in key)


def _time(value: object) -> int | None:
    """Return epoch milliseconds if they fit a column: a row may hold any number at all."""
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1 << 62:
        return int(value)
    return None
