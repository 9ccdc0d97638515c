"""Print the events of a watch, one line each, at once."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from ..changes.outcome import finding_object
from ..model import WatchEvent
from .screen import console
from .text import clean, moment

_STYLES = {"finding": "bold red", "resolved": "green", "repaired": "bold green", "held": "yellow"}


def event_object(event: WatchEvent) -> dict[str, Any]:
    """Return an event as JSON: the keys of a finding in `reconcile --format json`, and the event's own."""
    return {"event": event.kind, "time": event.time, **finding_object(event.finding), "run": event.run}


def print_event(event: WatchEvent) -> None:
    """Print one event on one line."""
    finding = event.finding
    line = Text(f"{moment(event.time)} UTC  ")
    line.append(finding.rule if event.kind == "finding" else event.kind, style=_STYLES.get(event.kind, ""))
    line.append(f"  {clean(finding.path)}: {clean(finding.message)}")
    console().print(line, soft_wrap=True)
