"""Full, read-only and otherwise hostile file systems: nothing is half done, and when the hindrance is gone it
works.

For each: `reconcile --apply` while the hindrance is there, then without it, then `undo`. What could not be
done is reported with the system's own words, and each row is old or new; in the end the store is byte for
byte what it was.

    python mounts.py FOLDER
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from small_store import SmallStore

MIB = 1 << 20


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")


def command(store: SmallStore, name: str) -> tuple[int, str]:
    """The status and output of the real command."""
    program = [sys.executable, "-m", "sessscan", *store.arguments(name)]
    done = subprocess.run(program, capture_output=True, text=True, env=os.environ | {"COLUMNS": "500"})
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr


@contextlib.contextmanager
def mounted(folder: Path, *arguments: str) -> Iterator[Path]:
    folder.mkdir(exist_ok=True)
    run("mount", *arguments, str(folder))
    try:
        yield folder
    finally:
        run("umount", "--lazy", str(folder))


def tmpfs(stack: ExitStack, folder: Path) -> Path:
    return stack.enter_context(mounted(folder / "mounted", "-t", "tmpfs", "-o", "size=4m", "tmpfs"))


def disk(size: int, *make: str, kind: str | None = None) -> Callable[[ExitStack, Path], Path]:
    def place(stack: ExitStack, folder: Path) -> Path:
        image = folder / "image"
        with image.open("wb") as file:
            file.truncate(size)
        run(*make, str(image))
        what = ["-t", kind] if kind else []
        return stack.enter_context(mounted(folder / "mounted", *what, "-o", "loop", str(image)))

    return place


def quota(stack: ExitStack, folder: Path) -> Path:
    mount = disk(128 * MIB, "mkfs.btrfs", "-q")(stack, folder)
    run("btrfs", "quota", "enable", str(mount))
    run("btrfs", "subvolume", "create", str(mount / "limited"))
    run("btrfs", "qgroup", "limit", "4M", str(mount / "limited"))
    return mount / "limited"


ext4 = disk(16 * MIB, "mkfs.ext4", "-qF", "-m", "0")
ntfs = disk(16 * MIB, "mkntfs", "-qFf", kind="ntfs-3g")

Hindrance = Callable[[SmallStore, Path], contextlib.AbstractContextManager[object]]


@contextlib.contextmanager
def full(_: SmallStore, mount: Path) -> Iterator[None]:
    filler = mount / "filler"
    descriptor = os.open(filler, os.O_WRONLY | os.O_CREAT)
    try:
        for size in (64 << 10, 4 << 10, 512, 1):
            with contextlib.suppress(OSError):
                while os.write(descriptor, b"x" * size) == size:
                    os.fsync(descriptor)
        yield
    finally:
        os.close(descriptor)
        filler.unlink()
        os.sync()


def read_only(store: SmallStore, mount: Path) -> contextlib.AbstractContextManager[object]:
    @contextlib.contextmanager
    def bound() -> Iterator[None]:
        with mounted(store.user_data, "--bind", str(store.user_data)):
            run("mount", "-o", "remount,ro,bind", str(store.user_data))
            yield

    return bound()


def occupied(store: SmallStore, mount: Path) -> contextlib.AbstractContextManager[object]:
    """Another file is mounted over the row: it can neither be renamed nor linked."""
    (mount / "same").write_bytes(store.replaced.read_bytes())
    os.utime(mount / "same", ns=(0, store.replaced.stat().st_mtime_ns))

    @contextlib.contextmanager
    def bound() -> Iterator[None]:
        run("mount", "--bind", str(mount / "same"), str(store.replaced))
        try:
            yield
        finally:
            run("umount", str(store.replaced))

    return bound()


def attribute(flag: str, folder: bool) -> Hindrance:
    @contextlib.contextmanager
    def set_attribute(store: SmallStore, _: Path) -> Iterator[None]:
        path = store.replaced.parent if folder else store.replaced
        run("chattr", f"+{flag}", str(path))
        try:
            yield
        finally:
            run("chattr", f"-{flag}", str(path))

    return set_attribute


def nothing(_: SmallStore, __: Path) -> contextlib.AbstractContextManager[object]:
    return contextlib.nullcontext()


@dataclass(frozen=True)
class Trial:
    title: str
    place: Callable[[ExitStack, Path], Path]
    hinder: Hindrance
    says: str | None
    """What the report has to say; None: it works all the same."""
    failed: int = 2
    """How many of the two rows cannot be done."""
    leaves: bool = False
    """Whether it keeps us from removing what we have made as well: a temporary file, until the next run; the
    backup of a row that was not replaced, for good."""
    needs: str | None = None
    """The program without which it cannot be tried."""
    state_too: bool = False
    """Whether sessscan's own state is hindered."""


