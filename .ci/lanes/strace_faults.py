"""Run the command line with a fault at each system call that writes: a kill, an I/O error, a full disk.

`reconcile --apply` (which replaces one row and creates one), the same after a run that was killed half-way,
and `undo` are recorded once under strace. Then the command is run again for each recorded call that writes
and each fault, and strace injects the fault there. Afterwards each row is old or new, each new row has its
backup, the journal is readable, and the next run and the next undo do what they would have done. The trace
shows each time that the fault hit the intended call.
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
"""`recover` is `reconcile` after a run that was killed."""
FAULTS = {"SIGKILL": "signal=SIGKILL", "EIO": "error=EIO", "ENOSPC": "error=ENOSPC"}
BEST_EFFORT = {"fchmod", "fchown", "fsetxattr", "utimensat"}
"""Calls that may fail because no content depends on them."""


@dataclass(frozen=True)
class Call:
    """A system call of a recorded run."""

    name: str
    number: int
    """Its number among the main thread's calls of this name, counted from 1."""
    files: str
    """The files that it is about, without the parts of their names that differ between runs."""


class SavedStore(SmallStore):
    """A store that can be saved and reset to a saved state."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "live")
        self.live = folder / "live"
        self.saved = folder / "saved"
        self.trace = folder / "trace"
        self.save("reconcile")

    def save(self, name: str) -> None:
        shutil.copytree(self.live, self.saved / name)

    def reset(self, name: str) -> None:
        shutil.rmtree(self.live)
        shutil.copytree(self.saved / name, self.live)

    def run(self, command: str, *inject: str) -> tuple[subprocess.CompletedProcess[str], str]:
        """Run a command under strace; return it and the trace of its main thread."""
        strace = ["strace", "-f", "-qq", "-y", "-s", "0", "-o", str(self.trace), "-e", f"trace={CALLS}"]
        arguments = self.arguments("undo" if command == "undo" else "reconcile")
        program = [sys.executable, "-m", "sessscan", *arguments]
        done = subprocess.run([*strace, *inject, *program], capture_output=True, text=True, timeout=120)
        lines = self.trace.read_text(errors="replace").splitlines()
        main = lines[0].split(" ", 1)[0]
        return done, "\n".join(line for line in lines if line.startswith(main + " "))

    def calls(self, trace: str) -> Iterator[Call]:
        """Yield the calls of a trace that write in this store."""
        counts: Counter[str] = Counter()
        for line in trace.splitlines():
            found = re.match(r"\d+ +(\w+)\((.*)", line)
            if found is None:
                continue
            name, rest = found.groups()
            counts[name] += 1
            if str(self.live) in rest and (name != "openat" or "O_WRONLY" in rest or "O_RDWR" in rest):
                yield Call(name, counts[name], self.files(rest))

    def files(self, rest: str) -> str:
        """Return the files in the arguments of a call, without the parts that differ between runs."""
        rest = re.sub(r"\.sessscan-\d+-[0-9a-f]+(-[0-9a-f]+-[0-9a-f]+)?", "TEMPORARY", rest)
        rest = re.sub(r"\d{8}T\d{6}Z-[0-9a-f]{4}", "RUN", rest)
        files = re.findall(r'<([^<>]+)>|"([^"]+)"', rest.split(") = ")[0])
        return " ".join(path.removeprefix(str(self.live)) for path in map("".join, files))


def check(store: SavedStore, command: str, call: Call, fault: str) -> str | None:
    """Run a command with the fault; return what is wrong afterwards, or None."""
    store.reset(command)
    before = store.content()
    done, trace = store.run(command, "-e", f"inject={call.name}:{FAULTS[fault]}:when={call.number}")
    hit = [line for line in trace.splitlines() if re.match(rf"\d+ +{call.name}\(", line)][call.number - 1 :]
    injected = hit and ("(INJECTED)" in hit[0] or (fault == "SIGKILL" and len(hit) == 1))
    if not injected or store.files(hit[0].partition("(")[2]) != call.files:
        return f"the fault did not hit the call: {hit[:1]}"
    if (done.returncode == -9) != (fault == "SIGKILL") or "Traceback" in done.stderr:
        return f"ended with {done.returncode}: {done.stderr}"
    try:
        check_after_fault(store, command, call, done.returncode, before)
        check_next_runs(store)
    except AssertionError as error:
        return f"{error} (status {done.returncode}: {done.stdout}{done.stderr})"
    return None


def check_after_fault(store: SavedStore, command: str, call: Call, status: int, before: Rows) -> None:
    """Check the rows, their backups, the journal and the exit status after a fault."""
    now = store.content()
    for row, content in now.items():
        assert content in (store.old[row], store.new[row]), f"{row} is neither old nor new: {content!r}"
        backup = Path(row + journal.BACKUP_SUFFIX)
        if content == store.new[row] and store.old[row] is not None:
            assert backup.read_bytes() == store.old[row], f"{row} has no backup"
    runs, wrong = journal.runs()
    assert not wrong, wrong
    goal = store.old if command == "undo" else store.new
    if status == 0:
        assert now == goal, "it reported success, but not all rows are done"
    if status == 3:
        assert now == before, "it reported that nothing was written, but something was"
    if call.name in BEST_EFFORT and status != -9:
        assert status == 0, "it failed because of a call that nothing depends on"
    if now != store.old:
        assert any(run.in_effect for run in runs), "what was written cannot be undone"


def check_next_runs(store: SavedStore) -> None:
    """Check that the next run completes the work and leaves no temporary file, and that it can be undone."""
    report = store.plan().apply(force=True)
    assert report.exit_status == 0, f"the next run ended with {report.exit_status}: {report.actions}"
    assert store.content() == store.new, "the next run did not restore all rows"
    while (run := choose(None)) is not None:
        undone = undo(run, force=True)
        assert undone.exit_status == 0, f"undo ended with {undone.exit_status}: {undone.reversals}"
    assert store.content() == store.old, "not everything was undone"
    left = [name for name in store.listing() if name.startswith(".sessscan-")]
    assert not left, f"temporary files are left: {left}"
    # A backup may stay if a sync failed, because it may still be needed. No other file may stay.
    more = set(store.listing()) ^ set(store.names)
    assert all(journal.BACKUP_SUFFIX in name for name in more), (
        f"the store has other files than before: {more}"
    )
    assert not journal.runs()[1], "a journal cannot be read"


_store: SavedStore


def prepare_worker(parent: str) -> None:
    """Make a worker's own store, because the journal has absolute paths, and save its states.

    Each worker is bound to one processor. On a single processor the main thread does the whole scan, so each
    run makes the same calls.
    """
    global _store
    processors = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {processors[os.getpid() % len(processors)]})
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    _store = SavedStore(Path(tempfile.mkdtemp(dir=parent)))
    killed, _ = _store.run("reconcile", "-e", "inject=unlinkat:signal=SIGKILL:when=1")
    assert killed.returncode == -9
    assert _store.content() not in (_store.old, _store.new), "the killed run did not stop half-way"
    _store.save("recover")
    _store.reset("reconcile")
    report = _store.plan().apply(force=True)
    assert report.exit_status == 0
    _store.save("undo")


def record(command: str) -> list[Call]:
    """Run a command without a fault; return its calls that write."""
    _store.reset(command)
    done, trace = _store.run(command)
    assert done.returncode == 0, done.stderr
    return list(_store.calls(trace))


def try_fault(job: tuple[str, Call, str]) -> str | None:
    return check(_store, *job)


def main() -> int:
    begin = time.monotonic()
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # Syncs take no time there.
    with (
        tempfile.TemporaryDirectory(prefix="sessscan-strace-", dir=memory) as parent,
        ProcessPoolExecutor(2, initializer=prepare_worker, initargs=(parent,)) as pool,
    ):
        recorded = {command: pool.submit(record, command).result() for command in COMMANDS}
        jobs = [(name, call, fault) for name, calls in recorded.items() for call in calls for fault in FAULTS]
        wrong = 0
        for job, outcome in zip(jobs, pool.map(try_fault, jobs, chunksize=4), strict=True):
            if outcome is not None:
                wrong += 1
                command, call, fault = job
                print(f"{command}: {fault} at {call.name} {call.number} ({call.files}): {outcome}")
    for command, calls in recorded.items():
        names = Counter(call.name for call in calls)
        print(f"{command}: {len(calls)} calls that write:", ", ".join(f"{n} {c}" for c, n in names.items()))
    print(f"{len(jobs)} faults injected in {time.monotonic() - begin:.0f} s, violations: {wrong}")
    seen = all(len(calls) >= 20 for calls in recorded.values())
    if not seen:
        print("FAILED: too few calls were recorded")
    return 0 if seen and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
