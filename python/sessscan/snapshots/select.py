"""Which row and which moment the user means."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from pathlib import Path

from ..stores.rows import bare_id
from .store import Kept, Version

_ENOUGH = 4
"""Characters by which a session may be called, if no other begins so."""

_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_MINUTE = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d")
_FRACTION = re.compile(r"(:\d\d)\.(\d{1,9})")


def row(rows: Sequence[Kept], name: str) -> Kept:
    """The row that `name` means: a path, a file name, a session id, or the beginning of one.

    Raises `ValueError`, with a text for the user, where nothing is kept of it, or it may be several.
    """
    absolute = Path(name).absolute()
    physical = str(absolute.parent.resolve() / absolute.name)
    for kept in rows:
        if kept.path == physical:
            return kept
    wanted = bare_id(Path(name).name.removesuffix(".json")) if Path(name).name == name else ""
    found = [kept for kept in rows if wanted and bare_id(kept.session_id) == wanted]
    if not found and len(wanted) >= _ENOUGH:
        found = [kept for kept in rows if bare_id(kept.session_id).startswith(wanted)]
    if not found:
        raise ValueError(f"there is no snapshot of a row {name}: `sessscan snapshots` lists what there is")
    if len(found) > 1:
        paths = ", ".join(kept.path for kept in found[:5])
        raise ValueError(f"{name} may be one of {len(found)} rows; give the path: {paths}")
    return found[0]


def moment(text: str) -> int:
    """The end of the moment that `text` names, epoch ms: a time of RFC 3339, a date, or epoch ms.

    A time without a zone is UTC, as all times that are shown. A date is that whole day, a time without
    seconds that whole minute. Raises `ValueError`.
    """
    text = text.strip()
    if text.isascii() and text.isdigit():
        return int(text)
    whole = datetime.timedelta(milliseconds=1)
    if _DATE.fullmatch(text):
        whole = datetime.timedelta(days=1)
    elif not _FRACTION.search(text):
        plain = _MINUTE.match(text)
        whole = datetime.timedelta(minutes=1) if plain and text[plain.end() :][:1] != ":" else _SECOND
    try:
        time = datetime.datetime.fromisoformat(_FRACTION.sub(_six_digits, text.removesuffix(" UTC")))
        if time.tzinfo is None:
            time = time.replace(tzinfo=datetime.UTC)
        return (time + whole - _EPOCH) // datetime.timedelta(milliseconds=1) - 1
    except (ValueError, OverflowError):
        raise ValueError(
            f"{text!r} is no time: give one such as 2026-11-25T08:30:00Z, a date such as 2026-11-25, or "
            "milliseconds since 1970"
        ) from None


_SECOND = datetime.timedelta(seconds=1)
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def _six_digits(match: re.Match[str]) -> str:
    return f"{match[1]}.{match[2][:6]}"


def version(versions: Sequence[Version], at: int | None) -> Version:
    """The version of a row that stood at a time (epoch ms); without one the newest. `versions`: newest first.

    A row stood from when its file was written, as far as that lies after the snapshot before; else from when
    the snapshot was taken. Raises `ValueError` for a time before the first.
    """
    if at is None:
        return versions[0]
    for number, found in enumerate(versions):
        before = versions[number + 1].taken_at + 1 if number + 1 < len(versions) else 0
        written = found.modified_ns // 1_000_000
        if max(before, min(written, found.taken_at)) <= at:
            return found
    oldest = versions[-1]
    first = datetime.datetime.fromtimestamp(
        min(oldest.modified_ns // 1_000_000, oldest.taken_at) / 1000, datetime.UTC
    )
    raise ValueError(
        f"the oldest snapshot of {oldest.session_id} has it as it was from {first:%Y-%m-%d %H:%M:%S} UTC on"
    )
