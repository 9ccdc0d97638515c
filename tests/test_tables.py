"""Tables as those see them who take them: each is asked for its values, and they are those of `scan`."""

from __future__ import annotations

import datetime
import gc
import json
import math
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import sessscan
from hypothesis import HealthCheck, given, settings
from sessscan import _core
from sessscan.stores.locate import TRANSCRIPT_NAME
from sessscan.tables.transcripts import record_batch
from support.program import run
from support.system import why_unreadable
from support.transcripts import SESSION, damaged

pytestmark = pytest.mark.full

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)

HOSTILE = "<img src=x onerror='alert(1)'>\x1b[31m\u202e\"'&\x00"


def with_pyarrow(table: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pytest.importorskip("pyarrow").table(table).to_pylist()
    return rows


def with_polars(table: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pytest.importorskip("polars").DataFrame(table).to_dicts()
    return rows


def with_duckdb(table: Any) -> list[dict[str, Any]]:
    duckdb = pytest.importorskip("duckdb")
    table_ = table  # noqa: F841  # found by its name
    found = duckdb.sql("from table_")
    return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


def with_pandas(table: Any) -> list[dict[str, Any]]:
    pandas, _ = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    if not hasattr(pandas.DataFrame, "from_arrow"):
        pytest.skip(f"pandas {pandas.__version__} has no DataFrame.from_arrow")
    rows: list[dict[str, Any]] = pandas.DataFrame.from_arrow(table).to_dict("records")
    return rows


TAKERS = [with_pyarrow, with_polars, with_duckdb, with_pandas]
Taker = Callable[[Any], list[dict[str, Any]]]


def plain(value: Any) -> Any:
    """The value that each of them shows in its own way."""
    if (
        value is None
        or (isinstance(value, float) and math.isnan(value))
        or type(value).__name__ in ("NaTType", "NAType")
    ):
        return None
    if isinstance(value, datetime.datetime):
        return round((value.astimezone(datetime.UTC) - EPOCH) / datetime.timedelta(milliseconds=1))
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, float):
        assert value.is_integer()
        return int(value)
    return value


def plain_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: plain(value) for name, value in row.items()} for row in rows]


@pytest.fixture
def files(sample: Path, tmp_path: Path) -> list[str]:
    """Healthy and damaged transcripts, one whose words are hostile, and one that is not there."""
    (tmp_path / "odd").mkdir()
    odd = tmp_path / "odd" / f"{SESSION}.jsonl"
    tree = {"originalCwd": "/o", "worktreePath": "/w", "worktreeName": "n", "worktreeBranch": None}
    lines: list[dict[str, Any]] = [
        {"type": "custom-title", "customTitle": HOSTILE},
        {"type": "worktree-state", "worktreeSession": tree},
        {"type": "user", "timestamp": "0000-01-01T00:00:00Z", "cwd": "/a\ud83d"},
        {"type": "user", "timestamp": "1999-12-31T23:59:59.999Z", "sessionId": SESSION, "uuid": "u"},
    ]
    odd.write_text("".join(json.dumps(line) + "\n" for line in lines) + '\0\0\n{"type":"torn')
    found = sorted(map(str, (sample / "projects").rglob("*.jsonl")))
    assert len(found) > 20
    return [*found, str(odd), str(tmp_path / "missing.jsonl")]


@pytest.mark.parametrize("take", TAKERS)
def test_every_field_of_every_transcript(files: list[str], take: Taker) -> None:
    table = sessscan.table(files)
    expected = [transcript.to_dict() for transcript in sessscan.scan_many(files)]
    assert any(row["defects"] for row in expected) and any(row["worktree"] for row in expected)
    assert plain_rows(take(table)) == expected
    assert plain_rows(take(table)) == expected  # a spent stream would be empty
    assert len(table) == len(files) and table.columns == tuple(expected[0])


