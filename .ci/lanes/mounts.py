"""Run `reconcile --apply`, and the repair of transcripts, on full, read-only and other difficult mounts.

Each test runs `reconcile --apply` with an obstacle, again without it, and then `undo`. With the obstacle
each row is old or new, and the report quotes the system's error; without it all rows are restored. In the end
the store is byte for byte what it was.

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
from small_transcripts import SmallTranscripts

MIB = 1 << 20


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")


Small = SmallStore | SmallTranscripts


def command(store: Small, name: str) -> tuple[int, str]:
    """Run the command line; return its exit status and output."""
    program = [sys.executable, *store.program(name)]
    done = subprocess.run(program, capture_output=True, text=True, env=os.environ | {"COLUMNS": "500"})
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr


@contextlib.contextmanager
def mounted(folder: Path, *arguments: str) -> Iterator[Path]:
    """Mount on a folder, which is created if it is missing, and unmount it at the end."""
    folder.mkdir(exist_ok=True)
    run("mount", *arguments, str(folder))
    try:
        yield folder
    finally:
        run("umount", "--lazy", str(folder))


def tmpfs(stack: ExitStack, folder: Path) -> Path:
    return stack.enter_context(mounted(folder / "mounted", "-t", "tmpfs", "-o", "size=4m", "tmpfs"))


def disk(size: int, *make: str, kind: str | None = None) -> Callable[[ExitStack, Path], Path]:
    """Return a function that makes a file system of `size` bytes in an image file and mounts it."""

    def mount_image(stack: ExitStack, folder: Path) -> Path:
        image = folder / "image"
        with image.open("wb") as file:
            file.truncate(size)
        run(*make, str(image))
        options = ["-t", kind] if kind else []
        return stack.enter_context(mounted(folder / "mounted", *options, "-o", "loop", str(image)))

    return mount_image


def quota(stack: ExitStack, folder: Path) -> Path:
    """Make a btrfs subvolume with a quota of 4 MiB."""
    mount = disk(128 * MIB, "mkfs.btrfs", "-q")(stack, folder)
    run("btrfs", "quota", "enable", str(mount))
    run("btrfs", "subvolume", "create", str(mount / "limited"))
    run("btrfs", "qgroup", "limit", "4M", str(mount / "limited"))
    return mount / "limited"


ext4 = disk(16 * MIB, "mkfs.ext4", "-qF", "-m", "0")
ntfs = disk(16 * MIB, "mkntfs", "-qFf", kind="ntfs-3g")

Obstacle = Callable[[Small, Path], contextlib.AbstractContextManager[object]]


@contextlib.contextmanager
def full(_: Small, mount: Path) -> Iterator[None]:
    """Fill the file system to its last byte."""
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


def read_only(store: Small, mount: Path) -> contextlib.AbstractContextManager[object]:
    """Mount the store read-only over itself."""

    @contextlib.contextmanager
    def bound() -> Iterator[None]:
        with mounted(store.user_data, "--bind", str(store.user_data)):
            run("mount", "-o", "remount,ro,bind", str(store.user_data))
            yield

    return bound()


def mounted_over(store: Small, mount: Path) -> contextlib.AbstractContextManager[object]:
    """Mount another file over the row, which can then neither be renamed nor linked."""
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


def attribute(flag: str, folder: bool) -> Obstacle:
    """Return an obstacle: a `chattr` flag on the row or, with `folder`, on its folder."""

    @contextlib.contextmanager
    def set_attribute(store: Small, _: Path) -> Iterator[None]:
        path = store.replaced.parent if folder else store.replaced
        run("chattr", f"+{flag}", str(path))
        try:
            yield
        finally:
            run("chattr", f"-{flag}", str(path))

    return set_attribute


def no_obstacle(_: Small, __: Path) -> contextlib.AbstractContextManager[object]:
    return contextlib.nullcontext()


@dataclass(frozen=True)
class MountTest:
    """A file system with an obstacle, and what `reconcile --apply` must do there."""

    title: str
    make: Callable[[ExitStack, Path], Path]
    obstacle: Obstacle
    error: str | None
    """The text that the report must contain; None: everything works."""
    failed: int = 2
    """The number of rows, of two, that cannot be restored."""
    leaves: bool = False
    """Whether files of ours cannot be removed either: a temporary file stays until the next run, and the
    backup of a row that was not replaced stays for good."""
    needs: str | None = None
    """The program that the test needs."""
    on_state: bool = False
    """Whether the obstacle is in the way of sessscan's own state, not of the store."""
    small: type[Small] = SmallStore
    """What is there: rows, or transcripts that are edited as a stream."""


