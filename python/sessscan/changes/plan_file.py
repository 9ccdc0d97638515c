"""A plan on disk: to look at it now and carry out exactly that later.

The file is the JSON of `reconcile --format json` and with it all that is needed to do it: of each action the
very bytes to be written (base64) and the fingerprints of what it rests on. A checksum tells a damaged file;
that the file asks for nothing but what a plan may is seen to by `guard`.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import types
import typing
from pathlib import Path
from typing import Any, TypeVar

from .. import _core
from ..errors import PlanFileError
from ..model import CODE, COWORK, Action, Finding, Store
from ..stores.locate import StrPath, format_of
from ..stores.rows import readable_members
from .plan import Plan
from .preconditions import check

SCHEMA = "sessscan.plan/1"

_LARGEST = 1 << 63
"""What a size, a time or an inode is less than."""
_COUNTS = ("rows", "transcripts", "bytes")

T = TypeVar("T")


def save(plan: Plan, path: StrPath) -> None:
    """Writes a plan to a new file, which only its owner may read.

    Raises `ConflictError` where there is one already, OSError, and `PlanFileError` for a plan that could not
    be loaded again.
    """
    check(plan)
    document = {
        "schema": SCHEMA,
        "version": _core.__version__,
        "stores": [_written_store(store, rows) for store, rows in plan.stores],
        "summary": plan.summary,
        "findings": [dataclasses.asdict(finding) for finding in plan.findings],
        "actions": [_written(action) for action in plan.actions],
    }
    document["sha256"] = _checksum(document)
    _core.replace(path, json.dumps(document, indent=1).encode() + b"\n", expected=_core.ABSENT)


def load(path: StrPath) -> Plan:
    """The plan that `save` wrote. Raises OSError, and `PlanFileError` for a file that is no such plan."""
    content = Path(path).read_bytes()
    try:
        plan = _read(json.loads(content.decode("utf-8")))
        check(plan)
    except PlanFileError as error:
        raise PlanFileError(f"{path} is no plan that can be carried out: {error}") from None
    except (ValueError, RecursionError):
        raise PlanFileError(f"{path} is no plan: it is not JSON, or only a part of it") from None
    return plan


def _written_store(store: Store, rows: int) -> dict[str, Any]:
    return {"path": store.path, "user_data": store.user_data, "agent_mode": store.agent_mode, "rows": rows}


def _written(action: Action) -> dict[str, Any]:
    """An action as it is in the file. The row is what can be read of the content: nothing else is shown."""
    content = base64.b64encode(action.content).decode("ascii")
    return {**dataclasses.asdict(action), "row": _row(action), "content": content}


def _row(action: Action) -> dict[str, Any]:
    """What an action would write, as far as it is a row."""
    return {} if action.kind == "rebuild-index" else readable_members(action.content)


def _checksum(document: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _read(document: Any) -> Plan:
    """The plan in a document; `PlanFileError` says what is wrong with it."""
    if not isinstance(document, dict) or not isinstance(document.get("schema"), str):
        raise PlanFileError("it does not say that it is one")
    if document["schema"] != SCHEMA:
        raise PlanFileError(f"it is a {document['schema']!r}, and this sessscan reads {SCHEMA!r}")
    if document.pop("sha256", None) != _checksum(document):
        raise PlanFileError("it was damaged or changed since it was made (its checksum does not fit)")
    stores, counts = [], document.get("summary")
    for store in _list(document, "stores"):
        stores.append(_store(store))
    if not isinstance(counts, dict):
        raise PlanFileError("its summary is missing")
    rows, transcripts, size = (_value(int, counts.get(name), f"the number of {name}") for name in _COUNTS)
    plan = Plan(
        tuple(stores),
        rows,
        transcripts,
        size,
        tuple(_record(Finding, finding, "a finding") for finding in _list(document, "findings")),
        tuple(_action(action) for action in _list(document, "actions")),
    )
    if counts != plan.summary:
        raise PlanFileError("its summary does not fit what it lists")
    return plan


def _store(value: Any) -> tuple[Store, int]:
    if not isinstance(value, dict) or value.keys() != {"path", "user_data", "agent_mode", "rows"}:
        raise PlanFileError("a store lacks something, or has more than it should")
    path = _value(str, value["path"], "a store's path")
    user_data = _value(str | None, value["user_data"], "a store's user_data")
    agent_mode = _value(bool, value["agent_mode"], "a store's agent_mode")
    row_format = format_of(path, COWORK if agent_mode else CODE)
    return Store(path, user_data, row_format), _value(int, value["rows"], "a store's rows")


def _action(value: Any) -> Action:
    action = _record(Action, value, "an action")
    if _row(action) != action.row:
        raise PlanFileError(f"the row it shows for {action.path} is not the one it would write")
    return action


def _list(document: dict[str, Any], name: str) -> list[Any]:
    value = document.get(name)
    if not isinstance(value, list):
        raise PlanFileError(f"it has no list of {name}")
    return value


def _record(kind: type[T], value: Any, name: str) -> T:
    """A record of the model from its JSON, which must have exactly its fields, each of the right type."""
    fields = {field.name: field for field in dataclasses.fields(typing.cast(Any, kind))}
    if not isinstance(value, dict) or value.keys() != fields.keys():
        raise PlanFileError(f"{name} lacks something, or has more than it should")
    hints = typing.get_type_hints(kind)
    return kind(**{key: _value(hints[key], value[key], f"{name}'s {key}") for key in fields})


def _value(hint: Any, value: Any, name: str) -> Any:
    """A value of the type that an annotation of the model says."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        if value is None:
            return None
        [hint] = [argument for argument in arguments if argument is not types.NoneType]
        return _value(hint, value, name)
    if origin is typing.Literal:
        if isinstance(value, str) and value in arguments:
            return value
    elif origin is tuple:
        if isinstance(value, list):
            return tuple(_value(arguments[0], item, name) for item in value)
    elif origin is dict:
        if isinstance(value, dict):
            return {key: _value(arguments[1], item, name) for key, item in value.items()}
    elif dataclasses.is_dataclass(hint):
        return _record(typing.cast(Any, hint), value, name)
    elif hint is bytes:
        return _bytes(value, name)
    elif hint is Any or (type(value) is hint and not (hint is int and abs(value) >= _LARGEST)):
        return value
    raise PlanFileError(f"{name} is not what it should be")


def _bytes(value: Any, name: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (ValueError, TypeError):
        raise PlanFileError(f"{name} is not what it should be") from None
