"""Measure how fast four fields are read, beside peers: `python benches/fields.py [--quick]`.

The columns are the time, the model and two counts of tokens, of all assistant records of the 1 GB transcript
that `benches/run.py` makes. Everybody reads on one thread, from the page cache, in turns, and medians count.
Each answer is compared: the number of rows, and the sums of the columns.

Expected: at least 0.4 of the rate of a scan, and 5 times that of DuckDB's `read_json`. The exit status is 1
if it is not so, with --quick only if an answer is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

# Read when these libraries are imported.
os.environ["POLARS_MAX_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

import platformdirs
import sessscan
from race import data

Answer = tuple[int, int, int]
"""How many records there are, and the sums of both columns of tokens."""

OF_SCAN, OF_DUCKDB, ROUNDS = 0.4, 5.0, 7
SELECT = {
    "time": "timestamp:str",
    "model": "message.model:str",
    "input": "message.usage.input_tokens:int",
    "output": "message.usage.output_tokens:int",
}
WHERE = {"type": "assistant"}


def scan(path: Path) -> Answer | None:
    """Scan the file, as a measure; its answer is another one."""
    sessscan.scan_many([path], threads=1)
    return None


def fields(path: Path, threads: int = 1) -> Answer:
    """Read it as an Arrow stream, batch by batch."""
    import pyarrow
    from pyarrow import compute

    stream = pyarrow.RecordBatchReader.from_stream(sessscan.fields(path, SELECT, WHERE, threads=threads))
    rows = inputs = outputs = 0
    for batch in stream:
        rows += batch.num_rows
        inputs += compute.sum(batch["input"]).as_py() or 0
        outputs += compute.sum(batch["output"]).as_py() or 0
    return rows, inputs, outputs


def rows(path: Path) -> Answer:
    """Read it as tuples of Python."""
    count = inputs = outputs = 0
    for batch in sessscan.fields(path, SELECT, WHERE, threads=1).rows():
        count += len(batch)
        for _, _, given, made in batch:
            inputs += given or 0
            outputs += made or 0
    return count, inputs, outputs


def duckdb(path: Path) -> Answer:
    import duckdb

    database = duckdb.connect(config={"threads": 1})
    query = """
        select count(*), sum(given), sum(made), count(stamp), count(model) from (
            select "timestamp" as stamp, message.model as model,
                message.usage.input_tokens as given, message.usage.output_tokens as made
            from read_json($path, format = 'newline_delimited', ignore_errors = true,
                maximum_object_size = 33554432, columns = {
                    type: 'VARCHAR', timestamp: 'VARCHAR',
                    message: 'STRUCT(model VARCHAR, usage STRUCT(input_tokens BIGINT, output_tokens BIGINT))'
                })
            where type = 'assistant'
        )
    """
    found = database.execute(query, {"path": str(path)}).fetchone()
    assert found is not None
    return found[0], int(found[1]), int(found[2])


def polars(path: Path) -> Answer:
    import polars
    from polars import Int64, String, Struct, col

    usage = Struct({"input_tokens": Int64(), "output_tokens": Int64()})
    schema = {"type": String(), "timestamp": String(), "message": Struct({"model": String(), "usage": usage})}
    message = col("message").struct
    found = (
        polars.scan_ndjson(path, schema=polars.Schema(schema), ignore_errors=True)
        .filter(col("type") == "assistant")
        .select(
            time=col("timestamp"),
            model=message.field("model"),
            given=message.field("usage").struct.field("input_tokens"),
            made=message.field("usage").struct.field("output_tokens"),
        )
        .collect()
    )
    return found.height, int(found["given"].sum()), int(found["made"].sum())


def pysimdjson(path: Path) -> Answer:
    import simdjson

    parse = simdjson.Parser().parse
    count = inputs = outputs = 0
    columns: tuple[list[object], ...] = ([], [], [], [])
    with path.open("rb") as file:
        for line in file:
            try:
                record = parse(line)
            except (ValueError, RuntimeError):
                continue
            if record.get("type") == "assistant":
                message = record["message"]
                used = message.get("usage") or {}
                given, made = used.get("input_tokens"), used.get("output_tokens")
                row = (record.get("timestamp"), message.get("model"), given, made)
                for column, value in zip(columns, row, strict=True):
                    column.append(value)
                count, inputs, outputs = count + 1, inputs + (given or 0), outputs + (made or 0)
                del message, used
            del record  # the parser cannot be used again before
    return count, inputs, outputs


def jq(path: Path) -> Answer:
    program = (
        'select(.type == "assistant") | '
        "[.timestamp, .message.model, .message.usage.input_tokens, .message.usage.output_tokens]"
    )
    count = inputs = outputs = 0
    with subprocess.Popen(["jq", "-c", program, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for line in process.stdout:
            _, _, given, made = json.loads(line)
            count, inputs, outputs = count + 1, inputs + (given or 0), outputs + (made or 0)
    return count, inputs, outputs


def main() -> int:
    """Measure all of them in turns, print a table, and return the exit status."""
    parser = argparse.ArgumentParser(
        description="Four fields of a transcript, read by sessscan and by peers."
    )
    parser.add_argument("--quick", action="store_true", help="a smoke test that makes no claims")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--data", type=Path, default=platformdirs.user_cache_path("sessscan-bench"))
    options = parser.parse_args()
    scale = data.QUICK if options.quick else data.FULL
    sets = data.Data((options.data / ("quick" if options.quick else "full")).resolve(), scale, print)
    folder = sets.folder("transcript")
    path = folder / json.loads((folder / data.TRUTH).read_text())["path"]
    data.warm(folder)

    readers: dict[str, Callable[[Path], Answer | None]] = {
        "scan": scan,
        "fields": fields,
        "fields, two threads": lambda path: fields(path, 2),
        "fields, rows of Python": rows,
    }
    for name, reader in (("DuckDB", duckdb), ("Polars", polars), ("pysimdjson", pysimdjson)):
        try:
            import_module("simdjson" if name == "pysimdjson" else name.lower())
        except ImportError:
            print(f"{name}: not installed")
        else:
            readers[name] = reader
    if shutil.which("jq"):
        readers["jq"] = jq
    times: dict[str, list[float]] = {name: [] for name in readers}
    wrong: list[str] = []
    truth = fields(path)
    for number in range(1 if options.quick else options.rounds):
        for name, reader in readers.items():
            if number > 2 and statistics.median(times[name]) > 20:
                continue
            begin = time.perf_counter()
            answer = reader(path)
            times[name].append(time.perf_counter() - begin)
            if answer not in (None, truth):
                wrong.append(f"{name}: {answer}, not {truth}")
    size = path.stat().st_size
    medians = {name: statistics.median(each) for name, each in times.items()}
    print(
        f"{size:,} bytes, {truth[0]:,} rows\n\n| reader | s | GB/s | fields is faster by |\n|---|---|---|---|"
    )
    for name, median in medians.items():
        factor = median / medians["fields"]
        print(f"| {name} | {median:.2f} | {size / median / 1e9:.2f} | {factor:.2f} |")
    for text in dict.fromkeys(wrong):
        print(f"wrong: {text}")
    slow = medians["scan"] / medians["fields"] < OF_SCAN
    slow |= medians.get("DuckDB", float("inf")) / medians["fields"] < OF_DUCKDB
    ours = any(text.startswith("fields") for text in wrong)
    return int(ours or (slow and not options.quick))


if __name__ == "__main__":
    sys.exit(main())
