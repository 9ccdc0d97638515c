"""Imports inside the package run down only, floor by floor."""

from __future__ import annotations

from pathlib import Path

import pytest
import sessscan
from support.imports import Graph, cycles, module_graph, package_graph, package_of

PACKAGE = Path(sessscan.__file__).parent

FLOORS = [
    {"__main__"},
    {"cli"},
    {""},  # `sessscan` itself, which hands out what the packages below offer
    {"sessions", "watching", "report", "distributed", "demo", "visibility", "tokens"},
    {"mending"},
    {"relocation"},
    {"reconciliation"},
    {"tables"},
    {"render"},
    {"keeping"},
    {"snapshots", "changes"},
    {"scan_cache", "stores", "rules", "missed", "private_database"},
    {"state"},
    {"backtest_result", "errors", "model", "usage_result", "visibility_result"},
    {"_core"},
]
"""The packages by floor, from the top. Each may import from the floors below."""

FLOOR = {package: floor for floor, packages in enumerate(FLOORS) for package in packages}


def upward(graph: Graph) -> list[tuple[str, str]]:
    """Return the imports that do not run down."""
    return sorted(
        (module, target)
        for module, targets in graph.items()
        for target in targets
        if package_of(module) != package_of(target) and FLOOR[package_of(module)] >= FLOOR[package_of(target)]
    )


def test_each_package_imports_only_from_the_floors_below() -> None:
    assert upward(module_graph(PACKAGE)) == []


def test_no_packages_import_each_other() -> None:
    assert cycles(package_graph(PACKAGE)) == []


def test_no_files_import_each_other() -> None:
    assert cycles(module_graph(PACKAGE)) == []


@pytest.mark.parametrize(
    "code",
    [
        "from ..cli import main",
        "def later():\n    from ..cli import main",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ..cli import main",
        "from .. import cli",
        "def later():\n    from sessscan.cli import main",
        "import sessscan.cli",
    ],
)
def test_an_upward_import_is_seen_wherever_it_stands(tmp_path: Path, code: str) -> None:
    package = tmp_path / "sessscan"
    for name in ("", "cli", "stores"):
        (package / name).mkdir(exist_ok=True)
        (package / name / "__init__.py").touch()
    (package / "stores" / "rows.py").write_text(code, encoding="utf-8")
    assert upward(module_graph(package)) == [("stores.rows", "cli")]
