"""Print the plan of a repair, or the report on it, as text.

The order: a sentence that sums it up; each transcript with what comes back, what stays out and what is
changed; what is held, with the options that decide it; what to do next.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath

from ..changes.plan import Plan, Report
from ..model import Action, Finding, HeldParent, LeftOut, Status
from .screen import Page
from .text import command, counted, folded, moment, size, when

DETAILED = 12
"""The most transcripts that are shown in full; if there are more, each has one line."""
LISTED = 60
"""The most transcripts that have a line."""
EXAMPLES = 4
"""The most messages of one kind that are shown for a transcript."""

EDITS = 8
"""The most reasons for edits that are shown for a transcript."""

GOOD, BAD, DOUBT, FAINT, TYPE = "green", "bold red", "yellow", "dim", "cyan"

_HEADINGS = (
    ("applied", "Repaired", f"bold {GOOD}"),
    ("planned", "Can be repaired", f"bold {GOOD}"),
    ("refused", "Left alone", f"bold {DOUBT}"),
    ("failed", "Could not be written", BAD),
    ("held", "Held: the evidence does not decide", f"bold {DOUBT}"),
)


def print_repair(outcome: Plan | Report, given: Sequence[str]) -> None:
    """Print a plan or a report. `given`: the command's options, for the commands that are suggested."""
    _Printer(outcome, given).print_all()


