"""List the rules by which each place shows or hides sessions, where each is known from, and since when.

To add a rule, add it here, apply it in the module of its place, and add its row to `python/docs/why.md`.
Versions of the SDKs are the first published ones whose code has the rule; `#N` is an issue of
anthropics/claude-code.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..visibility_result import Basis, Surface, VisibilityReason, VisibilityRule

_TYPESCRIPT = "@anthropic-ai/claude-agent-sdk 0.3.332"
_PYTHON = "claude-agent-sdk 0.2.189"
_DOCUMENTED = "code.claude.com/docs/en/sessions and the CLI's changelog"
_AS_THE_SDK = "the TypeScript SDK does so"

_SIDECHAIN = "Hides a file whose first line is a subagent's record."
_NO_TEXT = (
    "Hides a session that has nothing to show: no title, prompt or summary in the first or last 64 KiB."
)
_CONTINUED = "Hides a session that goes on in another transcript beside it, unless it was used again since."
_PROGRAMMATIC = "Hides sessions that a program began: an SDK, `claude -p`, or a process in the background."
_PLACE = "Reads only `<uuid>.jsonl` directly in a folder of the projects folder."
_EMPTY = "Passes over a transcript of 0 bytes."
_UNREADABLE = "Passes over a transcript that it cannot read."
_DEEP = "How it reads a line that nests so deeply is not known."
_LINKED = "Passes over a transcript that is a link."
_LISTED = "Shows each transcript that no other rule hides."

_APP: tuple[tuple[str, str, str, str | None, Basis], ...] = (
    (
        "readable-row",
        "Lists each session that has a row it can read, whatever its transcript holds.",
        "anthropics/claude-code#43786, #62959",
        None,
        "reported",
    ),
    (
        "no-row",
        "Lists rows only: it does not look for transcripts that no row names.",
        "anthropics/claude-code#29172, #43786, #67118",
        None,
        "reported",
    ),
    (
        "unreadable-row",
        "Passes over a row that it cannot read, without a word.",
        "anthropics/claude-code#59811, #79941, #63904",
        None,
        "reported",
    ),
    (
        "deleted",
        "Does not list a session that is marked as deleted, by `deleted_<id>` beside the rows or by "
        "`<uuid>.desktop-released.json` beside the transcript.",
        "the app's files",
        None,
        "observed",
    ),
    (
        "archived",
        "Keeps a session whose row says `isArchived` out of the list of active ones.",
        "anthropics/claude-code#24534, #62428, #67835",
        None,
        "reported",
    ),
    (
        "continued-row",
        "Lists a row under the transcript that it names now, not under those that it named before.",
        "the app's files",
        None,
        "observed",
    ),
    (
        "other-account",
        "Lists the rows of the account and organisation that is signed in.",
        "the app's files",
        None,
        "observed",
    ),
    (
        "no-store",
        "Whether the app knows the session is written in its store.",
        "anthropics/claude-code#43786",
        None,
        "reported",
    ),
    (
        "unreadable-store",
        "Whether the app knows the session is written in its store.",
        "anthropics/claude-code#43786",
        None,
        "reported",
    ),
)

_OF_TYPESCRIPT: tuple[tuple[str, str, str | None], ...] = (
    ("listed", _LISTED, "0.2.54"),
    ("not-there", _PLACE, "0.2.54"),
    ("elsewhere", _PLACE, "0.2.54"),
    ("empty", _EMPTY, "0.2.54"),
    ("unreadable", _UNREADABLE, "0.2.54"),
    ("linked", _LINKED, "0.3.229"),
    ("linked-folder", "Does not follow links to project folders when it lists all of them.", None),
    ("continued", _CONTINUED, "0.3.257"),
    ("sidechain", _SIDECHAIN, "0.2.54"),
    ("nothing-to-show", _NO_TEXT, "0.2.69"),
    ("too-deep", _DEEP, None),
)

_OF_PYTHON: tuple[tuple[str, str, str | None], ...] = (
    ("listed", _LISTED, "0.1.46"),
    ("not-there", _PLACE, "0.1.46"),
    ("elsewhere", _PLACE, "0.1.46"),
    ("empty", _EMPTY, "0.1.46"),
    ("unreadable", _UNREADABLE, "0.1.46"),
    ("sidechain", _SIDECHAIN, "0.1.46"),
    ("nothing-to-show", _NO_TEXT, "0.1.46"),
    ("too-deep", _DEEP, None),
)

_PRESUMED: tuple[tuple[str, str], ...] = (
    ("not-there", _PLACE),
    ("elsewhere", _PLACE),
    ("empty", _EMPTY),
    ("unreadable", _UNREADABLE),
    ("linked", _LINKED),
    ("continued", _CONTINUED),
    ("sidechain", _SIDECHAIN),
    ("nothing-to-show", _NO_TEXT),
    ("too-deep", _DEEP),
)

_TERMINAL: tuple[tuple[str, str, str, str | None, Basis], ...] = (
    ("listed", _LISTED, _AS_THE_SDK, None, "presumed"),
    (
        "programmatic",
        _PROGRAMMATIC,
        f"{_DOCUMENTED} (anthropics/claude-code#42311, #89077)",
        "2.1.90",
        "documented",
    ),
    (
        "other-folder",
        "Lists the sessions of the directory it is started in; Ctrl+A those of all projects.",
        _DOCUMENTED,
        "2.1.108",
        "documented",
    ),
    (
        "folder-gone",
        "Lists the sessions of the directory it is started in; Ctrl+A those of all projects.",
        _DOCUMENTED,
        "2.1.108",
        "documented",
    ),
    (
        "running",
        "Does not offer a session that a program runs at the moment.",
        "anthropics/claude-code#52401",
        None,
        "reported",
    ),
)

_VSCODE: tuple[tuple[str, str, str, str | None, Basis], ...] = (
    (
        "listed",
        "Lists the sessions of the folder that is open.",
        f"{_AS_THE_SDK}, whose documentation says that IDEs' pickers pass includeProgrammatic: false",
        None,
        "presumed",
    ),
    ("programmatic", _PROGRAMMATIC, "anthropics/claude-code#71647, #72517", "2.1.191", "reported"),
    (
        "other-folder",
        "Lists the sessions of the folder that is open.",
        _AS_THE_SDK,
        None,
        "presumed",
    ),
    (
        "folder-gone",
        "Lists the sessions of the folder that is open.",
        _AS_THE_SDK,
        None,
        "presumed",
    ),
    (
        "other-program",
        "Whether it lists sessions that were not begun in VS Code: reports disagree.",
        "anthropics/claude-code#72517 (it does not), #44969, #47746 (it should)",
        None,
        "reported",
    ),
)

_INDEX: tuple[tuple[str, str, str, str | None, Basis], ...] = (
    ("named", "It names the session.", "the file itself", None, "observed"),
    ("not-named", "It does not name the session.", "the file itself", None, "observed"),
    (
        "no-index",
        "There is no such file: the CLI has not kept it since about February 2026.",
        "anthropics/claude-code#23614, #25032, #44346",
        "about February 2026",
        "reported",
    ),
    ("unreadable-index", "What it names cannot be read.", "the file itself", None, "observed"),
)


_PRESUMING: tuple[Surface, ...] = ("terminal", "vscode")
_MODES: tuple[Surface, ...] = ("typescript-sdk", "typescript-sdk-interactive")


def _rules() -> Iterator[VisibilityRule]:
    yield from (VisibilityRule("app", *fields) for fields in _APP)
    yield from (VisibilityRule("terminal", *fields) for fields in _TERMINAL)
    yield from (VisibilityRule("vscode", *fields) for fields in _VSCODE)
    for surface in _PRESUMING:
        for name, text in _PRESUMED:
            yield VisibilityRule(surface, name, text, _AS_THE_SDK, None, "presumed")
    for surface in _MODES:
        for name, text, since in _OF_TYPESCRIPT:
            yield VisibilityRule(surface, name, text, _TYPESCRIPT, since, _basis(name))
    yield VisibilityRule(_MODES[1], "programmatic", _PROGRAMMATIC, _TYPESCRIPT, "0.3.191", "compared")
    for name, text, since in _OF_PYTHON:
        yield VisibilityRule("python-sdk", name, text, _PYTHON, since, _basis(name))
    yield from (VisibilityRule("sessions-index", *fields) for fields in _INDEX)


def _basis(name: str) -> Basis:
    return "presumed" if name == "too-deep" else "compared"


VISIBILITY_RULES = tuple(_rules())
"""All rules, place by place."""

_BY_NAME = {(rule.surface, rule.name): rule for rule in VISIBILITY_RULES}


def reason(surface: Surface, name: str, detail: str, at: int | None = None) -> VisibilityReason:
    """Return a reason by the names of the place and of its rule."""
    return VisibilityReason(_BY_NAME[surface, name], detail, at)
