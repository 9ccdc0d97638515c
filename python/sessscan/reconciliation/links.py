"""Find what is wrong between the rows that the app can read and the transcripts they name.

Each function below looks at one such row and its transcript, and is registered under the rule for what it
finds.
"""

from __future__ import annotations

import os
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from .. import _core
from ..model import Finding, Row, Severity
from ..rules import finding
from ..stores.project_folder import is_local_path, normalize
from ..stores.transcripts import path_of
from .checks import Checks
from .inventory import Inventory, is_hollow
from .matching.unlinked import hidden_in
from .naming import called, of_row
from .places import Places
from .what_is_left import Leftovers, Unnamed
from .whereabouts import Whereabouts, propose


class Surroundings:
    """What the checks look things up in, each found out once for all rows."""

    def __init__(
        self,
        inventory: Inventory,
        places: Places,
        orphans: Sequence[_core.Transcript],
        leftovers: Leftovers,
        unlinked: Container[str] = (),
    ) -> None:
        """`unlinked`: the rows, by path, of which it is found that they have lost their link."""
        self.inventory = inventory
        self.unlinked = unlinked
        self.places = places
        self.leftovers = leftovers
        self._orphans = orphans
        self._folders: dict[str, bool] = {}
        self._hidden: dict[str | None, str | None] = {}

    @cached_property
    def orphans(self) -> Unnamed:
        """The sessions without a row, by what a row would say of them."""
        return Unnamed(self._orphans)

    @cached_property
    def whereabouts(self) -> Whereabouts:
        """Where folders may be that are gone."""
        return Whereabouts(self.inventory)

    def hidden_in(self, cwd: object) -> str | None:
        """Return the folder that cannot be read and may hold the transcript of a row of this directory."""
        known = cwd if isinstance(cwd, str) and cwd else None
        if known not in self._hidden:
            self._hidden[known] = hidden_in(self.inventory, known)
        return self._hidden[known]

    def is_gone(self, folder: str) -> bool:
        """Tell whether a folder of this machine is not there any more, as `is_folder_gone` does."""
        if folder not in self._folders:
            self._folders[folder] = is_folder_gone(folder)
        return self._folders[folder]


@dataclass(slots=True)
class Link:
    """A readable row that names a transcript, and the transcript."""

    row: Row
    name: str
    """The transcript's uuid, as the row spells it."""
    transcripts: Sequence[_core.Transcript]
    """The files of that uuid: none, one, or copies in several project folders."""
    first: Row
    """The first row of the store that names the same transcript."""
    around: Surroundings

    def finding(self, rule: str, message: str, severity: Severity | None = None) -> Finding:
        """Return a finding on the row, which names the session as the app does."""
        return finding(
            rule,
            self.row.path,
            message,
            severity=severity,
            session_id=self.row.session_id,
            transcript=path_of(self.transcripts[0]) if self.transcripts else None,
            about=of_row(self.row),
        )

    @property
    def session(self) -> str:
        """What the session is called, as the beginning of a sentence."""
        return called(of_row(self.row))


LINK_CHECKS: Checks[Link] = Checks()


def readable_links(inventory: Inventory, around: Surroundings) -> Iterator[Link]:
    """Yield each readable row that names a transcript, unless that is there but cannot be read."""
    for contents in inventory.contents:
        first: dict[str, Row] = {}
        for row in contents.rows:
            name = row.fields.get("cliSessionId")
            if row.state != "ok" or not isinstance(name, str) or not name:
                continue  # a session that was never started has no transcript
            found = inventory.files(name) or inventory.files(name.lower())
            if found:
                yield Link(row, name, found, first.setdefault(name.lower(), row), around)
            elif name.lower() not in inventory.unread_ids:
                yield Link(row, name, (), row, around)


@LINK_CHECKS.finds("remote")
def _remote(link: Link) -> Iterator[Finding]:
    if link.row.remote is not None and not link.transcripts:
        where = f"{link.session} runs on another machine: {link.row.remote}."
        yield link.finding("remote", f"{where} Its transcript {link.name} is there.")


@LINK_CHECKS.finds("dangling", "unreadable")
def _dangling(link: Link) -> Iterator[Finding]:
    if link.transcripts or link.row.remote is not None or link.row.path in link.around.unlinked:
        return
    inventory, name, cwd = link.around.inventory, link.name.lower(), link.row.fields.get("cwd")
    hidden = link.around.hidden_in(cwd)
    if name in inventory.empty_paths:
        fact = f"has a transcript that is empty (0 bytes): {inventory.empty_paths[name]}."
    elif hidden is not None:
        fact = f"may have its transcript {link.name} in {hidden}, which cannot be read."
        yield link.finding("unreadable", f"{link.session} {fact}", "note")
        return
    else:
        fact = f"names the transcript {link.name}, which was not found in {places_looked_at(inventory)}."
        if name in inventory.tombstones:
            fact += " A mark says that you deleted it in the app."
    message = " ".join((link.session, fact, *link.around.leftovers.told(name), *_what_fits(link)))
    yield link.finding("dangling", f"{message} The app lists the session and cannot open it.")


