"""Run the command line with a fault at each system call that writes: a kill, an I/O error, a full disk.

`reconcile --apply` (which replaces one row and creates one), the same after a run that was killed half-way,
and `undo` are recorded once under strace. Then the command is run again for each recorded call that writes
and each fault, and strace injects the fault there. Afterwards each row is old or new, each new row has its
backup, the journal is readable, and the next run and the next undo do what they would have done. The trace
shows each time that the fault hit the intended call. The same is done with two damaged transcripts, which are
edited as a stream, and with a session that is moved to another folder.

    python strace_faults.py [K/N | COMMAND...]

`K/N` injects each Nth fault only, from the Kth on; K may be 0.
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
from sessscan.changes.plan import Plan
from sessscan.changes.undo import choose, undo
from sessscan.errors import SessscanError
from sessscan.stores.project_folder import project_key
from small_move import SmallMove
from small_store import Rows, SmallStore
from small_transcripts import SmallTranscripts

CALLS = (
    "openat,mkdir,write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,linkat,unlink,unlinkat,rmdir,"
    "ftruncate,fchmod,fchown,fsetxattr,utimensat,ioctl"
)
ROWS = ("reconcile", "recover", "undo")
TRANSCRIPTS = ("repair", "recover repair", "undo repair")
MOVES = ("move", "recover move", "undo move")
COMMANDS = (*ROWS, *TRANSCRIPTS, *MOVES)
"""`recover` is the same after a run that was killed."""
FAULTS = {"SIGKILL": "signal=SIGKILL", "EIO": "error=EIO", "ENOSPC": "error=ENOSPC"}
BEST_EFFORT = {"fchmod", "fchown", "fsetxattr", "utimensat", "ioctl"}
"""Calls that may fail because no content depends on them."""


KILL = "inject=unlinkat:signal=SIGKILL:when=1"
"""Kills a run that has written the first of its files."""


@dataclass(frozen=True)
class Call:
    """A system call of a recorded run."""

    name: str
    number: int
    """Its number among the main thread's calls of this name, counted from 1."""
    files: str
    """The files that it is about, without the parts of their names that differ between runs."""


class Traced:
    """Files that a command changes, traced by strace."""

    live: Path
    saved: Path
    trace: Path
    old: Rows
    new: Rows
    names: list[str]

    def prepare(self, folder: Path) -> None:
        self.live = folder / "live"
        self.saved = folder / "saved"
        self.trace = folder / "trace"

    def plan(self) -> Plan:
        raise NotImplementedError

    def content(self) -> Rows:
        raise NotImplementedError

    def listing(self) -> list[str]:
        raise NotImplementedError

    def program(self, command: str) -> list[str]:
        raise NotImplementedError

    def check_content(self, now: Rows) -> None:
        """Check that each file is old or new, and that what was replaced is kept."""
        for row, content in now.items():
            assert content in (self.old[row], self.new[row]), f"{row} is neither old nor new: {content!r}"
            backup = Path(row + journal.BACKUP_SUFFIX)
            if content == self.new[row] and self.old[row] is not None:
                assert backup.read_bytes() == self.old[row], f"{row} has no backup"

    def reset(self, name: str) -> None:
        raise NotImplementedError

    def run(self, command: str, *inject: str) -> tuple[subprocess.CompletedProcess[str], str]:
        """Run a command under strace; return it and the trace of its main thread."""
        strace = ["strace", "-f", "-qq", "-y", "-s", "0", "-o", str(self.trace), "-e", f"trace={CALLS}"]
        program = [sys.executable, *self.program(command)]
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
            if name == "openat" and not re.search("O_WRONLY|O_RDWR", rest):
                continue
            if name == "ioctl" and "FICLONE" not in rest:
                continue  # Python asks each file that it reads whether it is a terminal
            if str(self.live) in rest:
                yield Call(name, counts[name], self.files(rest))

    def files(self, rest: str) -> str:
        """Return the files in the arguments of a call, without the parts that differ between runs."""
        rest = rest.replace("<unfinished ...>", "")
        rest = re.sub(r"\.sessscan-\d+-[0-9a-f]+(-[0-9a-f]+)*", "TEMPORARY", rest)
        rest = re.sub(r"\d{8}T\d{6}Z-[0-9a-f]{4}", "RUN", rest)
        files = re.findall(r'<([^<>]+)>|"([^"]+)"', rest.split(") = ")[0])
        return " ".join(path.removeprefix(str(self.live)) for path in map("".join, files))


