"""Simulate power cuts on ext4, xfs and btrfs, on a disk that logs each write and each flush.

The writer works on a file system on a loop device on `blocklog`. Afterwards the disk is rebuilt as a power
cut could have left it: after any number of writes, with any of those since the last flush dropped or torn at
a sector. Each such disk is mounted (so the file system recovers), swept as by the next run, and compared with
what the writer had acknowledged by then. The controls must fail: writing in place, and the writer without its
sync of the file or of the folder (strace makes the sync do nothing). The same is done with transcripts that
are kept, see `power_kept`; the control there is a database that does not sync.

    python power_cuts.py BLOCKLOG FOLDER [EXPERIMENT [STATES]]
"""

from __future__ import annotations

import os
import random
import re
import shutil
import struct
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import power_kept
from power_workload import ROWS, TRANSCRIPT, backup, content, name, transcript, transcript_backup
from sessscan import _core

MIB = 1 << 20
SECTOR = 512
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Kind:
    """A kind of file system, and how much it is tested."""

    name: str
    size: int
    make: tuple[str, ...]
    rounds: int
    states: int


KINDS = {
    "ext4": Kind("ext4", 24 * MIB, ("mkfs.ext4", "-qF", "-E", "nodiscard,lazy_itable_init=0"), 60, 1000),
    "xfs": Kind("xfs", 300 * MIB, ("mkfs.xfs", "-qfK"), 24, 300),
    "btrfs": Kind("btrfs", 128 * MIB, ("mkfs.btrfs", "-qfK", "-m", "single", "-d", "single"), 24, 300),
}


@dataclass(frozen=True)
class Experiment:
    """A workload on a kind of file system."""

    kind: str
    style: str = "writer"
    options: str = "noatime"
    without: int | None = None
    """The number of the sync, among those of a round, that does nothing."""
    control: str | None = None
    """For a control, which must fail: what is wrong with its writer."""

    @property
    def keeps(self) -> bool:
        """Whether transcripts are kept, instead of files written."""
        return self.style.startswith("kept")

    @property
    def title(self) -> str:
        what = f"{self.kind}, transcripts kept" if self.keeps else self.kind
        return f"{what}, control: {self.control}" if self.control else what

    @property
    def rounds(self) -> int:
        if self.control:
            return CONTROL_ROUNDS
        return KEPT_ROUNDS if self.keeps else KINDS[self.kind].rounds

    @property
    def states(self) -> int:
        if self.control:
            # Without syncs a database hardly writes.
            return KEPT_CONTROL_STATES if self.keeps else CONTROL_STATES
        return KEPT_STATES if self.keeps else KINDS[self.kind].states


SYNCS = 5
"""The syncs of a round: new file, old file, folder with the backup, folder after the exchange, journal."""

EXPERIMENTS = (
    Experiment("ext4"),
    Experiment("xfs"),
    Experiment("btrfs"),
    Experiment("ext4", "in-place", control="in place"),
    Experiment("ext4", "no-sync", "noatime,noauto_da_alloc", 1, "without the file's sync"),
    Experiment("xfs", "no-sync", without=1, control="without the file's sync"),
    Experiment("ext4", "no-sync", without=4, control="without the folder's sync"),
    Experiment("ext4", "kept"),
    Experiment("xfs", "kept"),
    Experiment("btrfs", "kept"),
    Experiment("ext4", "kept-no-sync", control="without the database's syncs"),
)
CONTROL_ROUNDS, CONTROL_STATES = 8, 80
KEPT_ROUNDS, KEPT_STATES, KEPT_CONTROL_STATES = 14, 80, 20


@dataclass(frozen=True)
class Write:
    offset: int
    data: bytes


Event = Write | str | None
"""A write, a mark, or a flush (None)."""


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout.strip()


