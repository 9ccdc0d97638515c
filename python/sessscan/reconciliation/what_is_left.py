"""Tell what is left of a transcript that is not there, or that holds no conversation.

Helpers and tools leave files in `<uuid>/`, the CLI keeps versions of files in `file-history/<uuid>/` and a
line of `history.jsonl` for each prompt, and the app and the CLI set transcripts aside (FORMATS section 4).
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path

from .. import _core
from ..keeping.compare import Loss
from ..model import Row
from ..stores.locate import entries, is_file
from ..stores.opening import open_stream
from ..stores.project_folder import matches_key
from ..stores.transcripts import folder_of, path_of
from .inventory import Inventory
from .kept_transcripts import known_losses, last_whole

LONGEST_LINE = 1 << 20
"""Bytes. A longer line of history.jsonl is passed over: a prompt has kilobytes."""
SHOWN = 3
"""So many files that were set aside are named."""

NEAR = 10_000
"""Ms. A row's times lie so near the first and last line of its transcript, or at most twice as far."""
COMMON = 64
"""What more sessions have in common says nothing of one."""

_SESSION = re.compile(rb'"sessionId"\s*:\s*"([0-9a-fA-F-]{36})"')


class Leftovers:
    """What is left of transcripts. The files are looked at once, when the first is asked for."""

    def __init__(self, inventory: Inventory, more: Iterable[str] = ()) -> None:
        """`more`: the transcripts, besides those that rows name, that may be asked for."""
        self._inventory = inventory
        self._more = more
        self._listing = inventory.listing
        self._configs = tuple(dict.fromkeys(str(Path(root).parent) for root in inventory.projects))

    @cached_property
    def losses(self) -> list[Loss]:
        """What transcripts have lost since they were kept."""
        return known_losses(self._inventory)

    @cached_property
    def _histories(self) -> Mapping[str, list[str]]:
        """By transcript id the folders with versions of files."""
        found: dict[str, list[str]] = defaultdict(list)
        for config in self._configs:
            for entry in entries(str(Path(config, "file-history")), []):
                found[entry.name.lower()].append(entry.path)
        return found

    @cached_property
    def _prompts(self) -> Mapping[str, Counter[str]]:
        """By history.jsonl how many prompts it has of each session whose transcript is not there.

        Only sessions that something of the inventory names are counted, so that the file cannot fill memory.
        """
        known = {
            name.lower()
            for contents in self._inventory.contents
            for row in contents.rows
            if isinstance(name := row.fields.get("cliSessionId"), str)
        }
        known.update(self._inventory.listing.session_folders, self._more)
        found: dict[str, Counter[str]] = {}
        for config in self._configs:
            file = str(Path(config, "history.jsonl"))
            found[file] = Counter(name for name in _sessions_in(file) if name in known)
        return found

    def told(self, name: str) -> Iterator[str]:
        """Yield a sentence that says what is left of the transcript `name`; nothing where nothing is."""
        parts = []
        for folder in self._listing.session_folders.get(name, ()):
            count = _count_files(folder)
            parts.append(f"{folder} with {count:,} file{'s' if count != 1 else ''} of its helpers and tools")
        parts += [f"file versions in {folder}" for folder in self._histories.get(name, ())]
        for file, prompts in self._prompts.items():
            if count := prompts[name]:
                parts.append(f"{f'{count:,}' if count > 1 else 'one'} of its prompts in {file}")
        aside = sorted(self._listing.set_aside.get(name, ()))
        if aside:
            more = f" and {len(aside) - SHOWN:,} more" if len(aside) > SHOWN else ""
            parts.append(f"{', '.join(aside[:SHOWN])}{more}, set aside or copied from it")
        if parts:
            yield f"Left of it: {'; '.join(parts)}."
        yield from (last_whole(loss) for loss in self.losses if loss.whole.session_id == name)


class Unnamed:
    """The sessions without a row, found by the folder, the times and the title that a row states."""

    def __init__(self, orphans: Iterable[_core.Transcript]) -> None:
        self._by_mark: dict[tuple[str, object], list[_core.Transcript]] = defaultdict(list)
        for transcript in orphans:
            for mark in _marks(transcript.created_at, transcript.last_activity_at, transcript.title):
                self._by_mark[mark].append(transcript)

    def fitting(self, row: Row) -> _core.Transcript | None:
        """Return the one session that lies in the folder of a row's directory and agrees with the row in two
        of three: when it began, when it ended, its title."""
        cwd = row.fields.get("cwd")
        if not isinstance(cwd, str) or not cwd or not self._by_mark:
            return None
        agreeing: dict[str, set[str]] = defaultdict(set)
        found: dict[str, _core.Transcript] = {}
        stated = [row.fields.get(key) for key in ("createdAt", "lastActivityAt", "title")]
        for kind, value in _marks(*stated):
            steps = (-1, 0, 1) if isinstance(value, int) else (0,)
            for step in steps:
                alike = self._by_mark.get((kind, value + step if isinstance(value, int) else value), ())
                for transcript in alike if len(alike) <= COMMON else ():
                    found[path_of(transcript)] = transcript
                    agreeing[path_of(transcript)].add(kind)
        fitting = [
            found[path]
            for path, kinds in agreeing.items()
            if len(kinds) > 1 and matches_key(cwd, folder_of(found[path]))
        ]
        return fitting[0] if len(fitting) == 1 else None


def _marks(began: object, ended: object, title: object) -> Iterator[tuple[str, object]]:
    """Yield what a row and a transcript can agree in; a time by the number of the `NEAR` that it lies in."""
    for kind, value in (("began", began), ("ended", ended)):
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15:
            yield kind, int(value) // NEAR
    if isinstance(title, str) and title.strip():
        yield "title", title.strip()


def _sessions_in(path: str) -> Iterator[str]:
    """Yield the session that each prompt in a history.jsonl is from, in small letters."""
    try:
        with open_stream(path, follow=True) as stream:
            whole = True
            while line := stream.readline(LONGEST_LINE):
                begins, whole = whole, line.endswith(b"\n")
                if begins and _SESSION.search(line):
                    try:
                        record = json.loads(line)
                    except (ValueError, RecursionError):
                        continue
                    name = record.get("sessionId") if isinstance(record, dict) else None
                    if isinstance(name, str):
                        yield name.lower()
    except OSError:
        return


def _count_files(folder: str) -> int:
    """Count the files in a session's folder and in the folders in it, three levels deep."""
    count, level = 0, [folder]
    for _ in range(3):
        inner: list[str] = []
        for each in level:
            for entry in entries(each, []):
                if is_file(entry):
                    count += 1
                elif entry.is_dir(follow_symlinks=False):
                    inner.append(entry.path)
        level = inner
    return count
