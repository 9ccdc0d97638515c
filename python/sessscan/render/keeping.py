"""Print the transcripts that are kept, and what is done with them, as text or JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from ..changes.plan import Plan, Report
from ..keeping.capture import TranscriptsReport
from ..keeping.forget import Forgotten
from ..keeping.select import KeptTranscript
from ..keeping.store import TranscriptVersion
from .screen import Page
from .text import command, counted, moment, reasons, size, when

SCHEMA = "sessscan.kept-transcripts/1"

FAINT, TYPE = "dim", "cyan"


def print_snapshot(report: TranscriptsReport) -> None:
    """Print what `sessscan snapshot --transcripts` did."""
    page = Page()
    if not report.transcripts:
        page.prose("There are no transcripts here.", style="bold")
        page.prose("If they lie elsewhere, say where: --projects DIR.")
        return
    new = counted(len(report.kept), "transcript has changed and was", "transcripts have changed and were")
    page.prose(f"{new} kept; {report.unchanged:,} had not changed.", style="bold")
    page.prose(f"All that is kept takes {size(report.size)}, in {report.folder}.")
    if report.passed_over:
        many = counted(len(report.passed_over), "transcript was", "transcripts were")
        page.prose(f"{many} passed over ({reasons(report.passed_over)}): older versions of them stay.")


def transcripts_document(found: Sequence[KeptTranscript], taken: int) -> dict[str, Any]:
    """Return the transcripts that are kept as a JSON object, schema `sessscan.kept-transcripts/1`.

    `taken`: the bytes that all of it takes.
    """
    return {
        "schema": SCHEMA,
        "bytes_kept": taken,
        "transcripts": [
            {
                "path": kept.path,
                "session_id": kept.session_id,
                "versions": kept.versions,
                "contents": kept.contents,
                "stored": kept.stored,
                "gone": kept.gone,
                "newest": _version(kept.newest),
            }
            for kept in found
        ],
    }


def print_transcripts(found: Sequence[KeptTranscript], taken: int) -> None:
    """Print every transcript that is kept, by folder. `taken`: the bytes that all of it takes."""
    page = Page()
    if not found:
        page.prose("No transcripts are kept: `sessscan snapshot --transcripts` keeps them.")
        return
    folder = None
    for kept in found:
        path = PurePath(kept.path)
        if path.parent != folder:
            if folder is not None:
                page.gap()
            folder = path.parent
            page.whole(str(folder), style=FAINT)
        gone = "; gone" if kept.gone else ""
        page.prose(
            f"{kept.session_id}, {size(kept.newest.size)}{gone}",
            lead=f"{when(kept.newest.taken_at)}  ",
            indent=2,
        )
        versions = counted(kept.versions, "version")
        if kept.contents > 1:
            versions += f", rewritten {counted(kept.contents - 1, 'time')}"
        page.whole(f"{versions}, takes {size(kept.stored)}", indent=20, style=FAINT)
    page.gap()
    gone_count = sum(kept.gone for kept in found)
    total = sum(kept.newest.size for kept in found)
    page.prose(
        f"{counted(len(found), 'transcript')} of {size(total)} kept, {gone_count:,} of them gone from their "
        f"folder. All that is kept takes {size(taken)}. Times are UTC. To see the versions of one:"
    )
    page.whole(command(["sessscan", "snapshots", "--transcripts", found[0].session_id]), indent=2, style=TYPE)


def versions_document(versions: Sequence[TranscriptVersion]) -> dict[str, Any]:
    """Return the versions of one transcript, newest first, as a JSON object of the same schema."""
    first = versions[0]
    entries = [_version(version) for version in versions]
    return {"schema": SCHEMA, "path": first.path, "session_id": first.session_id, "versions": entries}


def print_versions(versions: Sequence[TranscriptVersion]) -> None:
    """Print the versions of one transcript, newest first."""
    page = Page()
    page.prose(versions[0].session_id, style="bold")
    page.whole(versions[0].path, style=FAINT)
    page.gap()
    for number, version in enumerate(versions):
        older = versions[number + 1] if number + 1 < len(versions) else None
        how = "first kept" if older is None else "grew" if older.content == version.content else "rewritten"
        page.whole(f"{moment(version.taken_at)} UTC, {size(version.size)}, {how}", indent=2)
    page.gap()
    page.prose("To put a version back:")
    wanted = versions[min(1, len(versions) - 1)]
    time = f"{moment(wanted.taken_at).replace(' ', 'T')}Z"
    page.whole(command(["sessscan", "restore", wanted.path, "--at", time]), indent=2, style=TYPE)


def verified_document(problems: Sequence[str]) -> dict[str, Any]:
    """Return what is wrong with what is kept as a JSON object, schema `sessscan.verify/1`."""
    return {"schema": "sessscan.verify/1", "problems": list(problems)}


def print_verified(problems: Sequence[str]) -> None:
    """Print what is wrong with what is kept."""
    page = Page()
    if not problems:
        page.prose("All that is kept was read, and is whole.", style="bold")
        return
    page.prose(f"{counted(len(problems), 'problem')} in what is kept:", style="bold")
    for problem in problems:
        page.prose(problem, lead="! ", indent=2)


def print_forgotten(done: Forgotten) -> None:
    """Print what `sessscan forget` removed."""
    page = Page()
    if not (done.versions or done.rows or done.runs):
        page.prose(f"Nothing was kept of {done.session_id}.", style="bold")
        return
    parts = [counted(done.versions, "version of its transcript", "versions of its transcript")]
    parts += [counted(len(done.rows), "row's snapshots", "rows' snapshots")] if done.rows else []
    parts += [counted(len(done.runs), "journal")] if done.runs else []
    page.prose(f"{done.session_id} is forgotten: {', '.join(parts)} removed.", style="bold")


def print_transcript_restoration(
    version: TranscriptVersion, before: int | None, outcome: Plan | Report, again: Sequence[str]
) -> None:
    """Print what would be, or was, done to one transcript.

    `version`: what it is put back to. `before`: the bytes it had before; None: it was gone. `again`: the
    command that was called.
    """
    page = Page()
    taken = f"{moment(version.taken_at)} UTC"
    if not outcome.actions:
        page.prose(
            f"The transcript is as it was kept at {taken}: there is nothing to put back.", style="bold"
        )
        page.whole(version.path, style=FAINT)
        page.prose("To see older versions:")
        page.whole(
            command(["sessscan", "snapshots", "--transcripts", version.session_id]), indent=2, style=TYPE
        )
        return
    [action] = outcome.actions
    headlines = {
        "planned": "The transcript can be put back",
        "applied": "The transcript was put back",
        "refused": "The transcript was not put back",
        "failed": "The transcript could not be put back",
    }
    page.prose(f"{headlines[action.status]}, as it was kept at {taken}.", style="bold")
    page.whole(version.path, style=FAINT)
    if action.error is not None:
        page.prose(action.error, lead="! ", indent=2)
    was = "it was gone" if before is None else f"it had {size(before)}"
    is_gone = "it is gone" if before is None else f"it has {size(before)}"
    page.prose(
        f"{size(version.size)}; before, {was}"
        if action.status == "applied"
        else f"{size(version.size)}; now {is_gone}",
        indent=2,
    )
    page.gap()
    if action.status == "planned":
        page.prose("Nothing has been changed. Put the transcript back with:")
        page.whole(command([*again, "--apply"]), indent=2, style=TYPE)
    elif action.status == "applied":
        page.prose("To take this back:")
        page.whole(command(["sessscan", "undo", str(outcome.run)]), indent=2, style=TYPE)


def _version(version: TranscriptVersion) -> dict[str, Any]:
    return {
        "taken_at": version.taken_at,
        "modified_at": version.modified_ns // 1_000_000,
        "size": version.size,
        "content": version.content,
    }