@LINK_CHECKS.finds("hollow")
def _hollow(link: Link) -> Iterator[Finding]:
    if not _is_hollow(link) or link.row.path in link.around.unlinked:
        return
    transcript, turns = link.transcripts[0], link.row.fields["completedTurns"]
    holds = "no record that can be read" if not transcript.records else "no message of a conversation"
    fact = f"counted {turns:,} turns, but its transcript {path_of(transcript)} holds {holds}."
    left = link.around.leftovers.told(link.name.lower())
    yield link.finding("hollow", " ".join((link.session, fact, *left, *_what_fits(link))))


@LINK_CHECKS.finds("duplicate")
def _duplicate(link: Link) -> Iterator[Finding]:
    if link.first is not link.row:
        message = f"{link.first.session_id} names the same transcript: one conversation is listed twice."
        yield link.finding("duplicate", message)


@LINK_CHECKS.finds("moved")
def _moved(link: Link) -> Iterator[Finding]:
    row, places = link.row, link.around.places
    if not link.transcripts or row.remote is not None:
        return
    row_format = row.store.format
    if not any(places.is_found(row.fields, row.session_id, row_format, one) for one in link.transcripts):
        fact = f"has a transcript {places.why_not_found(row.fields, link.transcripts[0])}"
        yield link.finding("moved", _with(f"{link.session} {fact}.", _proposal(link)))


@LINK_CHECKS.finds("folder-gone")
def _folder_gone(link: Link) -> Iterator[Finding]:
    row, cwd = link.row, link.row.fields.get("cwd")
    here = row.remote is None and row.store.format.transcripts_in_projects
    if here and isinstance(cwd, str) and link.around.is_gone(cwd):
        fact = f"{link.session} was in a folder that is not there any more."
        yield link.finding("folder-gone", _with(fact, link.around.whereabouts.proposal(cwd)))


@LINK_CHECKS.finds("title-drift")
def _title_drift(link: Link) -> Iterator[Finding]:
    named = bool(link.transcripts) and link.row.path not in link.around.unlinked
    title = link.transcripts[0].custom_title if named else None
    shown = link.row.fields.get("title")
    if title is None or title == shown or (isinstance(shown, str) and shown.strip() == title.strip()):
        return
    listed = f'as "{shown}"' if isinstance(shown, str) and shown else "without a title"
    yield link.finding("title-drift", f'It is listed {listed}, while its transcript was named "{title}".')


def _proposal(link: Link) -> str:
    """Return a sentence that proposes to move a session whose row and transcript name two folders."""
    cwd = link.row.fields.get("cwd")
    if not isinstance(cwd, str) or not cwd:
        return ""
    lies = link.around.places.directory_of(link.transcripts[0])
    if lies is not None and is_local_path(lies) and is_local_path(cwd) and normalize(lies) != normalize(cwd):
        if Path(lies).is_dir() and link.around.is_gone(cwd):
            return propose(cwd, lies, "its transcript is there already")
        if Path(cwd).is_dir() and link.around.is_gone(lies):
            return propose(lies, cwd, "its row says so")
    return link.around.whereabouts.proposal(cwd)


def _with(fact: str, proposal: str) -> str:
    return f"{fact} {proposal}" if proposal else fact


def _is_hollow(link: Link) -> bool:
    return bool(link.transcripts) and all(is_hollow(link.row, one) for one in link.transcripts)


def places_looked_at(inventory: Inventory) -> str:
    """Return in words where transcripts were looked for."""
    places = list(inventory.projects) or ["any folder: there is no projects folder"]
    if inventory.own:
        places.append("the Cowork sessions' own folders")
    unread = len(inventory.errors)
    but = f" ({unread:,} folder{'s' if unread != 1 else ''} could not be read)" if unread else ""
    return " or ".join(places) + but


def _what_fits(link: Link) -> Iterator[str]:
    """Yield a sentence about the one session without a row that the row may be about."""
    found = link.around.orphans.fitting(link.row)
    if found is not None:
        yield (
            f"A session without a row fits this one by its folder and times: {path_of(found)}; "
            "`sessscan reconcile --adopt` makes a row for that."
        )


def is_folder_gone(folder: str) -> bool:
    """Tell whether a folder of this machine is not there any more.

    That is not known of a path of another system, or of a place that may just not be mounted: the folder must
    be in this user's home, or beside others in a folder that is there.
    """
    if not is_local_path(folder):
        return False
    home = str(Path.home())
    try:
        os.stat(folder)  # noqa: PTH116 - a str is at hand
    except (FileNotFoundError, NotADirectoryError):
        if folder.startswith(home.rstrip(os.sep) + os.sep):
            return True
        parent = Path(folder).parent
        return len(parent.parts) > 2 and parent.is_dir()
    except (OSError, ValueError):
        return False
    return False
