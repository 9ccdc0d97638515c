"""Imports inside the package go one way: from the commands to the core."""

from __future__ import annotations

import ast
from pathlib import Path

import sessscan

PACKAGE = Path(sessscan.__file__).parent

LEVELS = [
    {"__main__"},
    {"cli"},
    {"report", "dask", "demo"},
    {"reconcile", "recorder", "sdk", "picker", "tables", "shard", "render"},
    {"registry", "stores", "rules", "running", "members", "home", "model", "errors"},
    {"_core"},
]
"""The parts of the package: each may import its own level and those below. A new one must find its place."""


def imports(module: Path) -> set[str]:
    """The parts of the package that a module imports, wherever in it."""
    inside = module.relative_to(PACKAGE).parts[:-1]
    found = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = inside[: len(inside) - node.level + 1]
            for name in [node.module] if node.module else [alias.name for alias in node.names]:
                found.add((*base, *name.split("."))[0])
    return found - {"__version__"}


def test_imports_go_one_way() -> None:
    level = {part: number for number, parts in enumerate(LEVELS) for part in parts}
    upwards = [
        (str(module), other)
        for module in PACKAGE.rglob("*.py")
        if module != PACKAGE / "__init__.py"
        for other in imports(module)
        if level[other] < level[module.relative_to(PACKAGE).parts[0].removesuffix(".py")]
    ]
    assert upwards == []
    assert "reconcile" in imports(PACKAGE / "cli" / "reconcile.py")  # they are seen at all
