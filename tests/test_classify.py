"""Test the classification of registry rows, with the smallest input for each kind."""

import errno
import json
import os
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sessscan._core import ROW_STATES, RowState, classify, classify_bytes, classify_many, row_prefix, row_text

ROW = b'{"sessionId":"local_a","createdAt":1,"lastActivityAt":2}'
MAX_ROW = 10 << 20
posix = pytest.mark.posix("needs a Unix system")

KINDS: list[tuple[bytes, str, int, int]] = [
    (ROW, "ok", 0, 0),
    (ROW + b"\n", "ok", 0, 0),
    (b"", "empty", 0, 0),
    (b"\x00", "zero-filled", 0, 1),
    (b"\x00" * 144_258, "zero-filled", 0, 144_258),
    (b"x" * (MAX_ROW + 1), "oversize", MAX_ROW, 1),
    (b"\x00" * (MAX_ROW + 1), "zero-filled", 0, MAX_ROW + 1),
    (b"\xef\xbb\xbf" + ROW, "bom", 0, 3),
    (b"\xff\xfe" + ROW.decode().encode("utf-16-le"), "utf-16", 0, 2 + 2 * len(ROW)),
    (b"\xfe\xff" + ROW.decode().encode("utf-16-be") + b"\n", "utf-16", 0, 3 + 2 * len(ROW)),
    (ROW.decode().encode("utf-16-be"), "utf-16", 0, 2 * len(ROW)),
    (ROW.decode().encode("utf-16-le")[:15], "not-json", 1, 14),
    (b"\xff\xfe", "utf-16", 0, 2),
    (b"{", "truncated", 1, 0),
    (b" ", "truncated", 1, 0),
    (b'{"a\x00\x00', "truncated", 3, 2),
    (ROW + b"\x00", "truncated", len(ROW), 1),
    (b"x", "not-json", 0, 1),
    (b"\x00{", "not-json", 0, 2),
    (ROW[:-1] + b",}", "not-json", len(ROW), 1),
    (ROW + ROW, "not-json", len(ROW), len(ROW)),
    (b'{"a":"\n"}', "not-json", 6, 3),
    (b"{}", "not-a-row", 0, 2),
    (b"[]", "not-a-row", 0, 2),
    (b"null", "not-a-row", 0, 4),
    (ROW.replace(b"1", b'"1"'), "not-a-row", 35, 3),
    (ROW.replace(b"local_a", b"local_b"), "id-mismatch", 13, 9),
    (b'{"sessionId":"\xff"' + ROW[len('{"sessionId":"local_a"') :], "id-mismatch", 13, 3),
    (b'{"x":"\xff\xc3","y":"\\ud83d","z":1e999,' + ROW[1:], "ok", 0, 0),
]


@pytest.mark.parametrize(("data", "kind", "offset", "length"), KINDS, ids=[kind[1] for kind in KINDS])
def test_each_kind_with_its_offset_and_length(
    tmp_path: Path, data: bytes, kind: str, offset: int, length: int
) -> None:
    path = tmp_path / "local_a.json"
    path.write_bytes(data)
    state = classify(path)
    assert (state.kind, state.size, state.offset, state.length) == (kind, len(data), offset, length)
    assert state.path == str(path)
    of_bytes = classify_bytes(data, stem="local_a")
    assert of_bytes.path is None
    assert (of_bytes.kind, of_bytes.offset, of_bytes.length) == (kind, offset, length)


def test_without_a_stem_any_id_is_accepted() -> None:
    assert classify_bytes(ROW).kind == "ok"
    assert classify_bytes(bytearray(ROW), stem="local_b").kind == "id-mismatch"


def test_states_compare_with_each_other_and_not_with_text(tmp_path: Path) -> None:
    path = tmp_path / "local_a.json"
    path.write_bytes(b"\x00")
    state = classify(str(path))
    assert str(state) == "zero-filled"
    assert state == classify(path) and hash(state) == hash(classify(path))
    assert state != classify_bytes(b"\x00")
    for other in ("zero-filled", "empty", 7):
        assert state != other
    shown = f"RowState(path={str(path)!r}, kind='zero-filled', size=1, offset=0, length=1)"
    assert repr(state) == shown
    with pytest.raises(AttributeError):
        state.kind = "ok"  # type: ignore[misc]


def test_every_kind_is_listed_with_what_follows_from_it() -> None:
    kinds = {state.kind: state for state in ROW_STATES}
    assert {kind[1] for kind in KINDS} | {"linked"} == kinds.keys()
    assert {name for name, state in kinds.items() if state.from_crash} == {
        *("zero-filled", "empty", "truncated", "not-json")
    }
    assert {name: state.content for name, state in kinds.items()} == {
        **dict.fromkeys(("zero-filled", "empty", "linked"), "none"),
        **dict.fromkeys(("truncated", "not-json"), "beginning"),
        **dict.fromkeys(("ok", "bom", "utf-16", "not-a-row", "id-mismatch", "oversize"), "whole"),
    }
    assert repr(kinds["bom"]) == "RowKind(kind='bom', from_crash=False, content='whole')"


@given(st.text(), st.sampled_from(("utf-8", "utf-16-le", "utf-16-be")))
def test_the_text_of_a_row_in_any_encoding(text: str, codec: str) -> None:
    text = text.removeprefix("\ufeff")
    assert row_text(("\ufeff" + text).encode(codec)) == text.encode()
    document = json.dumps({"sessionId": text, "x": [text]}, ensure_ascii=False)
    for mark in ("\ufeff", ""):
        data = (mark + document).encode(codec)
        assert row_text(data) == document.encode()
        assert row_prefix(data) == json.loads(document)
        assert row_prefix(data[:-4]) == ({"sessionId": text})


