"""No module writes, renames or removes a file by its own means: that is for the core's `replace`, `remove`
and `append_durable`. The few that may are named here, with what they do and why it can harm nobody."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import sessscan

PACKAGE = Path(sessscan.__file__).parent

ALLOWED = {
    "demo": "makes a new folder of sample files, which must not exist before",
    "lock.py": "sessscan's own lock file, whose content is a remark",
    "home.py": "makes the folder of sessscan's own state",
    "cache.py": "makes sessscan's own index in that folder; removes one that is damaged",
    "apply.py": "makes the folder of a store that was lost with all its rows",
    "database.py": "makes sessscan's own database, and gives a damaged one another name, never deletes it",
    "journal.py": "makes the folder of a run in sessscan's own state; removes it if the run changed nothing",
    "undo.py": "gives a file that was put back the time it had before: its content is not touched",
    "newfile.py": "writes a file that the user named, beside it first; what bears that name already stays, "
    "unless a command's --force is given",
    "__init__.py": "points a broken or closed stdout at the null device",
}

_OS = """chmod chown copy_file_range fchmod fchown ftruncate lchown link makedirs mkdir mkfifo mknod
    remove removedirs removexattr rename renames replace rmdir setxattr symlink truncate unlink utime write"""
_PATH = "chmod hardlink_to lchmod mkdir rename rmdir symlink_to touch unlink write_bytes write_text"

CHANGING = {"os": frozenset(_OS.split()), "shutil": None, "tempfile": None}
"""By module, what of it may change a file; None: all."""

ONLY_READ = frozenset(("get_terminal_size",))
"""What may be imported from them all the same."""

FLAGS = frozenset(("O_APPEND", "O_CREAT", "O_RDWR", "O_TMPFILE", "O_TRUNC", "O_WRONLY"))
"""What `os.open` is told in order to write."""

METHODS = frozenset(_PATH.split())
"""Of `pathlib.Path`; `replace` is told from that of `str` by its one argument."""


def changes(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and text of all that may change a file."""
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
        return False  # of help, in cli/page.py; nothing here is a path itself
    return name in METHODS or (name == "replace" and len(call.args) == 1 and not call.keywords)


def _writes(call: ast.Call, position: int) -> bool:
    """Whether a mode is given that is not plainly one for reading."""
    modes = [keyword.value for keyword in call.keywords if keyword.arg == "mode"]
    modes += call.args[position : position + 1]
    return any(not isinstance(mode, ast.Constant) or set(str(mode.value)) & set("wax+") for mode in modes)


def test_no_module_writes_by_its_own_means() -> None:
    modules = sorted(PACKAGE.rglob("*.py"))
    assert len(modules) > 40
    found = {
        module: list(changes(ast.parse(module.read_text(encoding="utf-8"))))
        for module in modules
        if "demo" not in module.relative_to(PACKAGE).parts and module.name not in ALLOWED
    }
    assert {str(module): lines for module, lines in found.items() if lines} == {}


def test_each_exception_is_needed_and_no_wider_than_it_says() -> None:
    found = {
        module.name: [text for _, text in changes(ast.parse(module.read_text(encoding="utf-8")))]
        for module in PACKAGE.rglob("*.py")
        if module.name in ALLOWED
        and "demo" not in module.relative_to(PACKAGE).parts
        and (module.name != "__init__.py" or module.parent.name == "cli")
    }
    assert all(found.values())
    calls = {name: {text.partition("(")[0] for text in texts} for name, texts in found.items()}
    assert calls == {
        "lock.py": {"os.O_CREAT", "os.O_RDWR", "os.ftruncate", "os.write"},
        "home.py": {"folder.mkdir"},
        "cache.py": {"self._home.mkdir", "os.O_CREAT", "os.O_RDWR", "self._path.unlink"},
        "journal.py": {"folder.mkdir", "folder.parent.mkdir", "self.path.unlink", "self.path.parent.rmdir"},
        "apply.py": {"each.mkdir"},
        "database.py": {"os.O_CREAT", "os.O_RDWR", "os.chmod", "path.rename", "beside.rename", "home.mkdir"},
        "undo.py": {"os.utime"},
        "newfile.py": {"os.O_WRONLY", "os.O_CREAT", "os.link", "os.rename", "os.replace", "os.unlink"},
        "__init__.py": {"os.O_WRONLY", "os.O_RDWR"},
    }


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
def test_this_test_sees_writes(code: str) -> None:
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
def test_this_test_lets_reading_pass(code: str) -> None:
    assert not list(changes(ast.parse(code)))