def read_log(path: Path) -> list[Event]:
    events: list[Event] = []
    with path.open("rb") as file:
        while header := file.read(13):
            kind, offset, length = struct.unpack("=cQI", header)
            data = file.read(length)
            events.append(Write(offset, data) if kind == b"w" else data.decode() if kind == b"m" else None)
    return events


class Workspace:
    """The folders in which disks are recorded and mounted."""

    def __init__(self, blocklog: str, folder: Path) -> None:
        self.blocklog = blocklog
        self.folder = folder
        self.fuse = folder / "fuse"
        self.live = folder / "live"
        self.probe = folder / "probe"
        for path in (self.fuse, self.live, self.probe):
            path.mkdir()

    def record(self, experiment: Experiment) -> tuple[Path, list[Event]]:
        """Run the workload; return the disk before it and the events during it."""
        kind = KINDS[experiment.kind]
        image, base, log = (self.folder / part for part in ("image", "base", "log"))
        image.unlink(missing_ok=True)
        with image.open("wb") as file:
            file.truncate(kind.size)
        run(*kind.make, str(image))
        run("mount", "-o", f"loop,{experiment.options}", str(image), str(self.live))
        for row in range(ROWS):
            (self.live / name(row)).write_bytes(content(row, 0))
        (self.live / TRANSCRIPT).write_bytes(transcript(0))
        (self.live / "journal").write_bytes(b"begin\n")
        run("umount", str(self.live))
        run("cp", "--sparse=always", str(image), str(base))

        server = subprocess.Popen([self.blocklog, str(self.fuse), str(image), str(log)])
        try:
            while not (self.fuse / "disk").exists():
                assert server.poll() is None, "blocklog has stopped"
                time.sleep(0.02)
            # The kernel removes a loop device that `mount` made, however the mount ends.
            run("mount", "-o", f"loop,{experiment.options}", str(self.fuse / "disk"), str(self.live))
            try:
                self.run_workload(experiment)
            finally:
                run("umount", str(self.live))
        finally:
            subprocess.run(["umount", "--lazy", str(self.fuse)], check=False)
            server.wait(timeout=30)
        events = read_log(log)
        end = max((i for i, event in enumerate(events) if event == "end all 0 0\n"), default=None)
        assert end is not None, "the workload did not finish"
        return base, events[:end]

    def run_workload(self, experiment: Experiment) -> None:
        """Run the workload, under strace if a sync is to do nothing."""
        rounds = experiment.rounds
        program = HERE / ("power_kept.py" if experiment.keeps else "power_workload.py")
        command = [sys.executable, str(program), str(self.live), str(self.fuse / "mark")]
        command += [str(rounds), experiment.style]
        if experiment.without is not None:
            inject = f"inject=fsync:retval=0:when={experiment.without}+{SYNCS}"
            trace = ["strace", "-f", "-qq", "-o", str(self.folder / "trace")]
            command = [*trace, "-e", "trace=fsync", "-e", inject, *command]
        run(*command)
        if experiment.without is not None:
            lines = (self.folder / "trace").read_text().splitlines()
            taken = [number for number, line in enumerate(lines) if "(INJECTED)" in line]
            expected = [experiment.without - 1 + SYNCS * round for round in range(rounds)]
            assert taken == expected and len(lines) == rounds * SYNCS, (
                "other syncs than expected were suppressed"
            )

    def mount(self, kind: str, image: Path) -> None:
        """Mount an image as a machine does that starts after a power cut."""
        options = "loop,noatime,nouuid" if kind == "xfs" else "loop,noatime"
        run("mount", "-t", kind, "-o", options, str(image), str(self.probe))


@dataclass(frozen=True)
class Cut:
    """A state of the disk: after the first `after` events, some of them lost."""

    after: int
    seed: int | None
    """The seed that decides which unflushed writes are lost; None: none is; 0: all are."""