class _Printer:
    """Prints the parts of a plan or a report, one after the other."""

    def __init__(self, outcome: Plan | Report, given: Sequence[str]) -> None:
        self.page = Page()
        self.outcome = outcome
        self.given = list(given)
        self.about: dict[str, Finding] = {}
        for finding in outcome.findings:
            if finding.title or finding.path not in self.about:
                self.about[finding.path] = finding

    def print_all(self) -> None:
        self.page.prose(self.verdict(), style="bold")
        looked = counted(self.outcome.transcripts, "transcript")
        self.page.prose(f"Looked at {looked} ({size(self.outcome.bytes)}).", style=FAINT)
        for status, heading, style in _HEADINGS:
            self.print_actions([one for one in self.outcome.actions if one.status == status], heading, style)
        self.print_unreadable()
        self.print_next_steps()

    def verdict(self) -> str:
        """Say in one sentence what is damaged, and what can be done."""
        states = Counter(action.status for action in self.outcome.actions)
        if not self.outcome.actions:
            unread = len(self.unreadable())
            but = f", but {counted(unread, 'file')} could not be read" if unread else ""
            return f"No transcript needs a repair{but}."
        words: tuple[tuple[Status, str], ...] = (
            ("applied", "repaired"),
            ("planned", "can be repaired"),
            ("held", "held until you decide"),
            ("refused", "left alone for now"),
            ("failed", "could not be written"),
        )
        parts = ", ".join(f"{states[status]:,} {word}" for status, word in words if states[status])
        number = counted(len(self.outcome.actions), "transcript is damaged", "transcripts are damaged")
        back = sum(
            max(one.reached.after - one.reached.before, 0)
            for one in self.outcome.actions
            if one.reached is not None and one.status in ("planned", "applied")
        )
        verb = "came back" if states["applied"] else "come back"
        messages = f"; {counted(back, 'message')} {verb}" if back else ""
        partly = sum(one.kind == "repair" and bool(one.held) for one in self.outcome.actions)
        held = f" ({partly:,} in part: links of it are held)" if partly else ""
        return f"{number}: {parts}{held}{messages}."

    def print_actions(self, actions: Sequence[Action], heading: str, style: str) -> None:
        if not actions:
            return
        self.page.heading(f"{heading} ({len(actions):,})", style)
        if len(actions) <= DETAILED:
            for number, action in enumerate(actions, 1):
                self.page.gap()
                self.print_action(number, action)
            return
        for action in actions[:LISTED]:
            self.page.prose(f"{self.title(action)}: {_reached(action)}", lead="- ", indent=2)
        if len(actions) > LISTED:
            self.page.prose(
                f"and {len(actions) - LISTED:,} more: --format json lists them all", indent=2, style=FAINT
            )

    def print_action(self, number: int, action: Action) -> None:
        finding = self.about.get(action.path)
        self.page.prose(self.title(action), lead=f"{number:>3}. ", style="bold", lead_style="none")
        if finding is not None:
            self.label("folder", finding.cwd or "", whole=True)
            used = when(finding.last_activity_at)
            self.label("when", f"last used {used} UTC" if used else "")
        self.label("but", folded(action.error or ""), style=DOUBT)
        self.label("reads", _reached(action))
        kinds = Counter(edit.reason for edit in action.edits)
        if action.utf16:
            self.label("edit", "UTF-16 becomes UTF-8")
        for reason, count in kinds.most_common(EDITS):
            self.label("edit" if count == 1 else f"{count:,}", reason)
        if len(kinds) > EDITS:
            self.label("", f"and {len(kinds) - EDITS:,} more")
        for left in action.left_out[:EXAMPLES]:
            self.label("out", _left_out(left))
        if len(action.left_out) > EXAMPLES:
            self.label("", f"and {len(action.left_out) - EXAMPLES:,} more")
        if action.kind == "repair" and action.status == "planned":
            self.label("time", "it gets a new time of change, so that it is not swept for its age")
        for held in action.held:
            self.print_held(held)
        self.label("", action.path, whole=True, style=FAINT)
        self.label("backup", PurePath(action.backup or "").name, whole=True, style=FAINT)

    def print_held(self, held: HeldParent) -> None:
        self.label("held", f"line {held.line:,}, {folded(held.text)!r}: {held.why}", style=DOUBT)
        for candidate in held.candidates:
            said = f"{moment(candidate.timestamp)} UTC, " if candidate.timestamp is not None else ""
            self.label("maybe", f"after line {candidate.line:,}, {said}{folded(candidate.text)!r}")
            choice = ["--parent", f"{_short(held.record)}={_short(candidate.record)}"]
            self.label("", command(choice), whole=True, style=TYPE)

    def title(self, action: Action) -> str:
        finding = self.about.get(action.path)
        title = folded(finding.title or "") if finding is not None else ""
        return title or PurePath(action.path).stem

    def label(self, name: str, text: str, *, whole: bool = False, style: str = "") -> None:
        if text:
            write = self.page.whole if whole else self.page.prose
            write(text, indent=5, lead=f"{name:<8}", lead_style=FAINT, style=style)

    def unreadable(self) -> list[Finding]:
        return [finding for finding in self.outcome.findings if finding.rule == "unreadable"]

    def print_unreadable(self) -> None:
        found = self.unreadable()
        if not found:
            return
        self.page.heading(f"Could not be read ({len(found):,})", BAD)
        for finding in found[:LISTED]:
            self.page.prose(finding.message, indent=2, lead="- ")
            self.page.whole(finding.path, indent=4, style=FAINT)

    def print_next_steps(self) -> None:
        states = Counter(action.status for action in self.outcome.actions)
        undecided = any(held.candidates for action in self.outcome.actions for held in action.held)
        if not (states["planned"] or states["applied"] or undecided):
            return
        self.page.heading("What to do next")
        if states["planned"]:
            self.page.prose("End the sessions concerned, and repair their transcripts:", indent=2)
            self.page.whole(self.retry("--apply"), indent=5, style=TYPE)
        if undecided:
            self.page.prose(
                "Do you know what a held message answered? Choose it, with one --parent for each:", indent=2
            )
            self.page.whole(self.retry("--parent", "RECORD=RECORD"), indent=5, style=TYPE)
        self.page.gap()
        if states["applied"]:
            self.page.prose(
                "The old content is kept beside each transcript, as ….corrupted-bak. To take this back:",
                indent=2,
            )
            self.page.whole(command(["sessscan", "undo", str(self.outcome.run)]), indent=5, style=TYPE)
        else:
            self.page.prose(
                "Nothing has been changed. What --apply changes, `sessscan undo` takes back.", indent=2
            )

    def retry(self, *more: str) -> str:
        return command(["sessscan", "repair", *self.given, *more])


def _reached(action: Action) -> str:
    if action.reached is None:
        return ""
    now, then = action.reached.before, action.reached.after
    if action.status == "applied":
        return f"{counted(then, 'message')} can be reached; before, {now:,}"
    return f"{counted(now, 'message')} can be reached now" + (f", {then:,} then" if then != now else "")


def _left_out(left: LeftOut) -> str:
    return f"line {left.line:,}, {folded(left.text)!r}: the other half of its tool call was lost"


def _short(uuid: str) -> str:
    """Return as much of a record's id as tells it apart for most transcripts."""
    return uuid[:13] if len(uuid) == 36 else uuid
