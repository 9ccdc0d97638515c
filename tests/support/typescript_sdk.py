"""Call the official TypeScript SDK, if Node and the package are there.

`.ci/lane-readers` installs the package into `target/readers`.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

PACKAGE = (
    Path(__file__).parents[2] / "target" / "readers" / "node_modules" / "@anthropic-ai" / "claude-agent-sdk"
)
VERSION = "0.3.332"

Info = dict[str, Any]


def why_not() -> str | None:
    """Return why the SDK cannot be called here; None if it can."""
    if shutil.which("node") is None:
        return "there is no Node"
    if not (PACKAGE / "sdk.mjs").is_file():
        return "the package is not installed: run .ci/lane-readers"
    version = json.loads((PACKAGE / "package.json").read_text(encoding="utf-8"))["version"]
    return None if version == VERSION else f"the package has version {version}, not {VERSION}"


needed = pytest.mark.skipif(why_not() is not None, reason=f"TypeScript SDK: {why_not()}")
"""Skips a test where the SDK cannot be called."""


def call(*calls: tuple[str, list[Any]]) -> list[Any]:
    """Return what each call of the SDK gives: its function's name and arguments."""
    return _run("list_sessions.mjs", calls)


def session_messages(ids: list[str]) -> list[list[tuple[str, str]] | str]:
    """Return the type and uuid of each message that `getSessionMessages` gives; a text where it fails."""
    found = _run("session_messages.mjs", ids)
    return [one if isinstance(one, str) else [(kind, uuid) for kind, uuid in one] for one in found]


def _run(script: str, given: object) -> list[Any]:
    done = subprocess.run(
        ["node", str(Path(__file__).with_name(script)), str(PACKAGE / "sdk.mjs")],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    results: list[Any] = json.loads(done.stdout)
    return results


def list_sessions(**options: Any) -> list[Info]:
    """Return what `listSessions` gives, with Python's names of the fields."""
    [found] = call(("listSessions", [options]))
    return [_named(info) for info in found]


def get_session_infos(ids: list[str]) -> list[Info | None]:
    """Return what `getSessionInfo` gives for each id."""
    found = call(*(("getSessionInfo", [one]) for one in ids))
    return [None if info is None else _named(info) for info in found]


def _named(info: Info) -> Info:
    return {
        re.sub("[A-Z]", lambda found: f"_{found[0].lower()}", name): value for name, value in info.items()
    }
