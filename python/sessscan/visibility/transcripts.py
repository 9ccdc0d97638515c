"""Tell whether the places that read transcripts show a session: both SDKs, the terminal's picker, VS Code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from ..reconciliation.links import is_folder_gone
from ..stores.live_sessions import live_sessions
from ..visibility_result import Surface, SurfaceVerdict, VisibilityReason
from . import python_sdk, typescript_sdk
from .ends import Ends
from .rules import reason
from .subject import File, Subject

_DETAILS = {
    "sidechain": "The first line of {file} is a subagent's record (`isSidechain`).",
    "nothing-to-show": "Neither end of {file} has a title, a prompt or a summary.",
    "programmatic": "{file} says {detail}.",
    "continued": "It goes on in {detail}, which lies beside it.",
}

_LONGEST_TITLE = 200

Hiding = Callable[[File, Ends], list[VisibilityReason]]
"""Returns why a place hides a file that it can read."""


def python(subject: Subject) -> SurfaceVerdict:
    """Return whether the Python SDK's `list_sessions` shows the session."""

    def hiding(file: File, ends: Ends) -> list[VisibilityReason]:
        return [_reason(subject, "python-sdk", name, file) for name in python_sdk.hiding_rules(ends)]

    return _verdict(subject, "python-sdk", hiding, links=True)


def typescript(subject: Subject) -> SurfaceVerdict:
    """Return whether the TypeScript SDK's `listSessions` shows the session."""
    return _typescript(subject, "typescript-sdk", programmatic=True)


def typescript_interactive(subject: Subject) -> SurfaceVerdict:
    """Return whether the TypeScript SDK shows the session with `includeProgrammatic: false`."""
    return _typescript(subject, "typescript-sdk-interactive", programmatic=False)


def _typescript(subject: Subject, surface: Surface, *, programmatic: bool) -> SurfaceVerdict:
    def hiding(file: File, ends: Ends) -> list[VisibilityReason]:
        found = []
        if file.folder_is_link:
            found.append(reason(surface, "linked-folder", f"{file.folder} is a link."))
        return found + _by_typescript(subject, surface, file, ends, programmatic=programmatic)

    return _verdict(subject, surface, hiding)


def terminal(subject: Subject) -> SurfaceVerdict:
    """Return whether the terminal's picker shows the session, started in the session's own directory."""
    runs = next(_running(subject), None)

    def hiding(file: File, ends: Ends) -> list[VisibilityReason]:
        found = _by_typescript(subject, "terminal", file, ends, programmatic=False)
        return found + ([] if runs is None else [runs]) + list(_elsewhere(subject, "terminal", file))

    verdict = _verdict(subject, "terminal", hiding)
    return _with_remarks(verdict, tuple(_how_to_open(subject, verdict)))


def vscode(subject: Subject) -> SurfaceVerdict:
    """Return whether the extension for VS Code shows the session, as far as that is known."""

    def hiding(file: File, ends: Ends) -> list[VisibilityReason]:
        found = _by_typescript(subject, "vscode", file, ends, programmatic=False)
        return found + list(_elsewhere(subject, "vscode", file))

    verdict = _verdict(subject, "vscode", hiding)
    if verdict.shown != "shown":
        return verdict
    begun = next((file.transcript.born_in for file in subject.files if file.in_project_folder), None)
    if begun == "claude-vscode":
        directory = _directory(subject)
        where = () if directory is None else (f"It is listed where {directory} is open.",)
        return _with_remarks(verdict, where)
    detail = f"It was begun elsewhere ({f'entrypoint {begun}' if begun else 'it has no entrypoint'})."
    return SurfaceVerdict("vscode", "unknown", (reason("vscode", "other-program", detail),))


def _verdict(subject: Subject, surface: Surface, hiding: Hiding, *, links: bool = False) -> SurfaceVerdict:
    """Return the verdict of a place that reads files. `links`: whether it reads those that are links."""
    files = [file for file in subject.files if file.in_project_folder]
    if not files:
        return _not_in_place(subject, surface)
    hidden: list[VisibilityReason] = []
    for file in files:
        try:
            why_hidden = _unread(surface, file, links=links)
            if not why_hidden and file.ends is not None:
                why_hidden = hiding(file, file.ends)
        except RecursionError:
            deep = reason(surface, "too-deep", f"{file.path} has a line that nests too deeply.")
            return SurfaceVerdict(surface, "unknown", (deep,))
        if not why_hidden:
            listed = reason(surface, "listed", f"Nothing hides {file.path if len(files) > 1 else 'it'}.")
            return SurfaceVerdict(surface, "shown", (listed,))
        hidden = hidden or why_hidden
    more = len(files) - 1
    also = (f"{more:,} more of its files {'is' if more == 1 else 'are'} hidden too.",) if more else ()
    return SurfaceVerdict(surface, "hidden", tuple(hidden), also)


