"""Define what `why` returns: for each place that shows sessions, whether it shows this one, and by which
rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Surface = Literal[
    "app",
    "terminal",
    "typescript-sdk",
    "typescript-sdk-interactive",
    "python-sdk",
    "vscode",
    "sessions-index",
]
"""A place that shows sessions: the desktop app; the terminal's picker; the TypeScript SDK's `listSessions`,
and the same with `includeProgrammatic: false`; the Python SDK's `list_sessions`; the extension for VS Code;
the old `sessions-index.json`."""

Shown = Literal["shown", "hidden", "unknown"]

Basis = Literal["compared", "documented", "observed", "reported", "presumed"]
"""How a rule is known. `compared`: the tests compare it with the program itself. `documented`: its maker says
so. `observed`: it is plain from the program's files. `reported`: users found it. `presumed`: another program
of the same maker does so."""

LABELS: dict[Surface, str] = {
    "app": "desktop app",
    "terminal": "terminal, claude --resume",
    "typescript-sdk": "TypeScript SDK, listSessions()",
    "typescript-sdk-interactive": "TypeScript SDK, includeProgrammatic: false",
    "python-sdk": "Python SDK, list_sessions()",
    "vscode": "VS Code",
    "sessions-index": "old index, sessions-index.json",
}
"""What the places are called, in the order in which they are printed."""


@dataclass(frozen=True, slots=True)
class VisibilityRule:
    """A rule by which one place shows or hides sessions, or a reason why that is not known."""

    surface: Surface
    name: str
    text: str
    """What the place does, a sentence."""
    source: str
    """Where that is known from."""
    since: str | None
    """The first version that is known to do so; None where that is not known."""
    basis: Basis


@dataclass(frozen=True, slots=True)
class VisibilityReason:
    """A rule that applies to the session."""

    rule: VisibilityRule
    detail: str
    """What of the session it is about, a sentence."""
    at: int | None = None
    """Since when it applies to this session, epoch ms UTC; None where nothing tells."""


@dataclass(frozen=True, slots=True)
class SurfaceVerdict:
    """Whether one place shows the session."""

    surface: Surface
    shown: Shown
    reasons: tuple[VisibilityReason, ...]
    """Why, at least one. Of a place that hides the session, each rule that hides it, in the order in which
    the place applies them: all of them must cease to apply before it is shown."""
    remarks: tuple[str, ...] = ()
    """What else is to be known, in sentences: where to look, how to open it all the same."""

    @property
    def label(self) -> str:
        """What the place is called."""
        return LABELS[self.surface]


@dataclass(frozen=True, slots=True)
class Visibility:
    """One session, and what each place that shows sessions makes of it."""

    session_id: str | None
    """The uuid of its transcript, whether that is there or not; None where no evidence tells which it is."""
    title: str | None
    cwd: str | None
    last_activity_at: int | None
    """Epoch ms UTC."""
    transcripts: tuple[str, ...]
    """The files of that uuid, newest first by their mtime."""
    rows: tuple[str, ...]
    """The app's rows that name it or did."""
    surfaces: tuple[SurfaceVerdict, ...]
    """In the order of `LABELS`."""
    errors: tuple[tuple[str, str], ...] = ()
    """The files and folders that could not be read, each with the reason."""
    remarks: tuple[str, ...] = ()
    """What else is to be known of the stores, in sentences."""

    def of(self, surface: Surface) -> SurfaceVerdict:
        """Return the verdict on one place."""
        return next(one for one in self.surfaces if one.surface == surface)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that `sessscan why --format json` prints."""
        return {
            "schema": "sessscan.why/1",
            "session": {
                "session_id": self.session_id,
                "title": self.title,
                "cwd": self.cwd,
                "last_activity_at": self.last_activity_at,
                "transcripts": list(self.transcripts),
                "rows": list(self.rows),
            },
            "surfaces": [_verdict(one) for one in self.surfaces],
            "remarks": list(self.remarks),
            "errors": [{"path": path, "message": message} for path, message in self.errors],
        }


def _verdict(verdict: SurfaceVerdict) -> dict[str, Any]:
    return {
        "surface": verdict.surface,
        "label": verdict.label,
        "shown": verdict.shown,
        "reasons": [
            {
                "rule": reason.rule.name,
                "text": reason.rule.text,
                "detail": reason.detail,
                "at": reason.at,
                "source": reason.rule.source,
                "since": reason.rule.since,
                "basis": reason.rule.basis,
            }
            for reason in verdict.reasons
        ],
        "remarks": list(verdict.remarks),
    }
