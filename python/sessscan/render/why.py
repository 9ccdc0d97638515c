"""Print which places show a session, and by which rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from ..visibility_result import Basis, Shown, SurfaceVerdict, Visibility, VisibilityRule
from .screen import Page
from .text import command, folded, when

_STYLES: dict[Shown, str] = {"shown": "bold green", "hidden": "bold yellow", "unknown": "bold"}
_BASES: dict[Basis, str] = {
    "compared": "compared with",
    "documented": "documented in",
    "observed": "seen in",
    "reported": "reported in",
    "presumed": "presumed, since",
}
_INDENT = 9
"""Cells: the longest of the three verdicts and two blanks."""


def print_visibility(found: Visibility, options: Sequence[str] = ()) -> None:
    """Print the session, and the verdict on each place.

    Places with one verdict for one reason are printed together. `options`: those that lead another command to
    the same stores.
    """
    page = Page()
    page.prose(_summary(found), style="bold")
    for path in found.transcripts:
        page.whole(path, indent=2, lead="transcript  ")
    for path in found.rows:
        page.whole(path, indent=2, lead="row         ")
    together: dict[object, list[SurfaceVerdict]] = {}
    for one in found.surfaces:
        together.setdefault(_said(one), []).append(one)
    for verdicts in together.values():
        page.gap()
        _print_verdicts(page, verdicts)
    if any("sessscan reconcile" in text for one in found.surfaces for text in one.remarks) and options:
        page.gap()
        page.whole(command(["sessscan", "reconcile", *options]), lead="Here that is:  ")


def _summary(found: Visibility) -> str:
    called = f'"{folded(found.title)}"' if found.title else "This session"
    parts = [called]
    parts += [f"of {found.cwd}"] if found.cwd else []
    parts += [f"last used {when(found.last_activity_at)} UTC"] if found.last_activity_at is not None else []
    count = Counter(one.shown for one in found.surfaces)
    says = f"shown in {count['shown']} of {len(found.surfaces)} places, hidden in {count['hidden']}"
    if count["unknown"]:
        says += f", not known of {count['unknown']}"
    return f"{', '.join(parts)}: {says}."


def _said(verdict: SurfaceVerdict) -> object:
    """Return what two places must have in common to be printed together."""
    reasons = tuple((reason.rule.name, reason.rule.text, reason.detail) for reason in verdict.reasons)
    return verdict.shown, reasons


def _print_verdicts(page: Page, verdicts: list[SurfaceVerdict]) -> None:
    first = verdicts[0]
    for one in verdicts:
        page.prose(one.label, lead=f"{one.shown:<{_INDENT}}", lead_style=_STYLES[one.shown], style="bold")
    for reason in first.reasons:
        since = f" Since {when(reason.at)} UTC." if reason.at is not None else ""
        page.prose(f"{reason.detail}{since}", indent=_INDENT)
    for text in dict.fromkeys(text for one in verdicts for text in one.remarks):
        page.prose(text, indent=_INDENT)
    for name, rules in _rules(verdicts):
        page.prose(f"{name}: {rules[0].text}", indent=_INDENT, style="dim")
        for origin in dict.fromkeys(map(_origin, rules)):
            page.prose(origin, indent=_INDENT + 2, style="dim")


def _rules(verdicts: list[SurfaceVerdict]) -> Iterable[tuple[str, list[VisibilityRule]]]:
    """Return the rules by their names, each as the places have it."""
    found: dict[str, list[VisibilityRule]] = {}
    for one in verdicts:
        for rule in dict.fromkeys(reason.rule for reason in one.reasons):
            found.setdefault(rule.name, []).append(rule)
    return found.items()


def _origin(rule: VisibilityRule) -> str:
    """Return where a rule is known from, and since which version."""
    since = f"since {rule.since}" if rule.since is not None else "since when is not known"
    return f"{_BASES[rule.basis]} {rule.source}; {since}"
