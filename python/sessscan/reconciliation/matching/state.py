"""The state that the steps of matching hand on: which lost rows are decided, and who has claimed what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ... import _core
from ...model import Absence, Candidate, Evidence, Row, Source
from ...snapshots.store import RowVersion
from ...stores.project_folder import matches_key
from ...stores.rows import PRIOR
from ...stores.transcripts import folder_of, transcript_id
from ..details import Details
from ..inventory import Inventory
from .file_times import FileTimes
from .lineage import Lineage
from .lost_row import Held, LostRow, Matched, Nothing, Remains, Verdict, candidate, held
from .rivals import Rivals
from .sources import SOURCES
from .unlinked import Unlinked, find_unlinked


@dataclass(frozen=True, slots=True)
class Proposal:
    """What one step says of one lost row."""

    lost: LostRow
    verdict: Verdict
    wants: str | None = None
    """The transcript it is about. Two rows that want one are both held: at least one of them is wrong."""


@dataclass(frozen=True, slots=True)
class LeaseNote:
    """What a lease says of a lost row that it does not prove a transcript of."""

    note: str
    only: frozenset[str] | None = None
    """Ids of the only transcripts that the row can be; None where the lease says nothing about that."""
    candidates: tuple[Candidate, ...] = ()


@dataclass(frozen=True)
class State:
    """The lost rows of one inventory, the verdicts so far, and what every step may look things up in."""

    inventory: Inventory
    details: Details
    lineage: Lineage
    times: FileTimes
    rivals: Rivals
    lost: tuple[LostRow, ...]
    unlinked: Mapping[str, Unlinked] = field(default_factory=dict)
    """The readable rows that have lost their link, by path."""
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    """By the path of the row, lost or unlinked. A row that is unlinked has none where nothing fits it."""
    taken: Mapping[str, str] = field(default_factory=dict)
    """Transcripts that a lost row names or was given, and the session whose row that is."""
    notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By the path of a lost row, what looked like evidence in an earlier step and is none, and why."""
    confined: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By the path of a lost row, the only transcripts that it can be, where a live lease says so."""
    offered: Mapping[str, tuple[Candidate, ...]] = field(default_factory=dict)
    """By the path of a lost row, transcripts that an earlier step considered and refused."""

    def undecided(self) -> list[LostRow]:
        """Return the lost rows on which no step has a verdict yet."""
        return [lost for lost in self.lost if lost.path not in self.verdicts]

    def sought_by_unlinked(self) -> dict[str, str]:
        """Return the transcripts that an unlinked row is held for, and the session of that row."""
        return {
            one.cli_session_id: self.unlinked[path].row.session_id
            for path, verdict in self.verdicts.items()
            if path in self.unlinked and isinstance(verdict, Held)
            for one in verdict.candidates
        }

    def verdict(self, lost: LostRow) -> Verdict | None:
        """Return the verdict on a lost row, if there is one yet."""
        return self.verdicts.get(lost.path)

    def pick(self, name: str, cwd: object = None) -> _core.Transcript | None:
        """Return the file of a transcript's uuid: of several the one in the folder of `cwd`."""
        return self.inventory.pick(name, cwd)

    def belongs_to_another(self, name: str, lost: LostRow) -> bool:
        """Tell whether a readable row, a deletion or another lost row has a transcript."""
        return not self.inventory.unclaimed(name) or self.taken.get(name, lost.session_id) != lost.session_id

    def ambiguous(self, name: str, cwd: object = None) -> str | None:
        """Return why it cannot be told which of several files of one uuid is meant; None where it can.

        The file in the folder of the row's directory is; where that is not known, the only one that lies in
        the folder of its own directory. Being the newest proves nothing: anybody can make a copy.
        """
        files = self.inventory.files(name)
        if len(files) < 2:
            return None
        if isinstance(cwd, str) and any(matches_key(cwd, folder_of(file)) for file in files):
            return None
        at_home = [file for file in files if file.cwd is not None and matches_key(file.cwd, folder_of(file))]
        if len(at_home) == 1:
            return None
        folders = ", ".join(sorted(folder_of(file) for file in files))
        return f"there are copies of the transcript {name} in several project folders ({folders})"

    def decided(self, proposals: Iterable[Proposal]) -> State:
        """Return the state with the verdicts of a step; rows that want one transcript are held instead."""
        proposals = list(proposals)
        verdicts = dict(self.verdicts) | {one.lost.path: one.verdict for one in proposals}
        taken = dict(self.taken)
        wanting: dict[str, list[Proposal]] = defaultdict(list)
        for one in proposals:
            if one.wants is not None and not isinstance(one.verdict, Nothing):
                wanting[one.wants].append(one)
        for name, rows in wanting.items():
            sessions = sorted({one.lost.session_id for one in rows})
            prevailing = _prevailing(rows)
            if len(sessions) > 1:
                for one in rows:
                    if one not in prevailing:
                        others = ", ".join(other for other in sessions if other != one.lost.session_id)
                        too = "also lost" if one.lost.row.state != "ok" else "which has lost its own"
                        reason = f"{others}, {too}, wants the same transcript"
                        verdicts[one.lost.path] = self.hold(
                            one.lost, reason, *_candidates(one.verdict), *self.named(one.lost, name)
                        )
            taken.setdefault(name, prevailing[0].lost.session_id if prevailing else sessions[0])
        for one in proposals:
            verdict = verdicts[one.lost.path]
            if isinstance(verdict, Matched) and verdict.cli_session_id is not None:
                taken[verdict.cli_session_id] = one.lost.session_id
        return replace(self, verdicts=verdicts, taken=taken)

    def reopened(self) -> State | None:
        """Return the state in which rows that are held because of a rival are open again, and the transcripts
        that were given to other rows are no rivals any more; None where there is nothing to be gained."""
        held = [path for path, one in self.verdicts.items() if isinstance(one, Held) and one.rivalled]
        rows = {one.path: one.session_id for one in self.lost}
        rows |= {path: one.row.session_id for path, one in self.unlinked.items()}
        given = {
            one.cli_session_id: frozenset((session,))
            for path, session in rows.items()
            if isinstance(one := self.verdicts.get(path), Matched) and one.cli_session_id is not None
        }
        if not held or given.keys() <= self.rivals.naming.keys():
            return None
        naming = {**given, **self.rivals.naming}
        rivals = Rivals(self.inventory, self.details, self.lineage, self.times, naming)
        verdicts = {path: one for path, one in self.verdicts.items() if path not in held}
        return replace(self, verdicts=verdicts, rivals=rivals, notes={}, confined={}, offered={})

    def noting(self, notes: Mapping[str, tuple[str, ...]]) -> State:
        """Return the state with notes on what looked like evidence and is none, by the path of the row."""
        both = {path: self.notes.get(path, ()) + notes.get(path, ()) for path in {*self.notes, *notes}}
        return replace(self, notes=both)

    def noting_leases(self, leases: Mapping[str, LeaseNote]) -> State:
        """Return the state with what leases say of rows that they prove no transcript of."""
        state = self.noting({path: (lease.note,) for path, lease in leases.items()})
        only = {path: lease.only for path, lease in leases.items() if lease.only is not None}
        offered = {path: lease.candidates for path, lease in leases.items() if lease.candidates}
        return replace(state, confined={**self.confined, **only}, offered={**self.offered, **offered})

    def claiming(self, names: Mapping[str, str]) -> State:
        """Return the state in which transcripts are taken by the sessions whose remains name them."""
        return replace(self, taken={**names, **self.taken})

    def hold(
        self,
        lost: LostRow,
        reason: str,
        *candidates: Candidate,
        replaced: bool = False,
        rivalled: bool = False,
    ) -> Held:
        """Return a hold that gives the reason, all that looked like evidence, and the candidates."""
        candidates = (*candidates, *self.offered.get(lost.path, ()))
        notes = self.notes.get(lost.path, ())
        return held(lost, reason, *candidates, notes=notes, replaced=replaced, rivalled=rivalled)

    def objection(self, lost: LostRow, name: str, version: RowVersion | None = None) -> str | None:
        """Return why a row must not be given the transcript that is meant for it."""
        if not name.startswith(lost.id_beginning):
            return "what is left of the row names another transcript"
        claimants = self._claimants(lost, name, version)
        if claimants:
            return f"that belongs to {claimants[0].session_id}, a row that the app can read"
        if name in self.inventory.released:
            return "a mark beside it says that its session was deleted"
        if name in self.inventory.tombstones:
            return "the session was deleted under another account"
        return None

    def is_replaced(self, lost: LostRow, name: str, version: RowVersion | None = None) -> bool:
        """Tell whether a readable row has taken over the transcript that a lost row named."""
        return name.startswith(lost.id_beginning) and bool(self._claimants(lost, name, version))

    def _claimants(self, lost: LostRow, name: str, version: RowVersion | None) -> list[Row]:
        claimants = self.inventory.claimants(name, lost.session_id)
        if version is not None:
            # A row that named it already when the snapshot was taken has not taken it over since.
            snapshots = self.inventory.snapshots
            claimants = [
                row
                for row in claimants
                if (since := snapshots.first_named(row.path, name)) is None or since > version.taken_at
            ]
        return claimants

    def match(
        self,
        lost: LostRow,
        transcript: _core.Transcript,
        *evidence: Evidence,
        rests_on: tuple[str, ...] = (),
        absence: Absence | None = None,
    ) -> Matched:
        """Return a match from which the row will be built, with whatever its file still says of itself."""
        name = transcript_id(transcript)
        base = tuple(one for one in of_itself(lost) if one.cli_session_id in (None, name))
        source: Source = "snapshot" if base and base[0].version is not None else "transcript"
        return Matched(source, transcript, name, evidence, base, rests_on, absence)

    def named(self, lost: LostRow, *names: str) -> list[Candidate]:
        """Return the transcripts that a row's remains name, and those given, as candidates."""
        found: dict[str, Candidate] = {}
        stated = [
            (one.cli_session_id, SOURCES[one.kind].names_it)
            for one in lost.remains
            if one.cli_session_id is not None
        ]
        for name, reason in [*stated, *((name, "the evidence points to it") for name in names)]:
            transcript = self.pick(name)
            if transcript is not None and name not in found:
                found[name] = candidate(transcript, name, reason)
        return list(found.values())


