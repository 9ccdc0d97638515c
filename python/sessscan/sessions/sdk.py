"""Provide `list_sessions` and `get_session_info` of `claude_agent_sdk`, with exact values.

The SDK searches both ends of a file for the text of a key; these functions scan the whole file, so each field
is what the transcript says. Arguments and fields have the SDK's names and meaning, so that one import can
replace the other. What only the TypeScript SDK does (titles and marks beside a transcript, continuations,
programs' sessions) is done as well.
"""

from __future__ import annotations

import os
import subprocess
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import TYPE_CHECKING, Literal

from .. import _core
from ..reconciliation.transcript_damage import is_damaged
from ..scan_cache import USE_INDEX
from ..scan_cache import scan as scan_cache
from ..stores.locate import TRANSCRIPT_NAME, StrPath, folders_in, is_new, locate, real_path, transcripts_in
from ..stores.project_folder import matches_key, normalize
from ..stores.transcripts import path_of
from .beginning import begins_in_sidechain, first_attachment, is_programmatic, read_beginning, typed_prompt
from .beside import archived, given_title
from .continued import goes_on_elsewhere

_GIT_TIMEOUT = 5  # seconds, as in the SDK


@dataclass(frozen=True)
class SessionInfo:
    """One session. The first ten fields are those of the SDK's `SDKSessionInfo`, in the same order; the next
    is the TypeScript SDK's.

    It passes for an `SDKSessionInfo` where that class is asked for. To import the package for that would cost
    more than to list sessions, and it need not be installed: so `__class__`, which `isinstance` asks, is
    a subclass of it once somebody has imported it. Whoever has the class to ask with has done so.
    """

    session_id: str
    summary: str
    """The text to list it under: the first of the user's or the model's title, the last prompt that the CLI
    noted, a summary of this conversation, and the first prompt."""
    last_modified: int
    """The file's mtime, epoch ms. A resume appends lines without a time: see `last_activity_at`."""
    file_size: int | None = None
    """Bytes that were read."""
    custom_title: str | None = None
    """The user's title, or else the model's, wherever in the file it is."""
    first_prompt: str | None = None
    """What the user typed first, with its white space, but line breaks as blanks, cut to 200 characters and
    `…`; where that was a slash command, its name and arguments."""
    git_branch: str | None = None
    """The last branch that the transcript names."""
    cwd: str | None = None
    """The first directory that the transcript names; if it names none, the directory that was given to
    `list_sessions`."""
    tag: str | None = None
    """The user's current tag."""
    created_at: int | None = None
    """Time of the session's first record, epoch ms."""
    archived: bool | None = None
    """Whether `archived.json` beside the transcript says that it is archived, and no prompt was typed since;
    None where there is no such file."""
    last_activity_at: int | None = None
    """Time of its last record, epoch ms."""
    title: str | None = None
    """The same as `Transcript.title`; unlike `summary` it is never the last prompt."""
    title_source: Literal["custom", "ai", "summary", "prompt"] | None = None
    """Where `title` comes from."""
    health: Literal["ok", "damaged"] = "ok"
    """`damaged` if bytes of the file are damaged; the rest was read. A torn last line does not count, since
    the session may still be writing it."""
    path: str = ""
    """The transcript."""

    if not TYPE_CHECKING:  # no type checker lets a property stand for it

        @property
        def __class__(self):
            """The class, as `isinstance` is told."""
            return passing_for(SessionInfo, "SDKSessionInfo")

    def __reduce__(self) -> tuple[type[SessionInfo], tuple[object, ...]]:
        """Return how to make a copy, whatever has been imported where that is done."""
        return SessionInfo, tuple(getattr(self, field.name) for field in fields(SessionInfo))


def passing_for(own: type, name: str) -> type:
    """Return a subclass of a class and of the SDK's class of this name, if the SDK has been imported."""
    theirs = getattr(sys.modules.get("claude_agent_sdk.types"), name, None)
    return own if theirs is None else _of_both(own, theirs)


@cache
def _of_both(own: type, theirs: type) -> type:
    return type(own.__name__, (own, theirs), {"__module__": own.__module__, "__doc__": own.__doc__})


