"""Print the rules: the list of them, or one with all its texts."""

from __future__ import annotations

from ..rules import RULES, Rule
from .screen import Page

STYLES = {"error": "bold red", "warning": "bold yellow", "note": "bold"}
HEADINGS = {
    "error": "Errors: rows that the app cannot read",
    "warning": "Warnings",
    "note": "Notes",
}


def print_rules() -> None:
    """Print a line for each rule, the worst first."""
    page = Page()
    page.prose("What sessscan finds. `sessscan explain RULE` explains one of them.")
    widest = max(len(rule.name) for rule in RULES)
    for severity, heading in HEADINGS.items():
        page.heading(heading, STYLES[severity])
        for rule in RULES:
            if rule.severities[0] == severity:
                page.prose(rule.brief, indent=2, lead=f"{rule.name:<{widest}}  ", lead_style="bold")


def print_rule(rule: Rule) -> None:
    """Print the texts of one rule."""
    page = Page()
    page.prose(
        f"{rule.brief} ({_severity(rule)})", lead=f"{rule.name}: ", lead_style=STYLES[rule.severities[0]]
    )
    for heading, text in (
        ("What it means", rule.meaning),
        ("How it comes about", rule.cause),
        ("What sessscan does", rule.action),
        ("What you can do", rule.advice),
    ):
        page.heading(heading)
        page.prose(text, indent=2)


def _severity(rule: Rule) -> str:
    """Return the severities of a rule in words."""
    *others, last = rule.severities
    if not others:
        return last
    if rule.severities == ("error", "note"):
        return "error; a note where you deleted the session"
    return f"{', '.join(others)} or {last}"