class SavedStore(SmallStore, Traced):
    """A store that can be saved and reset to a saved state."""

    def __init__(self, folder: Path) -> None:
        self.prepare(folder)
        super().__init__(self.live)
        self.save("reconcile")
        killed, _ = self.run("reconcile", "-e", KILL)
        assert killed.returncode == -9
        assert self.content() not in (self.old, self.new), "the killed run did not stop half-way"
        self.save("recover")
        self.reset("reconcile")
        report = self.plan().apply(force=True)
        assert report.exit_status == 0
        self.save("undo")

    def save(self, name: str) -> None:
        shutil.copytree(self.live, self.saved / name)

    def reset(self, name: str) -> None:
        os.environ["SESSSCAN_HOME"] = str(self.state)
        shutil.rmtree(self.live)
        shutil.copytree(self.saved / name, self.live)


class SavedTranscripts(SmallTranscripts, Traced):
    """Damaged transcripts that can be reset. The journal knows files by their inodes, so no copy will do."""

    def __init__(self, folder: Path) -> None:
        self.prepare(folder)
        super().__init__(self.live)

    def reset(self, name: str) -> None:
        shutil.rmtree(self.live)
        self.make()
        if name == "undo repair":
            report = self.plan().apply(force=True)
            assert report.exit_status == 0
        elif name == "recover repair":
            killed, _ = self.run("repair", "-e", KILL)
            assert killed.returncode == -9
            assert self.content() not in (self.old, self.new), "the killed run did not stop half-way"


class SavedMove(SmallMove, Traced):
    """A session to be moved that can be reset. The journal knows its files by their inodes."""

    check_content = SmallMove.check_content

    def __init__(self, folder: Path) -> None:
        self.prepare(folder)
        super().__init__(self.live)

    def files(self, rest: str) -> str:
        """Return the files of a call, without the name of the folder that each worker has for itself."""
        return super().files(rest).replace(project_key(str(self.work)), "NEW")

    def reset(self, name: str) -> None:
        shutil.rmtree(self.live)
        self.make()
        if name == "undo move":
            report = self.plan().apply(force=True)
            assert report.exit_status == 0
        elif name == "recover move":
            killed, _ = self.run("move", "-e", KILL)
            assert killed.returncode == -9
            assert self.content() not in (self.old, self.new), "the killed run did not stop half-way"


MISSED = "the fault did not hit the call"
"""Threads take turns, and the log is counted by thread: then another call is hit, which proves nothing."""
TRIES = 4


def check(store: Traced, command: str, call: Call, fault: str) -> str | None:
    """Run a command with the fault; return what is wrong afterwards, or None."""
    store.reset(command)
    before = store.content()
    done, trace = store.run(command, "-e", f"inject={call.name}:{FAULTS[fault]}:when={call.number}")
    hit = [line for line in trace.splitlines() if re.match(rf"\d+ +{call.name}\(", line)][call.number - 1 :]
    injected = hit and ("(INJECTED)" in hit[0] or (fault == "SIGKILL" and len(hit) == 1))
    if not injected or store.files(hit[0].partition("(")[2]) != call.files:
        return f"{MISSED}: {hit[:1]}"
    if (done.returncode == -9) != (fault == "SIGKILL") or "Traceback" in done.stderr:
        return f"ended with {done.returncode}: {done.stderr}"
    try:
        check_after_fault(store, command, call, done.returncode, before)
        check_next_runs(store)
    except (AssertionError, SessscanError) as error:
        return f"{error} (status {done.returncode}: {done.stdout}{done.stderr})"
    return None