@pytest.mark.parametrize("take", TAKERS)
def test_every_event(files: list[str], take: Taker) -> None:
    expected = [
        {
            "path": path,
            "line": event.line,
            "offset": event.offset,
            "kind": event.kind,
            "value": None if event.kind == "timestamp" else event.value,
            "time": event.value if event.kind == "timestamp" else None,
            "source": event.source,
        }
        for path in files[:-2]
        for event in sessscan.events(path)
    ]
    table = sessscan.events_table(files[:-2])
    assert {row["kind"] for row in expected} == {"title", "cwd", "timestamp"}
    assert plain_rows(take(table)) == expected
    assert plain_rows(take(table)) == expected
    titles = sessscan.events_table(files[:-2], kinds=["title"])
    assert plain_rows(take(titles)) == [row for row in expected if row["kind"] == "title"]


@given(data=damaged())
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_transcript_at_all(data: Any) -> None:
    content = data if isinstance(data, bytes) else data[0]
    pyarrow = pytest.importorskip("pyarrow")
    transcript = sessscan.scan_bytes(content, session_id=SESSION)
    table = pyarrow.table(sessscan.table([transcript]))
    table.validate(full=True)
    fields = transcript.to_dict()
    for name in ("created_at", "last_activity_at"):
        assert table[name].cast("int64").to_pylist() == [fields.pop(name)]
        table = table.drop_columns([name])
    assert table.to_pylist() == [fields]


def test_the_types_of_the_columns() -> None:
    pyarrow = pytest.importorskip("pyarrow")
    schema = pyarrow.schema(sessscan.table([]))
    time_, words = pyarrow.timestamp("ms", "UTC"), pyarrow.dictionary(pyarrow.int32(), pyarrow.string())
    assert schema.field("created_at").type == schema.field("last_activity_at").type == time_
    for name in ("title_source", "cwd", "last_cwd", "git_branch", "version", "entrypoint", "model"):
        assert schema.field(name).type == words, name
    assert schema.field("size").type == schema.field("turns").type == pyarrow.int64()
    assert schema.field("worktree").type.field("path").type == pyarrow.string()
    assert schema.field("defects").type.value_type.field("kind").type == words
    events = pyarrow.schema(sessscan.events_table([]))
    assert [events.field(name).type for name in ("path", "kind", "source", "time", "value")] == [
        *(words, words, words, time_, pyarrow.string()),
    ]
    assert (
        pyarrow.table(sessscan.table([])).num_rows == pyarrow.table(sessscan.events_table([])).num_rows == 0
    )


@pytest.mark.parametrize("take", TAKERS)
def test_rows_findings_and_actions(sample: Path, take: Taker) -> None:
    plan = sessscan.reconcile(sample / "Claude", sample / "projects")
    printed = plan.to_dict()
    assert plain_rows(take(sessscan.findings_table(plan))) == printed["findings"]
    actions = plain_rows(take(sessscan.actions_table(plan)))
    for action in actions:
        action["row"] = json.loads(action["row"] or "{}")
        action["provenance"] = {entry["field"]: entry["origin"] for entry in action["provenance"]}
    assert actions == printed["actions"]
    rows = plain_rows(take(sessscan.rows_table(sample / "Claude")))
    on_disk = {str(path): path for path in (sample / "Claude").rglob("local_*.json") if path.is_file()}
    assert {row["path"] for row in rows} == set(on_disk) and len(rows) == plan.rows
    for row in rows:
        assert row["size"] == on_disk[row["path"]].stat().st_size
        if row["state"] == "ok":
            content = json.loads(on_disk[row["path"]].read_bytes())
            assert (row["title"], row["created_at"]) == (content.get("title"), content["createdAt"])


def test_an_empty_table_has_its_columns() -> None:
    pyarrow = pytest.importorskip("pyarrow")
    for table in (sessscan.findings_table([]), sessscan.actions_table([]), sessscan.table([])):
        taken = pyarrow.table(table)
        assert taken.num_rows == len(table) == 0 and tuple(taken.column_names) == table.columns
        assert taken.validate(full=True) is None


