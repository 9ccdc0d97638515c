"""`list_sessions` and `get_session_info` as `claude_agent_sdk` has them, from a whole reading of each file.

The SDK looks at both ends of a file for what may be the text of a key; here each field is what the transcript
says (FORMATS §4 has what that changes). Fields and arguments have its names and meaning, so that one import
can take the place of the other.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from .. import _core
from ..reconciliation.diagnose import is_damaged
from ..scan_cache import USE_INDEX
from ..scan_cache import scan as recorder
from ..stores.locate import TRANSCRIPT_NAME, StrPath, folders_in, locate, transcripts_in
from ..stores.project_folder import matches_key, normalize

Health = Literal["ok", "damaged"]

# How a prompt begins that a slash command stands for: its message to the model follows.
_COMMAND = re.compile(
    "<command-message>[^<]*</command-message> *<command-name>([^<]*[^< ][^<]*)</command-name>"
)

_GIT_PATIENCE = 5  # seconds, as the SDK's


@dataclass(frozen=True)
class SessionInfo:
    """One session. The first ten fields are those of the SDK's `SDKSessionInfo`, in its order."""

    session_id: str
    summary: str
    """What to show: a given title, else the last prompt that was noted, else an old summary of this
    conversation, else the first prompt."""
    last_modified: int
    """The file's, epoch ms. Lines without a time are appended on resume: see `last_activity_at`."""
    file_size: int | None = None
    """Bytes that were read."""
    custom_title: str | None = None
    """The user's title, else the model's, wherever in the file it stands."""
    first_prompt: str | None = None
    """What a human typed first, white space folded: 200 characters and `…` of what is longer. Of a slash
    command its name."""
    git_branch: str | None = None
    """The last one."""
    cwd: str | None = None
    """The first directory; where no line names one, that which was asked for."""
    tag: str | None = None
    """The user's tag, as it stands now."""
    created_at: int | None = None
    """Time of the session's first record, epoch ms."""
    last_activity_at: int | None = None
    """Time of its last record, epoch ms."""
    title: str | None = None
    """As `Transcript.title`: what was noted as the last prompt is none."""
    title_source: Literal["custom", "ai", "summary", "prompt"] | None = None
    """Where `title` comes from."""
    health: Health = "ok"
    """`damaged`: bytes of the file are damaged; the rest was read. A torn last line is no damage: the session
    may be writing it."""
    path: str = ""
    """The transcript."""


def list_sessions(
    directory: StrPath | None = None,
    limit: int | None = None,
    offset: int = 0,
    include_worktrees: bool = True,
    *,
    projects: StrPath | Iterable[StrPath] | None = None,
    index: bool = USE_INDEX,
) -> list[SessionInfo]:
    """The sessions of a directory and its git worktrees, or without `directory` all, last modified first.

    Hidden, as by the SDK: subagents' transcripts, and those with nothing to show as `summary`. Of several
    files of one session the newest counts. `limit`: at most so many, 0 as None for all; no more files are
    read than that takes. `offset`: how many to pass over first. `include_worktrees`: also the repository's
    other worktrees, as git lists them. `projects`: the transcripts' roots, by default
    `$CLAUDE_CONFIG_DIR/projects`, else `~/.claude/projects`.

    `index`: read only what is new of the transcripts, and keep what they say in sessscan's own state.

    What cannot be read is left out. Raises OSError only for a folder of `projects` that cannot be listed.
    """
    roots = locate((), projects).projects
    directories: list[str] = []
    if directory:
        own = _canonical(directory)
        trees = _worktrees(own) if include_worktrees else []
        directories = [own, *trees] if len(trees) > 1 else [own]
    found = _files(roots, directories)
    most = limit if limit is not None and limit > 0 else None
    first = max(offset, 0)
    return list(_sessions(found, None if most is None else first + most, index))[first:]


def get_session_info(
    session_id: str,
    directory: StrPath | None = None,
    *,
    projects: StrPath | Iterable[StrPath] | None = None,
    index: bool = USE_INDEX,
) -> SessionInfo | None:
    """One session, of any project or of that of `directory` and its worktrees; None if it is not there, or
    hidden (`list_sessions`)."""
    name = f"{session_id}.jsonl"
    if not TRANSCRIPT_NAME.fullmatch(name):
        return None
    roots = locate((), projects).projects
    own = [_canonical(directory)] if directory else []
    for info in _sessions(_files(roots, own, name), 1, index):
        return info
    trees = [tree for tree in _worktrees(own[0]) if tree != own[0]] if own else []
    return next(_sessions(_files(roots, trees, name), 1, index), None) if trees else None