def _unread(surface: Surface, file: File, *, links: bool) -> list[VisibilityReason]:
    if file.is_link and not links:
        return [reason(surface, "linked", f"{file.path} is a link.")]
    if file.problem is not None:
        return [reason(surface, "unreadable", f"{file.path} cannot be read ({file.problem}).")]
    if file.ends is None:
        return [reason(surface, "empty", f"{file.path} has 0 bytes.")]
    return []


def _not_in_place(subject: Subject, surface: Surface) -> SurfaceVerdict:
    if subject.files:
        elsewhere = [
            reason(surface, "elsewhere", f"It does not look where the transcript lies: {file.path}.")
            for file in subject.files
        ]
        return SurfaceVerdict(surface, "hidden", tuple(elsewhere))
    if subject.name is None and subject.known.lost:
        unknown = reason(surface, "not-there", "Which transcript belonged to the lost row is not known.")
        return SurfaceVerdict(surface, "unknown", (unknown,))
    if subject.name is None:
        return SurfaceVerdict(
            surface, "hidden", (reason(surface, "not-there", "Its row names no transcript."),)
        )
    roots = " or ".join(subject.inventory.projects) or "any folder: there is no projects folder"
    detail = f"There is no {subject.name}.jsonl in {roots}."
    return SurfaceVerdict(surface, "hidden", (reason(surface, "not-there", detail),))


def _by_typescript(
    subject: Subject, surface: Surface, file: File, ends: Ends, *, programmatic: bool
) -> list[VisibilityReason]:
    found = typescript_sdk.hiding_rules(file.path, ends, programmatic=programmatic)
    return [_reason(subject, surface, one.rule, file, one.detail, one.at) for one in found]


def _reason(
    subject: Subject, surface: Surface, rule: str, file: File, detail: str = "", at: int | None = None
) -> VisibilityReason:
    name = file.path if len(subject.files) > 1 else "its transcript"
    text = _DETAILS[rule].format(file=name, detail=detail)
    text = text if text.startswith(file.path) else text[0].upper() + text[1:]
    if rule == "nothing-to-show" and file.transcript.title:
        title = " ".join(file.transcript.title.split())[:_LONGEST_TITLE]
        text += f' What it has ("{title}") stands between them, or is told otherwise.'
    return reason(surface, rule, text, at)


def _elsewhere(subject: Subject, surface: Surface, file: File) -> Iterator[VisibilityReason]:
    """Yield why a list of the sessions of the session's own directory does not have it."""
    directory, cwd = subject.directory_of(file), file.transcript.cwd
    if directory is not None:
        if is_folder_gone(directory):
            yield reason(surface, "folder-gone", f"{directory} is not there any more.")
    elif cwd is not None:
        detail = f"It was begun in {cwd}, and lies in {file.folder}, which is the folder of another directory"
        of = subject.places.directory_of(file.transcript)
        yield reason(surface, "other-folder", f"{detail}{f', {of}' if of else ''}.")


def _running(subject: Subject) -> Iterator[VisibilityReason]:
    if subject.name is None or not subject.files:
        return
    folders = [Path(root).parent for root in subject.inventory.projects]
    for session in live_sessions(*folders):
        if session.session_id.lower() == subject.name:
            detail = f"Process {session.pid} runs it ({session.path})."
            yield reason("terminal", "running", detail)


def _how_to_open(subject: Subject, verdict: SurfaceVerdict) -> Iterator[str]:
    names, directory = {one.rule.name for one in verdict.reasons}, _directory(subject)
    if verdict.shown == "shown" and directory is not None:
        yield f"It is listed where `claude --resume` is started in {directory}."
    elif names == {"programmatic"} and directory is not None:
        yield f"`claude --resume {subject.name}`, started in {directory}, opens it all the same."
    elif names <= {"other-folder", "folder-gone"}:
        yield "Ctrl+A in the picker lists it."
        if subject.cwd is not None:
            yield (
                "If the project is in another folder now, `sessscan move OLD NEW` takes its sessions there; "
                f"OLD is {subject.cwd}."
            )


def _directory(subject: Subject) -> str | None:
    """Return the directory whose list the session is in."""
    named = (subject.directory_of(file) for file in subject.files if file.in_project_folder)
    return next((directory for directory in named if directory is not None), None)


def _with_remarks(verdict: SurfaceVerdict, remarks: tuple[str, ...]) -> SurfaceVerdict:
    return SurfaceVerdict(verdict.surface, verdict.shown, verdict.reasons, (*verdict.remarks, *remarks))
