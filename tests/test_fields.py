"""Fields are what `json` makes of every line: each column, on whole transcripts, damaged and mutated ones."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from random import Random
from typing import Any

import pytest
import sessscan
from hypothesis import strategies as st
from support import damage, reference, transcripts
from support.program import run
from support.rounds import examples, rounds
from test_scan_reference import FILES, excerpts, needs_corpus

pytestmark = pytest.mark.full

TYPES = ("int", "float", "str", "bool", "time", "json", "text")
ABSENT = object()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fields") / f"{transcripts.SESSION}.jsonl"


# --- What json gives --------------------------------------------------------------------------------------


def at_path(value: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdigit() and str(int(step)) == step and int(step) < len(value):
            value = value[int(step)]
        else:
            return ABSENT
    return value


def clean(text: str) -> str:
    return reference.LONE_SURROGATE.sub("\ufffd", text)


def as_type(value: Any, kind: str) -> Any:
    """Return a value as a column of this type has it; `ABSENT` if it is of another type."""
    if kind in ("str", "text") and isinstance(value, str):
        return clean(value)
    if kind in ("json", "text"):
        return value
    if kind == "bool" and isinstance(value, bool):
        return value
    if kind == "int" and isinstance(value, int) and not isinstance(value, bool):
        return value if -(1 << 63) <= value < 1 << 63 else ABSENT
    if kind == "float" and isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(value) if math.isfinite(float(value)) else ABSENT
        except OverflowError:
            return ABSENT
    if kind == "time" and isinstance(value, str):
        time = reference.time_of({"timestamp": value})
        return ABSENT if time is None else time
    return ABSENT


def expected(data: bytes, paths: Mapping[tuple[str, ...], str]) -> tuple[list[list[Any]], dict[str, int]]:
    """Return the rows that `json` gives, their lines first, and how many values had another type."""
    rows, others = [], {str(number): 0 for number in range(len(paths))}
    for line, _, record in reference.Reading(io_of(data)).records():
        row: list[Any] = [line]
        for number, (path, kind) in enumerate(paths.items()):
            value = at_path(record, path)
            if value is not None and value is not ABSENT:
                value = as_type(value, kind)
                others[str(number)] += value is ABSENT
            row.append(None if value is ABSENT else value)
        rows.append(row)
    return rows, others


def io_of(data: bytes) -> Any:
    import io

    return io.BytesIO(data)


def decoded(text: str) -> Any:
    found = reference._object_at(f'{{"":{text}}}', 0)
    assert found is not None and found[1] == len(text) + 5
    return found[0][""]


def equal(one: Any, other: Any) -> bool:
    """Compare values that may be nested deeper than Python can compare by itself."""
    pairs = [(one, other)]
    while pairs:
        one, other = pairs.pop()
        if isinstance(one, dict) and isinstance(other, dict):
            if list(one) != list(other):
                return False
            pairs += [(one[key], other[key]) for key in one]
        elif isinstance(one, list) and isinstance(other, list):
            if len(one) != len(other):
                return False
            pairs += zip(one, other, strict=True)
        elif type(one) is not type(other) or one != other:
            return False
    return True


def written(step: str) -> str:
    return step.replace("\\", "\\\\").replace(".", "\\.").replace(":", "\\:")


def check(file: Path, data: bytes, paths: Mapping[tuple[str, ...], str], *, strict: bool) -> None:
    """Check that all that is read of a file with this content is what `json` gives."""
    file.write_bytes(data)
    select = {
        str(number): (".".join(map(written, path)), kind) for number, (path, kind) in enumerate(paths.items())
    }
    table = sessscan.fields(file, select, line=True, strict=strict)
    found = [list(row) for row in chain.from_iterable(table.rows())]
    rows, others = expected(data, paths)
    assert [row[0] for row in found] == [row[0] for row in rows]
    for column, (path, kind) in enumerate(paths.items(), 1):
        for ours, theirs in zip(found, rows, strict=True):
            value = ours[column]
            if kind == "json" or (kind == "text" and not isinstance(theirs[column], str)):
                value = None if value is None else decoded(value)
            assert equal(value, theirs[column]), (path, kind)
    assert table.other_types == others
    scanned = sessscan.scan_bytes(data, strict=strict)
    assert table.defect_count == scanned.defect_count
    assert [defect for _, defect in table.defects] == list(scanned.defects)


def all_paths(data: bytes) -> list[tuple[str, ...]]:
    """Return the paths of all values in all records, as far as a path can name them."""
    found: dict[tuple[str, ...], None] = {}

    def walk(value: Any, path: tuple[str, ...]) -> None:
        if path:
            found[path] = None
        members: Iterable[tuple[str, Any]] = ()
        if isinstance(value, dict):
            members = value.items()
        elif isinstance(value, list):
            members = ((str(number), element) for number, element in enumerate(value))
        for step, inner in members:
            if step and clean(step) == step and "\ufffd" not in step and len(path) < 6:
                walk(inner, (*path, step))

    for _, _, record in reference.Reading(io_of(data)).records():
        walk(record, ())
    return list(found)


COMMON = [
    ("type",),
    ("timestamp",),
    ("message",),
    ("message", "model"),
    ("message", "usage", "input_tokens"),
    ("message", "content"),
    ("message", "content", "0"),
    ("message", "content", "0", "text"),
    ("isSidechain",),
    ("toolUseResult", "stdout"),
    ("worktreeSession", "worktreePath"),
]


def some_paths(data: bytes, dice: Random) -> dict[tuple[str, ...], str]:
    there = all_paths(data)
    chosen = [*dice.sample(there, min(len(there), 6)), *dice.sample(COMMON, 3), ("none", "0")]
    tops = list(dict.fromkeys(path[0] for path in chosen))[:60]
    return {path: dice.choice(TYPES) for path in chosen if path[0] in tops}


# --- Property tests ---------------------------------------------------------------------------------------


@examples(60, transcripts.transcripts(), st.integers(0, 1 << 30), thorough=300)
def test_undamaged_transcripts(file: Path, data: bytes, seed: int) -> None:
    for strict in (True, False):
        check(file, data, some_paths(data, Random(seed)), strict=strict)


@pytest.mark.parametrize("kind", damage.DAMAGES, ids=lambda kind: kind.__name__)
@examples(8, data=st.data(), thorough=40)
def test_each_kind_of_damage(kind: damage.Damage, file: Path, data: st.DataObject) -> None:
    content = data.draw(transcripts.damaged(kind))
    for strict in (True, False):
        check(file, content, some_paths(content, Random(1)), strict=strict)


@examples(60, transcripts.mutated(), st.integers(0, 1 << 30), thorough=300)
def test_mutated_transcripts(file: Path, data: bytes, seed: int) -> None:
    check(file, data, some_paths(data, Random(seed)), strict=True)


@needs_corpus
def test_real_files(file: Path) -> None:
    dice = Random(1)
    for real in FILES:
        data = real.read_bytes()
        for strict in (True, False):
            check(file, data, some_paths(data, dice), strict=strict)


@needs_corpus
@rounds(200, thorough=2_000)
def test_mutated_copies_of_real_files(rounds: int, file: Path) -> None:
    for seed, excerpt in zip(range(rounds), excerpts(3), strict=False):
        for data in damage.mutated_copies(excerpt, seed, 2):
            check(file, data, some_paths(data, Random(seed)), strict=True)
        for data in damage.damaged_copies(excerpt, seed, 2):
            check(file, data, some_paths(data, Random(seed)), strict=False)


# --- Types, conditions, columns ---------------------------------------------------------------------------

RECORDS = [
    {"type": "user", "n": 1, "message": {"role": "user", "content": "hello"}},
    {"type": "assistant", "n": 2.5, "timestamp": "2026-01-02T03:04:05.678Z", "message": {"model": "m"}},
    {"type": "assistant", "n": 1 << 70, "ok": True, "message": {"content": [{"text": "a"}, {"text": "b"}]}},
    {"type": "system", "n": None, "timestamp": "yesterday", "ok": "yes"},
]


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / f"{transcripts.SESSION}.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in RECORDS), encoding="utf-8")
    return path


def values(table: sessscan.FieldsTable) -> list[Any]:
    return [row[0] for row in chain.from_iterable(table.rows())]


def test_each_type_takes_its_values_and_counts_the_others(small: Path) -> None:
    given = {
        "n:int": ([1, None, None, None], 2),
        "n:float": ([1.0, 2.5, float(1 << 70), None], 0),
        "n:str": ([None] * 4, 3),
        "n": (["1", "2.5", str(1 << 70), None], 0),
        "n:json": (["1", "2.5", str(1 << 70), None], 0),
        "type": (["user", "assistant", "assistant", "system"], 0),
        "type:json": (['"user"', '"assistant"', '"assistant"', '"system"'], 0),
        "timestamp:time": ([None, 1767323045678, None, None], 1),
        "ok:bool": ([None, None, True, None], 1),
        "message.content.1.text": ([None, None, "b", None], 0),
        "message.content": (["hello", None, '[{"text": "a"}, {"text": "b"}]', None], 0),
    }
    for path, (expected_values, others) in given.items():
        table = sessscan.fields(small, {"x": path})
        assert values(table) == expected_values, path
        assert table.other_types == {"x": others}, path


def test_conditions_drop_records(small: Path) -> None:
    def lines(where: Any) -> list[int]:
        return [row["line"] for row in sessscan.fields(small, {"n": "n"}, where, line=True)]

    assert lines({"type": "assistant"}) == [2, 3]
    assert lines({"type": ["user", "system"]}) == [1, 4]
    assert lines({"type": "user", "message.role": "user"}) == [1]
    assert lines({"type": "assistant", "message.role": "user"}) == []
    assert lines({"n": "1"}) == []
    # What a dropped record holds counts for nothing.
    assert sessscan.fields(small, {"n": "n:str"}, {"type": "user"}).other_types == {"n": 0}


def test_columns_of_path_and_line(small: Path) -> None:
    table = sessscan.fields(small, {"type": ("type", "str")}, path=True, line=True)
    assert table.columns == ("path", "line", "type")
    assert next(iter(table)) == {"path": str(small), "line": 1, "type": "user"}
    assert repr(table) == "<sessscan.FieldsTable: fields of 1 file, 3 columns>"


def test_arrow_libraries_take_it(small: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    select = {kind: f"n:{kind}" for kind in TYPES} | {"at": "timestamp:time"}
    table = sessscan.fields(small, select, path=True, line=True)
    taken = pyarrow.table(table)
    assert taken.schema == pyarrow.schema(table)
    assert [str(field.type) for field in taken.schema][1:] == [
        "int64", "int64", "double", "string", "bool", "timestamp[ms, tz=UTC]", "string", "string",
        "timestamp[ms, tz=UTC]",
    ]  # fmt: skip
    rows = taken.cast(
        pyarrow.schema(
            [
                pyarrow.field(field.name, pyarrow.int64()) if "timestamp" in str(field.type) else field
                for field in taken.schema
            ]
        )
    ).to_pylist()
    assert rows == list(table)


def test_a_preview_is_no_reading(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = sessscan.fields(small, {"kind": "type", "n": "n:str"})
    list(table)
    assert table.other_types["n"] == 3
    table.show(1)
    assert "kind" in capsys.readouterr().out
    assert table.other_types["n"] == 3


# --- Mistakes, and files that cannot be read --------------------------------------------------------------


@pytest.mark.parametrize(
    ("select", "error", "match"),
    [
        ({}, ValueError, "nothing is selected"),
        ({"a": ""}, ValueError, 'no path: ""'),
        ({"a": "x..y"}, ValueError, "keys stand between dots"),
        ({"a": "x\\y"}, ValueError, "a backslash stands before"),
        ({"a": "x:itn"}, ValueError, 'no type: "itn"'),
        ({"a": ("x", "itn")}, ValueError, 'no type: "itn"'),
        ({"path": "x"}, ValueError, 'two columns are named "path"'),
        ({"line": "x"}, ValueError, 'two columns are named "line"'),
        ({f"k{number}": f"k{number}" for number in range(64)}, ValueError, "64 different keys"),
        ({"a": 1}, TypeError, "neither a path nor a path and a type"),
        ({"a": ("x", "int", "int")}, TypeError, "neither a path nor a path and a type"),
        ("message.model", TypeError, "select must map names to paths"),
        (["message.model"], TypeError, "select must map names to paths"),
    ],
)
def test_what_cannot_be_selected(small: Path, select: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        sessscan.fields(small, select, path=True, line=True)


@pytest.mark.parametrize(
    ("where", "error", "match"),
    [
        ({"type": []}, ValueError, "one of no texts"),
        ({"": "user"}, ValueError, "no path"),
        ({"n": 1}, TypeError, "not iterable|strings only"),
        ({"n": [1]}, TypeError, "strings only"),
        ("assistant", TypeError, "where must map paths to strings"),
    ],
)
def test_what_cannot_be_a_condition(small: Path, where: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        sessscan.fields(small, {"n": "n"}, where)


def test_a_file_that_is_missing(small: Path) -> None:
    missing = small.parent / "missing.jsonl"
    with pytest.raises(FileNotFoundError):
        sessscan.fields([missing, small], {"n": "n"})
    table = sessscan.fields([missing, small, small.parent / "other.jsonl"], {"n": "n"}, errors="skip")
    assert len(list(table)) == 4
    assert [error.filename for error in table.skipped] == [str(missing), str(small.parent / "other.jsonl")]
    with pytest.raises(ValueError, match="errors must be"):
        sessscan.fields(small, {"n": "n"}, errors="ignore")  # type: ignore[arg-type]


def test_a_file_that_vanishes_before_it_is_read(small: Path) -> None:
    other = small.parent / "other.jsonl"
    other.write_bytes(small.read_bytes())
    table = sessscan.fields([small, other], {"n": "n"})
    other.unlink()
    rows = table.rows()
    assert len(next(rows)) == 4
    with pytest.raises(FileNotFoundError) as caught:
        next(rows)
    assert caught.value.filename == str(other)
    pyarrow = pytest.importorskip("pyarrow")
    with pytest.raises(OSError, match=r"other\.jsonl"):
        pyarrow.table(table)


def test_damage_is_told_with_its_file(small: Path) -> None:
    with small.open("ab") as stream:
        stream.write(b'\0\0\n{"type":"torn')
    folder = sessscan.fields(small.parent, {"type": "type"})
    assert len(list(folder)) == 4
    assert folder.defect_count == 2
    assert [(path, defect.kind, defect.line) for path, defect in folder.defects] == [
        (str(small), "nul-run", 5),
        (str(small), "torn", 6),
    ]


def test_a_big_file_on_several_threads(tmp_path: Path) -> None:
    path = tmp_path / "big.jsonl"
    with path.open("w", encoding="utf-8") as stream:
        for number in range(30_000):
            stream.write(json.dumps({"n": number, "x": "x" * (number % 1_500)}) + "\n")
            if number % 5_000 == 0:
                stream.write("{\n")
    alone = sessscan.fields(path, {"n": "n:int"}, line=True, threads=1)
    rows = list(chain.from_iterable(alone.rows()))
    assert [row[1] for row in rows] == list(range(30_000))
    assert [row[0] for row in rows] == [number + 1 + (number + 4_999) // 5_000 for number in range(30_000)]
    for threads in (2, 5, None):
        table = sessscan.fields(path, {"n": "n:int"}, line=True, threads=threads)
        assert list(chain.from_iterable(table.rows())) == rows
        assert table.defects == alone.defects


@pytest.mark.posix("sends SIGINT")
@pytest.mark.parametrize("take", ["list(table.rows())", "pyarrow.table(table)"])
def test_ctrl_c(tmp_path: Path, take: str) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "big.jsonl"
    path.write_bytes(b'{"type":"user","x":"' + b"x" * 1_000_000 + b'"}\n')
    program = f"""
        import pyarrow, sessscan
        table = sessscan.fields([{str(path)!r}] * 100_000, {{"x": "type"}})
        print("reading", flush=True)
        try:
            {take}
        except (KeyboardInterrupt, OSError) as error:
            assert "interrupted" in str(error) or isinstance(error, KeyboardInterrupt), error
            print("stopped")
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ)
    assert process.stdout is not None
    assert process.stdout.readline() == "reading\n"
    import time

    time.sleep(0.3)
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=20)[0] == "stopped\n"
    assert time.monotonic() - begun < 5


