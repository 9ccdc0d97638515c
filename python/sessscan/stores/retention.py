"""Tell how long the CLI keeps transcripts, as far as its settings say.

The CLI deletes a transcript that was not written for `cleanupPeriodDays` (30). Since 2.1.248 it keeps what
the desktop app and Cowork made at any age, unless `desktopSessionCleanupPeriodDays` is set, or managed
settings set `cleanupPeriodDays`. A settings file that cannot be read, for which a byte order mark is enough,
pauses or resets the rule; which of the two is not known (FORMATS section 4).
"""

from __future__ import annotations

import codecs
import json
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import _core
from .opening import open_stream
from .transcripts import DESKTOP

DEFAULT_DAYS = 30
KEEPS_DESKTOP = (2, 1, 248)
"""The first version of the CLI that keeps what the app made."""

_DAY = 86_400_000
_LARGEST = 1 << 20
"""Bytes of a settings file that are read; the real ones have a few kilobytes."""
_CLI, _DESKTOP = "cleanupPeriodDays", "desktopSessionCleanupPeriodDays"
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class Retention:
    """How long the transcripts under one root are kept after their last write."""

    days: float | None
    """None where it is not known."""
    desktop_days: float | None
    """The same for what the app made; None where that is kept at any age, or it is not known."""
    is_known: bool
    """Whether all settings files that count could be read."""
    source: str
    """What is known, and which files say so, in words that follow "transcripts are kept for"."""

    def due(self, transcript: _core.Transcript, modified: int) -> int | None:
        """Return when a transcript last written at `modified` will be deleted, epoch ms; None for never, and
        where that is not known."""
        days = self.desktop_days if is_the_apps(transcript) else self.days
        return None if days is None else modified + round(days * _DAY)


def is_the_apps(transcript: _core.Transcript) -> bool:
    """Tell whether the CLI counts a transcript as made by the app: it was begun there, or last used there."""
    return DESKTOP in (transcript.born_in, transcript.entrypoint)


def retention(
    root: str, transcripts: Iterable[_core.Transcript] = (), *, managed: str | None = None
) -> Retention:
    """Return how long the transcripts under `root` are kept.

    `transcripts`: they tell which version of the CLI is in use. `managed`: the managed settings file, by
    default where this platform has it. Raises nothing.
    """
    own = Path(root).parent / "settings.json"
    user, user_problem = _settings(own)
    policy, policy_problem = _settings(Path(managed or managed_settings(sys.platform)))
    problem = policy_problem or user_problem
    if problem is not None:
        return Retention(
            None, None, False, f"a time that is not known: {problem}, which may pause or reset the rule"
        )
    setting = policy if _CLI in policy else user
    days, stated = _days(setting, _CLI)
    desktop, desktop_stated = _days(policy if _DESKTOP in policy else user, _DESKTOP)
    if not stated or not desktop_stated:
        name = _DESKTOP if stated else _CLI
        return Retention(
            None,
            None,
            False,
            f"a time that is not known: {name} in {own} is no number of days, and may not count",
        )
    file = managed or managed_settings(sys.platform) if setting is policy and _CLI in policy else str(own)
    words = f"{_counted(DEFAULT_DAYS)}, the default: "
    words += f"{own} does not say otherwise" if own.exists() else f"there is no {own}"
    if days is not None:
        words = f"{_counted(days)}: {_CLI} in {file}"
    period = DEFAULT_DAYS if days is None else days
    if desktop is not None:
        return Retention(
            period, desktop, True, f"{words}; what the app made for {_counted(desktop)}: {_DESKTOP}"
        )
    if _CLI in policy or not _keeps_desktop(transcripts):
        return Retention(period, period, True, words)
    return Retention(period, None, True, f"{words}; what the app made is kept at any age")


def managed_settings(platform: str) -> str:
    """Return where an administrator's settings lie. `platform` is a `sys.platform`."""
    if platform == "darwin":
        return "/Library/Application Support/ClaudeCode/managed-settings.json"
    if platform == "win32":
        return "C:\\Program Files\\ClaudeCode\\managed-settings.json"
    return "/etc/claude-code/managed-settings.json"


def _settings(file: Path) -> tuple[dict[str, Any], str | None]:
    """Return the settings in a file, none where it is not there; and why it may not count."""
    try:
        with open_stream(str(file), follow=True) as stream:
            data = stream.read(_LARGEST + 1)
    except (FileNotFoundError, NotADirectoryError):
        return {}, None
    except OSError as error:
        return {}, f"{file} cannot be read ({error.strerror or error})"
    if data.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return {}, f"{file} begins with a byte order mark"
    try:
        settings = json.loads(data) if len(data) <= _LARGEST else None
    except (ValueError, RecursionError):
        settings = None
    return (settings, None) if isinstance(settings, dict) else ({}, f"{file} is not a JSON object")


def _days(settings: dict[str, Any], name: str) -> tuple[float | None, bool]:
    """Return a number of days, None where it is not set; and whether it makes sense."""
    if name not in settings:
        return None, True
    days = settings[name]
    if isinstance(days, bool) or not isinstance(days, int | float) or not 0 <= days < 1e6:
        return None, False
    return days, True


def _keeps_desktop(transcripts: Iterable[_core.Transcript]) -> bool:
    """Tell whether the CLI in use keeps what the app made: the newest version that wrote any transcript."""
    versions = (_VERSION.match(one.version or "") for one in transcripts)
    newest = max((tuple(map(int, match.groups())) for match in versions if match is not None), default=None)
    return newest is not None and newest >= KEEPS_DESKTOP


def _counted(days: float) -> str:
    return f"{days:,g} day{'' if days == 1 else 's'}"
