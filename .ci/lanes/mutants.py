"""Remove or change one safeguard at a time, and verify that the test it is there for fails.

The mutants are listed in `mutants/*.toml`, each with the test that must notice it. Before any of them is
tried, all these tests must pass without one.

Those in Rust are compiled together, in a copy of the sources in which each stands beside the original under
a condition; a variable of the environment then puts one of them in effect. Those in Python are each written
into a copy of the package.

    python mutants.py FOLDER [PART OF A TITLE | K/N]

`K/N` tries the K-th of N parts of them, each of which has some of every list.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

ROOT = Path(__file__).parents[2]
LISTS = Path(__file__).parent / "mutants"
VARIABLE = "SESSSCAN_MUTANT"
"""Holds the number of the mutant that is in effect in a program compiled from the copy."""
AT_ONCE = 2
SECONDS = 60
"""A test that takes longer has noticed the mutant: it waits for what never comes."""
SECONDS_FOR_ALL = 600
"""All tests without a mutant may take so long."""
FEWEST = 300
"""Fewer mutants than this mean that some were lost from the lists."""

Lane = Literal["core", "extension", "power", "python"]


@dataclass(frozen=True)
class Mutant:
    """A change of one place in the sources, and the tests of which one must fail with it."""

    title: str
    lane: Lane
    """Where its tests are: `core`, in the Rust core; `extension`, in Python with a mutant in Rust; `python`,
    in Python. `power`: power cuts on ext4."""
    file: str
    old: str
    """The text to replace; it occurs once in the file."""
    new: str
    tests: tuple[str, ...]
    """Names of tests in Rust, or pytest's ids of tests; of `power` there is only one."""
    root: bool
    """Whether only root can run them."""


@dataclass(frozen=True)
class Result:
    """What became of the tests of a mutant, or of all tests without one."""

    failed: bool
    output: str
    ran: int = 0
    """How many tests ran; 0 where that is not counted."""


def read_lists() -> list[Mutant]:
    """Return the mutants of all lists. Raise `ValueError` for one that does not fit its file."""
    found = []
    for path in sorted(LISTS.glob("*.toml")):
        content = tomllib.loads(path.read_text())
        for entry in content["mutant"]:
            given = {"lane": content.get("lane"), "file": content.get("file")} | entry
            mutant = Mutant(
                given["title"],
                given["lane"],
                given["file"],
                given["old"],
                given.get("new", ""),
                tuple(given.get("tests", ())),
                given.get("root", False),
            )
            where = f"{path.name}, {mutant.title}"
            if mutant.lane not in get_args(Lane):
                raise ValueError(f"{where}: it has no lane")
            if (occurs := (ROOT / mutant.file).read_text().count(mutant.old)) != 1:
                raise ValueError(f"{where}: its text occurs {occurs} times in {mutant.file}")
            if not mutant.tests and mutant.lane != "power":
                raise ValueError(f"{where}: no test is named that must notice it")
            found.append(mutant)
    if len({mutant.title for mutant in found}) < len(found):
        raise ValueError("two mutants have one title")
    return found


def is_in_rust(mutant: Mutant) -> bool:
    return mutant.file.endswith(".rs")


# --- Rust: all mutants in one program