def test_a_table_takes_files_folders_and_transcripts(sample: Path, files: list[str]) -> None:
    root = sample / "projects"
    named = [
        path for path in files if TRANSCRIPT_NAME.fullmatch(Path(path).name) and path.startswith(str(root))
    ]
    in_folders = {path for path in named if Path(path).parent.parent == root}
    assert {row["path"] for row in with_pyarrow(sessscan.table(root))} == in_folders
    assert len(in_folders) > 20
    assert len(in_folders) == len(sessscan.table([root])) == len(sessscan.table(str(root)))
    assert len(sessscan.table(sessscan.scan_many(files))) == len(files)
    assert len(sessscan.table(files[0])) == 1
    assert len(sessscan.table()) == 0  # nobody is at home
    with pytest.raises(TypeError, match="neither a path"):
        sessscan.table([sessscan.scan(files[0]), files[1]])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="findings_table"):
        sessscan.table(sessscan.reconcile(sample / "Claude", root))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no kind of event"):
        sessscan.events_table(files[0], kinds=["tittle"])  # type: ignore[list-item]
    with pytest.raises(FileNotFoundError):
        sessscan.events_table(files)
    with pytest.raises(ValueError, match="errors must be"):
        sessscan.events_table(files[0], errors="ignore")  # type: ignore[arg-type]


@pytest.mark.linux("file names are Unicode elsewhere")
def test_a_path_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "\udcff.jsonl"
    path.write_text('{"type":"ai-title","aiTitle":"A"}\n')
    assert with_pyarrow(sessscan.table(path))[0]["path"] == str(tmp_path / "\ufffd.jsonl")
    assert with_pyarrow(sessscan.events_table(path))[0]["path"] == str(tmp_path / "\ufffd.jsonl")


def test_one_record_batch(files: list[str]) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    transcripts = sessscan.scan_many(files)
    batch = pyarrow.record_batch(record_batch(transcripts))
    assert batch.num_rows == len(files)
    assert plain_rows(batch.to_pylist()) == [transcript.to_dict() for transcript in transcripts]
    several = _core.transcript_batches(transcripts, rows=10)
    assert pyarrow.table(several).combine_chunks() == pyarrow.table(sessscan.table(files)).combine_chunks()
    with pytest.raises(ValueError, match="take the stream"):
        several.__arrow_c_array__()


# Streams


def test_a_capsule_is_taken_once_and_the_next_is_a_new_one(files: list[str]) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    for table in (sessscan.table(files), sessscan.events_table(files[:-1])):
        capsule = table.__arrow_c_stream__()
        take = pyarrow.RecordBatchReader._import_from_c_capsule
        count = take(capsule).read_all().num_rows
        assert count > 0
        with pytest.raises(ValueError, match="released"):
            take(capsule)
        assert pyarrow.table(table).num_rows == count


def test_a_stream_that_is_not_taken_is_released(files: list[str]) -> None:
    tables: list[Any] = [sessscan.table(files), sessscan.events_table(files[:-1]), record_batch([])]
    process = psutil.Process()

    def waste(times: int) -> int:
        for _ in range(times):
            for table in tables:
                table.__arrow_c_stream__()
                table.__arrow_c_schema__()
        gc.collect()
        return int(process.memory_info().rss)

    before = waste(500)
    # A stream or a schema holds more than 500 bytes: 120,000 of them would be 60 MB.
    assert waste(20_000) - before < 24 << 20


