"""All that was found, read once and indexed: the one thing the later stages look things up in."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from .. import _core
from ..model import Progress, Row
from ..scan_cache import USE_INDEX
from ..scan_cache import scan as recorder
from ..snapshots.source import SnapshotSource
from ..stores.locate import Listing, Places, StrPath, list_transcripts, locate, vanished_stores
from ..stores.project_folder import matches_key
from ..stores.rows import PRIOR, Contents, read_store
from ..stores.worktrees import Worktrees, read_worktrees

UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass
class Survey:
    """Rows, transcripts and what lies beside them, and who says what of whom."""

    contents: list[Contents]
    """The stores to be reconciled."""
    context: list[Contents]
    """Stores that are only read because their rows may claim the same transcripts."""
    worktrees: list[Worktrees]
    listing: Listing
    errors: list[OSError]
    now: int
    """Epoch ms."""
    transcripts: list[_core.Transcript] = field(default_factory=list)
    unread: list[_core.Transcript] = field(default_factory=list)
    """Transcripts that could not be read; nothing is known of them but their ids."""
    size: int = 0
    by_id: dict[str, list[_core.Transcript]] = field(default_factory=dict)
    """Transcripts by uuid: one each, but for copies under several project folders."""
    claims: dict[str, list[Row]] = field(default_factory=dict)
    """By transcript uuid the readable rows, of any store, that name it now or have named it before."""
    tombstones: set[str] = field(default_factory=set)
    """Ids of deleted sessions and transcripts, of all stores."""
    memory: SnapshotSource = field(default_factory=SnapshotSource)
    """The snapshots, where they may be drawn on."""
    earlier: list[Row] = field(default_factory=list)
    """Lost rows as they were when they were kept: what they claimed and when they were written still tells
    of the others."""

    def rows(self) -> Iterable[Row]:
        """The rows of the stores to be reconciled."""
        return (row for contents in self.contents for row in contents.rows)

    def remember(self, row: Row) -> None:
        """Takes a lost row as it was when it could be read."""
        self.earlier.append(row)
        for name in (cli_session_id(row), *prior_ids(row)):
            if name is not None:
                self.claims.setdefault(name, []).append(row)

    def written_before(self) -> list[Row]:
        """The rows as they were when they were kept, where they bear another time now: those that are lost,
        and those that were put back since."""
        before = list(self.earlier)
        for contents in self.contents:
            times = self.memory.mtimes(contents.store.path)
            for row in contents.rows:
                time = times.get(os.path.basename(row.path), row.mtime)  # noqa: PTH119 - there are thousands
                if row.state == "ok" and time != row.mtime:
                    before.append(replace(row, mtime=time))
        return before

    def every_store(self) -> list[Contents]:
        return self.contents + self.context

    def claimants(self, transcript_id: str, session_id: str | None) -> list[Row]:
        """The readable rows of other sessions that claim a transcript."""
        claims = self.claims.get(transcript_id)
        return [] if claims is None else [row for row in claims if row.session_id != session_id]

    def unclaimed(self, transcript_id: str) -> bool:
        return transcript_id not in self.claims and transcript_id not in self.tombstones

    def pick(self, name: str, cwd: object = None) -> _core.Transcript | None:
        """The file of a transcript's uuid: of several the newest, then that in the folder of `cwd`."""
        found = self.by_id.get(name)
        if not found:
            return None
        if len(found) == 1:
            return found[0]
        return max(
            found,
            key=lambda transcript: (
                transcript.last_activity_at or 0,
                transcript.size,
                isinstance(cwd, str) and matches_key(cwd, folder_of(transcript)),
            ),
        )


def take(
    stores: StrPath | Iterable[StrPath] | None,
    projects: StrPath | Iterable[StrPath] | None,
    progress: Progress | None,
    now: int,
    index: bool = USE_INDEX,
    memory: SnapshotSource | None = None,
) -> Survey:
    """Reads all there is to read, with `index` only what is new of the transcripts. Raises OSError only for a
    folder the user named."""
    places = locate(stores, projects)
    listing = list_transcripts(places.projects)
    survey = _rows(places, listing, now, memory or SnapshotSource())
    scan_many = recorder.scan_many if index else _core.scan_many
    for transcript in scan_many(listing.transcripts, progress=progress):
        if transcript.error is not None:
            survey.unread.append(transcript)
        elif transcript.size:  # an empty file is a transcript that is not here
            survey.transcripts.append(transcript)
            survey.size += transcript.size
    by_id: dict[str, list[_core.Transcript]] = {}
    for transcript in survey.transcripts:
        by_id.setdefault(transcript_id(transcript), []).append(transcript)
    survey.by_id = by_id
    return survey


def transcript_id(transcript: _core.Transcript) -> str:
    """The uuid of a transcript that was scanned from a file."""
    return (transcript.session_id or "").lower()


def path_of(transcript: _core.Transcript) -> str:
    """The path of a transcript that was scanned from a file."""
    return transcript.path or ""


def folder_of(transcript: _core.Transcript) -> str:
    """The name of the project folder a transcript is in."""
    return path_of(transcript).rsplit(os.sep, 2)[-2]


def cli_session_id(row: Row) -> str | None:
    """The transcript a row names, if what it says can be the name of one."""
    value = row.fields.get("cliSessionId")
    if isinstance(value, str):
        lower = value.lower()
        if UUID.fullmatch(lower):
            return lower
    return None


def prior_ids(row: Row) -> list[str]:
    """The transcripts a row has named before."""
    values = row.fields.get(PRIOR)
    return [value.lower() for value in values if isinstance(value, str)] if isinstance(values, list) else []


def _rows(places: Places, listing: Listing, now: int, memory: SnapshotSource) -> Survey:
    contents = [read_store(store) for store in places.stores]
    contents += [Contents(store) for store in vanished_stores(places.roots, memory.folders())]
    context = [read_store(store) for store in places.context]
    homes = dict.fromkeys(store.user_data for store in places.stores if store.user_data is not None)
    survey = Survey(
        contents,
        context,
        [read_worktrees(home) for home in homes],
        listing,
        [*places.errors, *listing.errors, *(error for found in contents for error in found.errors)],
        now,
        memory=memory,
    )
    claims: dict[str, list[Row]] = defaultdict(list)
    survey.size = sum(row.size for row in survey.rows())
    for found in survey.every_store():
        survey.tombstones |= found.tombstones
        for row in found.rows:
            if row.state == "ok":
                own = row.fields.get("cliSessionId")
                if type(own) is str:
                    claims[own.lower()].append(row)
                if PRIOR in row.fields:
                    for earlier in prior_ids(row):
                        claims[earlier].append(row)
    survey.claims = dict(claims)
    return survey
