"""Check that the files that the documentation gives for a watch at login are what each system takes."""

from __future__ import annotations

import configparser
import plistlib
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.program import run

PAGE = Path(__file__).parent.parent / "python/docs/watch-and-services.md"


def block(language: str) -> str:
    section = PAGE.read_text(encoding="utf-8").partition("## Run it at login")[2].partition("\n## ")[0]
    [found] = re.findall(rf"^```{language}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    return str(found)


def check(env: dict[str, str], arguments: list[str]) -> None:
    """Whether the command line is one that sessscan takes."""
    program, command, *options = arguments
    assert re.split(r"[/\\]", program)[-1] in ("sessscan", "sessscan.exe") and command == "watch"
    usage = run(env, "watch", "--help").stdout
    assert options and all(option in usage for option in options)


def test_launchd(env: dict[str, str]) -> None:
    job = plistlib.loads(block("xml").encode())
    check(env, job["ProgramArguments"])
    assert job["RunAtLoad"] is True and job["KeepAlive"] == {"SuccessfulExit": False}


def test_systemd(env: dict[str, str], tmp_path: Path) -> None:
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(block("ini"))
    check(env, shlex.split(unit["Service"]["ExecStart"]))
    assert unit["Install"]["WantedBy"] == "default.target"
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze; the rest holds")
    path = tmp_path / "sessscan-watch.service"
    path.write_text(block("ini").replace("%h/.local/bin/sessscan", sys.executable))
    runtime = {**env, "XDG_RUNTIME_DIR": str(tmp_path)}
    result = subprocess.run(
        ["systemd-analyze", "--user", "verify", str(path)],
        capture_output=True, text=True, env=runtime, timeout=60, check=False,
    )  # fmt: skip
    if result.returncode and path.name not in result.stderr:
        pytest.skip(f"systemd-analyze does not work here: {result.stderr}")
    assert result.returncode == 0 and path.name not in result.stderr


def test_task_scheduler(env: dict[str, str]) -> None:
    script = block("powershell")
    [(program, arguments)] = re.findall(r"-Execute '([^']+)' -Argument '([^']+)'", script)
    check(env, [program, *arguments.split()])
    assert (
        "-AtLogOn" in script and "-ExecutionTimeLimit ([TimeSpan]::Zero)" in script
    )  # else it ends after 3 days
