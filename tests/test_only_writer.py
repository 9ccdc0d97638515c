"""Check that no module writes, renames or removes a file except by the core's `replace`, `edit`, `relocate`,
`remove` and `append_durable`. The few modules that may are listed here, with what they do and why that is
harmless."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import sessscan

PACKAGE = Path(sessscan.__file__).parent

ALLOWED = {
    "changes/apply.py": "makes the folder of a store that was lost with all its rows, or of a transcript",
    "changes/journal.py": "makes the folder of a run in sessscan's own state; removes it if the run changed "
    "nothing",
    "changes/lock.py": "writes sessscan's own lock file, whose content is a remark",
    "changes/moved.py": "makes the project folder that a transcript is moved into",
    "changes/undo.py": "gives a file that was put back the time it had before: its content is not touched",
    "cli/__init__.py": "points a broken or closed stdout at the null device",
    "render/newfile.py": "writes a file that the user named, beside it first; what bears that name already "
    "stays, unless a command's --force is given",
    "keeping/assemble.py": "puts a transcript together in sessscan's own state, and removes that file",
    "private_database.py": "makes sessscan's own databases, and gives a damaged one another name, never "
    "deletes it",
    "scan_cache/cache.py": "makes sessscan's own index in its state folder; removes one that is damaged",
    "state.py": "makes the folder of sessscan's own state",
}
"""The modules that may, by their path in the package, and why that is harmless."""

DEMO = "demo"
"""The package that makes a new folder of sample files. It refuses a folder that exists, so it may write."""

_OS = """chmod chown copy_file_range fchmod fchown ftruncate lchown link makedirs mkdir mkfifo mknod
    remove removedirs removexattr rename renames replace rmdir setxattr symlink truncate unlink utime write"""
_PATH = "chmod hardlink_to lchmod mkdir rename rmdir symlink_to touch unlink write_bytes write_text"

CHANGING = {"os": frozenset(_OS.split()), "shutil": None, "tempfile": None}
"""For each module, the functions that can change a file; None: all of them."""

ONLY_READ = frozenset(("get_terminal_size",))
"""Functions that may be imported from them all the same."""

FLAGS = frozenset(("O_APPEND", "O_CREAT", "O_RDWR", "O_TMPFILE", "O_TRUNC", "O_WRONLY"))
"""Flags with which `os.open` opens a file for writing."""

METHODS = frozenset(_PATH.split())
"""Methods of `pathlib.Path` that change a file. Its `replace` has one argument, that of `str` has two."""


def changes(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each expression that can change a file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in CHANGING:
            names = CHANGING[node.module]
            for alias in node.names:
                if (names is None and alias.name not in ONLY_READ) or alias.name in (names or ()):
                    yield node.lineno, f"from {node.module} import {alias.name}"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name in CHANGING and CHANGING[alias.name] is None:
                    yield node.lineno, f"import {alias.name}"
        elif isinstance(node, ast.Attribute) and node.attr in FLAGS:
            yield node.lineno, f"os.{node.attr}"
        elif isinstance(node, ast.Call) and _changes(node):
            yield node.lineno, ast.unparse(node)


def _changes(call: ast.Call) -> bool:
    function = call.func
    if isinstance(function, ast.Name):
        return function.id == "open" and _writes(call, 1)
    if not isinstance(function, ast.Attribute):
        return False
    name, owner = function.attr, function.value
    if isinstance(owner, ast.Name) and owner.id in CHANGING:
        return name in (CHANGING[owner.id] or ())
    if isinstance(owner, ast.Name) and owner.id in ("_core", "core"):
        return False
    if name == "open":
        return _writes(call, 1 if isinstance(owner, ast.Name) and owner.id in ("io", "gzip") else 0)
    if name == "fdopen":
        return _writes(call, 1)
    if name == "write_text" and ast.unparse(owner) in ("self", "super()"):
        return False  # writes help, in cli/page.py; no class of the package is a path
    return name in METHODS or (name == "replace" and len(call.args) == 1 and not call.keywords)


def _writes(call: ast.Call, position: int) -> bool:
    """Return whether the call has a mode that is not plainly for reading."""
    modes = [keyword.value for keyword in call.keywords if keyword.arg == "mode"]
    modes += call.args[position : position + 1]
    return any(not isinstance(mode, ast.Constant) or set(str(mode.value)) & set("wax+") for mode in modes)


def changes_by_module(package: Path) -> dict[str, list[str]]:
    """Return the expressions that can change a file, by the module's path in the package.

    Modules without any are left out.
    """
    found = {}
    for module in sorted(package.rglob("*.py")):
        place = module.relative_to(package)
        texts = sorted(text for _, text in changes(ast.parse(module.read_text(encoding="utf-8"))))
        if texts and place.parts[0] != DEMO:
            found[place.as_posix()] = texts
    return found


def test_only_the_listed_modules_write_files() -> None:
    assert changes_by_module(PACKAGE).keys() == ALLOWED.keys()


def test_each_listed_module_makes_only_the_calls_it_is_listed_for() -> None:
    calls = {
        module: {text.partition("(")[0] for text in texts}
        for module, texts in changes_by_module(PACKAGE).items()
    }
    assert calls == {
        "changes/apply.py": {"each.mkdir", "folder.mkdir"},
        "changes/journal.py": {
            "folder.mkdir",
            "folder.parent.mkdir",
            "self.path.unlink",
            "self.path.parent.rmdir",
        },
        "changes/lock.py": {"os.O_CREAT", "os.O_RDWR", "os.ftruncate", "os.write"},
        "changes/moved.py": {"folder.mkdir"},
        "changes/undo.py": {"os.utime"},
        "cli/__init__.py": {"os.O_WRONLY", "os.O_RDWR"},
        "render/newfile.py": {"os.O_WRONLY", "os.O_CREAT", "os.link", "os.rename", "os.replace", "os.unlink"},
        "scan_cache/cache.py": {"os.O_CREAT", "os.O_RDWR", "self._path.unlink"},
        "keeping/assemble.py": {"os.O_CREAT", "os.O_WRONLY", "path.unlink"},
        "private_database.py": {
            "os.O_CREAT",
            "os.O_RDWR",
            "os.chmod",
            "path.rename",
            "beside.rename",
        },
        "state.py": {"each.mkdir"},
    }


@pytest.mark.parametrize(
    "init",
    [
        place
        for init in sorted(PACKAGE.rglob("__init__.py"))
        if (place := init.relative_to(PACKAGE)).parts[0] != DEMO
    ],
    ids=str,
)
def test_a_write_planted_in_any_package_is_seen(init: Path, tmp_path: Path) -> None:
    own = (PACKAGE / init).read_text(encoding="utf-8")
    planted = tmp_path / init
    planted.parent.mkdir(parents=True, exist_ok=True)
    planted.write_text(own + "\nopen('row', 'w')\n", encoding="utf-8")
    before = sorted(text for _, text in changes(ast.parse(own)))
    assert changes_by_module(tmp_path) == {init.as_posix(): sorted([*before, "open('row', 'w')"])}


@pytest.mark.parametrize(
    "code",
    [
        "open(path, 'w')",
        "open(path, mode='r+b')",
        "Path(path).open('a')",
        "Path(path).write_text('')",
        "path.replace(other)",
        "path.unlink()",
        "os.replace(a, b)",
        "os.open(path, os.O_RDWR)",
        "open(path, mode)",
        "from os import rename",
        "from shutil import copy",
        "from shutil import copy, get_terminal_size",
        "import shutil",
        "io.open(path, 'x')",
    ],
)
def test_a_write_is_seen(code: str) -> None:
    assert list(changes(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        "open(path)",
        "open(path, 'rb')",
        "Path(path).open('rb')",
        "text.replace('a', 'b')",
        "os.open(path, os.O_RDONLY)",
        "_core.replace(path, data)",
        "from shutil import get_terminal_size",
        "super().write_text(text)",
        "replace(action, status='failed')",
    ],
)
def test_a_read_is_not_taken_for_a_write(code: str) -> None:
    assert not list(changes(ast.parse(code)))
