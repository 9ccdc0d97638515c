"""Hold what an SDK and sessscan say of whole stores together: each difference must be of a known kind."""

from __future__ import annotations

import os
import re
import shutil
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

import sessscan
from support import reference

END = 65_536
"""Bytes that the SDKs read of either end of a file."""


def real_files() -> list[Path]:
    """Return the real transcripts in the folder that SESSSCAN_CORPUS names."""
    corpus = os.environ.get("SESSSCAN_CORPUS")
    return sorted(Path(corpus).rglob("*.jsonl")) if corpus else []


def copy_real_files(projects: Path) -> list[Path]:
    """Copy the real transcripts into project folders, each under a uuid and with a time of its own."""
    copies = []
    for number, file in enumerate(real_files()):
        try:
            name = str(uuid.UUID(file.stem))
        except ValueError:
            name = str(uuid.uuid5(uuid.NAMESPACE_URL, file.as_posix()))
        copy = projects / re.sub("[^A-Za-z0-9]", "-", str(file.parent)) / f"{name}.jsonl"
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
        os.utime(copy, (1_700_000_000 + number,) * 2)
        copies.append(copy)
    return copies


def unexplained(path: Path, theirs: dict[str, Any] | None, ours: sessscan.SessionInfo | None) -> list[str]:
    """Return the fields of one session in which they differ, and not by one of the reasons in `docs/sdk.md`.

    Where they differ, sessscan must say what a full parse of each line gives, and the SDK what it would find
    at either end of the file.
    """
    exact = reference.scan(path)
    text = path.read_bytes()
    ends = (text[:END] + b"\n" + text[-END:]).decode("utf-8", "replace")
    if theirs is None or ours is None:
        return [] if theirs is ours is None or _is_seen_otherwise(exact, ends) else ["listed"]
    return [
        name
        for name, said in theirs.items()
        if said != getattr(ours, name) and not _is_known(name, said, getattr(ours, name), exact, ends)
    ]


def _is_seen_otherwise(exact: dict[str, Any], ends: str) -> bool:
    """Tell whether an SDK may list a session that sessscan hides, or the other way round."""
    hidden = exact["is_sidechain"] or '"isSidechain":true' in ends.split("\n", 1)[0]
    no_summary = exact["title"] is None and '"summary":"' in ends
    beyond_the_ends = exact["title"] is not None and exact["size"] > 2 * END
    return bool(hidden or no_summary or beyond_the_ends)


def _is_known(name: str, said: Any, ours: Any, exact: dict[str, Any], ends: str) -> bool:
    if name == "created_at":
        times = re.findall(r'"timestamp": ?"([^"]+)"', ends)
        first = datetime.fromisoformat(times[0]).timestamp() * 1000 if times else None
        return bool(ours == exact["created_at"] and first is not None and abs(said - first) <= 1)
    if name in ("cwd", "git_branch", "tag"):
        return bool(ours == exact[name])
    given = exact["custom_title"] or exact["ai_title"]
    if name == "custom_title":
        return bool(ours == given)
    first = _is_exact_prompt(ours, exact)
    if name == "first_prompt":
        return first
    return name == "summary" and (ours in (given, exact["last_prompt"], exact["summary"]) or first)


def _is_exact_prompt(ours: str | None, exact: dict[str, Any]) -> bool:
    prompt = exact["first_prompt"]
    if prompt is None or ours is None:
        return bool(ours == exact["first_command"])
    folded = " ".join(ours.removesuffix("…").split())
    return bool(prompt.startswith(folded) or ours.startswith("/"))