def cuts(events: list[Event], wanted: int, dice: random.Random) -> list[Cut]:
    """Choose `wanted` states of the disk.

    The worst are always among them: right after an acknowledgement, with all unflushed writes lost. The
    others are chosen at random.
    """
    acknowledged = [
        i + 1 for i, event in enumerate(events) if isinstance(event, str) and event.startswith("done")
    ]
    chosen = [Cut(after, 0) for after in acknowledged]
    writes = [i + 1 for i, event in enumerate(events) if isinstance(event, Write)]
    more = [Cut(after, None) for after in writes]
    more += [Cut(after, dice.randrange(1, 1 << 30)) for after in writes for _ in range(3)]
    dice.shuffle(more)
    rest = max(0, wanted - len(chosen))
    return sorted(chosen + more[:rest], key=lambda cut: cut.after)


def states(base: Path, events: list[Event], chosen: list[Cut], probe: Path) -> Iterator[Cut]:
    """Make `probe` each chosen state of the disk in turn. `base` gets the flushed writes on the way."""
    pending: list[Write] = []
    done = 0
    with base.open("r+b", buffering=0) as disk:
        for cut in chosen:
            for event in events[done : cut.after]:
                if isinstance(event, Write):
                    pending.append(event)
                elif event is None:
                    for write in pending:
                        disk.seek(write.offset)
                        disk.write(write.data)
                    pending = []
            done = cut.after
            probe.unlink(missing_ok=True)
            run("cp", "--sparse=always", str(base), str(probe))
            with probe.open("r+b", buffering=0) as copy:
                for write in surviving_writes(pending, cut.seed):
                    copy.seek(write.offset)
                    copy.write(write.data)
            yield cut


def surviving_writes(pending: list[Write], seed: int | None) -> Iterator[Write]:
    """Yield the unflushed writes, or parts of them, that the power cut leaves."""
    if seed is None:
        yield from pending
    elif seed:
        dice = random.Random(seed)
        for write in pending:
            fate = dice.random()
            if fate < 0.4:
                yield write
            elif fate < 0.6 and len(write.data) > SECTOR:  # torn: each sector is kept or lost
                for start in range(0, len(write.data), SECTOR):
                    if dice.random() < 0.5:
                        yield Write(write.offset + start, write.data[start : start + SECTOR])


class Acknowledged:
    """What the workload had acknowledged by a certain event."""

    def __init__(self, events: list[Event]) -> None:
        self.done: dict[str, list[int]] = defaultdict(list)
        self.running: tuple[str, int, int] | None = None
        self.versions = [0] * ROWS
        for event in events:
            if not isinstance(event, str):
                continue
            phase, kind, first, second = event.split()
            if phase == "start":
                self.running = (kind, int(first), int(second))
                continue
            self.running = None
            self.done[kind].append(int(first))
            if kind == "row":
                self.versions[int(first)] = int(second)

    def violations(self, folder: Path, backups: bool) -> Iterator[str]:
        """Yield what in the folder differs from what was acknowledged, or is neither old nor new."""
        for row, version in enumerate(self.versions):
            yield from self._row(folder, row, version, backups)
        yield from self._transcript(folder)
        lines = (folder / "journal").read_bytes().splitlines()[1:]
        expected = [b"%d" % step for step in self.done["journal"]]
        if lines[: len(expected)] != expected:
            yield f"the journal has {lines}, but {expected} were acknowledged"
        for step in self.done["made"]:
            removed = step in self.done["removed"]
            path = folder / f"local_made_{step}.json"
            if self.running == ("removed", step, 0) and not path.exists():
                continue
            if path.exists() == removed or not (removed or path.read_bytes() == content(9, step)):
                yield f"{path.name} was created or removed, but the change is lost"

    def _transcript(self, folder: Path) -> Iterator[str]:
        version = max(self.done["transcript"], default=0)
        running = self.running == ("transcript", version + 1, 0)
        path = folder / TRANSCRIPT
        now = path.read_bytes() if path.exists() else None
        possible = {transcript(each): each for each in range(version, version + 1 + running)}
        if now not in possible:
            found = f"{len(now)} bytes, {now[14_990:15_020]!r}" if now is not None else "missing"
            yield f"the transcript should be version {version}, but is {found}"
            return
        for kept in range(possible[now]):
            old = folder / transcript_backup(kept)
            if not old.exists() or old.read_bytes() != transcript(kept):
                yield f"{old.name} is not version {kept} of the transcript"

    def _row(self, folder: Path, row: int, version: int, backups: bool) -> Iterator[str]:
        path = folder / name(row)
        now = path.read_bytes() if path.exists() else None
        possible = {content(row, version): version}
        if self.running == ("row", row, version + 1):
            possible[content(row, version + 1)] = version + 1
        if now not in possible:
            found = f"{len(now)} bytes, {now[:30]!r}" if now is not None else "missing"
            yield f"{path.name} should be version {version}, but is {found}"
        elif backups:
            for kept in range(possible[now]):
                old = folder / backup(row, kept)
                if not old.exists() or old.read_bytes() != content(row, kept):
                    yield f"{old.name} is not version {kept}"


