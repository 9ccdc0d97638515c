"""Remove each sync, check and backup of the writer in turn, and verify that a test fails.

Each mutant is one edit in a copy of the source tree. It must make its lane fail.

    python mutants.py COPY
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
CORE = "rust/sessscan-core/src/replace"
PYTHON = "python/sessscan/changes"


@dataclass(frozen=True)
class Mutant:
    """A check or safeguard to remove, and the lane that must then fail."""

    title: str
    lane: str
    """The tests that must fail: `core` (the writer in Rust), `power` (power cuts on ext4) or `python`."""
    file: str
    old: str
    """The text to replace; it must occur once in the file."""
    new: str = ""


def core(title: str, file: str, old: str, new: str = "") -> Mutant:
    return Mutant(title, "core", f"{CORE}/{file}", old, new)


MUTANTS = (
    core("the new file's sync", "fs.rs", "    fs.sync(file)?;\n"),
    core("the old file's sync", "backup.rs", "fs.sync(old).map(", "Ok(()).map("),
    core(
        "the folder's sync after the backup",
        "backup.rs",
        "Ok(true) => fs.sync_dir(dir).map_err(failed)",
        "Ok(true) => Ok(())",
    ),
    core(
        "the folder's sync at the end",
        "target.rs",
        "self.fs.sync_dir(&self.dir).map_err(unconfirmed)",
        "Ok(()).map_err(unconfirmed)",
    ),
    core("the folder's sync after exchanging back", "install.rs", "let _ = target.fs.sync_dir(&target.dir);"),
    core("the folder's sync after moving back", "remove.rs", "let _ = fs.sync_dir(dir);"),
    core("the journal's sync", "append.rs", "    fs.sync(&file)\n", "    Ok(())\n"),
    core("the sync of the journal's folder", "append.rs", "fs.sync_dir(&target.dir)?;"),
    core("the sync of the folders above the journal's", "append.rs", "sync_above(fs, parent(target.path))?;"),
    core("the folder's sync for an empty journal", "append.rs", " || stat.stamp.size == 0"),
    core("the exclusive create", "unix.rs", "OFlags::CREATE | OFlags::EXCL |", "OFlags::CREATE |"),
    core("the backup", "backup.rs", "linked.map_err(failed)?;", "return Ok(());"),
    core("the check of the new file's size", "fs.rs", "if stamp.size == size", "if true"),
    core(
        "the check of what the exchange gave",
        "install.rs",
        "let as_expected = self.holds_still(before);",
        "let as_expected = Ok(true);",
    ),
    core("the check of the target's content", "target.rs", "wanted.is_some() && wanted != digest", "false"),
    core(
        "the rename that never replaces",
        "install.rs",
        "&self.name, target.name, Rename::New",
        "&self.name, target.name, Rename::Over",
    ),
    core("the truncation of half a record", "append.rs", "let _ = fs.truncate(&file, stat.stamp.size);"),
    core(
        "the check of what a sweep removes",
        "name.rs",
        "digest().is_some_and(|digest| first_half(&digest) == expected)",
        "digest().is_some() || !expected.is_empty()",
    ),
    Mutant(
        "fsync of files",
        "power",
        f"{CORE}/unix.rs",
        "fn sync(&self, file: &File) -> io::Result<()> {\n        sync(file)",
        "fn sync(&self, _: &File) -> io::Result<()> {\n        Ok(())",
    ),
    Mutant(
        "fsync of folders",
        "power",
        f"{CORE}/unix.rs",
        "fn sync_dir(&self, dir: &OwnedFd) -> io::Result<()> {\n        sync(dir)",
        "fn sync_dir(&self, _: &OwnedFd) -> io::Result<()> {\n        Ok(())",
    ),
    Mutant(
        "the backup in the call of the writer",
        "python",
        f"{PYTHON}/apply.py",
        "backup=backup,\n            )\n        except",
        ")\n        except",
    ),
    Mutant(
        "the expected content in the call of the writer",
        "python",
        f"{PYTHON}/apply.py",
        "expected=_core.ABSENT if before is None else before.sha256",
        "expected=None",
    ),
    Mutant(
        "the backup's name in the journal",
        "python",
        f"{PYTHON}/apply.py",
        "backup=backup,\n        )\n        doubt",
        "backup=None,\n        )\n        doubt",
    ),
    Mutant(
        "undo's check of all files",
        "python",
        f"{PYTHON}/undo.py",
        "if reasons := _changes(due):",
        "if reasons := []:",
    ),
    Mutant("the cut of a torn record", "python", f"{PYTHON}/journal.py", "records[: run.length]", "records"),
)


def command(copy: Path, lane: str, target: Path) -> list[list[str]]:
    """Return the commands of a lane, in order. The last one tells whether the lane passes."""
    if lane == "core":
        tests = [
            "replace::tests",
            "replace::crash_tests",
            "replace::faults",
            "replace::race_tests::one_owner_change_is_not_lost",
        ]
        return [["cargo", "test", "-q", "-p", "sessscan-core", "--lib", "--", *tests]]
    if lane == "python":
        tests = ["tests/test_apply.py", "tests/test_journal.py"]
        return [[sys.executable, "-m", "pytest", "-qx", "-p", "no:cacheprovider", *tests]]
    library, extension = target / "debug/lib_core.so", copy / "python/sessscan/_core.abi3.so"
    return [
        ["cargo", "build", "-q", "-p", "sessscan-python"],
        ["cp", str(library), str(extension)],
        [".ci/lane-power", "ext4 None", "150"],
    ]


def run_lane(copy: Path, lane: str) -> tuple[bool, str]:
    """Run a lane; return whether it passes, and its output."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "mutants"
    environment = os.environ | {
        "CARGO_TARGET_DIR": str(target),
        "PYTHONPATH": str(copy / "python"),
        "PYTHON": sys.executable,
        "PYTHONDONTWRITEBYTECODE": "1",
        "RUST_BACKTRACE": "0",
    }
    *preparations, last = command(copy, lane, target)
    for words in preparations:
        done = subprocess.run(words, cwd=copy, env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(words)}: {done.stderr}")
    done = subprocess.run(last, cwd=copy, env=environment, capture_output=True, text=True, timeout=600)
    if "could not compile" in done.stderr:
        raise RuntimeError(done.stderr)
    return done.returncode == 0, done.stdout + done.stderr