def begin(inventory: Inventory, details: Details, lost: tuple[LostRow, ...]) -> State:
    """Return the state before the first step: every lost row open, and claimed what their remains name."""
    lineage = Lineage(details)
    times = FileTimes(inventory, lost)
    naming: dict[str, set[str]] = defaultdict(set)
    for one in lost:
        for remains in one.remains:
            prior = remains.fields.get(PRIOR)
            for name in (remains.cli_session_id, *(prior if isinstance(prior, list) else ())):
                if isinstance(name, str):
                    naming[name.lower()].add(one.session_id)
    frozen = {name: frozenset(sessions) for name, sessions in naming.items()}
    rivals = Rivals(inventory, details, lineage, times, frozen)
    return State(inventory, details, lineage, times, rivals, lost, find_unlinked(inventory))


def of_itself(lost: LostRow) -> list[Remains]:
    """Return the remains that are in the row's own file or in a snapshot of it."""
    return [one for one in lost.remains if one.path == lost.path or one.version is not None]


def is_deleted_here(state: State, lost: LostRow, name: str) -> bool:
    """Tell whether a transcript's session was deleted under the account that a lost row is of, or by the mark
    beside the transcript, which names no account."""
    return name in state.inventory.released or any(
        name in contents.tombstones
        for contents in state.inventory.contents
        if contents.store is lost.row.store
    )


def names_of_remains(lost: Iterable[LostRow]) -> dict[str, str]:
    """Return the transcripts that remains name now or have named before, and the session of the row."""
    found: dict[str, str] = {}
    for one in lost:
        for remains in one.remains:
            prior = remains.fields.get(PRIOR)
            for name in (remains.cli_session_id, *(prior if isinstance(prior, list) else ())):
                if isinstance(name, str):
                    found.setdefault(name.lower(), one.session_id)
    return found


def _prevailing(proposals: list[Proposal]) -> list[Proposal]:
    """Return those rows of one transcript whose snapshots name it, if that was so after all others were lost:
    they could be read then, and all of them had it."""
    kept = [
        (one, one.verdict.base[0].version.taken_at)
        for one in proposals
        if isinstance(one.verdict, Matched) and one.verdict.base and one.verdict.base[0].version is not None
    ]
    prevailing = [one for one, _ in kept]
    others = [one for one in proposals if one not in prevailing]
    return prevailing if all(one.lost.row.mtime <= taken for one in others for _, taken in kept) else []


def _candidates(verdict: Verdict) -> tuple[Candidate, ...]:
    return verdict.candidates if isinstance(verdict, Held) else ()
