"""List what lies in the project folders: transcripts, and what the app and the CLI leave beside them.

Each folder is listed once, and what its names say is kept, so that no later stage needs to look for a file
that may be there. Links to project folders and to transcripts are followed, each real folder and file once.
"""

from __future__ import annotations

import os
import re
import stat
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from .locate import TRANSCRIPT_NAME, entries, is_file, is_folder, is_new, leads_to_folder, real_path

INDEX_NAME = "sessions-index.json"
RELEASED = ".desktop-released.json"
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True)
class Listing:
    """What lies under the projects' roots. Ids are in small letters."""

    transcripts: list[str] = field(default_factory=list)
    """In order of folder and name; those behind links and those in `misplaced` come last."""
    misplaced: set[str] = field(default_factory=set)
    """Those that do not lie directly in a project folder, where the app and the CLI look for them: one level
    too deep, or in the root itself."""
    indexes: list[str] = field(default_factory=list)
    """The legacy `sessions-index.json` files beside them."""
    released: list[tuple[str, str]] = field(default_factory=list)
    """The folder and the name of each transcript that has a `<uuid>.desktop-released.json`."""
    session_folders: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """By transcript id the folders `<uuid>/`, in which helpers and tools leave files."""
    set_aside: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """By transcript id other files whose names begin with it: transcripts set aside, copies."""
    errors: list[OSError] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    """The project folders."""
    aliases: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """By project folder the other names that lead to it: links beside it."""
    without_transcripts: list[str] = field(default_factory=list)
    """Those in which there is no transcript (any more)."""


@dataclass
class _Pending:
    """What is looked at once all project folders are listed."""

    folders: list[str] = field(default_factory=list)
    """Folders in project folders."""
    links: list[os.DirEntry[str]] = field(default_factory=list)
    """Links named as transcripts are."""
    seen: set[tuple[int, int] | str] = field(default_factory=set)
    """The real folders that were listed."""


def list_transcripts(roots: Iterable[str]) -> Listing:
    """Return every `<uuid>.jsonl` in a project folder under `roots`, or in a root that is one, and what lies
    beside them.

    A transcript that lies one level too deep, or in the root of the project folders, is listed where no
    transcript of its name lies in its place.
    """
    listing, pending = Listing(), _Pending()
    strays: list[str] = []
    first: dict[str, str] = {}
    for root in roots:
        if not is_new(root, pending.seen):
            continue
        found: list[str] = []
        folders = _list(root, listing, pending, found)
        if found and Path(root).name != "projects":
            listing.folders.append(root)
            listing.transcripts.extend(found)
            pending.folders.extend(folders)
            continue
        strays += found
        for folder in folders:
            if is_new(folder, pending.seen):
                listing.folders.append(folder)
                first[real_path(folder)] = folder
                found = []
                pending.folders.extend(_list(folder, listing, pending, found))
                listing.transcripts.extend(found)
                if not found:
                    listing.without_transcripts.append(folder)
            elif (other := first.get(real_path(folder))) is not None:
                listing.aliases[other].append(folder)
    _follow_links(listing, pending.links)
    for folder in pending.folders:
        if is_new(folder, pending.seen):
            for entry in entries(folder, listing.errors):
                if TRANSCRIPT_NAME.fullmatch(entry.name) and is_file(entry):
                    strays.append(entry.path)
    if strays:
        known = {_name(path) for path in listing.transcripts}
        misplaced = [path for path in sorted(strays) if _name(path) not in known]
        listing.misplaced.update(misplaced)
        listing.transcripts.extend(misplaced)
    return listing


def _list(path: str, listing: Listing, pending: _Pending, transcripts: list[str]) -> list[str]:
    """Add the files of one folder to `listing`, and its transcripts to `transcripts`, sorted.

    Returns its folders, those of single sessions aside, the real ones before the links.
    """
    folders: list[str] = []
    linked: list[str] = []
    for entry in entries(path, listing.errors):
        name = entry.name
        if TRANSCRIPT_NAME.fullmatch(name):
            if is_file(entry):
                transcripts.append(entry.path)
            elif entry.is_symlink():
                pending.links.append(entry)
            continue
        begins = _UUID.match(name)
        if is_file(entry):
            if name == INDEX_NAME:
                listing.indexes.append(entry.path)
            elif begins is not None and name[begins.end() :] == RELEASED:
                listing.released.append((path, begins[0]))
            elif begins is not None:
                listing.set_aside[begins[0].lower()].append(entry.path)
        elif (real := is_folder(entry)) or leads_to_folder(entry, listing.errors):
            if begins is not None and begins.end() == len(name):
                listing.session_folders[name.lower()].append(entry.path)
            else:
                (folders if real else linked).append(entry.path)
    transcripts.sort()
    return sorted(folders) + sorted(linked)


def _follow_links(listing: Listing, links: Iterable[os.DirEntry[str]]) -> None:
    """Add the transcripts that links lead to, each real file once."""
    links = sorted(links, key=lambda link: link.path)
    if not links:
        return
    real_folders = {folder: real_path(folder) for folder in listing.folders}
    known = {
        os.path.join(real_folders.get(folder, folder), name)  # noqa: PTH118 - there are thousands
        for folder, _, name in (path.rpartition(os.sep) for path in listing.transcripts)
    }
    for link in links:
        try:
            is_regular = stat.S_ISREG(link.stat().st_mode)
        except OSError:
            is_regular = True  # it leads nowhere: reading it will fail, and say why
        real = real_path(link.path)
        if is_regular and real not in known:
            known.add(real)
            listing.transcripts.append(link.path)


def _name(path: str) -> str:
    return path.rpartition(os.sep)[2].lower()