def list_sessions(
    directory: StrPath | None = None,
    limit: int | None = None,
    offset: int = 0,
    include_worktrees: bool = True,
    *,
    include_programmatic: bool = True,
    projects: StrPath | Iterable[StrPath] | None = None,
    index: bool = USE_INDEX,
) -> list[SessionInfo]:
    """List the sessions of a directory and its git worktrees, or all sessions, last modified first.

    As in the SDKs, subagents' transcripts are hidden, and those with nothing to show as `summary`; as in the
    TypeScript SDK, those that go on in another transcript beside them. Where a session has several files, the
    newest counts. Files that cannot be read are left out.

    Args:
        directory: only sessions of this directory; None for all.
        limit: return at most this many; 0 and None mean all. No more files are read than needed for that.
        offset: skip this many sessions first.
        include_worktrees: also list the sessions of the repository's other worktrees.
        include_programmatic: also list those that a program began: an SDK, `claude -p`, or a process in the
            background.
        projects: the transcripts' roots; by default `$CLAUDE_CONFIG_DIR/projects`, or else
            `~/.claude/projects`.
        index: read only what is new in the transcripts, and keep what they say in sessscan's own state.

    Raises:
        OSError: a folder of `projects` cannot be listed.
    """
    roots = locate((), projects).projects
    directories: list[str] = []
    if directory:
        own = _canonical(directory)
        trees = _worktrees(own) if include_worktrees else []
        directories = [own, *trees] if len(trees) > 1 else [own]
    found = _files(roots, directories)
    skipped = max(offset, 0)
    wanted = skipped + limit if limit is not None and limit > 0 else None
    return list(_sessions(found, wanted, index, _Shown(include_programmatic)))[skipped:]


def get_session_info(
    session_id: str,
    directory: StrPath | None = None,
    *,
    projects: StrPath | Iterable[StrPath] | None = None,
    index: bool = USE_INDEX,
) -> SessionInfo | None:
    """Return one session, of any project or of those of `directory` and its worktrees.

    Returns None if there is no such session, it is a subagent's, or it has nothing to show as `summary`.
    """
    shown = _Shown(continued=True)
    for files in _files_of(session_id, directory, projects):
        for info in _sessions(files, 1, index, shown):
            return info
    return None


def paths_of(
    session_id: str, directory: StrPath | None, projects: StrPath | Iterable[StrPath] | None
) -> Iterator[str]:
    """Yield the files of a session, newest first: of any project, or of a directory's and its worktrees'."""
    for files in _files_of(session_id, directory, projects):
        yield from (file.path for file in files)


def _files_of(
    session_id: str, directory: StrPath | None, projects: StrPath | Iterable[StrPath] | None
) -> Iterator[list[_File]]:
    """Yield the files of a session: those of the directory, or of all, and then those of its worktrees."""
    name = f"{session_id}.jsonl"
    if not TRANSCRIPT_NAME.fullmatch(name):
        return
    roots = locate((), projects).projects
    own = [_canonical(directory)] if directory else []
    yield _files(roots, own, name)
    trees = [tree for tree in _worktrees(own[0]) if tree != own[0]] if own else []
    if trees:
        yield _files(roots, trees, name)


@dataclass(frozen=True, slots=True)
class _Shown:
    """Which sessions are shown of those that a list may leave out."""

    programmatic: bool = True
    continued: bool = False


def _session_info(
    transcript: _core.Transcript, modified_ns: int, directory: str | None, shown: _Shown
) -> SessionInfo | None:
    """Return what a list shows of a scanned transcript; None for one that it hides.

    `directory`: the directory whose sessions were asked for, if any.
    """
    if transcript.error is not None or transcript.is_sidechain:
        return None
    beginning = read_beginning(path_of(transcript))
    if begins_in_sidechain(beginning):
        return None
    if not shown.programmatic and is_programmatic(transcript, beginning):
        return None
    if not shown.continued and goes_on_elsewhere(transcript):
        return None
    given = given_title(transcript) or transcript.ai_title
    first = typed_prompt(transcript, beginning) or shown_first_prompt(transcript)
    summary = given or transcript.last_prompt or transcript.summary or first or first_attachment(beginning)
    if not summary:
        return None
    return SessionInfo(
        session_id=transcript.session_id or "",
        summary=summary,
        last_modified=modified_ns // 1_000_000,
        file_size=transcript.size,
        custom_title=given,
        first_prompt=first,
        git_branch=transcript.git_branch,
        cwd=transcript.cwd or directory,
        tag=transcript.tag,
        created_at=transcript.created_at,
        archived=archived(transcript),
        last_activity_at=transcript.last_activity_at,
        title=transcript.title,
        title_source=transcript.title_source,
        health="damaged" if is_damaged(transcript) else "ok",
        path=transcript.path or "",
    )


