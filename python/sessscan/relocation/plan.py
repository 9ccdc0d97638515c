"""Plan the moves: from the sessions and rows that were found to actions."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import describe
from ..model import MOVE, Action, Edit, Evidence, Finding, Fingerprint, Row
from ..stores.live_sessions import LiveSession, live_sessions
from ..stores.opening import open_stream
from ..stores.project_folder import is_local_path, matches_key, normalize
from .folders import Directories, physical
from .rows import action_for_row, changed_fields, json_text, transcript_of
from .sessions import Session, target_folder

MOVED = "the line that says where the session is now"
"""The reason of the edit that appends it."""


@dataclass
class Made:
    """What is to be done about sessions and rows."""

    actions: list[Action | Finding] = field(default_factory=list)
    there_already: int = 0
    """How many sessions were moved earlier."""


class _HeldError(Exception):
    """Nothing of a session can be moved. The text says why, in words for the user."""


def plan_sessions(sessions: Sequence[Session], rows: Sequence[Row], directories: Directories) -> Made:
    """Return the actions for all sessions of the folder, and for all rows that name it.

    The session that was used longest ago comes first, so that their order in lists stays. What lies beside a
    transcript comes before it, and its row after it: whenever the moves are interrupted, a transcript that is
    in its new place is complete, and one that is not is found as it was.
    """
    planner = _Planner(sessions, rows, directories)
    return planner.plan()


class _Planner:
    def __init__(self, sessions: Sequence[Session], rows: Sequence[Row], directories: Directories) -> None:
        self._sessions = sessions
        self._rows = rows
        self._directories = directories
        self._made = Made()
        self._taken: set[str] = set()
        self._held: dict[str, str] = {}
        """By session why it is not moved."""
        self._moved: dict[str, str] = {}
        """By session where its transcript will be."""
        self._row_of = {transcript_of(row): row for row in reversed(rows)}
        roots = {Path(session.root).parent for session in sessions}
        self._live: dict[str, LiveSession] = {one.session_id.lower(): one for one in live_sessions(*roots)}

    def plan(self) -> Made:
        rows: dict[str, list[Action | Finding]] = {}
        for session in sorted(self._sessions, key=_last_written):
            self._plan_session(session)
        for row in self._rows:
            for action in self._for_row(row):
                rows.setdefault(transcript_of(row) or "", []).append(action)
        ordered: list[Action | Finding] = []
        for number, action in enumerate(self._made.actions):
            ordered.append(action)
            own = action.cli_session_id if isinstance(action, Action) else None
            later = self._made.actions[number + 1 : number + 2]
            if own is not None and not any(isinstance(o, Action) and o.cli_session_id == own for o in later):
                ordered += rows.pop(own, ())
        self._made.actions = ordered + [action for others in rows.values() for action in others]
        return self._made

    def _plan_session(self, session: Session) -> None:
        moved = None if session.directory is None else self._directories.moved(session.directory)
        if session.why_not is not None:
            named = session.directory is None and any(
                matches_key(old, session.name) for old in self._directories.old
            )
            if moved is not None or named:
                self._hold(session, session.why_not)
            return
        if moved is None:
            self._made.there_already += self._came_from_old(session)
            return
        if session.is_stray and not matches_key(physical(moved), session.name):
            return  # it lies in a third folder, and not because of this move
        try:
            self._made.actions += list(self._for_session(session, moved))
        except _HeldError as error:
            self._hold(session, str(error))

    def _came_from_old(self, session: Session) -> bool:
        cwd = session.transcript.cwd if session.transcript is not None else None
        directory = session.directory
        if cwd is None or directory is None or session.is_stray or not self._directories.is_new(directory):
            return False
        return self._directories.moved(cwd) is not None

    def _hold(self, session: Session, why: str) -> None:
        self._held[session.id] = why
        path = session.path or session.beside[0]
        self._made.actions.append(
            Action(
                kind="hold",
                path=path,
                session_id=None,
                cli_session_id=session.id,
                transcript=session.path,
                status="held",
                error=why,
                title=self._title(session),
            )
        )

    def _title(self, session: Session) -> str | None:
        row = self._row_of.get(session.id)
        title = row.fields.get("title") if row is not None else None
        if isinstance(title, str) and title:
            return title
        return session.transcript.title if session.transcript is not None else None

    def _for_session(self, session: Session, directory: str) -> list[Action]:
        folder, why = target_folder(session, directory, self._sessions)
        if folder is None:
            raise _HeldError(why)
        if session.is_stray:
            folder = session.folder
        live = self._live.get(session.id)
        if live is not None:
            raise _HeldError(f"process {live.pid} is running it ({live.path}): end it and try again")
        if folder != session.folder:
            self._check_folder(session, folder)
        evidence = [Evidence("place", f"it is from {session.directory}, by {session.said_by}")]
        if is_local_path(directory) and not Path(directory).is_dir():
            evidence.append(Evidence("missing", f"{directory} is not there yet"))
        actions = []
        for path in (*session.beside, *([session.path] if session.path is not None else [])):
            target = os.path.join(folder, os.path.basename(path))  # noqa: PTH118, PTH119
            edits = self._edits(session, directory) if path == session.path else ()
            if target == path and not edits:
                continue
            if target != path and (os.path.lexists(target) or target in self._taken):
                raise _HeldError(f"{target} is there already, and nothing is replaced")
            actions.append(
                Action(
                    kind=MOVE,
                    path=path,
                    session_id=None,
                    cli_session_id=session.id,
                    transcript=session.path,
                    evidence=tuple(evidence),
                    rests_on=(fingerprint(path),),
                    edits=edits,
                    target=target,
                    title=self._title(session),
                )
            )
        self._taken.update(action.target for action in actions if action.target is not None)
        if session.path is not None:
            self._moved[session.id] = os.path.join(folder, os.path.basename(session.path))  # noqa: PTH118, PTH119
        if not actions:
            self._made.there_already += 1
        return actions

    def _check_folder(self, session: Session, folder: str) -> None:
        place = folder if os.path.lexists(folder) else session.root
        try:
            there, here = os.stat(place), os.stat(session.folder)  # noqa: PTH116
        except OSError as error:
            raise _HeldError(describe(error)) from None
        if not Path(place).is_dir():
            raise _HeldError(f"{place} should be its project folder, and is none: move it out of the way")
        if there.st_dev != here.st_dev:
            raise _HeldError(
                f"{session.folder} and {place} are on different file systems, and sessscan moves files only "
                "within one: copy the project folder over with all that is in it, remove the old one, and "
                "plan the move again"
            )

    def _edits(self, session: Session, directory: str) -> tuple[Edit, ...]:
        """Return the edit that appends the line; none where the transcript says so already, or is empty."""
        transcript, path, status = session.transcript, session.path, session.status
        if transcript is None or path is None or status is None or status.st_size == 0:
            return ()
        if transcript.relocated_cwd is not None and normalize(transcript.relocated_cwd) == normalize(
            directory
        ):
            return ()
        if any(defect.kind == "utf-16" for defect in transcript.defects):
            raise _HeldError("it is in UTF-16, to which nothing can be appended: run `sessscan repair` first")
        name = json.dumps(Path(path).stem)
        line = f'{{"type":"relocated","relocatedCwd":{json_text(directory)},"sessionId":{name}}}\n'.encode()
        try:
            with open_stream(path) as file:
                file.seek(status.st_size - 1)
                ended = file.read(1) == b"\n"
        except OSError as error:
            raise _HeldError(f"it cannot be read any more: {describe(error)}") from None
        return (Edit(status.st_size, b"", line if ended else b"\n" + line, MOVED),)

    def _for_row(self, row: Row) -> Iterator[Action | Finding]:
        changed = changed_fields(row, self._directories)
        if not changed:
            return
        transcript = transcript_of(row) or ""
        why = self._why_row_stays(row, transcript, changed.get("cwd"))
        if why is None:
            yield action_for_row(row, changed, self._moved.get(transcript))
            return
        yield Action(
            kind="hold",
            path=row.path,
            session_id=row.session_id,
            cli_session_id=transcript or None,
            status="held",
            error=why,
            title=row.fields.get("title") if isinstance(row.fields.get("title"), str) else None,
        )

    def _why_row_stays(self, row: Row, transcript: str, cwd: str | None) -> str | None:
        """Return why a row must not name the new folder; None if it may.

        The app looks for the transcript under the key of the row's cwd, so a row goes where its transcript
        goes.
        """
        if transcript in self._held:
            return "its transcript stays where it is, so its row does"
        before = row.fields.get("cwd")
        for session in self._sessions:
            if session.id != transcript or session.path is None or transcript in self._moved or cwd is None:
                continue
            if matches_key(str(before), session.name) and not matches_key(cwd, session.name):
                return f"its transcript {session.path} is from {session.directory}, by {session.said_by}"
        return None


def fingerprint(path: str) -> Fingerprint:
    """Return what a file or folder is. Of a folder only its inode counts, as its content comes along.

    Raises OSError.
    """
    status = os.lstat(path)
    if Path(path).is_dir():
        return Fingerprint(path, True, inode=status.st_ino)
    return Fingerprint(path, True, status.st_size, status.st_mtime_ns, status.st_ino)


def _last_written(session: Session) -> int:
    return session.status.st_mtime_ns if session.status is not None else 0
