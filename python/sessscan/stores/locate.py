"""Find the stores and the roots of the transcripts: in the folders the user names, or where this platform has
them.

Links to registries, accounts and organisations are followed, and each real folder is listed once; links to
rows are not followed. A folder that vanishes meanwhile counts as empty. For a folder that cannot be listed
the error is collected, not raised, unless the user named that folder.
"""

from __future__ import annotations

import errno
import ntpath
import os
import posixpath
import re
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..model import CODE, ROW_FORMATS, RowFormat, Store

StrPath = str | os.PathLike[str]

REGISTRIES = {row_format.registry: row_format for row_format in ROW_FORMATS}
"""The registries of a userData folder by name, with the format of their rows."""

MSIX_PACKAGE = "Claude_pzs8sxrjxfjjc"
BUILDS = ("Claude", "Claude-3p")

_INVALID_NAME = 123
"""Windows' ERROR_INVALID_NAME."""

TRANSCRIPT_NAME = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\.jsonl")


@dataclass(frozen=True)
class Places:
    """The folders that one run reads."""

    stores: tuple[Store, ...]
    context: tuple[Store, ...]
    """Stores the user did not name whose rows may claim the same transcripts; they are only read."""
    projects: tuple[str, ...]
    errors: tuple[OSError, ...] = ()
    """Folders that could not be listed."""
    roots: tuple[str, ...] = ()
    """The folders the user named, or the userData folders of this machine."""


def user_data_folders(platform: str, env: Mapping[str, str], home: str) -> tuple[str, ...]:
    """Return the userData folders the desktop app may use, whether they exist or not.

    `platform` is a `sys.platform`. A path that ends in `*` stands for every folder whose path begins so.
    """
    if platform == "win32":
        local = env.get("LOCALAPPDATA") or ntpath.join(home, "AppData", "Local")
        roaming = env.get("APPDATA") or ntpath.join(home, "AppData", "Roaming")
        packaged = ntpath.join(local, "Packages", MSIX_PACKAGE, "LocalCache", "Roaming")
        return (
            *(ntpath.join(packaged, build) for build in BUILDS),
            ntpath.join(local, "Claude-Data", "claude_*"),
            *(ntpath.join(roaming, build) for build in BUILDS),
        )
    if platform == "darwin":
        parent = posixpath.join(home, "Library", "Application Support")
    else:
        parent = env.get("XDG_CONFIG_HOME") or posixpath.join(home, ".config")
    return tuple(posixpath.join(parent, build) for build in BUILDS)


def projects_root(platform: str, env: Mapping[str, str], home: str) -> str:
    """Return the folder the CLI keeps its project folders in, whether it exists or not."""
    join = ntpath.join if platform == "win32" else posixpath.join
    return join(env.get("CLAUDE_CONFIG_DIR") or join(home, ".claude"), "projects")


def locate(
    stores: StrPath | Iterable[StrPath] | None = None, projects: StrPath | Iterable[StrPath] | None = None
) -> Places:
    """Return the stores and project roots that the user named, or those of this machine.

    Raises `FileNotFoundError`, `NotADirectoryError` or `PermissionError` for a named folder that cannot be
    listed.
    """
    home = str(Path.home())
    errors: list[OSError] = []
    standard_projects = projects_root(sys.platform, os.environ, home)
    if projects is None:
        roots = [standard_projects] if Path(standard_projects).is_dir() else []
    else:
        roots = [_projects_root(_folder(name)) for name in _several(projects)]

    standard = [
        path for place in user_data_folders(sys.platform, os.environ, home) for path in _expand(place)
    ]
    if stores is None:
        named = [path for path in standard if Path(path).is_dir()]
        found = [store for path in standard for store in _in_user_data(path, errors)]
        context: list[Store] = []
    else:
        named = [_folder(name) for name in _several(stores)]
        found = [store for path in named for store in _at(path, errors)]
        neighbours = _neighbours(found)
        if any(_same(root, standard_projects) for root in roots):
            neighbours.update(dict.fromkeys(standard))
        context = [store for path in neighbours for store in _in_user_data(path, errors)]
    seen: set[tuple[int, int] | str] = set()  # a store that was named is not in the context too
    return Places(
        tuple(_once(found, seen)),
        tuple(_once(context, seen)),
        tuple(dict.fromkeys(roots)),
        tuple({str(error.filename): error for error in errors}.values()),
        tuple(dict.fromkeys(named)),
    )


