"""Files that lose their bytes while they are scanned, and the signal that comes of it.

A file is cut under 100 running scans, under 1,000 with `pytest -m thorough`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import sessscan
from support.rounds import rounds

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="no file is mapped there, and none can be cut"
)

HERE = Path(__file__).parent

# None of ours: it would be enabled in the children as well.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k not in ("PYTHONFAULTHANDLER", "PYTHONDEVMODE")}
ENVIRONMENT["PYTHONPATH"] = os.pathsep.join(path for path in (str(HERE), *sys.path) if path)


@pytest.mark.parametrize("when", ["before", "after", "never", "in turns"])
@rounds(25, thorough=250)
def test_nothing_is_invented(tmp_path: Path, when: str, seed: int, rounds: int) -> None:
    command = [
        sys.executable,
        str(HERE / "support" / "changing_files.py"),
        "scan",
        str(tmp_path),
        str(rounds),
        str(seed),
        when,
    ]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=60 + rounds)
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    told = json.loads(done.stdout)
    assert told["hits"] >= rounds
    assert told["untrue"] == 0
    # Were there only errors, it would prove nothing.
    assert sum(count for what, count in told["seen"].items() if what.endswith(" answered")) > 5
    print(f"faulthandler {when}: {told}")


OVERWRITE = """
import mmap, sys
def of_size(line):
    return (line * (2_000_000 // len(line) + 1))[:2_000_000]
texts = [
    of_size(b'{"uuid":1,"type":2,"cwd":3,"sessionId":4,"timestamp":5,"leafUuid":6,"message":7,"x":""}\\n'),
    of_size(b'{"uuid":"","type":"","cwd":"","sessionId":"","timestamp":"","leafUuid":"","message":""}\\n'),
    of_size(b'{"uuid":"1"  , "cwd" : "" , "type":   "user" , "message" : {"content":"hello"}, "x":""}\\n'),
]
with open(sys.argv[1], "w+b") as file:
    file.write(texts[0])
    file.flush()
    memory = mmap.mmap(file.fileno(), 0)
    print("written", flush=True)
    while True:
        for text in texts:
            memory[:] = text
"""


@rounds(25, thorough=250)
def test_bytes_that_change_while_they_are_read(tmp_path: Path, rounds: int) -> None:
    """Numbers turn into quotes and back: nobody knows what the file is then, but nothing may fail."""
    path = tmp_path / "a.jsonl"
    with subprocess.Popen([sys.executable, "-c", OVERWRITE, str(path)], stdout=subprocess.PIPE) as writer:
        try:
            assert writer.stdout is not None
            writer.stdout.readline()
            deadline = time.monotonic() + rounds / 10
            scans = 0
            while time.monotonic() < deadline:
                for strict in (False, True):
                    with contextlib.suppress(OSError):
                        assert sessscan.scan(path, strict=strict).size == 2_000_000
                with contextlib.suppress(OSError):
                    assert all(event.kind == "cwd" for event in sessscan.events(path))
                scans += 1
        finally:
            writer.kill()
    assert scans > 5


# --- A signal that is not ours ----------------------------------------------------------------------------

BEGIN = """
import faulthandler, mmap, os, resource, signal, sys, threading, time
import sessscan

resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
with open("mapped.jsonl", "wb") as file:
    file.write(b"{}\\n" * 600_000)

def scan():
    assert sessscan.scan("mapped.jsonl").records == 600_000

def touch_what_is_gone():
    "Reads a map of our own whose file is gone."
    with open("other", "w+b") as file:
        file.truncate(4 * mmap.PAGESIZE)
        memory = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        file.truncate(0)
        print("touching", flush=True)
        memory[2 * mmap.PAGESIZE]
    print("alive", flush=True)
"""


def run(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", BEGIN + textwrap.dedent(script)]
    return subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=20)


@pytest.mark.parametrize(
    "order",
    [
        "scan()",
        "scan(); faulthandler.enable()",
        "faulthandler.enable(); scan()",
        "faulthandler.enable(); scan(); faulthandler.disable(); faulthandler.enable(); scan()",
        "scan(); faulthandler.enable(); scan()",
        "scan(); faulthandler.enable(); scan(); faulthandler.disable()",
        "faulthandler.enable(); scan(); faulthandler.disable()",
        "faulthandler.enable(); scan(); faulthandler.disable(); scan()",
        "scan(); faulthandler.enable(); scan(); faulthandler.disable(); scan()",
    ],
)
def test_a_bus_error_of_others_still_ends_the_process(tmp_path: Path, order: str) -> None:
    done = run(tmp_path, f"{order}\ntouch_what_is_gone()")
    assert done.returncode == -signal.SIGBUS, done.stderr
    assert done.stdout == "touching\n"
    if "enable()" in order and "disable()" not in order.split("enable()")[-1]:
        assert done.stderr.count("Fatal Python error: Bus error") == 1
        assert "touch_what_is_gone" in done.stderr


def test_a_bus_error_of_others_ends_the_process_while_a_scan_runs(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        def scan_for_ever():
            while True:
                scan()
        threading.Thread(target=scan_for_ever, daemon=True).start()
        time.sleep(0.2)
        touch_what_is_gone()
        """,
    )
    assert (done.returncode, done.stdout) == (-signal.SIGBUS, "touching\n"), done.stderr


def test_a_signal_that_is_sent_goes_to_who_handles_it(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        got = []
        signal.signal(signal.SIGBUS, lambda number, frame: got.append(number))
        scan()
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGBUS)
        print(len(got))
        """,
    )
    assert (done.returncode, done.stdout) == (0, "3\n"), done.stderr


def test_a_signal_that_is_ignored_stays_ignored(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        signal.signal(signal.SIGBUS, signal.SIG_IGN)
        scan()
        os.kill(os.getpid(), signal.SIGBUS)
        print("alive")
        """,
    )
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr


def test_a_signal_that_is_sent_ends_the_process_if_nobody_handles_it(tmp_path: Path) -> None:
    done = run(tmp_path, "scan()\nos.kill(os.getpid(), signal.SIGBUS)\nprint('alive')")
    assert (done.returncode, done.stdout) == (-signal.SIGBUS, ""), done.stderr