TESTS = (
    MountTest("a full tmpfs", tmpfs, full, "No space left on device"),
    MountTest("sessscan's own state on a full tmpfs", tmpfs, full, "no journal can be kept", on_state=True),
    MountTest("a full ext4", ext4, full, "No space left on device", needs="mkfs.ext4"),
    MountTest("a btrfs quota", quota, full, "quota exceeded", needs="mkfs.btrfs"),
    MountTest("a read-only bind mount", tmpfs, read_only, "Read-only file system"),
    MountTest("a mount over the row", tmpfs, mounted_over, "busy", failed=1),
    MountTest(
        "an immutable row (chattr +i)", ext4, attribute("i", False), "not permitted", 1, needs="chattr"
    ),
    MountTest("an immutable folder (chattr +i)", ext4, attribute("i", True), "not permitted", needs="chattr"),
    MountTest(
        "an append-only folder (chattr +a)",
        ext4,
        attribute("a", True),
        "not permitted",
        leaves=True,
        needs="chattr",
    ),
    MountTest("ntfs, which cannot exchange files", ntfs, no_obstacle, None, failed=0, needs="ntfs-3g"),
    MountTest("transcripts, a full tmpfs", tmpfs, full, "No space left on device", small=SmallTranscripts),
    MountTest(
        "transcripts, a full ext4",
        ext4,
        full,
        "No space left on device",
        needs="mkfs.ext4",
        small=SmallTranscripts,
    ),
    MountTest(
        "transcripts, a read-only bind mount",
        tmpfs,
        read_only,
        "Read-only file system",
        small=SmallTranscripts,
    ),
    MountTest(
        "transcripts, one immutable (chattr +i)",
        ext4,
        attribute("i", False),
        "not permitted",
        failed=1,
        needs="chattr",
        small=SmallTranscripts,
    ),
    MountTest(
        "transcripts, btrfs, which shares blocks",
        disk(128 * MIB, "mkfs.btrfs", "-q"),
        no_obstacle,
        None,
        failed=0,
        needs="mkfs.btrfs",
        small=SmallTranscripts,
    ),
    MountTest(
        "transcripts, ntfs, which cannot exchange files",
        ntfs,
        no_obstacle,
        None,
        failed=0,
        needs="ntfs-3g",
        small=SmallTranscripts,
    ),
)


def run_test(test: MountTest, folder: Path) -> None:
    """Run a test; raise an error if anything is wrong."""
    with ExitStack() as stack:
        mount = test.make(stack, folder)
        elsewhere = folder / "elsewhere"
        elsewhere.mkdir()
        store = test.small(mount if not test.on_state else elsewhere)
        state = (mount if test.on_state else elsewhere) / "state"
        os.environ["SESSSCAN_HOME"] = str(state)
        with test.obstacle(store, mount):
            status, output = command(store, "reconcile")
            now = store.content()
            undone = [row for row in store.rows if now[row] == store.old[row]]
            assert all(now[row] in (store.old[row], store.new[row]) for row in store.rows), now
            assert len(undone) == test.failed, f"{undone}: {output}"
            assert test.error is None or test.error in output, output
            expected = 0 if test.error is None else 3 if test.on_state else 4
            assert status == expected, f"status {status}: {output}"
            kept = [Path(row).name + ".corrupted-bak" for row in store.rows if row not in undone]
            more = (
                set(store.listing()) - set(store.names) - set(kept) - {Path(row).name for row in store.rows}
            )
            assert test.leaves or not more, f"left behind: {more}"
        status, output = command(store, "reconcile")
        assert status == 0 and store.content() == store.new, f"status {status}: {output}"
        while command(store, "undo") != (0, "There is no run to take back.\n"):
            pass
        assert store.content() == store.old
        more = set(store.listing()) ^ set(store.names)
        assert not more or (test.leaves and all(name.endswith(".corrupted-bak") for name in more)), more


def main() -> int:
    folder = Path(sys.argv[1])
    tried = wrong = 0
    for number, test in enumerate(TESTS):
        if test.needs is not None and shutil.which(test.needs) is None:
            print(f"{test.title}: SKIP: no {test.needs}")
            continue
        own_folder = folder / str(number)
        own_folder.mkdir()
        try:
            run_test(test, own_folder)
        except (AssertionError, RuntimeError, OSError) as error:
            print(f"{test.title}: {error}")
            wrong += 1
        else:
            print(f"{test.title}: {test.failed} of 2 files failed and were reported; mended later; undone")
        tried += 1
    print(f"{tried} difficult mounts, violations: {wrong}")
    if tried < 4:
        print("FAILED: too few tests ran")
    return 0 if tried >= 4 and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
