"""Measure what it costs to edit a large transcript: time against `cp`, and memory.

    python benches/stream.py [--quick]

A file of 4 GB (64 MB with --quick) gets three edits that change its length, with a backup. `cp` copies the
same file, and the copy is synced, as the writer syncs its own; neither shares blocks with the old file. The
two take turns, and the better time of each counts. Expected: the edited file is what its edits say; the
writer takes at most 1.3 times as long, and at most 64 MiB of memory over the interpreter's. The exit status
is 1 if it is not so, with --quick only if the answer is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RATIO, MEBIBYTES, ROUNDS = 1.3, 64, 2
LINE = json.dumps({"type": "user", "uuid": "0" * 36, "message": {"content": "x" * 900}}).encode() + b"\n"

EDIT = """
import json, os, resource, sys, time
from sessscan import _core
path, edits = sys.argv[1], json.loads(sys.argv[2])
status = os.stat(path)

def peak():
    if sys.platform == "linux":  # the other value begins with that of the parent
        with open("/proc/self/status") as lines:
            return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)

begin, before = time.perf_counter(), peak()
_core.edit(
    path,
    [(offset, old.encode(), new.encode(), times) for offset, old, new, times in edits],
    seen=(status.st_size, status.st_mtime_ns, status.st_ino),
    backup=path + ".corrupted-bak",
)
print(json.dumps([time.perf_counter() - begin, peak() - before]))
"""


def make(path: Path, size: int) -> list[tuple[int, str, str, int]]:
    """Write the file; return three edits: in its first MB, a run in its middle, and at its end."""
    count = size // len(LINE)
    block = LINE * 1024
    middle = count // 2 * len(LINE)
    with path.open("wb") as file:
        for _ in range(count // 1024):
            file.write(block)
        file.write(LINE * (count % 1024))
        file.seek(middle)
        file.write(bytes(100_000))
        file.flush()
        os.fsync(file.fileno())
    return [(len(LINE) * 7, "", "\n", 1), (middle, "\0", " ", 100_000), (count * len(LINE), "", "{}\n", 1)]


def is_edited(path: Path, old: Path, edits: list[tuple[int, str, str, int]]) -> bool:
    """Tell whether a file is an edited copy of another, without the writer."""
    with path.open("rb") as new, old.open("rb") as source:
        for offset, was, becomes, times in [*edits, (old.stat().st_size, "", "", 0)]:
            while left := offset - source.tell():
                length = min(left, 1 << 20)
                if source.read(length) != new.read(length):
                    return False
            source.seek(len(was) * times, os.SEEK_CUR)
            expected = becomes.encode() * times
            if new.read(len(expected)) != expected:
                return False
        return not new.read(1)


def copy(path: Path) -> float:
    """Copy the file with `cp` and sync the copy; return the seconds."""
    target = path.with_name("copy")
    begin = time.perf_counter()
    # macOS's cp knows neither option and shares nothing by itself.
    never = ["--reflink=never"] if sys.platform == "linux" else []
    subprocess.run(["cp", *never, str(path), str(target)], check=True)
    with target.open("rb") as file:
        os.fsync(file.fileno())
    taken = time.perf_counter() - begin
    target.unlink()
    return taken


def edit(path: Path, edits: list[tuple[int, str, str, int]]) -> tuple[float, float]:
    """Edit the file and put it back; return the seconds, and the MiB over the interpreter's."""
    backup = Path(f"{path}.corrupted-bak")
    program = [sys.executable, "-c", EDIT, str(path), json.dumps(edits)]
    seconds, mebibytes = json.loads(subprocess.run(program, check=True, capture_output=True).stdout)
    if not is_edited(path, backup, edits):
        raise SystemExit("FAILED: the file is not what its edits say")
    backup.replace(path)
    return seconds, mebibytes


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent)
    arguments = parser.parse_args()
    size = 64_000_000 if arguments.quick else 4_000_000_000
    # Beside this file, since the usual temporary folder may be in memory, where syncs cost nothing.
    folder = Path(tempfile.mkdtemp(dir=arguments.folder))
    try:
        path = folder / "transcript.jsonl"
        edits = make(path, size)
        copied, edited, memory = [], [], []
        for _ in range(ROUNDS):
            copied.append(copy(path))
            seconds, mebibytes = edit(path, edits)
            edited.append(seconds)
            memory.append(mebibytes)
    finally:
        shutil.rmtree(folder)
    ratio = min(edited) / min(copied)
    print(
        f"{size / 1e9:g} GB, three edits: cp and sync {min(copied):.2f} s, the writer {min(edited):.2f} s: "
        f"{ratio:.2f} times (at most {RATIO}); {max(memory):.1f} MiB over the interpreter's (at most "
        f"{MEBIBYTES})"
    )
    return 0 if arguments.quick or (ratio <= RATIO and max(memory) <= MEBIBYTES) else 1


if __name__ == "__main__":
    sys.exit(main())
