"""Print the plan of a move, or the report on it, as text.

The order: a sentence that sums it up; the sessions that move, by their folders; what is held or failed, and
why; what to do next.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import PurePath

from ..changes.plan import Plan, Report
from ..model import MOVE, MOVE_LEASES, MOVE_ROW, Action, Status
from .screen import Page
from .text import command, counted, folded

LISTED = 20
"""The most sessions of a folder, or with one fate, that have a line."""

GOOD, BAD, DOUBT, FAINT, TYPE = "green", "bold red", "yellow", "dim", "cyan"

_TROUBLES: tuple[tuple[Status, str, str], ...] = (
    ("refused", "Left alone", f"bold {DOUBT}"),
    ("failed", "Could not be moved", BAD),
    ("held", "Held: they stay where they are", f"bold {DOUBT}"),
)


_FATES: tuple[tuple[Status, str], ...] = (
    ("held", "held"),
    ("refused", "left alone"),
    ("failed", "could not be moved"),
)


def print_move(outcome: Plan | Report, given: Sequence[str]) -> None:
    """Print a plan or a report. `given`: the command's options, for the commands that are suggested."""
    _Printer(outcome, given).print_all()


class _Printer:
    """Prints the parts of a plan or a report, one after the other."""

    def __init__(self, outcome: Plan | Report, given: Sequence[str]) -> None:
        self.page = Page()
        self.outcome = outcome
        self.given = list(given)
        self.states = Counter(action.status for action in outcome.actions)

    def print_all(self) -> None:
        self.page.prose(self.verdict(), style="bold")
        for status in ("applied", "planned"):
            self.print_folders([one for one in self.outcome.actions if one.status == status])
        for status, heading, style in _TROUBLES:
            self.print_troubles([one for one in self.outcome.actions if one.status == status], heading, style)
        self.print_unconfirmed()
        self.print_unreadable()
        self.print_next_steps()

    def verdict(self) -> str:
        """Say in one sentence what moves, and where to."""
        moved = self.outcome.moved
        places = f" from {moved.old} to {moved.new}" if moved is not None else ""
        if not self.outcome.actions:
            return f"Nothing is left to move{places}: its sessions are there already."
        done = bool(self.states["applied"])
        parts = []
        now = [one for one in self.outcome.actions if one.status in ("applied", "planned")]
        sessions = {one.cli_session_id for one in now if one.kind == MOVE}
        rows = sum(one.kind == MOVE_ROW for one in now)
        leases = sum(len(one.evidence) for one in now if one.kind == MOVE_LEASES)
        for count, one, many in (
            (len(sessions), "session", "sessions"),
            (rows, "row of the app", "rows of the app"),
            (leases, "path in leases of worktrees", "paths in leases of worktrees"),
        ):
            if count:
                parts.append(counted(count, one, many))
        verb = "moved" if done else "can be moved"
        said = f"{_joined(parts)} {verb}{places}." if parts else f"Nothing can be moved{places} now."
        others = [f"{self.states[status]:,} {word}" for status, word in _FATES if self.states[status]]
        return f"{said} {_joined(others)}." if others else said

    def print_folders(self, actions: Sequence[Action]) -> None:
        """Print the sessions that move, under the project folder that they come from."""
        by_folder: dict[tuple[str, str], dict[str, Action]] = defaultdict(dict)
        for action in actions:
            if action.kind == MOVE and action.target is not None and action.cli_session_id is not None:
                folders = (str(PurePath(action.path).parent), str(PurePath(action.target).parent))
                by_folder[folders][action.cli_session_id] = action  # the transcript comes last
        for (old, new), sessions in by_folder.items():
            self.page.gap()
            self.page.whole(old, style=FAINT)
            if old == new:
                self.page.prose("(its name is the same for both folders)", indent=2, style=FAINT)
            else:
                self.page.whole(new, lead="-> ", lead_style=FAINT)
            shown = list(sessions.items())
            for name, action in shown[:LISTED]:
                self.page.prose(folded(action.title or name), indent=2, lead="- ")
            if len(shown) > LISTED:
                more = counted(len(shown) - LISTED, "more session")
                self.page.prose(f"and {more}: --format json lists them all", indent=2, style=FAINT)
        absent = {e.detail for one in actions for e in one.evidence if e.kind == "missing"}
        for detail in sorted(absent)[:LISTED]:
            self.page.prose(detail, indent=2, lead="! ", style=DOUBT)

    def print_troubles(self, actions: Sequence[Action], heading: str, style: str) -> None:
        if not actions:
            return
        self.page.heading(f"{heading} ({len(actions):,})", style)
        for action in actions[:LISTED]:
            name = action.title or action.session_id or action.cli_session_id or PurePath(action.path).name
            self.page.prose(f"{folded(name)}: {folded(action.error or '')}", indent=2, lead="- ")
            self.page.whole(action.path, indent=4, style=FAINT)
        if len(actions) > LISTED:
            self.page.prose(
                f"and {len(actions) - LISTED:,} more: --format json lists them all", indent=2, style=FAINT
            )

    def print_unconfirmed(self) -> None:
        doubtful = [one for one in self.outcome.actions if one.status == "applied" and one.error]
        if doubtful:
            self.page.heading(f"Moved, but the disk did not confirm it ({len(doubtful):,})", BAD)
        for action in doubtful[:LISTED]:
            self.page.prose(f"{action.target or action.path}: {action.error}", indent=2, lead="- ")

    def print_unreadable(self) -> None:
        found = [finding for finding in self.outcome.findings if finding.rule == "unreadable"]
        if found:
            self.page.heading(f"Could not be read ({len(found):,})", BAD)
        for finding in found[:LISTED]:
            self.page.prose(finding.message, indent=2, lead="- ")
            self.page.whole(finding.path, indent=4, style=FAINT)

    def print_next_steps(self) -> None:
        if not (self.states["planned"] or self.states["applied"]):
            return
        self.page.heading("What to do next")
        if self.states["planned"]:
            self.page.prose("Quit the desktop app, end the sessions concerned, and move them:", indent=2)
            self.page.whole(command(["sessscan", "move", *self.given, "--apply"]), indent=5, style=TYPE)
            self.page.gap()
            self.page.prose(
                "Nothing has been changed. What --apply changes, `sessscan undo` takes back.", indent=2
            )
        else:
            self.page.prose("To take this back:", indent=2)
            self.page.whole(command(["sessscan", "undo", str(self.outcome.run)]), indent=5, style=TYPE)


def _joined(parts: Sequence[str]) -> str:
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"
