"""Print a plan or a report as text.

The order: a sentence that sums it up; what can be put back, or was; what is held, with the options that
decide it; sessions without a row; what else was found; what to do next.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath

from ..changes.plan import Plan, Report
from ..model import Action, Candidate, Finding
from ..rules import BY_NAME
from .outline import (
    ELIMINATION,
    Outline,
    certainty,
    folder_of,
    grants_of,
    last_of,
    origin,
    period_of,
    short,
    title_of,
)
from .screen import Page
from .text import clean, command, counted, folded, size, when

DETAILED = 12
"""The most sessions that are shown in full; if there are more, each has one line."""
LISTED = 60
"""The most sessions that have a line; of the others the number is shown."""
EXAMPLES = 3
"""The most findings of one rule that are shown."""

GOOD, BAD, DOUBT, FAINT, TYPE = "green", "bold red", "yellow", "dim", "cyan"


def print_outcome(outcome: Plan | Report, given: Sequence[str]) -> None:
    """Print a plan or a report. `given`: the command's options, for the commands that are suggested."""
    _Printer(outcome, given).print_all()


class _Printer(Outline):
    """Prints the parts of a plan or a report, one after the other."""

    def __init__(self, outcome: Plan | Report, given: Sequence[str]) -> None:
        self.page = Page()
        super().__init__(outcome)
        self.given = list(given)
        self.from_file = "--plan" in self.given
        ids = Counter(action.session_id for action in self.holds)
        self.unique = {session_id for session_id, count in ids.items() if session_id and count == 1}

    def print_all(self) -> None:
        self.page.prose(self.verdict(), style="bold")
        if self.outcome.stores:
            self.print_stores()
        else:
            self.page.prose(
                "The app makes its store's account folder when you sign in and begin a session. If the store "
                "lies elsewhere than usual on this platform, say where: --store DIR."
            )
        self.print_actions("applied", "Put back", f"bold {GOOD}")
        self.print_actions("planned", "Can be put back", f"bold {GOOD}")
        self.print_actions(
            "refused", "Not changed: a file has changed since the plan was made", f"bold {DOUBT}"
        )
        self.print_actions("failed", "Could not be written", BAD)
        self.print_holds()
        self.print_orphans()
        self.print_indexes()
        self.print_findings()
        self.print_next_steps()

    def print_stores(self) -> None:
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

    # The actions

    def print_actions(self, status: str, heading: str, style: str) -> None:
        actions = [action for action in self.actions if action.status == status]
        if not actions:
            return
        self.page.heading(f"{heading} ({len(actions):,})", style)
        if len(actions) <= DETAILED:
            for number, action in enumerate(actions, 1):
                self.page.gap()
                self.print_action(number, action)
            return
        for action in actions[:LISTED]:
            where = f", {folder_of(action)}" if folder_of(action) else ""
            but = f": {short(action.error, action)}" if action.error else ""
            if not but and certainty(action) == ELIMINATION:
                but = f" ({ELIMINATION})"
            self.page.prose(f"{title_of(action)}{where}{but}", lead=f"{when(last_of(action))}  ", indent=2)
        self.print_number_of_others(len(actions) - LISTED)

    def print_action(self, number: int, action: Action) -> None:
        self.page.prose(title_of(action), lead=f"{number:>3}. ", style="bold", lead_style="none")
        self.print_label("folder", folder_of(action), whole=True)
        self.print_label("when", period_of(action))
        if action.error is not None:
            self.print_label("but", short(action.error, action), style=DOUBT)
        if action.status in ("planned", "applied"):
            reasons = "; ".join(
                short(evidence.detail, action) for evidence in action.evidence if evidence.kind != "place"
            )
            self.print_label("match", f"{certainty(action)}: {reasons}")
            self.print_label("row", f"{self.state(action)}; {origin(action)}")
            self.print_label("grants", clean(grants_of(action)), style=DOUBT)
            for evidence in action.evidence:
                if evidence.kind == "place":
                    self.print_label("but", short(evidence.detail, action), style=DOUBT)
        self.print_label("", PurePath(action.path).name, whole=True, style=FAINT)

    def print_label(self, name: str, text: str, *, whole: bool = False, style: str = "") -> None:
        if text:
            write = self.page.whole if whole else self.page.prose
            write(text, indent=5, lead=f"{name:<8}", lead_style=FAINT, style=style)

    def print_number_of_others(self, count: int) -> None:
        if count > 0:
            self.page.gap()
            self.page.prose(f"and {count:,} more: --format json lists them all", indent=2, style=FAINT)

    # The holds

    def print_holds(self) -> None:
        if not self.holds:
            return
        self.page.heading(f"Held: the evidence does not decide ({len(self.holds):,})", f"bold {DOUBT}")
        for number, action in enumerate(self.holds[:DETAILED], 1):
            self.page.gap()
            name, lead = PurePath(action.path).name, f"{number:>3}. "
            finding = self.states.get(action.path)
            if finding is not None and finding.rule == "unlinked" and finding.title:
                self.page.prose(folded(finding.title), lead=lead, style="bold", lead_style="none")
                self.print_label("folder", finding.cwd or "", whole=True)
                used = when(finding.last_activity_at)
                self.print_label("when", f"last used {used} UTC" if used else "")
                self.print_label("row", f"{self.state(action)}; {name}")
            else:
                self.page.whole(name, lead=lead, style="bold", lead_style="none")
                self.print_label("row", self.state(action))
            self.print_label("held", short(action.error or "", action))
            for candidate in action.candidates:
                self.print_candidate(action, candidate)
        self.print_number_of_others(len(self.holds) - DETAILED)

    def print_candidate(self, action: Action, candidate: Candidate) -> None:
        self.print_label("maybe", folded(candidate.title or "") or "(no title)", style="bold")
        self.print_label("", candidate.cwd or "", whole=True)
        used = f"last used {when(candidate.last_activity_at)} UTC" if candidate.last_activity_at else ""
        self.print_label("", "; ".join(filter(None, (used, short(candidate.reason, action)))))
        row = action.session_id if action.session_id in self.unique and action.session_id else action.path
        self.print_label(
            "", command(["--match", f"{row}={candidate.cli_session_id}"]), whole=True, style=TYPE
        )

    # The sessions without a row

    def print_orphans(self) -> None:
        if not self.orphans:
            return
        self.page.heading(
            f"Without a row, so the app does not list them ({len(self.orphans):,})", f"bold {DOUBT}"
        )
        self.page.prose(BY_NAME["orphan"].brief, indent=2, lead="orphan: ", lead_style="bold")
        self.page.gap()
        newest = sorted(self.orphans, key=lambda finding: -(finding.last_activity_at or 0))
        for finding in newest[:LISTED]:
            self.print_session(finding, 2)
        self.print_number_of_others(len(newest) - LISTED)

    def print_session(self, finding: Finding, indent: int) -> None:
        """Print by what a person knows the session that a finding is about, on one line."""
        if finding.title is None and finding.cwd is None:
            self.page.prose(finding.message, indent=indent, lead="- ")  # as from a plan file
            return
        title = folded(finding.title or "") or "(no title)"
        where = f", {finding.cwd}" if finding.cwd else ""
        used = when(finding.last_activity_at)
        self.page.prose(f"{title}{where}", lead=f"{used} UTC  " if used else "", indent=indent)

    # The other findings

    def print_indexes(self) -> None:
        if not self.indexes:
            return
        self.page.heading(f"Old indexes ({len(self.indexes):,})")
        outcomes = {"planned": "can be rebuilt", "applied": "rebuilt"}
        for action in self.indexes[:DETAILED]:
            self.page.gap()
            self.page.whole(action.path, indent=2)
            reasons = [action.error] if action.error else [evidence.detail for evidence in action.evidence]
            done = outcomes.get(action.status, "not rebuilt")
            self.page.prose(f"{done}: {'; '.join(reasons)}", indent=4)
        self.print_number_of_others(len(self.indexes) - DETAILED)

    def print_findings(self) -> None:
        errors = [finding for finding in self.others if finding.severity == "error"]
        notes = [finding for finding in self.others if finding.severity != "error"]
        for heading, style, findings in (
            ("Beyond repair: nothing is left of them", BAD, errors),
            ("Also noticed", "bold", notes),
        ):
            if findings:
                self.page.heading(f"{heading} ({len(findings):,})", style)
                self.print_rules(findings)
        if self.others:
            self.page.gap()
            self.page.prose("`sessscan explain RULE` tells more about each.", indent=2, style=FAINT)

    def print_rules(self, findings: Sequence[Finding]) -> None:
        by_rule: dict[str, list[Finding]] = {}
        for finding in findings:
            by_rule.setdefault(finding.rule, []).append(finding)
        for rule, found in by_rule.items():
            number = f" ({len(found):,})" if len(found) > 1 else ""
            self.page.gap()
            self.page.prose(f"{BY_NAME[rule].brief}{number}", indent=2, lead=f"{rule}: ", lead_style="bold")
            last = None
            for finding in found[:EXAMPLES]:
                if finding.message != last:
                    self.page.prose(finding.message, indent=4, lead="- ")
                last = finding.message
                if finding.title and finding.title not in finding.message:
                    self.print_session(finding, 6)
                self.page.whole(self.short_path(finding.path), indent=6, style=FAINT)
            if len(found) > EXAMPLES:
                self.page.prose(f"and {len(found) - EXAMPLES:,} more", indent=4, lead="- ", style=FAINT)
            for text in self.outcome.retention if rule == "dangling" else ():
                self.page.prose(text, indent=4, style=FAINT)

    def short_path(self, path: str) -> str:
        """Return the path, relative to the store if there is only one (it is printed at the top)."""
        stores = self.outcome.stores
        return path.removeprefix(stores[0][0].path + os.sep) if len(stores) == 1 else path

    # The next steps

    def print_next_steps(self) -> None:
        states = Counter(action.status for action in (*self.actions, *self.indexes))
        planned, applied = states["planned"], states["applied"]
        undecided = any(action.candidates for action in self.holds)
        if not (planned or applied or undecided or self.orphans):
            return
        self.page.heading("What to do next")
        if self.count("applied"):
            self.page.prose("Start the Claude desktop app: what is put back is in its list again.", indent=2)
        elif planned:
            kinds = {action.kind for action in self.actions if action.status == "planned"}
            what = "Put back what can be put back" if kinds else "Rebuild the old indexes"
            what = "Link the rows to their transcripts again" if kinds == {"relink"} else what
            self.print_step(1, "Quit the Claude desktop app.")
            self.print_step(2, f"{what}:", "--apply")
            self.print_step(3, "Start the app again.")
        if undecided:
            self.print_choice()
        if self.orphans:
            self.print_adoption()
        self.page.gap()
        if applied:
            backups = (
                "The old content is kept beside each file, as ….corrupted-bak. " if self.has_backups() else ""
            )
            self.page.prose(f"{backups}To take all of this back:", indent=2)
            self.page.whole(command(["sessscan", "undo", str(self.outcome.run)]), indent=5, style=TYPE)
        else:
            self.page.prose(
                "Nothing has been changed. What --apply changes, `sessscan undo` takes back.", indent=2
            )

    def print_choice(self) -> None:
        self.page.gap()
        text = "Do you recognise a held session?"
        if self.from_file:
            self.page.prose(f"{text} Then make a new plan, with one --match for each.", indent=2)
            return
        self.page.prose(
            f"{text} Then quit the app and choose its transcript, with one --match for each:", indent=2
        )
        self.page.whole(self.retry("--match", "ROW=TRANSCRIPT", "--apply"), indent=5, style=TYPE)

    def print_adoption(self) -> None:
        """Say how the sessions without a row get one."""
        self.page.gap()
        if not self.outcome.stores:
            self.page.prose(
                "To have them listed again, start the desktop app, sign in and begin a session: that makes "
                "the folder their rows belong in. Then quit the app, and make the rows:",
                indent=2,
            )
        elif "--adopt" in self.given:
            self.page.prose(
                "Those without a row get none from this run; the remarks above say why. --account names the "
                "account, where that is not known.",
                indent=2,
            )
            return
        elif self.from_file:
            self.page.prose("To have those without a row listed too, make a new plan with --adopt.", indent=2)
            return
        else:
            self.page.prose(
                "To have those without a row listed too, quit the app and make rows for them:", indent=2
            )
        self.page.whole(self.retry("--adopt", "--apply"), indent=5, style=TYPE)

    def has_backups(self) -> bool:
        return any(action.backup is not None for action in self.outcome.actions)

    def print_step(self, number: int, text: str, *more: str) -> None:
        self.page.prose(text, indent=2, lead=f"{number}. ")
        if more:
            self.page.whole(self.retry(*more), indent=5, style=TYPE)

    def retry(self, *more: str) -> str:
        return command(["sessscan", "reconcile", *self.given, *more])
