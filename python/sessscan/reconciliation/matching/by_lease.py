"""Which transcript a lost row's worktree lease speaks for.

The app lends worktree directories to sessions, and `git-worktrees.json` says to whom. While a session lives,
its lease names its directory; when it stops, the lease goes and the directory is lent again. So a lease leads
to a directory, and that to a transcript only if no other unclaimed session was ever there.
"""

from __future__ import annotations

from ... import _core
from ...model import Evidence
from ...stores.project_folder import matches_key, normalize
from ...stores.rows import bare_id
from ...stores.worktrees import Lease
from ..inventory import Survey, folder_of, transcript_id
from .candidates import DESKTOP, directories
from .lineage import Lineage
from .lost_row import Case, candidate

TOLERANCE = 600_000
"""Ms. A transcript may begin so long before its lease was noted, or after its row was last written: a large
repository takes minutes to check out. One that is further off belongs to another lease of the directory."""


class Leases:
    """The leases of the lost rows, and the unclaimed transcripts in their directories."""

    def __init__(self, survey: Survey, pool: list[_core.Transcript], lineage: Lineage) -> None:
        self._survey = survey
        self._lineage = lineage
        self._leases: dict[tuple[str, str], list[Lease]] = {}
        self._files: dict[str, str] = {}
        self._tenants: dict[tuple[str, str], set[str]] = {}
        for worktrees in survey.worktrees:
            for lease in worktrees.leases:
                self._leases.setdefault((worktrees.home, bare_id(lease.session_id)), []).append(lease)
                self._files[worktrees.home] = worktrees.path
                tenants = self._tenants.setdefault((worktrees.home, normalize(lease.path)), set())
                tenants.add(bare_id(lease.session_id))
        places = {place for _, place in self._tenants}
        self._present: dict[str, list[_core.Transcript]] = {}
        self._nowhere = [transcript for transcript in pool if transcript.cwd is None]
        for transcript in pool if places else ():
            for place in directories(transcript) & places:
                self._present.setdefault(place, []).append(transcript)

    def propose(self, case: Case, written: int | None) -> tuple[_core.Transcript, Evidence] | None:
        """The transcript that a case's lease proves; else None, with what it does say noted in the case.

        `written`: when the row was last written, epoch ms, if that is known.
        """
        home = case.row.store.user_data
        leases = self._leases.get((home or "", bare_id(case.session_id)), [])
        if not leases:
            return None
        if len({normalize(lease.path) for lease in leases}) > 1:
            case.remarks.append("several worktrees are leased to it at once")
            return None
        lease = leases[0]
        if len(self._tenants[(home or "", normalize(lease.path))]) > 1:
            case.remarks.append(f"{lease.path} is leased to it and to another session at once")
            return None
        present = self._in(lease.path)
        case.confined = {transcript_id(transcript) for transcript in present}
        if not present:
            case.remarks.append(
                f"no transcript without a row is from {lease.path}, the worktree leased to it"
            )
            return None
        if len(present) > 1:
            case.remarks.append(
                f"{len(present)} transcripts without a row are from the worktree leased to it"
            )
            return None
        transcript = present[0]
        objection = self._objection(case, lease, transcript, written)
        if objection is not None:
            case.confined = set()
            reason = f"from {lease.path}, the worktree leased to this row, but {objection}"
            case.candidates.append(candidate(transcript, transcript_id(transcript), reason))
            case.remarks.append(f"the only transcript from the worktree leased to it {objection}")
            return None
        return transcript, Evidence(
            "lease",
            f"the app had lent the worktree {lease.path} to this session, and this is the only transcript "
            "without a row that is from there",
        )

    def file(self, case: Case) -> str:
        """The `git-worktrees.json` that a case's lease is in."""
        return self._files[case.row.store.user_data or ""]

    def __bool__(self) -> bool:
        return bool(self._leases)

    def _in(self, path: str) -> list[_core.Transcript]:
        found = list(self._present.get(normalize(path), ()))
        # One whose lines name no directory may still lie under the directory's key.
        found += [t for t in self._nowhere if t not in found and matches_key(path, folder_of(t))]
        return [transcript for transcript in found if self._lineage.newer_copy(transcript) is None]

    def _objection(
        self, case: Case, lease: Lease, transcript: _core.Transcript, written: int | None
    ) -> str | None:
        if not transcript_id(transcript).startswith(case.id_beginning):
            return "is another than what is left of the row names"
        born = transcript.created_at
        worktree = transcript.worktree
        if transcript.born_in != DESKTOP:
            return "was not begun in the desktop app, as far as it says"
        if self._lineage.is_fork(transcript):
            return "is a fork of another session"
        older = self._lineage.older_copies(transcript)
        if older and transcript.entrypoint != DESKTOP:
            return "is a copy that was made and continued outside the app"
        if any(self._survey.claimants(transcript_id(other), case.session_id) for other in older):
            return "continues a conversation that another row claims"
        if born is not None and lease.since and born < lease.since - TOLERANCE:
            return "is older than the lease: it is from an earlier use of the directory"
        if born is not None and written is not None and born > written + TOLERANCE:
            return "was begun after the row was last written"
        if worktree is not None and worktree.branch and lease.branch and worktree.branch != lease.branch:
            return f"is from another branch ({worktree.branch}, not {lease.branch})"
        return None