class Core:
    """The core's test program and the extension, with all mutants in them."""

    def __init__(self, folder: Path, mutants: Sequence[Mutant]) -> None:
        self._copy = folder / "tree"
        self._numbers = {mutant: number for number, mutant in enumerate(mutants, 1)}
        by_file: dict[str, list[Mutant]] = defaultdict(list)
        for mutant in mutants:
            by_file[mutant.file].append(mutant)
        files = _working_tree()
        for file, those in by_file.items():
            files[file] = self._with_conditions(file, files[file].decode(), those).encode()
        crate = "rust/sessscan-core/src"
        files[f"{crate}/mutants.rs"] = SWITCH.encode()
        files[f"{crate}/lib.rs"] += b"\nmod mutants;\n"
        _write(self._copy, files)
        self._program = self._built("test", "--no-run", "-p", "sessscan-core", "--lib")
        self._package = self._copy / "python"
        extension = self._built("build", "-p", "sessscan-python")
        shutil.copy(extension, self._package / "sessscan/_core.abi3.so")

    def _with_conditions(self, file: str, text: str, mutants: list[Mutant]) -> str:
        """Return a source file in which each mutant stands beside the original."""
        places: dict[str, list[Mutant]] = defaultdict(list)
        for mutant in mutants:
            places[mutant.old].append(mutant)
        end = len(text)
        for old in sorted(places, key=text.index, reverse=True):
            start = text.index(old)
            if start + len(old) > end:
                raise ValueError(f"{file}: two mutants overlap at {old!r}")
            end = start
            branches = [
                f"if crate::mutants::is({self._numbers[mutant]}) {{ {mutant.new} }} else"
                for mutant in places[old]
            ]
            changed = f"{' '.join(branches)} {{ {old} }}"
            if not old.rstrip().endswith((";", "}")):
                changed = f"({changed})"  # an expression within another
            text = text[:start] + changed + text[start + len(old) :]
        return text

    def _built(self, command: str, *arguments: str) -> Path:
        """Build a part of the copy; return the file that comes out."""
        words = ["cargo", command, "-q", "--message-format=json", *arguments]
        # What the workspace depends on was built for its own tests, and is shared with them.
        done = subprocess.run(words, cwd=self._copy, env=_environment(), capture_output=True, text=True)
        messages = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        if done.returncode != 0:
            told = [message["message"]["rendered"] for message in messages if message.get("message")]
            raise RuntimeError("".join(each for each in told if each.startswith("error")) or done.stderr)
        files = [
            message["executable"] or message["filenames"][0]
            for message in messages
            if message["reason"] == "compiler-artifact"
            and message["target"]["name"] in ("sessscan_core", "_core")
            and (message["profile"]["test"] or "cdylib" in message["target"]["crate_types"])
        ]
        return Path(files[-1])

    def run_python(self, mutant: Mutant | None, tests: Iterable[str]) -> Result:
        """Run tests of the package with a mutant in effect in the extension."""
        return _run_pytest(self._package, tests, self._switched(mutant), _limit(mutant))

    def _switched(self, mutant: Mutant | None) -> dict[str, str]:
        return _environment() | {VARIABLE: str(self._numbers[mutant]) if mutant else ""}

    def run(self, mutant: Mutant | None, tests: Iterable[str]) -> Result:
        """Run tests in Rust with a mutant in effect."""
        words = [str(self._program), "--exact", "--test-threads=2", *tests]
        # Where cargo runs tests: some read files of the crate.
        folder = self._copy / "rust/sessscan-core"
        done = _run(words, folder, self._switched(mutant), _limit(mutant))
        if done is None:
            return Result(True, "it does not end")
        counts = re.findall(r"test result: \w+\. (\d+) passed; (\d+) failed", done.stdout)
        ran = sum(int(passed) + int(failed) for passed, failed in counts)
        if done.returncode > 0 and not ran:
            raise RuntimeError(done.stdout + done.stderr)
        return Result(done.returncode != 0, done.stdout + done.stderr, ran)

    def cut_power(self, mutant: Mutant | None) -> Result:
        """Run the lane of the power cuts with a mutant in effect in the extension."""
        environment = self._switched(mutant) | {"PYTHONPATH": str(self._package)}
        done = _run([".ci/lane-power", "ext4 None", "150"], self._copy, environment, SECONDS_FOR_ALL)
        if done is None:
            raise RuntimeError("the power cuts do not end")
        return Result(done.returncode != 0, done.stdout + done.stderr)


SWITCH = f'''//! Tell which mutant is in effect. This file is only in the copy that is compiled with mutants.

pub(crate) fn is(number: u32) -> bool {{
    static NUMBER: std::sync::OnceLock<Option<u32>> = std::sync::OnceLock::new();
    *NUMBER.get_or_init(|| std::env::var("{VARIABLE}").ok()?.parse().ok()) == Some(number)
}}
'''