TRIALS = (
    Trial("a full tmpfs", tmpfs, full, "No space left on device"),
    Trial("sessscan's own state on a full tmpfs", tmpfs, full, "no journal can be kept", state_too=True),
    Trial("a full ext4", ext4, full, "No space left on device", needs="mkfs.ext4"),
    Trial("a btrfs quota", quota, full, "quota exceeded", needs="mkfs.btrfs"),
    Trial("a read-only bind mount", tmpfs, read_only, "Read-only file system"),
    Trial("a mount over the row", tmpfs, occupied, "busy", failed=1),
    Trial("an immutable row (chattr +i)", ext4, attribute("i", False), "not permitted", 1, needs="chattr"),
    Trial("an immutable folder (chattr +i)", ext4, attribute("i", True), "not permitted", needs="chattr"),
    Trial(
        "a folder to add to (chattr +a)",
        ext4,
        attribute("a", True),
        "not permitted",
        leaves=True,
        needs="chattr",
    ),
    Trial("ntfs, which cannot exchange files", ntfs, nothing, None, failed=0, needs="ntfs-3g"),
)


def attempt(trial: Trial, folder: Path) -> None:
    with ExitStack() as stack:
        mount = trial.place(stack, folder)
        elsewhere = folder / "elsewhere"
        elsewhere.mkdir()
        store = SmallStore(mount if not trial.state_too else elsewhere)
        state = (mount if trial.state_too else elsewhere) / "state"
        os.environ["SESSSCAN_HOME"] = str(state)
        with trial.hinder(store, mount):
            status, output = command(store, "reconcile")
            now = store.content()
            undone = [row for row in store.rows if now[row] == store.old[row]]
            assert all(now[row] in (store.old[row], store.new[row]) for row in store.rows), now
            assert len(undone) == trial.failed, f"{undone}: {output}"
            assert trial.says is None or trial.says in output, output
            expected = 0 if trial.says is None else 3 if trial.state_too else 4
            assert status == expected, f"status {status}: {output}"
            kept = [Path(row).name + ".corrupted-bak" for row in store.rows if row not in undone]
            more = (
                set(store.listing()) - set(store.names) - set(kept) - {Path(row).name for row in store.rows}
            )
            assert trial.leaves or not more, f"left behind: {more}"
        status, output = command(store, "reconcile")
        assert status == 0 and store.content() == store.new, f"status {status}: {output}"
        while command(store, "undo") != (0, "There is no run to take back.\n"):
            pass
        assert store.content() == store.old
        more = set(store.listing()) ^ set(store.names)
        assert not more or (trial.leaves and all(name.endswith(".corrupted-bak") for name in more)), more


def main() -> int:
    folder = Path(sys.argv[1])
    tried = wrong = 0
    for number, trial in enumerate(TRIALS):
        if trial.needs is not None and shutil.which(trial.needs) is None:
            print(f"{trial.title}: SKIP: no {trial.needs}")
            continue
        place = folder / str(number)
        place.mkdir()
        try:
            attempt(trial, place)
        except (AssertionError, RuntimeError, OSError) as error:
            print(f"{trial.title}: {error}")
            wrong += 1
        else:
            print(
                f"{trial.title}: {trial.failed} of 2 rows kept back, said so, done when it was gone, undone"
            )
        tried += 1
    print(f"{tried} hostile mounts tried, violations: {wrong}")
    if tried < 4:
        print("FAILED: hardly anything was tried")
    return 0 if tried >= 4 and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
