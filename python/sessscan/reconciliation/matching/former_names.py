"""Find what else names, or has named, the transcript of a readable row that has lost its link."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from ...model import Evidence, EvidenceKind, Row
from ...stores.project_folder import normalize
from ...stores.rows import TEMPORARY, Leftover, bare_id, classify_row, read_file, readable_members
from ...stores.transcripts import directories, transcript_id
from ..inventory import UUID, Inventory, cli_session_id, prior_ids


class FormerNames:
    """The snapshots, saves, copies, names and leases of some readable rows."""

    def __init__(self, inventory: Inventory, rows: Iterable[Row]) -> None:
        self._inventory = inventory
        sessions = {row.session_id for row in rows}
        self._files: dict[str, list[Leftover]] = defaultdict(list)
        self._others: dict[str, list[Row]] = defaultdict(list)
        for contents in inventory.every_store():
            for leftover in (*contents.temporaries, *contents.copies):
                if leftover.session_id in sessions:
                    self._files[leftover.session_id].append(leftover)
            for row in contents.rows:
                if row.session_id in sessions and row.state == "ok":
                    self._others[row.session_id].append(row)
        self._leases: dict[tuple[str, str], list[str]] = defaultdict(list)
        lent: dict[str, int] = defaultdict(int)
        for worktrees in inventory.worktrees:
            for lease in worktrees.leases:
                self._leases[worktrees.home, bare_id(lease.session_id)].append(normalize(lease.path))
                lent[normalize(lease.path)] += 1
        self._lent_once = frozenset(place for place, count in lent.items() if count == 1)
        self._tenants: dict[str, set[str]] = defaultdict(set)
        for transcript in inventory.transcripts if self._lent_once else ():
            for place in directories(transcript) & self._lent_once:
                self._tenants[place].add(transcript_id(transcript))

    def of(self, row: Row) -> Iterator[tuple[str, Evidence]]:
        """Yield each transcript that something names as the row's, in small letters, and what does."""
        current = cli_session_id(row)
        for name in self._inventory.snapshots.names(row.path):
            if name != current:
                yield name, Evidence("snapshot", "a snapshot of the row names it")
        for leftover in self._files.get(row.session_id, ()):
            named = _named_in(leftover, row)
            if named is not None and named != current:
                kind: EvidenceKind = "tmp" if leftover.path.endswith(TEMPORARY) else "copy"
                what = "an unfinished save" if kind == "tmp" else "a copy"
                yield named, Evidence(kind, f"{what} of the row names it ({leftover.path})")
        for other in self._others.get(row.session_id, ()):
            named = cli_session_id(other)
            if other.path != row.path and named is not None and named != current:
                yield (
                    named,
                    Evidence("copy", f"a copy of the row under another account names it ({other.path})"),
                )
        if self._inventory.files(bare_id(row.session_id)):
            yield bare_id(row.session_id), Evidence("uuid", "the transcript bears the row's own uuid")
        yield from self._lent(row)
        yield from self._continued(row, current)

    def _lent(self, row: Row) -> Iterator[tuple[str, Evidence]]:
        """Yield the only transcript of a worktree that is lent to the row and to no other session."""
        for place in self._leases.get((row.store.user_data or "", bare_id(row.session_id)), ()):
            own = (bare_id(row.session_id), *prior_ids(row))
            names = [
                name
                for name in self._tenants.get(place, ())
                if name in own or name not in self._inventory.claims
            ]
            if len(names) == 1:
                yield (
                    names[0],
                    Evidence("lease", f"it is the only one from the worktree lent to the row, {place}"),
                )

    def _continued(self, row: Row, current: str | None) -> Iterator[tuple[str, Evidence]]:
        """Yield the transcript in which the one that the row names says that its conversation continues."""
        for stub in self._inventory.files(current) if current is not None else ():
            if stub.continued_in is not None and UUID.fullmatch(stub.continued_in.lower()):
                detail = f"{current}, which the row names, says that its conversation continues in it"
                yield stub.continued_in.lower(), Evidence("continued", detail)


def _named_in(leftover: Leftover, row: Row) -> str | None:
    """Return the transcript that a whole copy of a row names."""
    try:
        data, _ = read_file(leftover.path)
    except OSError:
        return None
    if classify_row(data, row.session_id, row.store.format)[0] != "ok":
        return None
    named = readable_members(data).get("cliSessionId")
    return named.lower() if isinstance(named, str) and UUID.fullmatch(named.lower()) else None
