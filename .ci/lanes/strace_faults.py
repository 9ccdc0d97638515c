"""The real command with a fault at each call by which it writes: killed, an I/O error, a full disk.

`reconcile --apply` (one row replaced, one made), the same after a run that was killed half-way, and `undo`
are recorded once under strace. Then, for each write-side system call of a recording and each fault, the
command is run again and strace injects it there. Afterwards every row is old or new, what is new has its
backup, the journal is readable, and the next run and the next undo do what they would have done. Prints
what was injected; that the fault hit the call it was meant for is looked up in the trace each time.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from sessscan.changes import journal
from sessscan.changes.undo import choose, undo
from small_store import Rows, SmallStore

CALLS = (
    "openat,mkdir,write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,linkat,unlink,unlinkat,rmdir,"
    "ftruncate,fchmod,fchown,fsetxattr,utimensat"
)
COMMANDS = ("reconcile", "recover", "undo")
"""`recover` is `reconcile` where a run was killed."""
FAULTS = {"SIGKILL": "signal=SIGKILL", "EIO": "error=EIO", "ENOSPC": "error=ENOSPC"}
BEST_EFFORT = {"fchmod", "fchown", "fsetxattr", "utimensat"}
"""What may fail without anybody's content depending on it."""


@dataclass(frozen=True)
class Call:
    name: str
    number: int
    """Among the calls of this name that the main thread makes, from 1."""
    what: str
    """The files it is about, without what differs between runs."""