def session_info(
    transcript: _core.Transcript, modified_ns: int, directory: str | None = None
) -> SessionInfo | None:
    """What a list shows of a transcript that was scanned from a file; None where it shows nothing.

    `directory`: the one it was looked for in, if that is known.
    """
    if transcript.error is not None or transcript.is_sidechain:
        return None
    given = transcript.custom_title or transcript.ai_title
    first = typed_first(transcript)
    summary = given or transcript.last_prompt or transcript.summary or first
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
        last_activity_at=transcript.last_activity_at,
        title=transcript.title,
        title_source=transcript.title_source,
        health="damaged" if is_damaged(transcript) else "ok",
        path=transcript.path or "",
    )


def typed_first(transcript: _core.Transcript) -> str | None:
    """The first prompt, with `…` where it is cut; of a slash command its name alone."""
    first = transcript.first_prompt
    if first is None:
        return transcript.first_command
    command = _COMMAND.match(first)
    if command is not None:
        return command[1].strip()
    return first.rstrip() + "…" if transcript.first_prompt_is_cut else first


@dataclass(frozen=True, slots=True)
class _File:
    path: str
    modified_ns: int
    folder: str
    """The project folder's name."""
    directories: tuple[str, ...]
    """Those of the directories asked for whose folder it is: several where the name does not tell them
    apart."""


def _files(roots: Iterable[str], directories: Sequence[str], name: str | None = None) -> list[_File]:
    """The transcripts of these directories, or without any of all, or those called `name`; newest first."""
    found: list[_File] = []
    for root in roots:
        for folder in folders_in(root, []):
            key = os.path.basename(folder)  # noqa: PTH119  # of many folders
            owners = tuple(one for one in directories if matches_key(_as_named(one), _as_named(key)))
            if directories and not owners:
                continue
            for entry in transcripts_in(folder, []):
                if name is not None and entry.name != name:
                    continue
                try:
                    status = entry.stat(follow_symlinks=False)
                except OSError:
                    continue
                if status.st_size:  # an empty file is a transcript that is not here
                    found.append(_File(entry.path, status.st_mtime_ns, key, owners))
    found.sort(key=lambda file: (-file.modified_ns, file.path))
    return found


def _sessions(files: Sequence[_File], most: int | None, index: bool) -> Iterator[SessionInfo]:
    """What is to be shown of these files, in their order; with `most` no more are read than it takes."""
    scan_many = recorder.scan_many if index else _core.scan_many
    seen: set[str] = set()
    at = 0
    while at < len(files) and (most is None or len(seen) < most):
        batch = files[at:] if most is None else files[at : at + most - len(seen)]
        at += len(batch)
        transcripts = scan_many([file.path for file in batch])
        for file, transcript in zip(batch, transcripts, strict=True):
            if file.directories and _is_elsewhere(transcript, file):
                continue
            directory = file.directories[0] if file.directories else None
            info = session_info(transcript, file.modified_ns, directory)
            if info is not None and info.session_id not in seen:
                seen.add(info.session_id)
                yield info


def _is_elsewhere(transcript: _core.Transcript, file: _File) -> bool:
    """Whether it is another directory's: folder names are lossy, so that `/a-b` and `/a/b` share one."""
    cwd = transcript.cwd
    if cwd is None or not matches_key(_as_named(cwd), _as_named(file.folder)):
        return False  # it was begun elsewhere, and moved here
    return _as_named(normalize(cwd)) not in {_as_named(normalize(one)) for one in file.directories}


def _canonical(directory: StrPath) -> str:
    """The physical directory, as project folders are named after it."""
    return unicodedata.normalize("NFC", os.path.realpath(os.fspath(directory)))


def _as_named(path: str) -> str:
    """`path` in the form in which equal names are one file where this platform's files are told apart so."""
    return path.casefold() if sys.platform in ("darwin", "win32") else path


# What would make git speak of another repository than that of the directory.
_MISLEADING = ("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_PREFIX")


def _worktrees(directory: str) -> list[str]:
    """All worktrees of the repository that a directory is in, the main one included; none without git."""
    try:
        listed = subprocess.run(
            ["git", "worktree", "list", "--porcelain"],
            cwd=directory,
            env={name: value for name, value in os.environ.items() if name not in _MISLEADING},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_GIT_PATIENCE,
            check=True,
        ).stdout
    except (OSError, ValueError, subprocess.SubprocessError):
        return []
    begin = b"worktree "
    paths = [line.removeprefix(begin) for line in listed.split(b"\n") if line.startswith(begin)]
    return [unicodedata.normalize("NFC", os.fsdecode(path.removesuffix(b"\r"))) for path in paths]