def shown_first_prompt(transcript: _core.Transcript) -> str | None:
    """Return the first prompt, with `…` if it is cut; in a session without prompts the name of a command."""
    first = transcript.first_prompt
    if first is None:
        return transcript.first_command
    return first.rstrip() + "…" if transcript.first_prompt_is_cut else first


@dataclass(frozen=True, slots=True)
class _File:
    """A transcript file in a project folder."""

    path: str
    modified_ns: int
    folder: str
    """The name of the project folder."""
    directories: tuple[str, ...]
    """Those of the wanted directories that the project folder may stand for. There may be several, since
    different directories can have the same project folder."""


def _files(roots: Iterable[str], directories: Sequence[str], name: str | None = None) -> list[_File]:
    """Return the transcripts of these directories, or of all if none is given, last modified first.

    `name`: only files with this name.
    """
    found: list[_File] = []
    seen: set[tuple[int, int] | str] = set()
    for root in roots:
        # The real ones first: of several names of a folder, its own counts.
        for folder in (*folders_in(root, []), *folders_in(root, [], follow=True)):
            key = os.path.basename(folder)  # noqa: PTH119  # of many folders
            owners = tuple(one for one in directories if matches_key(_case_key(one), _case_key(key)))
            if (directories and not owners) or not is_new(folder, seen):
                continue
            for entry in transcripts_in(folder, []):
                if name is not None and entry.name != name:
                    continue
                try:
                    status = entry.stat(follow_symlinks=False)
                except OSError:
                    continue
                if status.st_size:  # an empty file holds no session
                    found.append(_File(entry.path, status.st_mtime_ns, key, owners))
    found.sort(key=lambda file: (-file.modified_ns, file.path))
    return found


def _sessions(
    files: Sequence[_File], wanted: int | None, index: bool, shown: _Shown
) -> Iterator[SessionInfo]:
    """Yield the sessions of these files, in their order; stop reading when `wanted` were found."""
    scan_many = scan_cache.scan_many if index else _core.scan_many
    seen: set[str] = set()
    start = 0
    while start < len(files) and (wanted is None or len(seen) < wanted):
        batch = files[start:] if wanted is None else files[start : start + wanted - len(seen)]
        start += len(batch)
        transcripts = scan_many([file.path for file in batch])
        for file, transcript in zip(batch, transcripts, strict=True):
            if file.directories and _is_of_another_directory(transcript, file):
                continue
            directory = file.directories[0] if file.directories else None
            info = _session_info(transcript, file.modified_ns, directory, shown)
            if info is not None and info.session_id not in seen:
                seen.add(info.session_id)
                yield info


def _is_of_another_directory(transcript: _core.Transcript, file: _File) -> bool:
    """Return whether another directory with the same project folder owns it: `/a-b` and `/a/b` share one."""
    cwd = transcript.cwd
    if cwd is None or not matches_key(_case_key(cwd), _case_key(file.folder)):
        return False  # begun in a directory with another project folder, and moved to this one
    return _case_key(normalize(cwd)) not in {_case_key(normalize(one)) for one in file.directories}


def _canonical(directory: StrPath) -> str:
    """Return the directory with links resolved, in NFC, which the name of its project folder is made from."""
    return unicodedata.normalize("NFC", real_path(os.fspath(directory)))


def _case_key(path: str) -> str:
    """Return `path` without case on platforms whose file names are equal whatever their case."""
    return path.casefold() if sys.platform in ("darwin", "win32") else path


# Variables that would make git list the worktrees of another repository.
_GIT_VARIABLES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_PREFIX")


def _worktrees(directory: str) -> list[str]:
    """Return all worktrees of a directory's repository, the main one included; none without git."""
    try:
        listed = subprocess.run(
            ["git", "worktree", "list", "--porcelain"],
            cwd=directory,
            env={name: value for name, value in os.environ.items() if name not in _GIT_VARIABLES},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_GIT_TIMEOUT,
            check=True,
        ).stdout
    except (OSError, ValueError, subprocess.SubprocessError):
        return []
    begin = b"worktree "
    paths = [line.removeprefix(begin) for line in listed.split(b"\n") if line.startswith(begin)]
    return [unicodedata.normalize("NFC", os.fsdecode(path.removesuffix(b"\r"))) for path in paths]