def check(
    workspace: Workspace, experiment: Experiment, cut: Cut, events: list[Event], image: Path
) -> list[str]:
    workspace.mount(experiment.kind, image)
    try:
        before = {path.name for path in workspace.probe.iterdir() if not path.name.startswith(".sessscan-")}
        _core.sweep(str(workspace.probe))
        after = {path.name for path in workspace.probe.iterdir()}
        if experiment.keeps:
            return list(power_kept.violations(workspace.probe, events[: cut.after]))
        acknowledged_steps = Acknowledged(events[: cut.after])
        wrong = list(acknowledged_steps.violations(workspace.probe, backups=experiment.style != "in-place"))
        if experiment.control is None and after != before:
            wrong.append(f"after the sweep these files are new or missing: {after ^ before}")
        return wrong
    finally:
        run("umount", str(workspace.probe))


def run_experiment(workspace: Workspace, experiment: Experiment, wanted: int) -> bool:
    """Run an experiment and print its result; return whether it ended as it must."""
    begin = time.monotonic()
    base, events = workspace.record(experiment)
    chosen = cuts(events, wanted, random.Random(5))
    image = workspace.folder / "state"
    acknowledged = flushes = violated = tried = 0
    for cut in states(base, events, chosen, image):
        wrong = check(workspace, experiment, cut, events, image)
        tried += 1
        violated += bool(wrong)
        if wrong and not experiment.control:
            print(f"  {cut}: {wrong[0]}")
    acknowledged = sum(isinstance(event, str) and event.startswith("done") for event in events)
    flushes = events.count(None)
    writes = sum(isinstance(event, Write) for event in events)
    print(
        f"{experiment.title}: {acknowledged} acknowledged, {writes} writes and {flushes} flushes of the "
        f"disk; {tried} states, violations: {violated} ({time.monotonic() - begin:.0f} s)",
        flush=True,
    )
    if not (acknowledged and writes and flushes and tried >= wanted * 0.9):
        print("FAILED: too little was recorded or tried")
        return False
    if experiment.control:
        if not violated:
            print("FAILED: the control has passed, so this lane proves nothing")
        return violated > 0
    return violated == 0


def main() -> int:
    blocklog, folder, *only = sys.argv[1:]
    workspace = Workspace(blocklog, Path(folder))
    good = True
    for experiment in EXPERIMENTS:
        name = f"{experiment.kind} kept" if experiment.keeps else experiment.kind
        if only and not re.fullmatch(only[0], f"{name} {experiment.control}"):
            continue
        if shutil.which(KINDS[experiment.kind].make[0]) is None:
            print(f"{experiment.kind}: SKIP: no {KINDS[experiment.kind].make[0]}")
            continue
        good = run_experiment(workspace, experiment, int(only[1]) if only[1:] else experiment.states) and good
    return 0 if good else 1


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main())
