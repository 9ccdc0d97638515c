"""Ctrl-C and Ctrl-Break, and a process that is terminated, which Windows gives no chance to clean up."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest
import sessscan
from sessscan.changes.undo import undo
from support.program import picture, places
from support.rounds import rounds
from support.system import WINE

pytestmark = [pytest.mark.windows("its signals"), pytest.mark.full]

PRESS = r"""
import ctypes, json, signal, subprocess, sys, time

event, out, ready, command = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:]
ctypes.windll.kernel32.FreeConsole()
if not ctypes.windll.kernel32.AllocConsole():
    sys.exit("no console")
for name in ("SIGINT", "SIGBREAK"):
    signal.signal(getattr(signal, name), lambda *_: None)  # both go to all processes of the console
# Ctrl-Break can be sent to a group, which must be the program's own; Ctrl-C only to all of the console.
flags = subprocess.CREATE_NEW_PROCESS_GROUP if event == 1 else 0
process = subprocess.Popen(
    command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, creationflags=flags
)
seen = b""
if ready:
    while ready.encode() not in seen:
        line = process.stdout.readline()
        if not line:
            break
        seen += line
else:
    time.sleep(float(%(delay)s))
pressed = time.monotonic()
if not ctypes.windll.kernel32.GenerateConsoleCtrlEvent(event, process.pid if event else 0):
    process.kill()
    sys.exit("no event")
rest, _ = process.communicate(timeout=60)
took = time.monotonic() - pressed
with open(out, "w", encoding="utf-8") as file:
    json.dump({"status": process.returncode, "took": took, "text": (seen + rest).decode("utf-8")}, file)
"""
EVENTS = {"Ctrl-C": 0, "Ctrl-Break": 1}


def press(
    key: str, tmp_path: Path, env: dict[str, str], ready: str, delay: float, *arguments: object
) -> dict[str, Any]:
    """Run the program in a console of its own, press the keys, and return what came of it."""
    out = tmp_path / "pressed.json"
    script = tmp_path / "press.py"
    script.write_text(PRESS % {"delay": delay}, encoding="utf-8")
    command = [sys.executable, "-m", "sessscan", *map(str, arguments)]
    driver = subprocess.run(
        [sys.executable, str(script), str(EVENTS[key]), str(out), ready, *command],
        capture_output=True, text=True, env=env, stdin=subprocess.DEVNULL, timeout=180, check=False,
    )  # fmt: skip
    if WINE and driver.returncode and driver.stderr.strip() in ("no console", "no event"):
        pytest.skip(f"wine sends no {key}")
    assert driver.returncode == 0, driver.stderr
    return json.loads(out.read_text(encoding="utf-8"))


@pytest.mark.parametrize("key", EVENTS)
def test_a_scan_is_interrupted(tmp_path: Path, env: dict[str, str], key: str) -> None:
    path = tmp_path / "0a1b2c3d-0000-4000-8000-000000000000.jsonl"
    with path.open("wb") as file:
        file.truncate(40 << 30)  # sparse: zeros, which are scanned like any bytes
    found = press(key, tmp_path, env, "", 6.0, "scan", path)
    assert found["status"] == 130, found
    assert "interrupted" in found["text"] and "Traceback" not in found["text"]
    assert found["took"] < 5


@pytest.mark.parametrize("key", EVENTS)
def test_a_watch_ends_in_good_order(tmp_path: Path, env: dict[str, str], sample: Path, key: str) -> None:
    found = press(key, tmp_path, env, "atching", 0, "watch", *places(sample))
    assert found["status"] in (0, 130), found
    assert "Traceback" not in found["text"]


def test_the_signal_of_ctrl_break_is_an_interrupt(tmp_path: Path, env: dict[str, str]) -> None:
    """As Python gets it, where no console can send it."""
    path = tmp_path / "0a1b2c3d-0000-4000-8000-000000000000.jsonl"
    with path.open("wb") as file:
        file.truncate(40 << 30)
    code = (
        "import signal, sys, threading\n"
        "from sessscan.cli import main\n"
        "threading.Timer(3, signal.raise_signal, [signal.SIGBREAK]).start()\n"
        f"sys.argv = ['sessscan', 'scan', {str(path)!r}]\n"
        "main()\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, timeout=90)
    assert ended.returncode == 130 and "interrupted" in ended.stderr and "Traceback" not in ended.stderr


APPLY = """
import sys
import sessscan
plan = sessscan.reconcile([sys.argv[1]], [sys.argv[2]])
print("ready", flush=True)
sys.stdin.readline()
plan.apply(force=True)
print("done", flush=True)
"""


@rounds(8, thorough=200)
def test_an_apply_that_is_terminated_at_any_moment(
    sample: Path, env: dict[str, str], rounds: int, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each row is the old one or the new one, whole; the next run completes it, and `undo` takes all back."""
    monkeypatch.setenv("SESSSCAN_HOME", env["SESSSCAN_HOME"])
    stores, projects = sample / "Claude", sample / "projects"
    before = {name: content for name, (content, _) in picture(stores).items()}

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", APPLY, str(stores), str(projects)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env,
        )  # fmt: skip
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        return process

    def go(process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()

    process = start()
    began = time.monotonic()
    go(process)
    assert process.stdout is not None and process.stdout.readline() == "done\n"
    whole = time.monotonic() - began
    process.wait()
    after = {name: content for name, (content, _) in picture(stores).items()}
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed
    taken_back(stores, before)

    dice = Random(seed)
    cut_short = 0
    for _ in range(rounds):
        process = start()
        go(process)
        time.sleep(dice.random() * whole)
        process.kill()  # TerminateProcess
        process.communicate()
        for name, (content, _) in picture(stores).items():
            if ".sessscan" in name or name not in after:
                continue  # a temporary file, which the next run removes, or a backup's next name
            if "corrupted-bak" in name:  # a copy that was cut off: the next run makes another
                assert after[name].startswith(content), name
            else:
                assert content in (before.get(name), after[name]), name
        cut_short += any(
            content != after.get(name) for name, (content, _) in picture(stores).items() if name in changed
        )
        finished = sessscan.reconcile([stores], [projects]).apply(force=True)
        assert finished.exit_status in (0, 1), finished
        now = {name: content for name, (content, _) in picture(stores).items()}
        assert not [name for name in now if ".sessscan" in name]
        assert {name: now.get(name) for name in before} == {name: after.get(name) for name in before}
        taken_back(stores, before)
    assert cut_short, "no run was cut short: nothing was tried"


def taken_back(stores: Path, before: dict[str, bytes]) -> None:
    """Undo every run; check that each file is what it was, and remove the backups."""
    for run in sessscan.runs()[0]:
        if run.in_effect:
            assert undo(run, force=True).exit_status == 0
    now = {name: content for name, (content, _) in picture(stores).items()}
    assert {name: content for name, content in now.items() if "corrupted-bak" not in name} == before
    for name in now:
        if "corrupted-bak" in name:
            (stores / name).unlink()