@pytest.mark.alone
@pytest.mark.linux("needs SEEK_DATA, to find holes")
def test_a_hole_of_ten_gib_takes_less_than_a_second(tmp_path: Path) -> None:
    path = tmp_path / "local_a.json"
    with path.open("wb") as file:
        file.truncate(10 << 30)
    begin = time.monotonic()
    state = classify(path)
    assert time.monotonic() - begin < 1
    assert (state.kind, state.length) == ("zero-filled", 10 << 30)


@posix
def test_links_are_not_followed(tmp_path: Path) -> None:
    row = tmp_path / "row"
    row.write_bytes(ROW)
    for name, target in {"a": row, "b": tmp_path / "missing", "c": tmp_path / "c", "d": tmp_path}.items():
        link = tmp_path / name
        link.symlink_to(target)
        assert classify(link).kind == "linked"


@posix
def test_a_fifo_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "local_x.json"
    os.mkfifo(path)
    assert classify(path).kind == "not-a-row"
    assert classify(tmp_path).kind == "not-a-row"
    assert classify("/dev/null").kind == "not-a-row"


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "local_a.json"
    with pytest.raises(FileNotFoundError) as caught:
        classify(path)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOENT, str(path))


@pytest.mark.not_root("root may read everything")
def test_an_unreadable_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "local_a.json"
    path.write_bytes(ROW)
    path.chmod(0)
    with pytest.raises(PermissionError) as caught:
        classify(path)
    assert (caught.value.errno, caught.value.filename) == (errno.EACCES, str(path))


def test_one_bad_file_does_not_stop_the_rest(tmp_path: Path) -> None:
    paths = [tmp_path / f"local_{number}.json" for number in range(200)]
    for number, path in enumerate(paths):
        if number % 3:
            path.write_bytes(b"\x00" * number)
    answers = classify_many(paths)
    assert len(answers) == len(paths)
    for number, (path, answer) in enumerate(zip(paths, answers, strict=True)):
        if number % 3:
            assert isinstance(answer, RowState)
            assert (answer.path, answer.kind, answer.size) == (str(path), "zero-filled", number)
        else:
            assert isinstance(answer, FileNotFoundError)
            assert answer.filename == str(path)
    assert classify_many([]) == []


@posix
def test_reading_changes_no_time_stamp(tmp_path: Path) -> None:
    path = tmp_path / "local_a.json"
    path.write_bytes(ROW)
    # With so old an access time, `relatime` would record any read.
    os.utime(path, ns=(1, 2))
    before = path.stat()
    classify(path)
    classify_many([path])
    after = path.stat()
    assert (after.st_mtime_ns, after.st_ctime_ns) == (before.st_mtime_ns, before.st_ctime_ns)
    if sys.platform == "linux":
        assert after.st_atime_ns == before.st_atime_ns


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), VALUES, max_size=6), st.data())
def test_every_prefix_is_truncated_and_its_members_readable(
    row: dict[str, object], data: st.DataObject
) -> None:
    """A row may be cut at any byte, inside an escape or a character too, with or without zeros after the
    cut."""
    text = json.dumps(row, ensure_ascii=data.draw(st.booleans()), separators=(",", ":"))
    whole = text.encode("utf-8", "surrogatepass")
    assert classify_bytes(whole).kind == "not-a-row"
    assert row_prefix(whole) == json.loads(whole.decode("utf-8", "surrogatepass"))
    length = data.draw(st.integers(1, len(whole) - 1))
    zeros = data.draw(st.integers(0, 3))
    state = classify_bytes(whole[:length] + b"\x00" * zeros)
    assert (state.kind, state.offset, state.length) == ("truncated", length, zeros)
    left = row_prefix(whole[:length] + b"\x00" * zeros)
    assert list(left.items()) == list(row.items())[: len(left)]
    assert len(left) < len(row) or not row or length == len(whole) - 1


@given(st.binary(max_size=40))
def test_any_bytes_can_be_classified(data: bytes) -> None:
    state = classify_bytes(data)
    assert 0 <= state.offset <= state.offset + state.length <= len(data) == state.size
    assert isinstance(row_prefix(data), dict)


def test_the_complete_members_of_a_prefix() -> None:
    assert row_prefix(b'{"a":[1,{"b":"\\u00e9"}],"c":null,"d":"\\ud83d","e":"cut') == {
        "a": [1, {"b": "é"}],
        "c": None,
        "d": "\ud83d",
    }
    # A number at the end may be incomplete, a literal cannot be.
    assert row_prefix(b'{"a":true,"b":12') == row_prefix(b'{"a":true,"b":12\x00\x00') == {"a": True}
    assert row_prefix(b'{"a":true') == {"a": True}
    assert row_prefix(b'{"a":12,') == {"a": 12}
    # Of a key given twice the last one counts.
    assert row_prefix(b'\xef\xbb\xbf{"a":1,"a":2,') == {"a": 2}
    assert row_prefix(b'{"a":"\xff",') == {"a": "\ufffd"}
    assert row_prefix(b"[1,2") == row_prefix(b"\x00\x00") == row_prefix(b"") == {}


def test_values_that_python_cannot_parse_are_left_out() -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    assert row_prefix(b'{"a":' + deep + b',"b":' + b"9" * 5000 + b',"c":1}') == {"c": 1}


def test_a_million_levels_of_nesting() -> None:
    for data in (b"[" * 1_000_000, b'{"a":' * 1_000_000):
        assert classify_bytes(data).kind == "truncated"
    assert classify_bytes(b"[" * 1_000_000 + b"]" * 1_000_000).kind == "not-a-row"
