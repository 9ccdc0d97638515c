"""Make one measurement and print it as JSON: `python -m race.worker SUBJECT FOLDER OPTIONS`."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from .subjects import SUBJECTS

TINY = (
    b'{"type":"ai-title","aiTitle":"Tiny","sessionId":"tiny"}\n'
    b'{"parentUuid":null,"type":"user","timestamp":"2026-08-01T00:00:00.000Z","cwd":"/","sessionId":"tiny"}\n'
)
FAULTS_SHOWN = 20


def peak() -> int:
    """Return the peak memory of this process so far, in bytes."""
    try:
        # Linux's ru_maxrss would not do: a process inherits its parent's value.
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        import resource
    except ImportError:
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def measure(name: str, folder: Path, options: dict[str, Any]) -> dict[str, Any]:
    truth = json.loads((folder / "truth.json").read_text()) if name != "nothing" else {}
    subject = SUBJECTS[name](folder, truth, **options)
    with tempfile.TemporaryDirectory() as scratch:
        tiny = Path(scratch) / "tiny.jsonl"
        tiny.write_bytes(TINY)
        subject.warm(tiny)
    begin = time.perf_counter()
    answer = subject.run()
    seconds = time.perf_counter() - begin
    most = peak()
    wrong = subject.wrong(answer)
    return {
        "seconds": seconds,
        "peak": most,
        "wrong": wrong[:FAULTS_SHOWN],
        "faults": len(wrong),
        "extra": subject.extra,
    }


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3]))))