class Scene(SmallStore):
    """A store that can be laid out again and again."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "live")
        self.live = folder / "live"
        self.saved = folder / "saved"
        self.trace = folder / "trace"
        self.save("reconcile")

    def save(self, name: str) -> None:
        shutil.copytree(self.live, self.saved / name)

    def restore(self, name: str) -> None:
        shutil.rmtree(self.live)
        shutil.copytree(self.saved / name, self.live)

    def run(self, command: str, *inject: str) -> tuple[subprocess.CompletedProcess[str], str]:
        """The command under strace, and the trace of its main thread."""
        strace = ["strace", "-f", "-qq", "-y", "-s", "0", "-o", str(self.trace), "-e", f"trace={CALLS}"]
        arguments = self.arguments("undo" if command == "undo" else "reconcile")
        program = [sys.executable, "-m", "sessscan", *arguments]
        done = subprocess.run([*strace, *inject, *program], capture_output=True, text=True, timeout=120)
        lines = self.trace.read_text(errors="replace").splitlines()
        main = lines[0].split(" ", 1)[0]
        return done, "\n".join(line for line in lines if line.startswith(main + " "))

    def calls(self, trace: str) -> Iterator[Call]:
        """Those of a trace that write in this scene."""
        counts: Counter[str] = Counter()
        for line in trace.splitlines():
            found = re.match(r"\d+ +(\w+)\((.*)", line)
            if found is None:
                continue
            name, rest = found.groups()
            counts[name] += 1
            if str(self.live) in rest and (name != "openat" or "O_WRONLY" in rest or "O_RDWR" in rest):
                yield Call(name, counts[name], self.plain(rest))

    def plain(self, rest: str) -> str:
        rest = re.sub(r"\.sessscan-\d+-[0-9a-f]+(-[0-9a-f]+-[0-9a-f]+)?", "TEMPORARY", rest)
        rest = re.sub(r"\d{8}T\d{6}Z-[0-9a-f]{4}", "RUN", rest)
        files = re.findall(r'<([^<>]+)>|"([^"]+)"', rest.split(") = ")[0])
        return " ".join(path.removeprefix(str(self.live)) for path in map("".join, files))


def check(scene: Scene, command: str, call: Call, fault: str) -> str | None:
    """Runs `command` with the fault; what is wrong afterwards, if anything."""
    scene.restore(command)
    before = scene.content()
    done, trace = scene.run(command, "-e", f"inject={call.name}:{FAULTS[fault]}:when={call.number}")
    hit = [line for line in trace.splitlines() if re.match(rf"\d+ +{call.name}\(", line)][call.number - 1 :]
    injected = hit and ("(INJECTED)" in hit[0] or (fault == "SIGKILL" and len(hit) == 1))
    if not injected or scene.plain(hit[0].partition("(")[2]) != call.what:
        return f"the fault did not hit: {hit[:1]}"
    if (done.returncode == -9) != (fault == "SIGKILL") or "Traceback" in done.stderr:
        return f"ended with {done.returncode}: {done.stderr}"
    try:
        after_fault(scene, command, call, done.returncode, before)
        next_runs(scene)
    except AssertionError as error:
        return f"{error} (status {done.returncode}: {done.stdout}{done.stderr})"
    return None


def after_fault(scene: Scene, command: str, call: Call, status: int, before: Rows) -> None:
    now = scene.content()
    for row, content in now.items():
        assert content in (scene.old[row], scene.new[row]), f"{row} is neither old nor new: {content!r}"
        backup = Path(row + journal.BACKUP_SUFFIX)
        if content == scene.new[row] and scene.old[row] is not None:
            assert backup.read_bytes() == scene.old[row], f"{row} has no backup"
    runs, wrong = journal.runs()
    assert not wrong, wrong
    goal = scene.old if command == "undo" else scene.new
    if status == 0:
        assert now == goal, "it said that all is done"
    if status == 3:
        assert now == before, "it said that nothing was written"
    if call.name in BEST_EFFORT and status != -9:
        assert status == 0, "a call failed that nothing depends on"
    if now != scene.old:
        assert any(run.in_effect for run in runs), "what was written cannot be taken back"


def next_runs(scene: Scene) -> None:
    """The next run completes the work, clears up, and all of it can be taken back."""
    report = scene.plan().apply(force=True)
    assert report.exit_status == 0, f"the next run ended with {report.exit_status}: {report.actions}"
    assert scene.content() == scene.new, "the next run did not put all rows back"
    while (run := choose(None)) is not None:
        undone = undo(run, force=True)
        assert undone.exit_status == 0, f"undo ended with {undone.exit_status}: {undone.reversals}"
    assert scene.content() == scene.old, "not all was taken back"
    left = [name for name in scene.listing() if name.startswith(".sessscan-")]
    assert not left, f"temporary files are left: {left}"
    # A backup may stay where the disk would not confirm that it is not needed; nothing else may.
    more = set(scene.listing()) ^ set(scene.names)
    assert all(journal.BACKUP_SUFFIX in name for name in more), f"the store is not what it was: {more}"
    assert not journal.runs()[1], "a journal cannot be read"


_scene: Scene


def lay_out(parent: str) -> None:
    """Each worker's own scene, as the journal has absolute paths; and its own processor: on a single one
    all is scanned on the main thread, so that a run makes the same calls each time."""
    global _scene
    processors = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {processors[os.getpid() % len(processors)]})
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    _scene = Scene(Path(tempfile.mkdtemp(dir=parent)))
    killed, _ = _scene.run("reconcile", "-e", "inject=unlinkat:signal=SIGKILL:when=1")
    assert killed.returncode == -9
    assert _scene.content() not in (_scene.old, _scene.new), "it is not half-way"
    _scene.save("recover")
    _scene.restore("reconcile")
    report = _scene.plan().apply(force=True)
    assert report.exit_status == 0
    _scene.save("undo")


def record(command: str) -> list[Call]:
    _scene.restore(command)
    done, trace = _scene.run(command)
    assert done.returncode == 0, done.stderr
    return list(_scene.calls(trace))


def try_fault(job: tuple[str, Call, str]) -> str | None:
    return check(_scene, *job)


def main() -> int:
    begin = time.monotonic()
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # where syncs take no time
    with (
        tempfile.TemporaryDirectory(prefix="sessscan-strace-", dir=memory) as parent,
        ProcessPoolExecutor(2, initializer=lay_out, initargs=(parent,)) as pool,
    ):
        recorded = {command: pool.submit(record, command).result() for command in COMMANDS}
        jobs = [(name, call, fault) for name, calls in recorded.items() for call in calls for fault in FAULTS]
        wrong = 0
        for job, outcome in zip(jobs, pool.map(try_fault, jobs, chunksize=4), strict=True):
            if outcome is not None:
                wrong += 1
                command, call, fault = job
                print(f"{command}: {fault} at {call.name} {call.number} ({call.what}): {outcome}")
    for command, calls in recorded.items():
        names = Counter(call.name for call in calls)
        print(f"{command}: {len(calls)} calls that write:", ", ".join(f"{n} {c}" for c, n in names.items()))
    print(f"{len(jobs)} faults injected in {time.monotonic() - begin:.0f} s, violations: {wrong}")
    seen = all(len(calls) >= 20 for calls in recorded.values())
    if not seen:
        print("FAILED: hardly any call was seen")
    return 0 if seen and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
