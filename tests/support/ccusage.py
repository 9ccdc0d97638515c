"""Call ccusage, if Node and the package are there: the program that most people count their tokens with.

`.ci/lane-readers` installs the package into `target/readers`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PACKAGE = Path(__file__).parents[2] / "target" / "readers" / "node_modules" / "ccusage"
VERSION = "18.0.11"

KINDS = {
    "inputTokens": "input_tokens",
    "outputTokens": "output_tokens",
    "cacheCreationTokens": "cache_creation_input_tokens",
    "cacheReadTokens": "cache_read_input_tokens",
}
"""ccusage's names of the kinds of tokens, and ours."""


def why_not() -> str | None:
    """Return why ccusage cannot be called here; None if it can."""
    if shutil.which("node") is None:
        return "there is no Node"
    if not (PACKAGE / "dist" / "index.js").is_file():
        return "the package is not installed: run .ci/lane-readers"
    version = json.loads((PACKAGE / "package.json").read_text(encoding="utf-8"))["version"]
    return None if version == VERSION else f"the package has version {version}, not {VERSION}"


needed = pytest.mark.skipif(why_not() is not None, reason=f"ccusage: {why_not()}")
"""Skips a test where ccusage cannot be called."""


def call(config: Path, report: str, zone: str = "UTC") -> Any:
    """Return what a report of ccusage says of the transcripts in `config/projects`; [] if that is nothing."""
    done = subprocess.run(
        ["node", str(PACKAGE / "dist" / "index.js"), report, "--json", "--offline", "--timezone", zone],
        env={**os.environ, "CLAUDE_CONFIG_DIR": str(config), "LOG_LEVEL": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def tokens(entry: dict[str, Any]) -> dict[str, int]:
    """Return the tokens of one entry of a report, under our names."""
    return {ours: entry[theirs] for theirs, ours in KINDS.items()}


def by_model(entries: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, int]]]:
    """Yield the model and the tokens of each breakdown."""
    for entry in entries:
        for breakdown in entry["modelBreakdowns"]:
            yield breakdown["modelName"], tokens(breakdown)