# --- The command ------------------------------------------------------------------------------------------


def command(env: dict[str, str], *arguments: object) -> tuple[int, str, str]:
    result = run(env, "fields", *arguments)
    return result.returncode, result.stdout, result.stderr


def test_the_command_prints_each_format(env: dict[str, str], small: Path) -> None:
    chosen = ("--select", "n", "--select", "at=timestamp:time", "--select", "ok:bool", "--line")
    status, table, said = command(env, small, *chosen, "--where", "type=assistant")
    assert (status, said) == (0, "")
    assert table.splitlines() == [
        "line  n                       at                       ok",
        "   2  2.5                     2026-01-02 03:04:05.678",
        "   3  1180591620717411303424                           true",
    ]
    wheres = ("--where", "type=assistant", "--where", "type=system")
    status, rows, said = command(env, small, *chosen, *wheres, "--format", "csv")
    assert rows.splitlines() == [
        "line,n,at,ok",
        "2,2.5,1767323045678,",
        "3,1180591620717411303424,,True",
        "4,,,",
    ]
    assert said.splitlines() == [
        "sessscan: at: 1 value not of type time, left empty",
        "sessscan: ok: 1 value not of type bool, left empty",
    ]
    status, lines, _ = command(env, small, "--select", "type", "--path", "--format", "jsonl")
    assert json.loads(lines.splitlines()[0]) == {"path": str(small), "type": "user"}
    pytest.importorskip("pyarrow")
    from pyarrow import parquet

    output = small.parent / "fields.parquet"
    status, _, _ = command(env, small, "--select", "n:float", "--format", "parquet", "-o", output)
    assert (status, parquet.read_table(output)["n"].to_pylist()) == (0, [1.0, 2.5, float(1 << 70), None])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name at least one column"),
        (("--select", "a=x", "--select", "a=y"), "there is a column a already"),
        (("--select", "=x"), "there is no name before the ="),
        (("--select", "a=x..y"), "no path"),
        (("--select", "x:itn"), "no type"),
        (("--select", "line", "--line"), "two columns are named"),
        (("--select", "x", "--where", "type"), "PATH=TEXT is wanted"),
        (("--select", "x", "--where", "=user"), "no path"),
    ],
)
def test_mistakes_in_the_command(
    env: dict[str, str], small: Path, arguments: tuple[str, ...], said: str
) -> None:
    status, printed, remarks = command(env, small, *arguments)
    assert (status, printed) == (2, "")
    assert said in remarks


def test_the_command_shows_what_it_can_read(env: dict[str, str], tmp_path: Path, small: Path) -> None:
    with small.open("ab") as stream:
        stream.write(b'{"type":"\\u001b[31m","cwd":1}\n{"type":"torn')
    status, printed, said = command(env, small, tmp_path / "missing", "--select", "type")
    assert status == 4
    assert printed.splitlines() == ["type", "user", "assistant", "assistant", "system", "\\x1b[31m"]
    assert "line 6, byte" in said and "torn" in said and "missing: " in said