def vanished_stores(roots: Iterable[str], folders: Iterable[str]) -> list[Store]:
    """Return the stores that have vanished from under `roots`, although their userData folder is there.

    `folders`: where snapshots say that rows were, with links resolved.
    """
    places = [real_path(root) for root in roots]
    found = []
    for folder in folders:
        parts = Path(folder).parents
        if len(parts) < 4 or parts[1].name not in REGISTRIES or not parts[2].is_dir():
            continue
        under = any(folder == place or folder.startswith(place.rstrip(os.sep) + os.sep) for place in places)
        if under and not os.path.lexists(folder):
            found.append(Store(folder, str(parts[2]), REGISTRIES[parts[1].name]))
    return found


def format_of(folder: str | Path, otherwise: RowFormat = CODE) -> RowFormat:
    """Return the row format of the registry that an account/organisation folder lies in.

    A folder outside every registry, such as a copy of a store, has the format `otherwise`.
    """
    parents = Path(folder).parents
    return REGISTRIES.get(parents[1].name, otherwise) if len(parents) > 1 else otherwise


def transcripts_in(folder: str, errors: list[OSError]) -> Iterator[os.DirEntry[str]]:
    """Yield the files directly in a project folder that are named as sessions' transcripts are."""
    for entry in entries(folder, errors):
        if TRANSCRIPT_NAME.fullmatch(entry.name) and is_file(entry):
            yield entry


def folders_in(path: str, errors: list[OSError], *, follow: bool = False) -> list[str]:
    """Return the subfolders of a folder, sorted; with `follow` also links and junctions that lead to one.

    A link that leads nowhere is an error then: what it stands for cannot be looked at.
    """
    found = []
    for entry in entries(path, errors):
        if is_folder(entry) or (follow and leads_to_folder(entry, errors)):
            found.append(entry.path)
    return sorted(found)


def leads_to_folder(entry: os.DirEntry[str], errors: list[OSError]) -> bool:
    """Tell whether an entry is a link or junction to a folder; add to `errors` if it leads nowhere."""
    try:
        if stat.S_ISDIR(entry.stat().st_mode):
            return True
    except FileNotFoundError:
        if entry.is_symlink():
            errors.append(OSError(errno.ENOENT, "a link that leads nowhere", entry.path))
    except OSError as error:
        errors.append(error)
    return False


def entries(path: str, errors: list[OSError]) -> list[os.DirEntry[str]]:
    """List a folder: nothing where it is not there, and an error in `errors` where it cannot be listed."""
    try:
        return list_folder(path)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        errors.append(error)
        return []


def real_path(path: StrPath) -> str:
    """Return a path with its links resolved; as it is, made absolute, where the system does not tell.

    Windows cannot tell where a folder of some file systems really lies, nor wine that of a very long path.
    """
    try:
        return os.path.realpath(path)
    except OSError:
        return os.path.abspath(path)  # noqa: PTH100


def list_folder(path: StrPath) -> list[os.DirEntry[str]]:
    """List a folder. Raises OSError; `NotADirectoryError` for a file on every system."""
    try:
        with os.scandir(path) as found:
            return list(found)
    except OSError as error:
        # wine has another error for a file than Windows, one that says nothing.
        if getattr(error, "winerror", None) == _INVALID_NAME and Path(path).is_file():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path)) from None
        raise