def _working_tree() -> dict[str, bytes]:
    """Return the content of each file of the project, by its path."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True)
    return {name: (ROOT / name).read_bytes() for name in done.stdout.split("\0") if (ROOT / name).is_file()}


def _write(folder: Path, files: dict[str, bytes]) -> None:
    """Make a folder hold just these files. Those that are the same already keep their times, for cargo."""
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        if str(path.relative_to(folder)) not in files:
            path.unlink()
    for name, content in files.items():
        path = folder / name
        if not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            if (ROOT / name).exists():
                shutil.copymode(ROOT / name, path)


# --- Python: each mutant in a package of its own


class Package:
    """Copies of the package, with the extension that is installed: none of their mutants is in Rust."""

    def __init__(self, folder: Path) -> None:
        from sessscan import _core

        self._folder = folder / "packages"
        shutil.rmtree(self._folder, ignore_errors=True)
        self._base = self._folder / "none" / "sessscan"
        shutil.copytree(
            ROOT / "python/sessscan", self._base, ignore=shutil.ignore_patterns("__pycache__", "*.so")
        )
        shutil.copy(str(_core.__file__), self._base)
        compiled = [sys.executable, "-m", "compileall", "-q", str(self._base)]
        subprocess.run(compiled, check=True, capture_output=True)

    def run(self, mutant: Mutant | None, tests: Iterable[str]) -> Result:
        """Run tests of the package with a mutant in it."""
        package = self._base
        if mutant is not None:
            package = Path(tempfile.mkdtemp(dir=self._folder)) / "sessscan"
            shutil.copytree(self._base, package, copy_function=os.link)
            changed = package / Path(mutant.file).relative_to("python/sessscan")
            text = changed.read_text()
            changed.unlink()
            changed.write_text(text.replace(mutant.old, mutant.new))
        try:
            return _run_pytest(package.parent, tests, _environment(), _limit(mutant))
        finally:
            if mutant is not None:
                shutil.rmtree(package.parent)


def _run_pytest(path: Path, tests: Iterable[str], environment: dict[str, str], seconds: int) -> Result:
    """Run tests of the package that lies in the folder `path`."""
    environment = environment | {"PYTHONPATH": str(path)}
    with tempfile.NamedTemporaryFile() as output:
        # Forked from a process that has pytest and what the tests import of others, since that takes longer
        # than most of them.
        process = FORKS.Process(target=_pytest, args=(environment, list(tests), output.name))
        process.start()
        process.join(seconds)
        if process.exitcode is None:
            process.kill()
            return Result(True, "it does not end")
        told = Path(output.name).read_text(errors="replace")
    if process.exitcode not in (0, 1):  # the tests were not run
        raise RuntimeError(told)
    if re.search(r"\b\d+ skipped", told):
        raise RuntimeError(f"a test was skipped, and cannot notice anything:\n{told}")
    return Result(process.exitcode != 0, told)


FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    ["pytest", "hypothesis.strategies", "msgspec", "psutil", "rich.console", "typer"]
)


def _pytest(environment: dict[str, str], tests: list[str], output: str) -> None:
    """Run tests in this process, and end it with pytest's exit status."""
    import pytest

    os.environ.clear()
    os.environ.update(environment)
    sys.dont_write_bytecode = True
    sys.path.insert(0, environment["PYTHONPATH"])
    os.chdir(ROOT)
    file = os.open(output, os.O_WRONLY)
    for standard in (1, 2):
        os.dup2(file, standard)
    sys.exit(int(pytest.main(["-x", "--tb=line", "-rf", "-p", "no:cacheprovider", *tests])))


# --- All of them


