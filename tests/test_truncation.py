"""Test scans of files that are cut short meanwhile, and the SIGBUS that this raises.

Files are cut during 100 scans, and during 1,000 with `pytest -m thorough`.
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

pytestmark = [
    pytest.mark.full,
    pytest.mark.posix("Windows maps no file, and an open file cannot be cut"),
]

HERE = Path(__file__).parent

# Without the parent's faulthandler settings, which the child processes would inherit.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k not in ("PYTHONFAULTHANDLER", "PYTHONDEVMODE")}
ENVIRONMENT["PYTHONPATH"] = os.pathsep.join(path for path in (str(HERE), *sys.path) if path)


@pytest.mark.parametrize("when", ["before", "after", "never", "in turns"])
@rounds(25, thorough=250)
def test_each_answer_is_that_of_a_version_of_the_file(
    tmp_path: Path, when: str, seed: int, rounds: int
) -> None:
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
    result = json.loads(done.stdout)
    assert result["hits"] >= rounds
    assert result["wrong"] == 0
    # If all scans failed, the test would prove nothing.
    assert sum(count for name, count in result["counts"].items() if name.endswith(" answered")) > 5
    print(f"faulthandler {when}: {result}")


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
def test_bytes_that_change_during_a_scan_do_no_harm(tmp_path: Path, rounds: int) -> None:
    """Numbers become quotes and back, so there is no right answer, but no scan may crash."""
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


# --- A SIGBUS that has another cause ----------------------------------------------------------------------

BEGIN = """
import faulthandler, mmap, os, resource, signal, sys, threading, time
import sessscan

resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
with open("mapped.jsonl", "wb") as file:
    file.write(b"{}\\n" * 600_000)

def scan():
    assert sessscan.scan("mapped.jsonl").records == 600_000

def read_a_cut_map():
    "Read a map that sessscan does not guard and whose file was cut."
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
def test_a_bus_error_elsewhere_still_ends_the_process(tmp_path: Path, order: str) -> None:
    done = run(tmp_path, f"{order}\nread_a_cut_map()")
    assert done.returncode == -signal.SIGBUS, done.stderr
    assert done.stdout == "touching\n"
    if "enable()" in order and "disable()" not in order.split("enable()")[-1]:
        assert done.stderr.count("Fatal Python error: Bus error") == 1
        assert "read_a_cut_map" in done.stderr


def test_a_bus_error_elsewhere_ends_the_process_during_a_scan(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        def scan_repeatedly():
            while True:
                scan()
        threading.Thread(target=scan_repeatedly, daemon=True).start()
        time.sleep(0.2)
        read_a_cut_map()
        """,
    )
    assert (done.returncode, done.stdout) == (-signal.SIGBUS, "touching\n"), done.stderr


def test_a_sent_signal_goes_to_its_handler(tmp_path: Path) -> None:
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


def test_an_ignored_signal_stays_ignored(tmp_path: Path) -> None:
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


def test_a_sent_signal_without_a_handler_ends_the_process(tmp_path: Path) -> None:
    done = run(tmp_path, "scan()\nos.kill(os.getpid(), signal.SIGBUS)\nprint('alive')")
    assert (done.returncode, done.stdout) == (-signal.SIGBUS, ""), done.stderr
