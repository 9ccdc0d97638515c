"""Match lost rows by the git worktree that the app had lent to each.

The app lends worktree directories to sessions, and `git-worktrees.json` says to whom (FORMATS section 2).
While a session lives, its lease names its directory; when it stops, the lease goes back and the directory is
lent again. So a lease leads to a directory, and that to a transcript only if no other unclaimed session was
ever there.
"""

from __future__ import annotations

from collections.abc import Mapping

from ... import _core
from ...model import Evidence
from ...stores.project_folder import matches_key, normalize
from ...stores.rows import bare_id
from ...stores.transcripts import DESKTOP, directories, folder_of, transcript_id
from ...stores.worktrees import Lease
from .candidates import free
from .limits import LEASE_IDLE, LEASE_TOLERANCE
from .lost_row import LostRow, candidate, moment
from .rivals import Doubt, Stands
from .state import LeaseNote, Proposal, State


def by_lease(state: State) -> tuple[list[Proposal], Mapping[str, LeaseNote]]:
    """Propose the transcript that each lost row's lease proves; else note what the lease does say."""
    leases = _Leases(state)
    proposals: list[Proposal] = []
    notes: dict[str, LeaseNote] = {}
    if not leases:
        return proposals, notes
    undecided = state.undecided()
    for lost in undecided:
        found = leases.propose(lost, undecided)
        if isinstance(found, Proposal):
            proposals.append(found)
        elif found is not None:
            notes[lost.path] = found
    return proposals, notes


class _Leases:
    """The leases of the lost rows, and the unclaimed transcripts in their directories."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._leases: dict[tuple[str, str], list[Lease]] = {}
        self._files: dict[str, str] = {}
        self._tenants: dict[tuple[str, str], set[str]] = {}
        for worktrees in state.inventory.worktrees:
            for lease in worktrees.leases:
                self._leases.setdefault((worktrees.home, bare_id(lease.session_id)), []).append(lease)
                self._files[worktrees.home] = worktrees.path
                tenants = self._tenants.setdefault((worktrees.home, normalize(lease.path)), set())
                tenants.add(bare_id(lease.session_id))
        places = {place for _, place in self._tenants}
        pool = free(state.inventory, state.taken) if places else []
        self._present: dict[str, list[_core.Transcript]] = {}
        self._nowhere = [transcript for transcript in pool if transcript.cwd is None]
        for transcript in pool:
            for place in directories(transcript) & places:
                self._present.setdefault(place, []).append(transcript)

    def __bool__(self) -> bool:
        return bool(self._leases)

    def propose(self, lost: LostRow, undecided: list[LostRow]) -> Proposal | LeaseNote | None:
        """Return the match that a row's lease proves, or what it says instead; None where there is none."""
        home = lost.row.store.user_data or ""
        leases = self._leases.get((home, bare_id(lost.session_id)), [])
        if not leases:
            return None
        if len({normalize(lease.path) for lease in leases}) > 1:
            return LeaseNote("several worktrees are leased to it at once")
        lease = leases[0]
        if len(self._tenants[(home, normalize(lease.path))]) > 1:
            return LeaseNote(f"{lease.path} is leased to it and to another session at once")
        present = self._in(lease.path)
        only = frozenset(transcript_id(transcript) for transcript in present)
        if not present:
            note = f"no transcript without a row is from {lease.path}, the worktree leased to it"
            return LeaseNote(note, only)
        if len(present) > 1:
            return LeaseNote(
                f"{len(present)} transcripts without a row are from the worktree leased to it", only
            )
        [transcript] = present
        decision = self._decide(lost, lease, transcript, undecided)
        if isinstance(decision, str):
            why = f"from {lease.path}, the worktree leased to this row, but it {decision}"
            return LeaseNote(
                f"the only transcript from the worktree leased to it {decision}",
                frozenset(),
                (candidate(transcript, transcript_id(transcript), why),),
            )
        evidence = Evidence(
            "lease",
            f"the app had lent the worktree {lease.path} to this session, and this is the only transcript "
            f"without a row that is from there; {decision.because}",
        )
        match = self._state.match(
            lost, transcript, evidence, rests_on=(self._files[home],), absence=decision.absence
        )
        return Proposal(lost, match, transcript_id(transcript))

    def _decide(
        self, lost: LostRow, lease: Lease, transcript: _core.Transcript, undecided: list[LostRow]
    ) -> Stands | str:
        """Return why the lease still holds for the row's last write, or why the transcript is not its own."""
        state = self._state
        write = state.times.last_write(lost)
        objection = self._objection(lost, lease, transcript, write) or state.ambiguous(
            transcript_id(transcript), lease.path
        )
        if objection is not None:
            return objection
        explained = state.rivals.explains(transcript, lost)
        if explained is None and any(
            state.rivals.explains(transcript, other) is not None for other in undecided if other is not lost
        ):
            return "ends when another lost row was written"
        if explained is None and not lease.since:
            return "did not end when the row was last written, and nothing tells since when the lease stands"
        last = transcript.last_activity_at
        if explained is None and write is not None and last is not None and write - last > LEASE_IDLE:
            return f"ended {moment(last)}, more than a day before the row was last written"
        decision = state.rivals.decide(lost, transcript, lease.since, frozenset((normalize(lease.path),)))
        return f"is not its own beyond doubt: {decision.reason}" if isinstance(decision, Doubt) else decision

    def _in(self, path: str) -> list[_core.Transcript]:
        found = list(self._present.get(normalize(path), ()))
        # One whose lines name no directory may still lie under the directory's key.
        found += [t for t in self._nowhere if t not in found and matches_key(path, folder_of(t))]
        return [transcript for transcript in found if self._state.lineage.newer_copy(transcript) is None]

    def _objection(
        self, lost: LostRow, lease: Lease, transcript: _core.Transcript, write: int | None
    ) -> str | None:
        if not transcript_id(transcript).startswith(lost.id_beginning):
            return "is another than what is left of the row names"
        state, born, worktree = self._state, transcript.created_at, transcript.worktree
        if transcript.born_in != DESKTOP:
            return "was not begun in the desktop app, as far as it says"
        if state.lineage.is_fork(transcript):
            return "is a fork of another session"
        older = state.lineage.older_copies(transcript)
        if older and transcript.entrypoint != DESKTOP:
            return "is a copy that was made and continued outside the app"
        if any(state.belongs_to_another(transcript_id(other), lost) for other in older):
            return "continues a conversation that another row claims"
        if born is not None and lease.since and born < lease.since - LEASE_TOLERANCE:
            return "is older than the lease: it is from an earlier use of the directory"
        if born is not None and write is not None and born > write + LEASE_TOLERANCE:
            return "was begun after the row was last written"
        if worktree is not None and worktree.branch and lease.branch and worktree.branch != lease.branch:
            return f"is from another branch ({worktree.branch}, not {lease.branch})"
        return None