def _environment() -> dict[str, str]:
    return os.environ | {
        "CARGO_TARGET_DIR": os.environ.get("CARGO_TARGET_DIR", str(ROOT / "target")),
        "PYTHON": sys.executable,
        "PYTHONDONTWRITEBYTECODE": "1",
        "RUST_BACKTRACE": "0",
    }


def _limit(mutant: Mutant | None) -> int:
    return SECONDS_FOR_ALL if mutant is None else SECONDS


def _run(
    words: list[str], folder: Path, environment: dict[str, str], seconds: int
) -> subprocess.CompletedProcess[str] | None:
    """Run a program; return None if it does not end in time."""
    try:
        return subprocess.run(
            words,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        return None


def _failed(result: Result) -> str:
    """Return the name of a test that failed, as pytest or a test program in Rust tells it."""
    named = re.search(r"^FAILED (.+?)(?: - |$)|^    (\w+(?:::\w+)+)$", result.output, re.MULTILINE)
    return "no test by name" if named is None else named[1] or named[2]


def _tests(mutants: Iterable[Mutant]) -> list[str]:
    return list(dict.fromkeys(test for mutant in mutants for test in mutant.tests))


def main() -> int:
    begin = time.monotonic()
    folder, wanted = Path(sys.argv[1]).absolute(), " ".join(sys.argv[2:])
    mutants = read_lists()
    if part := re.fullmatch(r"([0-9]+)/([0-9]+)", wanted):
        tried = mutants[int(part[1]) % int(part[2]) :: int(part[2])]
    else:
        tried = [mutant for mutant in mutants if wanted in mutant.title]
    if os.geteuid() != 0:
        print(f"SKIP: only root can try {sum(mutant.root for mutant in tried)} of them")
        tried = [mutant for mutant in tried if not mutant.root]
    package = Package(folder)
    if any(is_in_rust(mutant) for mutant in tried):
        core = Core(folder, [mutant for mutant in mutants if is_in_rust(mutant)])
    print(f"built after {time.monotonic() - begin:.0f} s", flush=True)

    def run(mutant: Mutant | None, lane: Lane, tests: Sequence[str]) -> Result:
        match lane:
            case "power":
                return core.cut_power(mutant)
            case "python":
                return package.run(mutant, tests)
            case "extension":
                return core.run_python(mutant, tests)
            case _:
                return core.run(mutant, tests)

    def timed(mutant: Mutant) -> tuple[Mutant, Result, float]:
        started = time.monotonic()
        try:
            result = run(mutant, mutant.lane, mutant.tests)
        except RuntimeError as error:
            result = Result(False, str(error))
        return mutant, result, time.monotonic() - started

    with ThreadPoolExecutor(AT_ONCE) as pool:
        lanes = list(dict.fromkeys(mutant.lane for mutant in tried))
        tests = {lane: _tests(mutant for mutant in tried if mutant.lane == lane) for lane in lanes}
        for lane, control in zip(
            lanes, pool.map(lambda lane: run(None, lane, tests[lane]), lanes), strict=True
        ):
            if lane == "power" and "SKIP" in control.output:
                print(control.output.strip())
                tried = [mutant for mutant in tried if mutant.lane != lane]
            elif control.failed or control.ran not in (0, len(tests[lane])):
                print(f"FAILED: {lane} without any mutant, {control.ran} tests:\n{control.output[-3000:]}")
                return 1
        print(f"all tests pass without a mutant, after {time.monotonic() - begin:.0f} s", flush=True)
        survived = 0
        for mutant, result, seconds in pool.map(timed, tried):
            survived += not result.failed
            noticed = (
                f"noticed by {_failed(result)}" if result.failed else f"NOT NOTICED\n{result.output[-1000:]}"
            )
            print(f"{mutant.title}: {noticed} ({mutant.lane}, {seconds:.1f} s)", flush=True)
    print(f"{len(tried)} mutants in {time.monotonic() - begin:.0f} s, not noticed: {survived}")
    return 0 if not survived and (wanted or len(mutants) >= FEWEST) else 1


if __name__ == "__main__":
    sys.exit(main())
