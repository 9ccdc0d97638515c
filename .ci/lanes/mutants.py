"""Does anything notice? Each sync, the exclusive create, the backup and each check is taken away in turn, in
a copy of the tree, and one of the lanes must then fail.

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
    title: str
    lane: str
    """What has to notice: `core` (the seam's tests), `power` (power cuts on ext4), `python` (tests)."""
    file: str
    old: str
    """Occurs once in the file."""
    new: str = ""


def core(title: str, file: str, old: str, new: str = "") -> Mutant:
    return Mutant(title, "core", f"{CORE}/{file}", old, new)


MUTANTS = (
    core("the new file's sync", "fs.rs", "    fs.sync(file)?;\n"),
    core("the old file's sync", "backup.rs", "self.fs.sync(old).map(", "Ok(()).map("),
    core(
        "the folder's sync after the backup",
        "backup.rs",
        "Ok(true) => self.fs.sync_dir(&self.dir).map_err(failed)",
        "Ok(true) => Ok(())",
    ),
    core(
        "the folder's sync at the end",
        "target.rs",
        "self.fs.sync_dir(&self.dir).map_err(unconfirmed)",
        "Ok(()).map_err(unconfirmed)",
    ),
    core("the folder's sync after swapping back", "install.rs", "let _ = self.fs.sync_dir(&self.dir);"),
    core("the folder's sync after putting back", "remove.rs", "let _ = fs.sync_dir(dir);"),
    core("the journal's sync", "append.rs", "    fs.sync(&file)\n", "    Ok(())\n"),
    core("the sync of the journal's folder", "append.rs", "fs.sync_dir(&target.dir)?;"),
    core("the sync of the folders above it", "append.rs", "sync_above(fs, parent(target.path))?;"),
    core("the folder's sync after a kill", "append.rs", " || stat.stamp.size == 0"),
    core("the exclusive create", "unix.rs", "OFlags::CREATE | OFlags::EXCL |", "OFlags::CREATE |"),
    core("the backup", "backup.rs", "linked.map_err(failed)?;", "return Ok(());"),
    core("the file's size looked at", "fs.rs", "if stamp.size == size", "if true"),
    core(
        "what came out looked at",
        "install.rs",
        "let looked = self.holds(&new.name, before);",
        "let looked = Ok(true);",
    ),
    core("the target compared before it", "target.rs", "wanted.is_some() && wanted != digest", "false"),
    core(
        "the rename that never replaces",
        "install.rs",
        "&new.name, self.name, Rename::New",
        "&new.name, self.name, Rename::Over",
    ),
    core("half a record taken back", "append.rs", "let _ = fs.truncate(&file, stat.stamp.size);"),
    core(
        "what a sweep spares",
        "name.rs",
        "digest().is_some_and(|digest| short(&digest) == expected)",
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
        "the backup asked for",
        "python",
        f"{PYTHON}/apply.py",
        "backup=backup,\n            )\n        except",
        ")\n        except",
    ),
    Mutant(
        "what the row is expected to be",
        "python",
        f"{PYTHON}/apply.py",
        "expected=_core.ABSENT if before is None else before.sha256",
        "expected=None",
    ),
    Mutant(
        "the intent in the journal",
        "python",
        f"{PYTHON}/apply.py",
        "backup=backup,\n        )\n        doubt",
        "backup=None,\n        )\n        doubt",
    ),
    Mutant("undo's look at all files", "python", f"{PYTHON}/undo.py", "        _check(due)\n"),
    Mutant("the torn record cut off", "python", f"{PYTHON}/journal.py", "records[: run.length]", "records"),
)


def command(copy: Path, lane: str, target: Path) -> list[list[str]]:
    """What is run, one after the other; the last one is the judge."""
    if lane == "core":
        tests = [
            "replace::tests",
            "replace::crash_tests",
            "replace::faults",
            "replace::race_tests::the_owner_acts_once",
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


def judge(copy: Path, lane: str) -> tuple[bool, str]:
    """Whether the lane passes, and the end of what it says."""
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
    # The tests in Python run with the extension that is installed: no mutant of theirs is in the core.
    from sessscan import _core

    shutil.copy(str(_core.__file__), copy / "python/sessscan")

    skipped = set()
    for lane in dict.fromkeys(mutant.lane for mutant in MUTANTS):
        passes, output = judge(copy, lane)
        if output.startswith("SKIP"):
            skipped.add(lane)
            print(f"{lane}: {output.strip()}")
        elif not passes:
            print(f"FAILED: without any mutant, {lane} fails:\n{output[-3000:]}")
            return 1
    tried = survived = 0
    for mutant in MUTANTS:
        if mutant.lane in skipped:
            continue
        path = copy / mutant.file
        original = path.read_text()
        if original.count(mutant.old) != 1:
            print(f"FAILED: {mutant.title}: its place in {mutant.file} is not to be found")
            return 1
        path.write_text(original.replace(mutant.old, mutant.new))
        try:
            passes, _ = judge(copy, mutant.lane)
        finally:
            path.write_text(original)
        tried += 1
        survived += passes
        print(f"without {mutant.title}: {mutant.lane} {'PASSES' if passes else 'fails'}", flush=True)
    print(f"{tried} mutants in {time.monotonic() - begin:.0f} s, not noticed: {survived}")
    return 0 if tried >= 15 and not survived else 1


if __name__ == "__main__":
    sys.exit(main())