def main() -> int:
    begin = time.monotonic()
    copy = Path(sys.argv[1])
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, files.split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    # The Python tests use the installed extension, because none of their mutants is in Rust.
    from sessscan import _core

    shutil.copy(str(_core.__file__), copy / "python/sessscan")

    skipped = set()
    for lane in dict.fromkeys(mutant.lane for mutant in MUTANTS):
        passes, output = run_lane(copy, lane)
        if output.startswith("SKIP"):
            skipped.add(lane)
            print(f"{lane}: {output.strip()}")
        elif not passes:
            print(f"FAILED: {lane} fails without any mutant:\n{output[-3000:]}")
            return 1
    tried = survived = 0
    for mutant in MUTANTS:
        if mutant.lane in skipped:
            continue
        path = copy / mutant.file
        original = path.read_text()
        if original.count(mutant.old) != 1:
            print(f"FAILED: {mutant.title}: its text does not occur once in {mutant.file}")
            return 1
        path.write_text(original.replace(mutant.old, mutant.new))
        try:
            passes, _ = run_lane(copy, mutant.lane)
        finally:
            path.write_text(original)
        tried += 1
        survived += passes
        print(f"without {mutant.title}: {mutant.lane} {'PASSES' if passes else 'fails'}", flush=True)
    print(f"{tried} mutants in {time.monotonic() - begin:.0f} s, not noticed: {survived}")
    return 0 if tried >= 15 and not survived else 1


if __name__ == "__main__":
    sys.exit(main())
