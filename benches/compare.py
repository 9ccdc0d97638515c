"""How much faster the core scans a transcript than plain Python does: `python benches/compare.py`.

It makes one transcript in a temporary folder, the same one each time, checks that the core and the reference
beside this file say exactly the same about it, then times them in turn, so that whatever else the machine
does meets all of them, and prints the medians.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import reference
import sessscan

SEED = 20260801
MEDIAN, SIGMA = 1_000, 1.65
"""Of a record's payload, whose size is log-normal: 1 KB in the middle, 46 KB at the 99th percentile."""
LARGEST = 12_800_000

LINES_OF_TEXT = (
    '    if self.state["kind"] == "ready" and not path.exists():',
    "        return {key: value for key, value in items if value is not None}",
    "running 42 tests in 7 files … 41 passed, 1 failed (src/parser/line.rs:118:9)",
    "C:\\Users\\ada\\engine\\src\\main.ts(12,5): error TS2304: Cannot find name 'frob'.",
    '{"type":"user","timestamp":"1999-01-01T00:00:00.000Z","cwd":"/not/here","sessionId":"none"}',
    "-rw-r--r-- 1 ada staff   8,431 Nov  3 21:17 README.md\t# naïve 日本語 ✓",
    "The parser keeps one token of look-ahead; that is enough, since no rule begins with two optional parts.",
    "",
)


def transcript(session: str, size: int) -> Iterator[bytes]:
    """The lines of a session of at least `size` bytes: both orders of keys, all common families of lines."""
    random = Random(SEED)
    pool = "\n".join(random.choices(LINES_OF_TEXT, k=20_000))
    parent: str | None = None
    written = turn = 0

    def payload() -> str:
        length = min(int(random.lognormvariate(0, SIGMA) * MEDIAN), LARGEST)
        begin = random.randrange(len(pool))
        return (pool[begin : begin + length] * (1 + length // len(pool)))[:length]

    def chain(kind: str, body: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
        nonlocal parent
        head = {"parentUuid": parent, "isSidechain": False}
        parent = str(uuid.UUID(int=random.getrandbits(128), version=4))
        seconds = written // 4_096
        stamp = f"2026-08-{1 + seconds // 86_400 % 28:02}T{seconds // 3_600 % 24:02}:{seconds // 60 % 60:02}"
        core = {"type": kind, "uuid": parent, "timestamp": f"{stamp}:{seconds % 60:02}.{turn % 1_000:03}Z"}
        envelope = {
            "userType": "external",
            "entrypoint": "claude-desktop",
            "cwd": "/home/ada/engine" if turn % 50 else "/home/ada/engine/src",
            "sessionId": session,
            "version": "2.1.235",
            "gitBranch": "main",
        }
        if written < size // 4:  # a session that an older CLI began
            del envelope["entrypoint"]
            return {**head, **envelope, "version": "2.1.29", **body, **core, **after}
        return {**head, "promptId": parent, **body, **core, **after, **envelope}

    def prompt() -> dict[str, Any]:
        text = f"Now do step {turn}, please: " + payload()[:400]
        return chain("user", {"message": {"role": "user", "content": text}}, {})

    def answer(block: dict[str, Any]) -> dict[str, Any]:
        usage = {"input_tokens": 4, "cache_read_input_tokens": 90_412, "output_tokens": 377}
        message = {"model": "claude-opus-4-6", "type": "message", "role": "assistant", "content": [block]}
        return chain("assistant", {"message": {**message, "usage": usage}, "requestId": "req_011C"}, {})

    def result(name: str) -> dict[str, Any]:
        text = payload()
        block = {"tool_use_id": name, "type": "tool_result", "content": text, "is_error": False}
        message = {"role": "user", "content": [block]}
        after = {"toolUseResult": {"stdout": text[: len(text) // 2], "stderr": "", "interrupted": False}}
        return chain("user", {"message": message}, after)

    while written < size:
        turn += 1
        batch = [prompt()]
        for step in range(random.randint(1, 8)):
            name = f"toolu_{turn:06}_{step}"
            command = {"command": payload()[:300], "description": "Run the tests"}
            batch.append(answer({"type": "thinking", "thinking": payload()[:1_500], "signature": "Eo" * 200}))
            batch.append(answer({"type": "tool_use", "id": name, "name": "Bash", "input": command}))
            batch.append(result(name))
        batch.append(answer({"type": "text", "text": payload()[:3_000]}))
        snapshot = {"messageId": parent, "trackedFileBackups": {}, "timestamp": "2026-08-01T00:00:00.000Z"}
        batch.append({"type": "file-history-snapshot", "messageId": parent, "snapshot": snapshot})
        if turn % 20 == 1:
            batch.append({"type": "ai-title", "aiTitle": f"Step {turn} of many", "sessionId": session})
            batch.append(
                {"type": "last-prompt", "lastPrompt": "Now do", "leafUuid": parent, "sessionId": session}
            )
            batch.append({"type": "mode", "mode": "acceptEdits", "sessionId": session})
        for record in batch:
            line = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
            written += len(line)
            yield line


def check(path: Path) -> dict[str, Any]:
    """What both say about the file; ends the program if they do not say the same."""
    expected = reference.scan(path)
    for strict in (False, True):
        found = sessscan.scan(path, strict=strict).to_dict()
        wrong = [key for key, value in expected.items() if found[key] != value]
        for key in wrong:
            print(f"{key}: core {found[key]!r}, reference {expected[key]!r}", file=sys.stderr)
        if wrong:
            sys.exit(f"core (strict={strict}) and reference disagree about {path}: nothing was measured")
    return expected


def measure(path: Path, rounds: int) -> dict[str, float]:
    """The median time of each reader in seconds."""
    readers: dict[str, Callable[[], object]] = {
        "reference (json)": lambda: reference.scan(path),
        "sessscan": lambda: sessscan.scan(path),
        "sessscan, strict": lambda: sessscan.scan(path, strict=True),
    }
    times: dict[str, list[float]] = {name: [] for name in readers}
    for _ in range(rounds):
        for name, read in readers.items():
            begin = time.perf_counter()
            read()
            times[name].append(time.perf_counter() - begin)
    return {name: statistics.median(taken) for name, taken in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the core's scan against the plain-Python one.")
    parser.add_argument(
        "--mb", type=int, default=128, metavar="N", help="size of the transcript (default: 128)"
    )
    parser.add_argument("--quick", action="store_true", help="16 MB: shows that it works, not how fast it is")
    options = parser.parse_args()
    size = (16 if options.quick else options.mb) * 1_000_000
    if size <= 0:
        parser.error("--mb: a positive number of megabytes")

    with tempfile.TemporaryDirectory(prefix="sessscan-compare-") as folder:
        session = str(uuid.UUID(int=SEED, version=4))
        path = Path(folder) / f"{session}.jsonl"
        with path.open("wb") as file:
            file.writelines(transcript(session, size))
        found = check(path)
        print(f"{found['size'] / 1e6:.1f} MB, {found['records']:,} records, {found['turns']:,} prompts")
        print("core and reference agree in every field; medians of 5, one thread, file in the page cache\n")
        medians = measure(path, 5)

    baseline = medians["reference (json)"]
    print(f"{'reader':<18}{'seconds':>10}{'MB/s':>10}{'ratio':>10}")
    for name, seconds in medians.items():
        print(f"{name:<18}{seconds:>10.4f}{found['size'] / seconds / 1e6:>10,.0f}{baseline / seconds:>9.1f}x")
    if medians["sessscan"] > baseline:
        print("\nslower than json: that is a debug build; `maturin develop --release` makes the real one")


if __name__ == "__main__":
    main()
