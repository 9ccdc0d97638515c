"""Render the page: fill the template with the facts. Every text is cleaned and escaped."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from .._core import __version__
from ..model import Finding
from ..render.outline import Outline, certainty, folder_of, last_of, origin, short, title_of
from ..render.text import clean, command, counted, folded, size
from ..rules import BY_NAME
from .charts import charts
from .facts import LISTED, SIZES, SOON, Facts
from .timeline import local

_DAY = 86_400_000
_CANDIDATES = 4
_LONGEST = 400
"""Characters of a text on the page: a title may have a megabyte."""


@dataclass(frozen=True)
class _Group:
    """The findings of one rule and severity."""

    rule: str
    severity: str
    brief: str
    count: int
    examples: list[Finding]


def render(facts: Facts, given: Sequence[str]) -> str:
    """Return the page as HTML. `given`: the options for the commands that the page suggests."""
    outline = Outline(facts.plan)
    environment = Environment(
        loader=PackageLoader("sessscan.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_prepared,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        bytes=size,
        counted=counted,
        day=_day,
        minute=_minute,
        folded=folded,
        whole=_uncut,
        left=lambda due: left(due, facts.now),
    )
    page: str = environment.get_template("page.html.j2").render(
        facts=facts,
        outline=outline,
        verdict=outline.verdict(),
        tone=_verdict_style(facts, outline),
        planned=[action for action in outline.actions if action.status == "planned"],
        groups=_groups([*outline.orphans, *outline.others]),
        rules=Counter(finding.rule for finding in facts.plan.findings),
        charts=charts(facts),
        retry=lambda *more: _uncut(command(["sessscan", "reconcile", *given, *more])),
        certainty=certainty,
        origin=origin,
        short=short,
        title_of=title_of,
        folder_of=folder_of,
        last_of=last_of,
        name=lambda path: PurePath(path).name,
        zone=_zone(facts.now),
        version=__version__,
        LISTED=LISTED,
        CANDIDATES=_CANDIDATES,
        SIZES=SIZES,
        SOON=SOON,
    )
    return page


def _prepared(value: Any) -> Any:
    """Prepare a value for the template: clean and cut a text, turn None into an empty one."""
    if isinstance(value, str) and not isinstance(value, Markup):
        # Cut before cleaning: one control character becomes several characters.
        return clean(value if len(value) <= _LONGEST else value[:_LONGEST] + "…")
    return "" if value is None else value


def _uncut(text: str) -> Markup:
    """Clean and escape a text that is to be copied, without cutting it."""
    return escape(clean(text))


def _verdict_style(facts: Facts, outline: Outline) -> str:
    if any(f.severity == "error" for f in facts.plan.findings) or outline.holds:
        return "bad"
    return "good" if facts.plan.stores and facts.plan.rows else "plain"


def _groups(findings: Iterable[Finding]) -> list[_Group]:
    by_rule: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        by_rule.setdefault((finding.rule, finding.severity), []).append(finding)
    groups = [
        _Group(rule, severity, BY_NAME[rule].brief, len(found), found[:3])
        for (rule, severity), found in by_rule.items()
    ]
    return sorted(groups, key=lambda group: ("error", "warning", "note").index(group.severity))


def left(due: int, now: int) -> str:
    """Say in words how long it is until `due`; both are epoch ms."""
    days = (due - now) / _DAY
    if days <= 0:
        return "due now"
    return "in less than a day" if days < 1 else f"in {counted(int(days), 'day')}"


def _day(milliseconds: int | None) -> str:
    return _local(milliseconds, "%Y-%m-%d")


def _minute(milliseconds: int | None) -> str:
    return _local(milliseconds, "%Y-%m-%d %H:%M")


def _local(milliseconds: int | None, form: str) -> str:
    if milliseconds is None:
        return ""
    try:
        return local(milliseconds).strftime(form)
    except (ValueError, OverflowError, OSError):
        return "unknown"  # a file may hold any number


def _zone(now: int) -> str:
    time = local(now)
    offset = time.utcoffset() or datetime.timedelta()
    if time.tzname() == "UTC":
        return "UTC"
    hours, minutes = divmod(abs(int(offset.total_seconds())) // 60, 60)
    from_utc = f"UTC{'-' if offset.total_seconds() < 0 else '+'}{hours:02}:{minutes:02}"
    name = time.tzname() or ""
    return f"{name}, {from_utc}" if name[:1].isalpha() else from_utc  # many zones are named by a number only