def is_file(entry: os.DirEntry[str]) -> bool:
    """Tell whether an entry is a file, and not a link to one."""
    try:
        return entry.is_file(follow_symlinks=False)
    except OSError:
        return False


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Tell whether an entry is a folder, and not a link or, on Windows, a junction to one."""
    try:
        if not entry.is_dir(follow_symlinks=False):
            return False
        if sys.platform == "win32":
            tag = entry.stat(follow_symlinks=False).st_reparse_tag
            return bool(tag != stat.IO_REPARSE_TAG_MOUNT_POINT)
        return True
    except OSError:
        return False


def _several(paths: StrPath | Iterable[StrPath]) -> Sequence[StrPath]:
    return [paths] if isinstance(paths, str | os.PathLike) else list(paths)


def _folder(path: StrPath) -> str:
    """Make the path of a folder absolute; raise OSError for anything else."""
    absolute = str(Path(path).absolute())
    list_folder(absolute)  # raises the fitting error for a missing folder, a file, a forbidden folder
    return absolute


def _projects_root(path: str) -> str:
    """Return `path`, or the `projects` folder in it if it is a whole configuration folder."""
    inner = Path(path, "projects")
    return str(inner) if Path(path).name != "projects" and inner.is_dir() else path


def _expand(place: str) -> list[str]:
    if not place.endswith("*"):
        return [place]
    beginning = os.path.normcase(place[:-1])  # Windows knows names in any case
    found = folders_in(str(Path(place).parent), [])
    return [path for path in found if os.path.normcase(path).startswith(beginning)]


def _in_user_data(user_data: str, errors: list[OSError]) -> Iterator[Store]:
    for name in REGISTRIES:
        yield from _in_registry(Path(user_data, name), user_data, errors)


def _in_registry(registry: Path, user_data: str, errors: list[OSError]) -> Iterator[Store]:
    for account in folders_in(str(registry), errors, follow=True):
        for organisation in folders_in(account, errors, follow=True):
            yield Store(organisation, user_data, REGISTRIES[registry.name])


def _at(path: str, errors: list[OSError]) -> list[Store]:
    """Return the stores that a named folder means: by its place in a registry, else by what is in it."""
    place = Path(path)
    account, registry = place.parent, place.parent.parent
    if any((place / name).is_dir() for name in REGISTRIES):
        return list(_in_user_data(path, errors))
    if place.name in REGISTRIES:
        return list(_in_registry(place, str(account), errors))
    if account.name in REGISTRIES:
        row_format = REGISTRIES[account.name]
        return [Store(folder, str(registry), row_format) for folder in folders_in(path, errors, follow=True)]
    if registry.name in REGISTRIES:
        return [Store(path, str(registry.parent), REGISTRIES[registry.name])]
    linked = _behind_link(path, errors)
    if linked:
        return linked
    if _holds_rows(path):
        return [Store(path, None)]
    inner = folders_in(path, errors)
    if any(_holds_rows(folder) for folder in inner):
        return [Store(folder, None) for folder in inner]
    deeper = [folder for outer in inner for folder in folders_in(outer, errors)]
    if any(_holds_rows(folder) for folder in deeper):
        return [Store(folder, None) for folder in deeper]
    return [Store(path, None)]


def _behind_link(path: str, errors: list[OSError]) -> list[Store]:
    """Return the stores that a folder means by where its links lead, under the name it was given."""
    real = Path(real_path(path))
    account, registry = real.parent, real.parent.parent
    if str(real) == path:
        return []
    if real.name in REGISTRIES:
        row_format, home = REGISTRIES[real.name], str(account)
        accounts = folders_in(path, errors, follow=True)
        folders = [inner for outer in accounts for inner in folders_in(outer, errors, follow=True)]
        return [Store(folder, home, row_format) for folder in folders]
    if account.name in REGISTRIES:
        folders = folders_in(path, errors, follow=True)
        return [Store(folder, str(registry), REGISTRIES[account.name]) for folder in folders]
    if registry.name in REGISTRIES:
        return [Store(path, str(registry.parent), REGISTRIES[registry.name])]
    return []


def _holds_rows(path: str) -> bool:
    return any(entry.name.startswith(("local_", "deleted_")) for entry in entries(path, []))


def _once(found: Iterable[Store], seen: set[tuple[int, int] | str]) -> Iterator[Store]:
    """Yield each folder once, also where two paths lead to it (on Windows a package's folder has two)."""
    return (store for store in found if is_new(store.path, seen))


def is_new(path: str, seen: set[tuple[int, int] | str]) -> bool:
    """Tell whether a folder is there and was not met before, under this or another name; note that it was."""
    try:
        status = os.stat(path)  # noqa: PTH116 - there are thousands
    except OSError:
        return False
    identity = (status.st_dev, status.st_ino) if status.st_ino else path
    if identity in seen:
        return False
    seen.add(identity)
    return True


def _neighbours(found: Iterable[Store]) -> dict[str, None]:
    """Return the userData folders that stores are from, and those of the app's other builds beside them."""
    homes = dict.fromkeys(store.user_data for store in found if store.user_data is not None)
    for home in list(homes):
        if Path(home).name in BUILDS:
            homes.update(dict.fromkeys(str(Path(home).parent / build) for build in BUILDS))
    return homes


def _same(one: str, other: str) -> bool:
    try:
        return Path(one).samefile(other)
    except OSError:
        return False
