"""Read the stores and transcripts once, and index what they say for the later stages."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

from .. import _core
from ..changes.absences import newest_change
from ..model import Progress, Row
from ..scan_cache import USE_INDEX
from ..scan_cache import scan as cached
from ..scan_cache.conversations import ConversationCheck, check_many
from ..snapshots.source import SnapshotSource
from ..stores.locate import Places, StrPath, locate, vanished_stores
from ..stores.own_folders import own_transcripts
from ..stores.project_files import Listing, list_transcripts
from ..stores.project_folder import matches_key
from ..stores.released import released_sessions
from ..stores.rows import PRIOR, Contents, bare_id, read_store
from ..stores.transcripts import folder_of, is_conversation, path_of, transcript_id
from ..stores.worktrees import Worktrees, read_worktrees

UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Inventory:
    """Everything that one reconciliation has read. Later stages look things up here and change nothing."""

    contents: tuple[Contents, ...]
    """The stores to be reconciled."""
    context: tuple[Contents, ...]
    """Stores that are read only because their rows may claim the same transcripts."""
    worktrees: tuple[Worktrees, ...]
    listing: Listing
    errors: tuple[OSError, ...]
    """Folders that could not be listed, those of `context` included."""
    now: int
    """Epoch ms."""
    projects: tuple[str, ...] = ()
    """The transcripts' roots."""
    transcripts: tuple[_core.Transcript, ...] = ()
    conversations: Mapping[str, ConversationCheck] = field(default_factory=lambda: MappingProxyType({}))
    """Whether the conversation of each of them is whole, by path."""
    unread: tuple[_core.Transcript, ...] = ()
    """Transcripts that could not be read; only their ids and paths are known."""
    empty: tuple[_core.Transcript, ...] = ()
    """Transcripts of 0 bytes, which count as not here."""
    size: int = 0
    """Bytes of all rows and transcripts."""
    own: Mapping[str, tuple[_core.Transcript, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """The transcripts in sessions' own folders by the session's bare id, also those that are empty or could
    not be read. They are in none of the other lists: a session's own folder holds no other session's."""
    by_id: Mapping[str, tuple[_core.Transcript, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """Transcripts by uuid; several where copies lie in several project folders."""
    claims: Mapping[str, tuple[Row, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """By transcript uuid, the readable rows of any store that name it now or have named it before."""
    tombstones: frozenset[str] = frozenset()
    """Ids of deleted sessions and transcripts, of all stores, `released` included."""
    released: Mapping[str, int | None] = field(default_factory=lambda: MappingProxyType({}))
    """The transcripts that a `.desktop-released.json` beside them says were deleted, and when, epoch ms."""
    newest_change_ns: int = 0
    """When the newest of the transcripts was made or written, epoch ns."""
    snapshots: SnapshotSource = field(default_factory=SnapshotSource)
    removals: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """Project folders from which transcripts count as removed, and when (epoch ms), whatever their own times
    tell."""

    def rows(self) -> Iterable[Row]:
        """Yield the rows of the stores to be reconciled."""
        return (row for contents in self.contents for row in contents.rows)

    def every_store(self) -> tuple[Contents, ...]:
        """Return the stores to be reconciled and those that are only read."""
        return self.contents + self.context

    def claimants(self, transcript_id: str, session_id: str | None) -> list[Row]:
        """Return the readable rows of other sessions that claim a transcript."""
        return [row for row in self.claims.get(transcript_id, ()) if row.session_id != session_id]

    def unclaimed(self, transcript_id: str) -> bool:
        """Tell whether no readable row names a transcript and no tombstone forbids it."""
        return transcript_id not in self.claims and transcript_id not in self.tombstones

    def newest(self, name: str) -> _core.Transcript | None:
        """Return the file of a transcript's uuid that was active last."""
        found = self.by_id.get(name, ())
        return max(found, key=lambda one: (one.last_activity_at or 0, one.size), default=None)

    @property
    def transcript_count(self) -> int:
        """How many transcripts there are that are not empty."""
        owned = sum(bool(one.size or one.error) for found in self.own.values() for one in found)
        return len(self.transcripts) + len(self.unread) + owned

    def files(self, name: str) -> tuple[_core.Transcript, ...]:
        """Return the files of a transcript's uuid in the project folders; where there are none, those in
        sessions' own folders."""
        return self.by_id.get(name) or self._own_by_id.get(name, ())

    @cached_property
    def _own_by_id(self) -> Mapping[str, tuple[_core.Transcript, ...]]:
        found: dict[str, list[_core.Transcript]] = defaultdict(list)
        for transcripts in self.own.values():
            for transcript in transcripts:
                if transcript.error is None and transcript.size:
                    found[transcript_id(transcript)].append(transcript)
        return {name: tuple(files) for name, files in found.items()}

    @cached_property
    def empty_paths(self) -> Mapping[str, str]:
        """The paths of the transcripts of 0 bytes, by uuid."""
        return {transcript_id(transcript): path_of(transcript) for transcript in self.empty}

    @cached_property
    def unread_ids(self) -> frozenset[str]:
        """The transcripts that are there and could not be read."""
        owned = (one for transcripts in self.own.values() for one in transcripts if one.error is not None)
        return frozenset(map(transcript_id, (*self.unread, *owned)))

    def pick(self, name: str, cwd: object = None) -> _core.Transcript | None:
        """Return the file of a transcript's uuid: of several the one in the folder of `cwd`, else one in the
        folder of its own directory, else the newest."""
        found = self.files(name)
        if not found:
            return None
        if len(found) == 1:
            return found[0]
        return max(
            found,
            key=lambda transcript: (
                isinstance(cwd, str) and matches_key(cwd, folder_of(transcript)),
                transcript.cwd is not None and matches_key(transcript.cwd, folder_of(transcript)),
                transcript.last_activity_at or 0,
                transcript.size,
            ),
        )


def take_inventory(
    stores: StrPath | Iterable[StrPath] | None,
    projects: StrPath | Iterable[StrPath] | None,
    progress: Progress | None,
    now: int,
    index: bool = USE_INDEX,
    snapshots: SnapshotSource | None = None,
) -> Inventory:
    """Read the rows and transcripts; with `index` only what is new of the transcripts.

    Raises OSError only for a folder that the user named.
    """
    places = locate(stores, projects)
    listing = list_transcripts(places.projects)
    snapshots = snapshots or SnapshotSource()
    contents = tuple(
        [
            *(read_store(store) for store in places.stores),
            *(Contents(store) for store in vanished_stores(places.roots, snapshots.folders())),
        ]
    )
    context = tuple(read_store(store) for store in places.context)
    homes = dict.fromkeys(store.user_data for store in places.stores if store.user_data is not None)
    worktrees = tuple(read_worktrees(home) for home in homes)
    owned, own_errors = _own_transcripts((*contents, *context))
    transcripts, unread, empty = [], [], []
    own: dict[str, list[_core.Transcript]] = defaultdict(list)
    scan_many = cached.scan_many if index else _core.scan_many
    for transcript in scan_many([*listing.transcripts, *owned], progress=progress):
        session = owned.get(path_of(transcript))
        if session is not None:
            own[session].append(transcript)
        elif transcript.error is not None:
            unread.append(transcript)
        elif transcript.size:
            transcripts.append(transcript)
        else:
            empty.append(transcript)
    by_id: dict[str, list[_core.Transcript]] = {}
    for transcript in transcripts:
        by_id.setdefault(transcript_id(transcript), []).append(transcript)
    deleted = released_sessions(listing)
    every_store = contents + context
    return Inventory(
        contents=contents,
        context=context,
        worktrees=worktrees,
        listing=listing,
        errors=(*_errors(places, listing, every_store), *own_errors),
        now=now,
        projects=places.projects,
        transcripts=tuple(transcripts),
        conversations=check_many([path_of(one) for one in transcripts], index=index, progress=progress),
        unread=tuple(unread),
        empty=tuple(empty),
        own={name: tuple(found) for name, found in own.items()},
        size=sum(row.size for found in contents for row in found.rows)
        + sum(t.size for found in (transcripts, *own.values()) for t in found),
        by_id={name: tuple(found) for name, found in by_id.items()},
        claims=claims_of(every_store),
        tombstones=frozenset(deleted).union(*(found.tombstones for found in every_store)),
        released=deleted,
        newest_change_ns=newest_change(listing.transcripts),
        snapshots=snapshots,
    )


def _own_transcripts(stores: Iterable[Contents]) -> tuple[dict[str, str], list[OSError]]:
    """Return the transcripts in sessions' own folders, each with the session's bare id; and what could not be
    listed."""
    found: dict[str, str] = {}
    errors: list[OSError] = []
    seen: set[tuple[int, int] | str] = set()
    for contents in stores:
        for session_id, folder in contents.folders:
            for path in own_transcripts(folder, seen, errors):
                found[path] = bare_id(session_id)
    return found, errors


def claims_of(stores: Iterable[Contents]) -> dict[str, tuple[Row, ...]]:
    """Return, by transcript uuid, the readable rows that name it now or have named it before."""
    claims: dict[str, list[Row]] = defaultdict(list)
    for contents in stores:
        for row in contents.rows:
            if row.state == "ok":
                own = row.fields.get("cliSessionId")
                if type(own) is str:
                    claims[own.lower()].append(row)
                if PRIOR in row.fields:
                    for earlier in prior_ids(row):
                        claims[earlier].append(row)
    return {name: tuple(rows) for name, rows in claims.items()}


def cli_session_id(row: Row) -> str | None:
    """Return the transcript that a row names, if what it says can be the name of one."""
    value = row.fields.get("cliSessionId")
    if isinstance(value, str):
        lower = value.lower()
        if UUID.fullmatch(lower):
            return lower
    return None


def is_hollow(row: Row, transcript: _core.Transcript) -> bool:
    """Tell whether a row counted turns although the transcript that it names holds no conversation."""
    return counted_turns(row) and not is_conversation(transcript)


def counted_turns(row: Row) -> bool:
    """Tell whether a row says that its session had turns."""
    turns = row.fields.get("completedTurns")
    return isinstance(turns, int | float) and not isinstance(turns, bool) and turns > 0


def prior_ids(row: Row) -> list[str]:
    """Return the transcripts that a row has named before, in small letters."""
    values = row.fields.get(PRIOR)
    return [value.lower() for value in values if isinstance(value, str)] if isinstance(values, list) else []


def _errors(places: Places, listing: Listing, stores: Iterable[Contents]) -> tuple[OSError, ...]:
    return (*places.errors, *listing.errors, *(error for found in stores for error in found.errors))
