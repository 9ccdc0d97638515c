"""Find the session that a user names: by path, by id or its beginning, or by title."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from .. import _core
from ..errors import UsageError
from ..model import Row
from ..reconciliation import sessions_index
from ..reconciliation.inventory import UUID, Inventory, cli_session_id
from ..reconciliation.matching.lost_row import LostRow, Matched
from ..reconciliation.matching.state import State
from ..stores.locate import real_path
from ..stores.rows import bare_id
from ..stores.transcripts import path_of, transcript_id

SHORTEST = 4
"""Characters of the shortest beginning of an id, or part of a title, that is taken for it."""
_NEAREST = 5
_LONGEST_TITLE = 60
_LONGEST_NAME = 200


@dataclass
class Known:
    """One session, and everything by which it can be named."""

    name: str | None
    """The uuid of its transcript, in small letters; None where no evidence tells."""
    transcripts: list[_core.Transcript] = field(default_factory=list)
    """The files of that uuid, those included that are empty or cannot be read."""
    rows: list[Row] = field(default_factory=list)
    """The rows that the app can read and that name it now; those of other stores come last."""
    lost: list[LostRow] = field(default_factory=list)
    """The rows that the app cannot read, or that are gone, and that belonged to it."""
    ids: set[str] = field(default_factory=set)
    """In small letters, without `local_`."""
    titles: list[str] = field(default_factory=list)
    last: int = 0
    """When it was last used, epoch ms; 0 where nothing tells."""

    @property
    def title(self) -> str | None:
        """What to call it."""
        return next(iter(self.titles), None)

    @property
    def registered(self) -> list[Row | LostRow]:
        """All its rows, those first that can be read."""
        return [*self.rows, *self.lost]

    def paths(self) -> Iterator[str]:
        """Yield the paths of its files."""
        yield from map(path_of, self.transcripts)
        for one in self.registered:
            yield one.path

    def described(self, title: str | None = None) -> str:
        """Return its id and a title, for a list to choose from."""
        name = self.name or next((one.session_id for one in self.registered), min(self.ids))
        title = " ".join((title or self.title or "").split())
        if not title:
            return name
        return f'{name} ("{title[:_LONGEST_TITLE]}{"…" if len(title) > _LONGEST_TITLE else ""}")'


def known_sessions(state: State) -> list[Known]:
    """Return all sessions of an inventory, those included of which only a row, a mark of deletion or an entry
    of an old index is left."""
    inventory = state.inventory
    by_name: dict[str, Known] = {}
    rest: list[Known] = []

    def named(name: str) -> Known:
        return by_name.setdefault(name, Known(name, ids={name}))

    for transcript in _transcripts(inventory):
        one = named(transcript_id(transcript))
        one.transcripts.append(transcript)
        one.titles += [text for text in (transcript.title, transcript.ai_title) if text]
        one.last = max(one.last, transcript.last_activity_at or 0)
    for row in (row for contents in inventory.every_store() for row in contents.rows if row.state == "ok"):
        target = cli_session_id(row)
        one = Known(None) if target is None else named(target)
        if target is None:
            rest.append(one)
        one.rows.append(row)
        _add(one, row)
    for lost in state.lost:
        target = transcript_of(state, lost)
        one = Known(None) if target is None else named(target)
        if target is None:
            rest.append(one)
        one.lost.append(lost)
        _add(one, lost.row)
    for path, name, (title, _, last) in sessions_index.forgotten(inventory):
        one = named(name)
        one.titles += [title] if title else []
        one.last = max(one.last, last or 0)
        del path
    known = [*by_name.values(), *rest]
    ids = set[str]().union(*(one.ids for one in known))
    seen = {row.path for contents in inventory.every_store() for row in contents.rows if row.state != "ok"}
    seen -= {lost.path for lost in state.lost}
    for contents in inventory.every_store():
        for row in contents.rows:
            if row.path in seen:  # of a deleted session, or of a store that is not reconciled
                one = Known(None, lost=[LostRow(row, None)])
                _add(one, row)
                known.append(one)
                ids |= one.ids
    known += [Known(name, ids={name}) for name in sorted(inventory.tombstones - ids) if UUID.fullmatch(name)]
    return known


def transcript_of(state: State, lost: LostRow) -> str | None:
    """Return the transcript that a lost row belonged to, as far as it is proved or the row still names it."""
    verdict = state.verdict(lost)
    if isinstance(verdict, Matched):
        return verdict.cli_session_id
    return next(iter(lost.named)) if len(lost.named) == 1 else None


def _transcripts(inventory: Inventory) -> Iterator[_core.Transcript]:
    yield from (*inventory.transcripts, *inventory.unread, *inventory.empty)
    for found in inventory.own.values():
        yield from found


def _add(one: Known, row: Row) -> None:
    title, last = row.fields.get("title"), row.fields.get("lastActivityAt")
    one.ids.add(bare_id(row.session_id))
    if isinstance(title, str) and title:
        one.titles.append(title)
    if isinstance(last, int | float) and abs(last) < 1e15:
        one.last = max(one.last, int(last))


def find(known: list[Known], given: str, looked_in: str) -> Known:
    """Return the session that `given` names: a path, an id or the beginning of one, a title or a part of one.

    `looked_in`: where sessions were looked for, in words. Raises `UsageError`, which names the nearest, where
    there is none or several.
    """
    wanted = given.strip()
    for fits in _ways(wanted):
        found = [one for one in known if fits(one)]
        if len(found) == 1:
            return found[0]
        if found:
            raise UsageError(_ambiguous(given, found))
    raise UsageError(_unknown(known, given, looked_in))


def _ways(wanted: str) -> Iterator[Callable[[Known], bool]]:
    """Yield the ways in which a session can be meant, the surest first."""
    path = Path(os.path.abspath(wanted))  # noqa: PTH100  # `resolve` would follow links
    spellings = {str(path), str(Path(real_path(path.parent), path.name))}
    yield lambda one: not spellings.isdisjoint(one.paths())
    if os.path.lexists(path) and (os.sep in wanted or "/" in wanted):
        real = real_path(path)
        yield lambda one: any(real_path(each) == real for each in one.paths())
        return
    bare = wanted.lower().removesuffix(".jsonl").removesuffix(".json")
    text = wanted.casefold()
    if bare.startswith("local_"):
        row = bare_id(bare)
        yield lambda one: any(bare_id(each.session_id) == row for each in one.registered)
        if len(row) >= SHORTEST:
            yield lambda one: any(bare_id(each.session_id).startswith(row) for each in one.registered)
        bare = row
    yield lambda one: one.name == bare
    yield lambda one: bare in one.ids
    if len(bare) >= SHORTEST:
        yield lambda one: any(each.startswith(bare) for each in one.ids)
    if text:
        yield lambda one: any(title.casefold() == text for title in one.titles)
    if len(text) >= SHORTEST:
        yield lambda one: any(text in title.casefold() for title in one.titles)


def _ambiguous(given: str, found: list[Known]) -> str:
    newest = sorted(found, key=lambda one: -one.last)
    more = f" and {len(found) - _NEAREST:,} more" if len(found) > _NEAREST else ""
    return f"{given} may be one of {len(found):,} sessions; give the id: {_listed(newest)}{more}"


def _unknown(known: list[Known], given: str, looked_in: str) -> str:
    path = Path(given)
    if os.path.lexists(given) and (path.suffix or path.parent != Path()):
        if path.name.startswith("agent-") or "subagents" in path.parts:
            return (
                f"{given}: this is a subagent's transcript, which no place lists: it belongs to the session "
                "whose id is the name of the folder that it is in, or its sessionId"
            )
        return (
            f"{given}: this is no session in {looked_in}: give the folder that it belongs to with --projects "
            "or --store"
        )
    texts: dict[str, str] = {}
    for one in sorted(known, key=lambda one: one.last):
        texts.update(dict.fromkeys(one.ids, one.described()))
        texts.update({title.casefold(): one.described(title) for title in one.titles})
    wanted = given.strip().casefold().removeprefix("local_")[:_LONGEST_NAME]
    close = get_close_matches(wanted, texts, n=_NEAREST, cutoff=0.5)
    if close:
        nearest = "; ".join(dict.fromkeys(texts[text] for text in close))
        return f"{given}: there is no such session; the nearest: {nearest}"
    return f"{given}: there is no such session in {looked_in}; `sessscan list` shows what there is"


def _listed(found: Iterable[Known]) -> str:
    return "; ".join(one.described() for one, _ in zip(found, range(_NEAREST), strict=False))
