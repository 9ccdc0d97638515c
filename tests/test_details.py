"""`details`, held to the plain-Python scan of `support/reference.py`; and its limits."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sessscan import _core
from support import reference, transcripts

BUDGET = int(os.environ.get("SESSSCAN_THOROUGH", "1"))
SOURCES = ("custom", "ai")


def hold(found: _core.Details, expected: reference.Details) -> None:
    """Everything the core says of one file is what the reference says."""
    assert found.error is None
    assert found.titles == expected.titles
    assert found.cwds == expected.cwds
    assert found.activity == expected.activity
    assert found.uuid_count == expected.uuid_count
    values = {title[2] for title in expected.titles} | {"never given"}
    times = {at for span in expected.activity for at in span}
    for source in SOURCES:
        for value in values:
            assert found.title_line(source, value) == expected.title_line(source, value)
        for at in [float("-inf"), *times, *(at - 1 for at in times), float("inf")]:
            assert found.title_at(source, at) == expected.title_at(source, at)


def write(folder: Path, contents: Iterable[bytes]) -> list[Path]:
    paths = []
    for number, content in enumerate(contents):
        paths.append(folder / f"{number}.jsonl")
        paths[-1].write_bytes(content)
    return paths


@settings(max_examples=60 * BUDGET, deadline=None)
@given(contents=st.lists(st.one_of(transcripts.transcripts(), transcripts.damaged()), min_size=2, max_size=3))
def test_details_are_what_the_reference_finds(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes]
) -> None:
    paths = write(tmp_path_factory.mktemp("details"), contents)
    found = _core.details(paths, threads=2)
    expected = [reference.details(content) for content in contents]
    for one, other in zip(found, expected, strict=True):
        hold(one, other)
    for i, j in itertools.product(range(len(paths)), repeat=2):
        assert found[i].count_shared(found[j]) == expected[i].count_shared(expected[j])
        for session_id in (None, transcripts.SESSION.upper(), transcripts.PARENT_SESSION, "unknown"):
            assert found[i].count_shared_under(found[j], session_id) == expected[i].count_shared_under(
                expected[j], session_id and session_id.lower()
            )


def test_titles_given_again_and_after_times(tmp_path: Path) -> None:
    def title(value: str) -> str:
        return f'{{"type":"custom-title","customTitle":"{value}"}}'

    def at(second: int) -> str:
        return f'{{"timestamp":"1970-01-01T00:00:{second:02}Z"}}'

    content = "\n".join((title("a"), at(1), title("b"), title("a"), title("a"), at(3), at(2), title("c")))
    [path] = write(tmp_path, [content.encode()])
    [found] = _core.details([path])
    assert found.titles == [
        (1, "custom", "a", None),
        (3, "custom", "b", 1_000),
        (4, "custom", "a", 1_000),
        (8, "custom", "c", 2_000),
    ]
    assert [found.title_line("custom", value) for value in "abcd"] == [5, 3, 8, None]
    assert found.title_line("ai", "a") is None
    assert [found.title_at("custom", second * 1_000) for second in (0, 1, 2, 9)] == [None, "a", "a", "a"]
    hold(found, reference.details(path))
    with pytest.raises(ValueError, match='no source of title records: "summary"'):
        found.title_line("summary", "a")  # type: ignore[arg-type]


def test_files_that_cannot_be_read_have_an_error(tmp_path: Path) -> None:
    paths = [*write(tmp_path, [b'{"uuid":"u"}', b'{"uuid":"v"}']), tmp_path / "none.jsonl", tmp_path]
    found = _core.details([str(path) for path in paths])
    assert [details.path for details in found] == [str(path) for path in paths]
    assert [type(details.error) for details in found[2:]] == [FileNotFoundError, IsADirectoryError]
    assert (found[2].titles, found[2].cwds, found[2].activity, found[2].uuid_count) == ([], [], [], 0)
    assert [details.uuid_count for details in found] == [1, 1, 0, 0]
    assert _core.details([]) == []


def test_activity_of_more_spans_than_are_kept(tmp_path: Path) -> None:
    """Times two minutes apart are spans of their own until there are too many of them."""

    def content(count: int) -> bytes:
        times = (time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(120 * number)) for number in range(count))
        return "".join(f'{{"timestamp":"{text}"}}\n' for text in times).encode()

    few, many = _core.details(write(tmp_path, [content(4_096), content(4_097)]))
    assert few.activity == [(120_000 * number, 120_000 * number) for number in range(4_096)]
    assert many.activity == [(0, 120_000 * 4_096)]
