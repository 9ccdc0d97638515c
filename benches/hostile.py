"""Measure the peak memory of a scan of hostile files, and how soon Ctrl-C ends it.

    python benches/hostile.py [--quick] [--limit MIB] [--data DIR]

Each file holds what makes a reader of lines or of damage keep much: one line as large as the file, damage in
every second byte, nesting. It is scanned in a process of its own; its peak counts beyond that of a process
that scans nothing. The exit status is 1 if any is over MIB (64), the bound for a file of any content, or if
none of three interrupts of a scan was answered within 100 ms.

`--quick` makes files of a few megabytes, and shows that everything works.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

TITLE = b'{"type":"custom-title","customTitle":"T","sessionId":"s"}\n'
MESSAGE = b'{"type":"user","message":{"content":"'
MB = 1_000_000
PIECE = MB

PATIENCE = 0.1
"""Seconds after which an interrupted scan must have ended."""


def repeated(unit: bytes, size: int) -> Iterator[bytes]:
    """Yield about `size` bytes of `unit`, again and again."""
    piece = unit * max(PIECE // len(unit), 1)
    for _ in range(max(size // len(piece), 1)):
        yield piece


def line(begin: bytes, unit: bytes, size: int, end: bytes) -> Iterator[bytes]:
    """Yield a record, and behind it one line of about `size` bytes."""
    yield TITLE + begin
    yield from repeated(unit, size)
    yield end


def utf16(size: int) -> Iterator[bytes]:
    """Yield a file in UTF-16, as PowerShell writes one anew."""
    yield b"\xff\xfe"
    yield from repeated(TITLE.decode().encode("utf-16-le"), size)


FILES: dict[str, tuple[int, Callable[[int], Iterator[bytes]]]] = {
    "UTF-16": (68 * MB, utf16),
    "all NUL": (400 * MB, lambda size: repeated(b"\0", size)),
    "five million bad lines": (15 * MB, lambda size: line(b"", b"}{\n", size, b"")),
    "NUL in every second byte": (40 * MB, lambda size: line(b"x", b"\0x", size, b"\n")),
    "one line of false starts": (52 * MB, lambda size: line(b"", b'{"type":', size, b"\n")),
    "one line of glued records": (100 * MB, lambda size: line(b"", b'{"type":1}', size, b"\n")),
    "a torn line": (400 * MB, lambda size: line(MESSAGE, b"word ", size, b"")),
    "a line that is not UTF-8": (400 * MB, lambda size: line(MESSAGE + b"\xff", b"word ", size, b'"}}\n')),
    "brackets": (60 * MB, lambda size: line(b"", b'{"a":[', size, b"\n")),
    "a line of a gigabyte": (1000 * MB, lambda size: line(MESSAGE, b"word ", size, b'"}}\n')),
    "summaries": (60 * MB, lambda size: summaries(size)),
}


def summaries(size: int) -> Iterator[bytes]:
    """Yield summaries of other conversations, each of another one."""
    for number in range(0, size // 60, 10_000):
        yield b"".join(
            b'{"type":"summary","summary":"S","leafUuid":"%d"}\n' % at
            for at in range(number, number + 10_000)
        )


SCAN = """
import sys
import sessscan
sessscan.scan_bytes(b"{}")
print(flush=True)
if sys.argv[1:]:
    sessscan.scan(sys.argv[1])
try:
    with open("/proc/self/status") as status:
        print(next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM")))
except OSError:
    import resource
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024))
"""


def peak(*path: Path) -> tuple[int, float]:
    """Return the peak memory in bytes of a process that scans a file, or nothing, and the seconds it took."""
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", SCAN, *map(str, path)], capture_output=True, text=True, check=True
    )
    return int(done.stdout), time.perf_counter() - begin


def until_interrupted(path: Path, after: float) -> float | None:
    """Return how many seconds a scan went on after Ctrl-C; None if it had ended before."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCAN, str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(after)
    begin = time.perf_counter()
    process.send_signal(signal.SIGINT)
    rest = process.stdout.read()
    took = time.perf_counter() - begin
    process.wait()
    return None if rest.strip() else took


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="make small files: a smoke test of seconds")
    parser.add_argument("--limit", type=float, default=64, metavar="MIB", help="default: 64")
    parser.add_argument("--data", type=Path, metavar="DIR", help="where the files are made, one at a time")
    options = parser.parse_args()
    idle, start = peak()
    over = []
    with tempfile.TemporaryDirectory(dir=options.data) as folder:
        for name, (full, content) in FILES.items():
            path = Path(folder) / "hostile.jsonl"
            with path.open("wb") as file:
                file.writelines(content(min(full, 4 * MB) if options.quick else full))
            most, seconds = peak(path)
            mib = (most - idle) / (1 << 20)
            said = f"{name:<26} {path.stat().st_size / MB:>7.1f} MB {mib:>6.1f} MiB {seconds - start:>5.1f} s"
            late = []
            if not options.quick:
                parts = (0.2, 0.5, 0.8)
                found = [until_interrupted(path, part * max(seconds - start, 0)) for part in parts]
                late = [took for took in found if took is not None]
                said += "".join(f" {took * 1000:>5.0f} ms" for took in late)
            print(said, flush=True)
            if mib > options.limit:
                over.append(f"{name}: {mib:.0f} MiB over the interpreter's")
            if late and min(late) > PATIENCE:
                over.append(f"{name}: Ctrl-C took {min(late) * 1000:.0f} ms")
    for what in over:
        print(f"over the bound: {what}", file=sys.stderr)
    print(f"the bound is {options.limit:g} MiB over the interpreter's {idle / (1 << 20):.0f} MiB")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
