"""No module writes, renames or removes a file by its own means: that is for the core's `replace`, `remove`
and `append_durable`. The few that may are named here, with what they do and why it can harm nobody."""

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import sessscan

PACKAGE = Path(sessscan.__file__).parent

ALLOWED = {
    "changes/apply.py": "makes the folder of a store that was lost with all its rows",
    "changes/journal.py": "makes the folder of a run in sessscan's own state; removes it if the run changed "
    "nothing",
    "changes/lock.py": "writes sessscan's own lock file, whose content is a remark",
    "changes/undo.py": "gives a file that was put back the time it had before: its content is not touched",
    "cli/__init__.py": "points a broken or closed stdout at the null device",
    "render/newfile.py": "writes a file that the user named, beside it first; what bears that name already "
    "stays, unless a command's --force is given",
    "scan_cache/cache.py": "makes sessscan's own index in its state folder; removes one that is damaged",
    "snapshots/database.py": "makes sessscan's own database, and gives a damaged one another name, never "
    "deletes it",
    "state.py": "makes the folder of sessscan's own state",
}
"""The modules that may, by their path in the package, and why it can harm nobody."""

DEMO = "demo"
"""The package that makes a new folder of sample files, which must not exist before: it writes as it likes."""

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


def changes_by_module(package: Path) -> dict[str, list[str]]:
    """Return what may change a file, by the path of the module in the package; modules without any are left
    out."""
    found = {}
    for module in sorted(package.rglob("*.py")):
        place = module.relative_to(package)
        texts = sorted(text for _, text in changes(ast.parse(module.read_text(encoding="utf-8"))))
        if texts and place.parts[0] != DEMO:
            found[place.as_posix()] = texts
    return found


def test_only_the_named_modules_write_by_their_own_means() -> None:
    assert changes_by_module(PACKAGE).keys() == ALLOWED.keys()


def test_each_exception_is_no_wider_than_it_says() -> None:
    calls = {
        module: {text.partition("(")[0] for text in texts}
        for module, texts in changes_by_module(PACKAGE).items()
    }
    assert calls == {
        "changes/apply.py": {"each.mkdir"},
        "changes/journal.py": {
            "folder.mkdir",
            "folder.parent.mkdir",
            "self.path.unlink",
            "self.path.parent.rmdir",
        },
        "changes/lock.py": {"os.O_CREAT", "os.O_RDWR", "os.ftruncate", "os.write"},
        "changes/undo.py": {"os.utime"},
        "cli/__init__.py": {"os.O_WRONLY", "os.O_RDWR"},
        "render/newfile.py": {"os.O_WRONLY", "os.O_CREAT", "os.link", "os.rename", "os.replace", "os.unlink"},
        "scan_cache/cache.py": {"self._home.mkdir", "os.O_CREAT", "os.O_RDWR", "self._path.unlink"},
        "snapshots/database.py": {
            "os.O_CREAT",
            "os.O_RDWR",
            "os.chmod",
            "path.rename",
            "beside.rename",
            "home.mkdir",
        },
        "state.py": {"folder.mkdir"},
    }


@pytest.mark.parametrize(
    "package",
    [
        package
        for init in sorted(PACKAGE.rglob("__init__.py"))
        if (package := init.parent.relative_to(PACKAGE)) != Path(DEMO)
    ],
    ids=str,
)
def test_a_write_planted_in_any_package_is_seen(package: Path, tmp_path: Path) -> None:
    copy = tmp_path / PACKAGE.name
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("*.so", "*.pyd", "__pycache__"))
    planted = copy / package / "__init__.py"
    before = changes_by_module(copy)
    planted.write_text(planted.read_text(encoding="utf-8") + "\nopen('row', 'w')\n", encoding="utf-8")
    name = planted.relative_to(copy).as_posix()
    assert changes_by_module(copy) == before | {name: sorted([*before.get(name, []), "open('row', 'w')"])}


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
