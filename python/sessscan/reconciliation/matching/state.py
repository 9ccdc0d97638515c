"""The lost rows and who has claimed what so far: what the steps of matching share."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from ... import _core
from ...model import Candidate, Evidence, Row
from ...snapshots.store import RowVersion
from ...stores.row_states import LEFTOVER_TMP
from ...stores.rows import bare_id
from ..inventory import Survey, transcript_id
from .lineage import Lineage
from .lost_row import Case, WitnessKind, candidate
from .missing_rows import gone

WHERE: Mapping[WitnessKind, str] = {
    "own": "the row's own content names it",
    "prefix": "what is left of the row names it",
    "snapshot": "a snapshot of the row names it",
    "tmp": "the row's .tmp names it",
    "copy": "a copy of the row names it",
}


class Docket:
    """The cases of one survey."""

    def __init__(self, survey: Survey, lineage: Lineage) -> None:
        self.survey = survey
        self.lineage = lineage
        self.cases = _cases(survey)
        self.taken: dict[str, str] = {}
        """Transcripts that a lost row names or was given, and the session whose row that is."""

    def undecided(self) -> list[Case]:
        return [case for case in self.cases if case.open]

    def give(self, case: Case, transcript: _core.Transcript, *evidence: Evidence) -> None:
        """Matches a case to a transcript from which its row will be built."""
        case.transcript = transcript
        case.cli_session_id = transcript_id(transcript)
        whole = bool(case.base) and case.base[0].version is not None
        case.source = "snapshot" if whole else "transcript"
        case.evidence.extend(evidence)

    def objection(self, case: Case, name: str, version: RowVersion | None = None) -> str | None:
        """Why a row must not be given the transcript that is meant for it, by a snapshot or otherwise."""
        if not name.startswith(case.id_beginning):
            return "what is left of the row names another transcript"
        claimants = self.survey.claimants(name, case.session_id)
        if version is not None:
            memory = self.survey.memory
            claimants = [
                row for row in claimants if not _claimed(memory.first_named(row.path, name), version)
            ]
        if claimants:
            case.replaced = True
            return f"that belongs to {claimants[0].session_id}, a row that the app can read"
        if name in self.survey.tombstones:
            return "the session was deleted under another account"
        return None

    def settle(self, wanting: Mapping[str, list[Case]]) -> None:
        """Holds all rows of different sessions that want one transcript; notes whom the others belong to."""
        for name, cases in wanting.items():
            names = sorted({case.session_id for case in cases})
            kept = _kept(cases)
            if len(names) > 1:
                for case in cases:
                    if case not in kept:
                        others = ", ".join(other for other in names if other != case.session_id)
                        case.hold(f"{others}, also lost, wants the same transcript", *self.named(case, name))
            self.taken.setdefault(name, kept[0].session_id if kept else names[0])

    def pick(self, name: str, cwd: object = None) -> _core.Transcript | None:
        """The file of a transcript's uuid; of several the newest, of equal ones that in the row's folder."""
        return self.survey.pick(name, cwd)

    def named(self, case: Case, *names: str) -> list[Candidate]:
        """The transcripts that a case's witnesses name, and those given, as candidates."""
        found: dict[str, Candidate] = {}
        stated = [(w.cli_session_id, WHERE[w.kind]) for w in case.witnesses if w.cli_session_id is not None]
        for name, reason in [*stated, *((name, "the evidence points to it") for name in names)]:
            transcript = self.pick(name)
            if transcript is not None and name not in found:
                found[name] = candidate(transcript, name, reason)
        return list(found.values())

    def of_unknown_transcript(self) -> Iterable[Row]:
        """Rows that are no open case but may own a transcript, though nothing says which."""
        decided = {case.row.path: case for case in self.cases}
        for case in self.cases:
            if case.reason is not None and all(w.cli_session_id is None for w in case.witnesses):
                yield case.row
            elif case.source is not None and case.cli_session_id is None:
                yield case.row
                yield from (replace(case.row, mtime=witness.mtime) for witness in case.base[:1])
        for contents in self.survey.every_store():
            for row in contents.rows:
                if row.path not in decided and (row.state != "ok" or "cliSessionId" not in row.fields):
                    yield row


def _kept(cases: list[Case]) -> list[Case]:
    """Those cases of one transcript whose snapshots name it, if that was so after all others were lost: they
    could be read then, and all of them had it."""
    kept = [case for case in cases if any(evidence.kind == "snapshot" for evidence in case.evidence)]
    times = [case.base[0].version.taken_at for case in kept if case.base and case.base[0].version is not None]
    others = [case for case in cases if case not in kept]
    return kept if all(case.row.mtime <= time for case in others for time in times) else []


def _claimed(since: int | None, version: RowVersion) -> bool:
    """Whether a row named the same transcript already when the snapshot of another was taken."""
    return since is not None and since <= version.taken_at


def _cases(survey: Survey) -> list[Case]:
    """A case for each row that the app cannot read, for each `.tmp` whose row is not there at all, and for
    each row that is gone but was kept. Those whose session the user deleted are none."""
    cases = []
    for contents in survey.contents:
        deleted = contents.tombstones
        names = set()
        for row in contents.rows:
            names.add(row.session_id)
            if row.state != "ok" and bare_id(row.session_id) not in deleted:
                cases.append(Case(row, contents.stats.get(row.path)))
        for leftover in contents.temporaries:
            if leftover.session_id not in names and bare_id(leftover.session_id) not in deleted:
                try:
                    status = os.lstat(leftover.path)
                except OSError:
                    continue
                target = str(Path(leftover.path).with_suffix(""))
                mtime = status.st_mtime_ns // 1_000_000
                row = Row(target, leftover.session_id, leftover.store, LEFTOVER_TMP, status.st_size, mtime)
                cases.append(Case(row, None))
                names.add(leftover.session_id)
        cases += gone(survey, contents, names)
    return cases