def check_after_fault(store: Traced, command: str, call: Call, status: int, before: Rows) -> None:
    """Check the rows, their backups, the journal and the exit status after a fault."""
    now = store.content()
    store.check_content(now)
    runs, wrong = journal.runs()
    assert not wrong, wrong
    goal = store.old if "undo" in command else store.new
    if status == 0:
        assert now == goal, "it reported success, but not all rows are done"
    if status == 3:
        assert now == before, "it reported that nothing was written, but something was"
    if call.name in BEST_EFFORT and status != -9:
        assert status == 0, "it failed because of a call that nothing depends on"
    if now != store.old:
        assert any(run.in_effect for run in runs), "what was written cannot be undone"


def check_next_runs(store: Traced) -> None:
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


_stores: dict[str, Traced]


def prepare_worker(parent: str) -> None:
    """Make a worker's own files, because the journal has absolute paths, and save their states.

    Each worker is bound to one processor. On a single processor the main thread does the whole scan, so each
    run makes the same calls.
    """
    global _stores
    processors = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {processors[os.getpid() % len(processors)]})
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    rows = SavedStore(Path(tempfile.mkdtemp(dir=parent)))
    transcripts = SavedTranscripts(Path(tempfile.mkdtemp(dir=parent)))
    moves = SavedMove(Path(tempfile.mkdtemp(dir=parent)))
    _stores = (
        dict.fromkeys(ROWS, rows) | dict.fromkeys(TRANSCRIPTS, transcripts) | dict.fromkeys(MOVES, moves)
    )


def record(command: str) -> list[Call]:
    """Run a command without a fault; return its calls that write."""
    store = _stores[command]
    store.reset(command)
    done, trace = store.run(command)
    assert done.returncode == 0, done.stderr
    return list(store.calls(trace))


def try_fault(job: tuple[str, Call, str]) -> str | None:
    outcome = None
    for _ in range(TRIES):
        outcome = check(_stores[job[0]], *job)
        if outcome is None or not outcome.startswith(MISSED):
            break
    return outcome


def main() -> int:
    begin = time.monotonic()
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # Syncs take no time there.
    with (
        tempfile.TemporaryDirectory(prefix="sessscan-strace-", dir=memory) as parent,
        ProcessPoolExecutor(2, initializer=prepare_worker, initargs=(parent,)) as pool,
    ):
        arguments, part, parts = sys.argv[1:], 0, 1
        if arguments and re.fullmatch(r"\d+/[1-9]\d*", arguments[0]):
            part, parts = map(int, arguments.pop(0).split("/"))
        commands = arguments or COMMANDS
        recorded = {command: pool.submit(record, command).result() for command in commands}
        jobs = [(name, call, fault) for name, calls in recorded.items() for call in calls for fault in FAULTS]
        jobs = jobs[part % parts :: parts]
        wrong = missed = 0
        for job, outcome in zip(jobs, pool.map(try_fault, jobs, chunksize=4), strict=True):
            if outcome is not None:
                missed += outcome.startswith(MISSED)
                wrong += not outcome.startswith(MISSED)
                command, call, fault = job
                print(f"{command}: {fault} at {call.name} {call.number} ({call.files}): {outcome}")
    for command, calls in recorded.items():
        names = Counter(call.name for call in calls)
        print(f"{command}: {len(calls)} calls that write:", ", ".join(f"{n} {c}" for c, n in names.items()))
    seconds = time.monotonic() - begin
    print(f"{len(jobs) - missed} faults injected in {seconds:.0f} s, {missed} missed, violations: {wrong}")
    seen = all(len(calls) >= 20 for calls in recorded.values()) and missed * 20 <= len(jobs)
    if not seen:
        print("FAILED: too few calls were recorded, or hit")
    return 0 if seen and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