def test_an_abandoned_stream_closes_its_file(big: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")

    def opened() -> bool:
        return any(file.path == str(big) for file in psutil.Process().open_files())

    reader = pyarrow.RecordBatchReader.from_stream(sessscan.events_table(big))
    assert not opened()  # not before it is read
    assert reader.read_next_batch().num_rows == 65_536
    assert opened()
    del reader
    gc.collect()
    assert not opened()


@pytest.mark.parametrize("take", TAKERS)
def test_the_error_names_a_file_that_has_vanished(files: list[str], take: Taker) -> None:
    table = sessscan.events_table(files[:3])
    later = sessscan.events_table(files[1:3])
    there = len(take(table))
    Path(files[1]).unlink()
    with pytest.raises(Exception, match=Path(files[1]).name) as caught:
        take(table)
    assert "No such file" in str(caught.value) or sys.platform == "win32"
    with pytest.raises(FileNotFoundError):
        table.show(10_000)
    assert "No such file" in later._repr_html_() or sys.platform == "win32"
    rest = sessscan.events_table(files[:3], errors="skip")
    assert 0 < len(take(rest)) < there
    assert [error.filename for error in rest.skipped] == [files[1]]
    assert all(isinstance(error, FileNotFoundError) for error in rest.skipped)


def test_a_name_with_a_nul_ends_only_the_stream(files: list[str]) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    with pytest.raises(OSError, match="x"):
        pyarrow.table(_core.EventBatches([files[0], "x\0y"]))


# Size and time


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A transcript of 200 MB and 210,000 events, with no title at all."""
    path = tmp_path_factory.mktemp("big") / f"{SESSION}.jsonl"
    line = json.dumps({"type": "user", "timestamp": "2026-01-01T00:00:00.000Z", "message": "x" * 850}) + "\n"
    with path.open("w") as file:
        for _ in range(210):
            file.write(line * 1_000)
    assert path.stat().st_size > 190_000_000
    return path


def child(code: str, *arguments: object, **options: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


@pytest.mark.posix("measured with getrusage")
def test_events_of_a_big_transcript_take_constant_memory(big: Path) -> None:
    pytest.importorskip("pyarrow")
    process = child(
        """
        import resource, sys, pyarrow, sessscan
        unit = 1024 if sys.platform == "darwin" else 1
        peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // unit
        def read(path):
            reader = pyarrow.RecordBatchReader.from_stream(sessscan.events_table(path))
            return [batch.num_rows for batch in reader]
        with open(sys.argv[2], "w") as small:
            small.write('{"timestamp":"2026-01-01T00:00:00Z"}\\n' * 70_000)
        read(sys.argv[2])
        before = peak()
        rows = read(sys.argv[1])
        print(sum(rows), len(rows), peak() - before)
        """,
        big,
        big.parent / "small.jsonl",
    )
    out, error = process.communicate(timeout=120)
    rows, batches, grown = map(int, out.split() or [0, 0, 0])
    assert (rows, batches) == (210_000, 4), error
    assert grown < 48 * 1024  # KiB; the file has 200 MB


@pytest.mark.posix("sends SIGINT")
def test_ctrl_c_within_a_batch(big: Path) -> None:
    """Without a title no batch is ever full: the interrupt comes while one is read."""
    pytest.importorskip("pyarrow")
    process = child(
        """
        import sys, pyarrow, sessscan
        table = sessscan.events_table([sys.argv[1]] * 5000, kinds=["title"])
        print("go", flush=True)
        try:
            pyarrow.RecordBatchReader.from_stream(table).read_all()
        except OSError as error:
            print(error, flush=True)
        """,
        big,
    )
    assert process.stdout is not None and process.stdout.readline() == "go\n"
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    out, error = process.communicate(timeout=120)
    assert "interrupted (KeyboardInterrupt)" in out, error
    assert time.monotonic() - began < 15  # all of it is a terabyte


def test_no_arrow_library_is_needed(files: list[str]) -> None:
    process = child(
        """
        import sys
        for name in ("pyarrow", "polars", "duckdb", "pandas", "numpy"):
            sys.modules[name] = None
        import sessscan
        loaded = {"rich", "sessscan.tables.arrow", "sessscan.tables.transcripts"} & set(sys.modules)
        assert not loaded, loaded
        for table in (sessscan.table(sys.argv[1:]), sessscan.events_table(sys.argv[1:2])):
            print(type(table.__arrow_c_stream__()).__name__, type(table.__arrow_c_schema__()).__name__)
            table.show(), table._repr_html_()
        """,
        *files[:3],
    )
    out, error = process.communicate(timeout=60)
    assert process.returncode == 0, error
    assert out.count("PyCapsule PyCapsule") == 2


# To look at


def test_hostile_text_is_escaped(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    odd = files[-2]
    for table in (sessscan.table([odd]), sessscan.events_table(odd)):
        page = table._repr_html_()
        assert "onerror" in page and "<img" not in page and "&lt;img" in page
        assert "'alert" not in page and '"' not in page
        assert page.replace("\n", "").isprintable()
        table.show()
        shown = capsys.readouterr().out
        assert "<img" in shown and shown.replace("\n", "").isprintable()
    page = sessscan.table([sessscan.scan_bytes(b"", session_id="</table><script>" * 20)])._repr_html_()
    assert "<script" not in page and page.count("</table>") == 1


def test_a_preview_shows_beginning_end_and_number_of_rows(
    files: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "90")
    transcripts = sessscan.scan_many(files)
    table = sessscan.table(transcripts * 100)
    assert repr(table) == f"<sessscan.Table: {len(files) * 100:,} transcripts, 30 columns>"
    page = table._repr_html_()
    assert f"{len(files) * 100:,} transcripts" in page and page.count("<tr>") == 1 + 20 + 1
    assert len(page) < 100_000
    table.show(6)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 6 + 1 + 1 and max(map(len, lines)) <= 90
    assert lines[0].startswith("last_activity_at") and "…" in lines[4]
    assert f"{len(files) * 100:,} transcripts; " in lines[-1]
    events = sessscan.events_table(files[:-1])
    events.show(3)
    assert f"events of {len(files) - 1} files" in capsys.readouterr().out
    with pytest.raises(TypeError):
        len(events)  # type: ignore[arg-type]


# The commands


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_parquet_and_arrow_files(sample: Path, env: dict[str, str], tmp_path: Path, form: str) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import feather, parquet

    read = parquet.read_table if form == "parquet" else feather.read_table
    root = sample / "projects"
    scanned, events = tmp_path / f"s.{form}", tmp_path / f"e.{form}"
    done = run(env, "scan", "--format", form, "-o", scanned, root)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert read(scanned).combine_chunks() == pyarrow.table(sessscan.table(root)).combine_chunks()
    missing = tmp_path / "missing.jsonl"
    done = run(env, "events", "--format", form, "-o", events, root, missing)
    assert done.returncode == 4 and f"{missing}: {why_unreadable(missing)}" in done.stderr.replace("\n", " ")
    expected = pyarrow.table(sessscan.events_table(root)).to_pylist()
    assert read(events).to_pylist() == expected and len(expected) > 1_000

    was = scanned.read_bytes()
    again = run(env, "scan", "--format", form, "-o", scanned, root)
    assert again.returncode == 2 and "there is a file already" in again.stderr
    assert scanned.read_bytes() == was
    lost = run(env, "scan", "--format", form, "-o", tmp_path / "no" / "x", root)
    assert lost.returncode == 2 and "no such folder" in lost.stderr
    command = [sys.executable, "-m", "sessscan", "scan", "--format", form, str(root)]
    piped = subprocess.run(command, capture_output=True, env=env, check=True, timeout=60)
    assert read(pyarrow.BufferReader(piped.stdout)).num_rows == len(sessscan.table(root))
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_a_big_transcript_is_written_to_a_file(
    big: Path, env: dict[str, str], tmp_path: Path, form: str
) -> None:
    """Of several batches, which share their dictionaries: the Arrow file takes no others."""
    pytest.importorskip("pyarrow")
    from pyarrow import feather, parquet

    output = tmp_path / f"events.{form}"
    done = run(env, "events", "--format", form, "-o", output, big)
    assert (done.returncode, done.stderr) == (0, "")
    read = parquet.read_table if form == "parquet" else feather.read_table
    table = read(output, columns=["line", "kind"])
    assert table["line"].to_pylist() == list(range(1, 210_001))
    assert table["kind"].unique().to_pylist() == ["timestamp"]


def test_a_format_without_pyarrow_is_a_usage_error(sample: Path, env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "pyarrow.py").write_text("raise ImportError('not here')\n")
    paths = (str(tmp_path / "without"), env.get("PYTHONPATH", ""))
    without = {**env, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}
    done = run(without, "scan", "--format", "parquet", "-o", tmp_path / "x", sample / "projects")
    assert done.returncode == 2 and "pip install 'sessscan[arrow]'" in done.stderr
    assert not (tmp_path / "x").exists()
    done = run(env, "events", "--format", "table", "-o", tmp_path / "x", sample / "projects")
    assert done.returncode == 2 and "> FILE" in done.stderr


@pytest.mark.posix("pseudo-terminals")
def test_binary_formats_are_not_written_to_a_terminal(sample: Path, env: dict[str, str]) -> None:
    pytest.importorskip("pyarrow")
    import pty

    parent, terminal = pty.openpty()
    command = [sys.executable, "-m", "sessscan", "scan", "--format", "arrow", str(sample / "projects")]
    done = subprocess.run(command, stdout=terminal, stderr=subprocess.PIPE, env=env, check=False, timeout=60)
    os.close(terminal)
    os.close(parent)
    assert done.returncode == 2 and b"-o FILE" in done.stderr
