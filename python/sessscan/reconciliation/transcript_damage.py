"""Say what is wrong with a transcript: with its bytes, and with the conversation that it holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from .. import _core
from ..model import Finding
from ..rules import finding
from ..scan_cache.conversations import ConversationCheck, Place
from ..stores.transcripts import path_of
from .naming import of_transcript


def damaged_transcript(
    transcript: _core.Transcript, check: ConversationCheck | None = None
) -> Iterator[Finding]:
    """Yield the finding about a transcript's bytes, if some are damaged."""
    if not is_damaged(transcript) and (transcript.records or not transcript.size):
        return
    message, offset, length = _damage(transcript, is_cut=check is not None and check.damaged > 0)
    path = path_of(transcript)
    yield finding(
        "damaged-transcript",
        path,
        message,
        transcript=path,
        offset=offset,
        length=length,
        about=of_transcript(transcript),
    )


def broken_chain(transcript: _core.Transcript, check: ConversationCheck) -> Iterator[Finding]:
    """Yield the finding about messages that cannot be reached, if there are any."""
    if check.damaged:
        whole = check.reached + check.damaged
        message = (
            f"{check.reached:,} of {whole:,} messages can be reached. The other {check.damaged:,} are in the "
            "file, but "
        )
        if check.cut is None:
            message += "on lines that the CLI and the SDKs do not read."
        else:
            message += f"the record in line {check.cut[0]:,} follows one that is not found."
        message += " `sessscan repair` shows how many it can give back."
        yield _of_conversation("broken-chain", transcript, message, check.cut)


def unpaired_call(transcript: _core.Transcript, check: ConversationCheck) -> Iterator[Finding]:
    """Yield the finding about calls and results that lost their other half, if there are any."""
    if check.first_unpaired is not None:
        message = (
            f"{_counted(check.unpaired)} a tool's call without its result, or a result without its call; the "
            f"first is in line {check.first_unpaired[0]:,}. The API refuses such a conversation."
        )
        yield _of_conversation("unpaired-call", transcript, message, check.first_unpaired)


def refused_content(transcript: _core.Transcript, check: ConversationCheck) -> Iterator[Finding]:
    """Yield the finding about what the API refuses in messages, if there is anything."""
    if check.first_refused is not None:
        message = (
            f"{_counted(check.refused)} a blank text, empty thinking, a NUL, half of a surrogate pair or an "
            f"image that is too large; the first is in line {check.first_refused[0]:,}. The API refuses such "
            "a conversation."
        )
        yield _of_conversation("refused-content", transcript, message, check.first_refused)


def is_damaged(transcript: _core.Transcript) -> bool:
    """Tell whether a transcript has a defect other than a torn last line, which may just be being written, or
    no record beside it."""
    defects = transcript.defects
    return bool(defects) and (transcript.records == 0 or any(defect.kind != "torn" for defect in defects))


def _damage(transcript: _core.Transcript, *, is_cut: bool) -> tuple[str, int, int]:
    """Return what is wrong with a damaged transcript, and the offset and length of the first such place.

    `is_cut`: messages of it cannot be reached.
    """
    if transcript.records == 0:
        return (
            "Nothing readable is left of it: it holds no whole record, so the session cannot be opened.",
            0,
            transcript.size,
        )
    defects = [defect for defect in transcript.defects if defect.kind != "torn"]
    first = defects[0]
    kinds = Counter(defect.kind for defect in defects)
    counted = ", ".join(f"{kind} {count:,} times" if count > 1 else kind for kind, count in kinds.items())
    if more := transcript.defect_count - len(transcript.defects):
        counted += f", and {more:,} more places"
    rest = "messages cannot be reached because of that" if is_cut else "the rest is whole"
    message = f"Parts of it are damaged ({counted}; the first in line {first.line}); {rest}."
    if first.kind == "utf-16":
        message = (
            "It is in UTF-16, as PowerShell writes files: its content is whole, but the CLI reads UTF-8."
        )
    return message, first.offset, first.length


def _counted(count: int) -> str:
    return "One message has" if count == 1 else f"{count:,} messages have"


def _of_conversation(rule: str, transcript: _core.Transcript, message: str, place: Place | None) -> Finding:
    path = path_of(transcript)
    _, offset, length = place or (0, 0, transcript.size)
    about = of_transcript(transcript)
    return finding(rule, path, message, transcript=path, offset=offset, length=length, about=about)
