"""A plan or a report as text for a worried person, and as JSON.

In this order: how it stands; what can be put back, or was; what is held, and what to type to decide; what
could not be read; what else was noticed; what to do next.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath

from ..changes.plan import Plan, Report
from ..model import Action, Candidate, Finding
from ..rules import BY_NAME
from .outline import ELIMINATION, Outline, certainty, folder_of, how, last_of, period_of, short, title_of
from .screen import Page
from .text import command, counted, folded, size, when

DETAILED = 12
"""So many sessions are shown in full; of more, each has one line."""
LISTED = 60
"""So many have a line; of more, only the number is shown."""
EXAMPLES = 3
"""Of what else was noticed, so many of a kind are shown."""

GOOD, BAD, DOUBT, FAINT, TYPE = "green", "bold red", "yellow", "dim", "cyan"


def print_outcome(outcome: Plan | Report, given: Sequence[str]) -> None:
    """Print a plan or a report. `given`: the command's options, for the commands that are suggested."""
    _Text(outcome, given).write()


class _Text(Outline):
    def __init__(self, outcome: Plan | Report, given: Sequence[str]) -> None:
        self.page = Page()
        super().__init__(outcome)
        self.given = list(given)
        self.from_file = "--plan" in self.given
        ids = Counter(action.session_id for action in self.holds)
        self.unique = {session_id for session_id, count in ids.items() if session_id and count == 1}

    def write(self) -> None:
        if self.outcome.stores:
            self.headline()
            self.looked()
        else:
            self.page.prose("There is no session store of the desktop app here.", style="bold")
            self.page.prose("If it lies elsewhere than usual on this platform, say where: --store DIR.")
        self.list("applied", "Put back", f"bold {GOOD}")
        self.list("planned", "Can be put back", f"bold {GOOD}")
        self.list("refused", "Left alone: something has changed since it was looked at", f"bold {DOUBT}")
        self.list("failed", "Could not be written", BAD)
        self.held()
        self.rebuilt()
        self.noticed()
        self.next()

    # How it stands

    def headline(self) -> None:
        self.page.prose(self.verdict(), style="bold")

    def looked(self) -> None:
        outcome = self.outcome
        self.page.prose(
            f"Looked at {counted(outcome.rows, 'row')} and {counted(outcome.transcripts, 'transcript')} "
            f"({size(outcome.bytes)}) in {counted(len(outcome.stores), 'store')}:",
            style=FAINT,
        )
        for store, _ in outcome.stores[:EXAMPLES]:
            self.page.whole(store.path, indent=2, style=FAINT)
        if len(outcome.stores) > EXAMPLES:
            self.page.prose(f"and {len(outcome.stores) - EXAMPLES:,} more", indent=2, style=FAINT)

    # What can be put back, or was

    def list(self, status: str, heading: str, style: str) -> None:
        actions = [action for action in self.actions if action.status == status]
        if not actions:
            return
        self.page.heading(f"{heading} ({len(actions):,})", style)
        if len(actions) <= DETAILED:
            for number, action in enumerate(actions, 1):
                self.page.gap()
                self.action(number, action)
            return
        for action in actions[:LISTED]:
            where = f", {folder_of(action)}" if folder_of(action) else ""
            but = f": {short(action.error, action)}" if action.error else ""
            if not but and certainty(action) == ELIMINATION:
                but = f" ({ELIMINATION})"
            self.page.prose(f"{title_of(action)}{where}{but}", lead=f"{when(last_of(action))}  ", indent=2)
        self.more(len(actions) - LISTED)

    def action(self, number: int, action: Action) -> None:
        self.page.prose(title_of(action), lead=f"{number:>3}. ", style="bold", lead_style="none")
        self.label("folder", folder_of(action), whole=True)
        self.label("when", period_of(action))
        if action.error is not None:
            self.label("but", short(action.error, action), style=DOUBT)
        if action.status in ("planned", "applied"):
            reasons = "; ".join(short(evidence.detail, action) for evidence in action.evidence)
            self.label("sure", f"{certainty(action)}: {reasons}")
            self.label("row", f"{self.state(action)}; {how(action)}")
        self.label("", PurePath(action.path).name, whole=True, style=FAINT)

    def label(self, name: str, text: str, *, whole: bool = False, style: str = "") -> None:
        if text:
            write = self.page.whole if whole else self.page.prose
            write(text, indent=5, lead=f"{name:<8}", lead_style=FAINT, style=style)

    def more(self, count: int) -> None:
        if count > 0:
            self.page.gap()
            self.page.prose(f"and {count:,} more: --format json lists them all", indent=2, style=FAINT)

    # What is held

    def held(self) -> None:
        if not self.holds:
            return
        self.page.heading(f"Held: the evidence does not decide ({len(self.holds):,})", f"bold {DOUBT}")
        for number, action in enumerate(self.holds[:DETAILED], 1):
            self.page.gap()
            self.page.whole(
                PurePath(action.path).name, lead=f"{number:>3}. ", style="bold", lead_style="none"
            )
            self.label("row", self.state(action))
            self.label("held", short(action.error or "", action))
            for candidate in action.candidates:
                self.candidate(action, candidate)
        self.more(len(self.holds) - DETAILED)

    def candidate(self, action: Action, candidate: Candidate) -> None:
        self.label("maybe", folded(candidate.title or "") or "(no title)", style="bold")
        self.label("", candidate.cwd or "", whole=True)
        used = f"last used {when(candidate.last_activity_at)} UTC" if candidate.last_activity_at else ""
        self.label("", "; ".join(filter(None, (used, short(candidate.reason, action)))))
        row = action.session_id if action.session_id in self.unique and action.session_id else action.path
        self.label("", command(["--match", f"{row}={candidate.cli_session_id}"]), whole=True, style=TYPE)

    # What else there is

    def rebuilt(self) -> None:
        if not self.indexes:
            return
        self.page.heading(f"Old indexes ({len(self.indexes):,})")
        outcomes = {"planned": "can be written anew", "applied": "written anew"}
        for action in self.indexes[:DETAILED]:
            self.page.gap()
            self.page.whole(action.path, indent=2)
            reasons = [action.error] if action.error else [evidence.detail for evidence in action.evidence]
            done = outcomes.get(action.status, "not written")
            self.page.prose(f"{done}: {'; '.join(reasons)}", indent=4)
        self.more(len(self.indexes) - DETAILED)

    def noticed(self) -> None:
        errors = [finding for finding in self.others if finding.severity == "error"]
        notes = [finding for finding in self.others if finding.severity != "error"]
        for heading, style, findings in (
            ("Beyond repair: nothing is known of them any more", BAD, errors),
            ("Also noticed", "bold", notes),
        ):
            if findings:
                self.page.heading(f"{heading} ({len(findings):,})", style)
                self.group(findings)
        if self.others:
            self.page.gap()
            self.page.prose("`sessscan explain RULE` says more of each.", indent=2, style=FAINT)

    def group(self, findings: Sequence[Finding]) -> None:
        by_rule: dict[str, list[Finding]] = {}
        for finding in findings:
            by_rule.setdefault(finding.rule, []).append(finding)
        for rule, found in by_rule.items():
            number = f" ({len(found):,})" if len(found) > 1 else ""
            self.page.gap()
            self.page.prose(f"{BY_NAME[rule].brief}{number}", indent=2, lead=f"{rule}: ", lead_style="bold")
            said = None
            for finding in found[:EXAMPLES]:
                if finding.message != said:
                    self.page.prose(finding.message, indent=4, lead="- ")
                said = finding.message
                self.page.whole(self.place(finding.path), indent=6, style=FAINT)
            if len(found) > EXAMPLES:
                self.page.prose(f"and {len(found) - EXAMPLES:,} more", indent=4, lead="- ", style=FAINT)

    def place(self, path: str) -> str:
        """`path`, without the store's where there is but one: that stands at the top."""
        stores = self.outcome.stores
        return path.removeprefix(stores[0][0].path + os.sep) if len(stores) == 1 else path

    # What to do

    def next(self) -> None:
        states = Counter(action.status for action in (*self.actions, *self.indexes))
        planned, applied = states["planned"], states["applied"]
        choice = any(action.candidates for action in self.holds)
        if not (planned or applied or choice):
            return
        self.page.heading("What to do next")
        if self.count("applied"):
            self.page.prose("Start the Claude desktop app: what is put back is in its list again.", indent=2)
        elif planned:
            what = "Put back what can be put back" if self.count("planned") else "Write the old indexes anew"
            self.step(1, "Quit the Claude desktop app.")
            self.step(2, f"{what}:", "--apply")
            self.step(3, "Start the app again.")
        if choice:
            self.choose()
        self.page.gap()
        if applied:
            backups = (
                "What was there before is kept beside each file, as ….corrupted-bak. " if self.kept() else ""
            )
            self.page.prose(f"{backups}To take all of this back:", indent=2)
            self.page.whole(command(["sessscan", "undo", str(self.outcome.run)]), indent=5, style=TYPE)
        else:
            self.page.prose(
                "Nothing has been changed. What --apply changes, `sessscan undo` takes back.", indent=2
            )

    def choose(self) -> None:
        self.page.gap()
        text = "Do you recognise a held session?"
        if self.from_file:
            self.page.prose(f"{text} Then make a new plan, with one --match for each.", indent=2)
            return
        self.page.prose(f"{text} Then quit the app and say so, with one --match for each:", indent=2)
        self.page.whole(self.retry("--match", "ROW=TRANSCRIPT", "--apply"), indent=5, style=TYPE)

    def kept(self) -> bool:
        return any(action.backup is not None for action in self.outcome.actions)

    def step(self, number: int, text: str, *more: str) -> None:
        self.page.prose(text, indent=2, lead=f"{number}. ")
        if more:
            self.page.whole(self.retry(*more), indent=5, style=TYPE)

    def retry(self, *more: str) -> str:
        return command(["sessscan", "reconcile", *self.given, *more])
