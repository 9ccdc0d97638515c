"""The errors of sessscan are one tree, defined in one module."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import sessscan
from sessscan import errors
from sessscan.errors import SessscanError, UsageError, describe

PACKAGE = Path(sessscan.__file__).parent

CLASSES = [value for value in vars(errors).values() if isinstance(value, type)]


def test_every_error_derives_from_the_base_and_is_exported() -> None:
    for kind in CLASSES:
        assert issubclass(kind, SessscanError) and kind.__name__.endswith("Error")
        assert getattr(sessscan, kind.__name__) is kind


def test_a_usage_error_is_a_value_error() -> None:
    assert {kind for kind in CLASSES if issubclass(kind, ValueError)} == {
        UsageError,
        *UsageError.__subclasses__(),
    }


def test_no_other_module_defines_a_public_error() -> None:
    defined = [
        f"{module.relative_to(PACKAGE)}: {node.name}"
        for module in PACKAGE.rglob("*.py")
        if module.name != "errors.py"
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
        and not node.name.startswith("_")
        and any(ast.unparse(base).endswith(("Error", "Exception")) for base in node.bases)
    ]
    assert defined == []


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (PermissionError(13, "Permission denied", "/row"), "Permission denied: /row"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError("odd"), "odd"),
        (UsageError("no such row"), "no such row"),
    ],
)
def test_an_error_is_described_with_its_file(error: Exception, text: str) -> None:
    assert describe(error) == text
