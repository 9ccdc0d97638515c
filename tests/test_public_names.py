"""What `import sessscan` offers: all that the command line can do, and the types that it hands out."""

from __future__ import annotations

import ast
import subprocess
import sys
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sessscan
from sessscan.cli import app

TREE = ast.parse(Path(sessscan.__file__).read_text(encoding="utf-8"))

FUNCTIONS = {
    "demo": None,  # `sessscan.demo` is the package that makes it
    "events": "events",
    "explain": "find_rule",
    "fields": "fields",
    "forget": "forget",
    "list": "find_sessions",
    "log": "runs",
    "move": "move",
    "reconcile": "reconcile",
    "repair": "repair",
    "report": None,
    "restore": "restore",
    "scan": "scan_many",
    "snapshot": "snapshot",
    "snapshots": "kept_rows",
    "undo": "undo",
    "usage": "usage",
    "watch": "watch",
    "why": "why",
}
"""For each command the function of the library that does the same."""

DETAILS = {"Entry", "Image"}
"""Types that stay out of sight although a public one has fields of them."""


def imported(tree: ast.AST) -> dict[str, set[str]]:
    """Return the names that are imported from each module of the package."""
    found: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            found.setdefault(node.module or "", set()).update(alias.name for alias in node.names)
    return found


def type_checking() -> ast.If:
    [node] = [node for node in TREE.body if isinstance(node, ast.If)]
    assert ast.unparse(node.test) == "TYPE_CHECKING"
    return node


def test_type_checkers_see_the_names_that_are_loaded_lazily() -> None:
    assert imported(type_checking()) == {module: set(names) for module, names in sessscan._LAZY.items()}


def test_all_names_are_listed() -> None:
    names = set().union(*imported(TREE).values())
    assert set(sessscan.__all__) == names
    assert len(sessscan.__all__) == len(names)
    assert dir(sessscan) == sorted(names)


@pytest.mark.parametrize("name", sessscan.__all__)
def test_each_name_is_there(name: str) -> None:
    if name in ("read_fields", "read_transcripts"):
        pytest.importorskip("fsspec")
    assert getattr(sessscan, name) is not None


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = sessscan.nothing


def test_each_command_has_its_function() -> None:
    commands = {
        command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands
    }
    assert commands == FUNCTIONS.keys()
    for name in FUNCTIONS.values():
        assert name is None or callable(getattr(sessscan, name))


def test_each_error_of_the_tree_is_public() -> None:
    from sessscan import errors

    tree = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert tree <= set(sessscan.__all__)


def classes(hint: Any) -> Iterator[type]:
    """The classes of sessscan in a type hint."""
    for argument in typing.get_args(hint):
        yield from classes(argument)
    if isinstance(hint, type) and hint.__module__.startswith("sessscan"):
        yield hint


def test_each_type_that_is_handed_out_is_public() -> None:
    """Follow the fields, properties and results of what is public, and of what that leads to."""
    public = [getattr(sessscan, name) for name in sessscan.__all__ if name != "read_transcripts"]
    waiting, seen = list(public), set[Any]()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, types.FunctionType):
            hints = [typing.get_type_hints(one).get("return")]
        elif isinstance(one, type) and one.__module__ != "sessscan._core":
            hints = [hint for name, hint in typing.get_type_hints(one).items() if not name.startswith("_")]
            hints += [
                typing.get_type_hints(member.fget).get("return")
                for name, member in vars(one).items()
                if isinstance(member, property) and not name.startswith("_")
            ]
        else:
            continue
        waiting += [found for hint in hints for found in classes(hint)]
        missing = {found.__name__ for hint in hints for found in classes(hint) if found not in public}
        missing -= DETAILS
        assert not missing, f"{one.__name__} hands out {missing}"


def test_import_sessscan_loads_none_of_the_slow_modules() -> None:
    code = "import sys, sessscan; print(*sorted(sys.modules))"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    ours = {name for name in loaded if name.startswith("sessscan")}
    assert ours == {"sessscan", "sessscan._core", "sessscan.errors"}
    assert not {"simdjson", "sqlite3", "subprocess", "typer", "rich", "pyarrow", "dataclasses"} & {*loaded}
