"""Check every rule of a scan once, on the smallest input that shows it, with an answer worked out by hand.

Each case is put to the plain-Python reference and to the core in both its ways: so the twin that the property
tests hold the core to is itself held to something.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable
from typing import Any

import pytest
import sessscan
from hypothesis import given, settings
from hypothesis import strategies as st
from support import reference
from support.transcripts import all_fields

Scan = Callable[..., dict[str, Any]]

S = "the-session"


@pytest.fixture(params=["reference", "core", "core, strict"])
def scan(request: pytest.FixtureRequest) -> Scan:
    """Return a scan of a list of lines, or of bytes; `session_id` is `S` unless given."""
    strict = request.param == "core, strict"

    def run(source: Any, session_id: str | None = S) -> dict[str, Any]:
        data = source if isinstance(source, bytes) else lines(*source)
        if request.param == "reference":
            return reference.scan_bytes(data, session_id)
        return all_fields(sessscan.scan_bytes(data, session_id=session_id, strict=strict))

    return run


def lines(*records: Any) -> bytes:
    """Return records as the bytes of a file; a string stands for itself."""
    texts = [r if isinstance(r, str) else json.dumps(r, separators=(",", ":")) for r in records]
    return "".join(text + "\n" for text in texts).encode()


def user(content: Any, **more: Any) -> dict[str, Any]:
    return {"parentUuid": None, "message": {"role": "user", "content": content}, "type": "user", **more}


def defect(kind: str, line: int, offset: int, length: int) -> dict[str, Any]:
    return {"kind": kind, "line": line, "offset": offset, "length": length}


def counts(found: dict[str, Any]) -> tuple[int, int]:
    return found["lines"], found["records"]


# --- Lines and padding ------------------------------------------------------------------------------------


def test_an_empty_file(scan: Scan) -> None:
    found = scan(b"")
    assert counts(found) == (0, 0)
    assert found["size"] == 0
    assert found["session_id"] == S
    assert found["path"] is None
    assert found["is_sidechain"] is False
    assert found["defects"] == []
    assert found["title"] is None and found["title_source"] is None and found["created_at"] is None


def test_blank_lines_and_crlf_and_no_last_newline(scan: Scan) -> None:
    found = scan(b'\n \t\r\n{"a":1}\r\n\r\n{"a":2}')
    assert counts(found) == (2, 2)
    assert found["defects"] == []
    assert found["size"] == 23


def test_a_bom_is_dropped_at_the_start_and_nowhere_else(scan: Scan) -> None:
    assert scan(b"\xef\xbb\xbf")["lines"] == 0
    assert scan(b'\xef\xbb\xbf{"a":1}\n')["defects"] == []
    found = scan(b'{"a":1}\n\xef\xbb\xbf{"a":1}\n')
    assert counts(found) == (2, 1)
    assert found["defects"] == [defect("invalid", 2, 8, 10)]


def test_only_a_newline_ends_a_line(scan: Scan) -> None:
    found = scan('{"cwd":"a\u2028b\u0085c"}\n'.encode())
    assert found["cwd"] == "a\u2028b\u0085c"
    assert scan(b'{"a":1}\r{"a":2}\n')["defects"] == [defect("glued", 1, 0, 15)]


def test_nul_is_padding_and_a_defect_wherever_it_is(scan: Scan) -> None:
    found = scan(b'\0\0{"a":1}\0 \0\n\0\0\0\n{"a":2}\n\0')
    assert counts(found) == (2, 2)
    assert found["defects"] == [
        defect("nul-run", 1, 0, 2),
        defect("nul-run", 1, 9, 1),
        defect("nul-run", 1, 11, 1),
        defect("nul-run", 2, 13, 3),
        defect("nul-run", 4, 25, 1),
    ]


# --- Heads and tails --------------------------------------------------------------------------------------


def test_glued_records(scan: Scan) -> None:
    found = scan(b'{"type":"a","cwd":"1"}{"cwd":"2"} \0{"cwd":"3"}\r\n')
    assert counts(found) == (1, 3)
    assert (found["cwd"], found["last_cwd"]) == ("1", "3")
    assert found["defects"] == [defect("glued", 1, 0, 46), defect("nul-run", 1, 34, 1)]


def test_a_spliced_line(scan: Scan) -> None:
    found = scan(b'{"cwd":"1"} {"type":"x","cwd":"2{"parentUuid":null,"cwd":"3"}\0{"cwd":"4"} \n')
    assert counts(found) == (1, 3)
    assert (found["cwd"], found["last_cwd"]) == ("1", "4")
    assert found["defects"] == [defect("spliced", 1, 12, 20), defect("nul-run", 1, 61, 1)]


def test_a_tail_begins_where_all_that_follows_is_whole(scan: Scan) -> None:
    # The first `{"type":` is cut, the second is whole but the cut one goes on, the third reaches the end.
    found = scan(b'{"type":"a","b":{"type":"c"},"d":{"type":"e","cwd":"1"}\n')
    assert counts(found) == (1, 1)
    assert found["cwd"] == "1"
    assert found["defects"] == [defect("spliced", 1, 0, 33)]


def test_a_tail_begins_like_a_record(scan: Scan) -> None:
    for cut in (b'{"cwd":"1"}', b'{ "type":"a"}', b'{"type" :"a"}', b'{"uuid":"","type":"a"}'):
        found = scan(b'{"type":"a","b" ' + cut + b"\n")
        assert counts(found) == (1, 0)
        assert found["defects"] == [defect("invalid", 1, 0, 16 + len(cut))]


def test_torn_is_the_last_line_without_its_newline_and_invalid_any_other(scan: Scan) -> None:
    found = scan(b' {"cwd":"1"} {"cwd":"2" \r\n{"cwd":"3"}\0{"cwd \0')
    assert counts(found) == (2, 2)
    assert found["last_cwd"] == "3"
    assert found["defects"] == [
        defect("invalid", 1, 13, 11),
        defect("nul-run", 2, 37, 1),
        defect("torn", 2, 38, 7),
        defect("nul-run", 2, 44, 1),
    ]


@pytest.mark.parametrize(
    "line", ["x", "1", "[]", '"a"', "null", '[{"type":"a"}]', '}{"a":1}', '{"a":1}}', "{"]
)
def test_only_objects_are_records(scan: Scan, line: str) -> None:
    found = scan([line])
    begin = 7 if line.startswith('{"a":1}') else 0
    assert found["records"] == (1 if begin else 0)
    assert found["defects"] == [defect("invalid", 1, begin, len(line) - begin)]


# --- Bytes and strings ------------------------------------------------------------------------------------


def test_bytes_that_are_not_utf8_are_replaced_and_the_record_counts(scan: Scan) -> None:
    found = scan(b'{"a":1}\n {"cwd":"a\xff\xe2\x82b\xed\xa0\x80"}\n')
    assert found["cwd"] == "a\ufffd\ufffdb\ufffd\ufffd\ufffd"
    assert found["records"] == 2
    assert found["defects"] == [defect("invalid-utf8", 2, 8, 19)]


def test_a_torn_line_that_is_not_utf8_has_two_defects(scan: Scan) -> None:
    found = scan(b'{"cwd":"\xe2\x82')
    assert found["defects"] == [defect("invalid-utf8", 1, 0, 10), defect("torn", 1, 0, 10)]


def test_half_a_surrogate_pair_is_replaced_and_is_no_defect(scan: Scan) -> None:
    found = scan(b'{"cwd":"\\ud83d\\ud83d\\ude00 \\ude00"}\n')
    assert found["cwd"] == "\ufffd😀 \ufffd"
    assert found["defects"] == []


@pytest.mark.parametrize("control", ["\0", "\x01", "\t", "\r", "\x1f"])
def test_a_raw_control_character_in_a_string_is_invalid(scan: Scan, control: str) -> None:
    found = scan([f'{{"cwd":"a{control}b"}}'])
    assert found["records"] == 0
    assert defect("invalid", 1, 0, 13) in found["defects"]
    assert scan(['{"cwd":"\x7f"}'])["records"] == 1


# --- UTF-16 -----------------------------------------------------------------------------------------------

U16_LINES = '{"type":"custom-title","customTitle":"Café 😀"}\r\n\0\0\n {"cwd":"/é"}{"cwd":"/b"}\n{"torn'


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("mark", ["\ufeff", ""])
def test_a_file_in_utf16_has_its_records_and_one_defect(scan: Scan, codec: str, mark: str) -> None:
    data = (mark + U16_LINES).encode(codec)
    found = scan(data)
    assert (found["size"], found["custom_title"], found["cwd"]) == (len(data), "Café 😀", "/é")
    assert (counts(found), found["last_cwd"]) == ((3, 3), "/b")
    assert found["defects"] == [defect("utf-16", 1, 0, len(data))]
    assert scan(data[:-1])["defects"] == [defect("utf-16", 1, 0, len(data) - 1)]
    assert scan(data[: 2 * len(mark)])["defects"] == ([defect("utf-16", 1, 0, 2)] if mark else [])


def test_lone_surrogates_in_utf16_become_u_fffd(scan: Scan) -> None:
    data = '\ufeff{"cwd":"\ud83d!\udc00"}\n'.encode("utf-16-le", "surrogatepass")
    assert scan(data)["cwd"] == "\ufffd!\ufffd"


@pytest.mark.parametrize(
    "data",
    [
        b"{\0}\0\n\0",
        b"\0" * 64,
        '{"type":1}'.encode("utf-16-le")[:15],
        '{"ty\u0100pe":1}'.encode("utf-16-le"),
    ],
)
def test_what_is_not_utf16(scan: Scan, data: bytes) -> None:
    assert "utf-16" not in {found["kind"] for found in scan(data)["defects"]}


# --- Very many defects ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "kept", "count"),
    [
        (b"}\n" * 10_001, ("invalid", 10_000, 19_998, 1), 10_001),
        (b"\0xy" * 10_050, ("nul-run", 1, 29_994, 1), 10_051),
        (b"}\n" * 9_999 + b"\0 " * 5_000 + b"}\n", ("nul-run", 10_000, 19_998, 1), 15_000),
    ],
)
def test_of_very_many_defects_the_first_are_kept_and_all_counted(
    scan: Scan, data: bytes, kept: tuple[str, int, int, int], count: int
) -> None:
    found = scan(data)
    assert (len(found["defects"]), found["defect_count"]) == (10_000, count)
    assert found["defects"][-1] == defect(*kept)


# --- JSON -------------------------------------------------------------------------------------------------


def test_only_keys_of_the_record_itself_count(scan: Scan) -> None:
    found = scan(
        ['{"x":{"cwd":"1","timestamp":"2025-01-01T00:00:00Z"},"y":[{"cwd":"2"}],"z":"{\\"cwd\\":\\"3\\"}"}']
    )
    assert found["records"] == 1
    assert found["cwd"] is None and found["created_at"] is None


def test_an_escaped_key_is_that_key_and_the_last_of_two_counts(scan: Scan) -> None:
    found = scan(['{"cwd":"1","c\\u0077d":"2","version":"1","version":2}'])
    assert found["cwd"] == "2"
    assert found["version"] is None


GOOD_VALUES = [
    *("0", "-0", "1.5", "1e5", "1E+400", "-0.0e-0", "7" * 5_000, "true", "false", "null", '""', "[]", "{}"),
    *(
        "[1,2]",
        '{"a":1,"b":[{}]}',
        " [ 1 ,\t2\r] ",
        '"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00Ff"',
        "[" * 100_000 + "]" * 100_000,
    ),
    '{"a":' * 100_000 + "0" + "}" * 100_000,
]
BAD_VALUES = [
    *("01", "-", "+1", ".5", "1.", "1e", "0x1", "NaN", "Infinity", "-Infinity", "True", "nul", "'a'"),
    *(
        '"\\x41"',
        '"\\u12g4"',
        '"\\u123',
        "[1,]",
        "[,1]",
        "[1 2]",
        '{"a"}',
        '{"a":1,}',
        "{1:2}",
        '{"a" 1}',
        "[1}",
    ),
]


@pytest.mark.parametrize("value", GOOD_VALUES, ids=lambda value: value[:12])
def test_a_record_of_whatever_json_allows(scan: Scan, value: str) -> None:
    found = scan([f'{{"cwd":"1","x":{value}}}'])
    assert (found["records"], found["cwd"], found["defects"]) == (1, "1", [])


@pytest.mark.parametrize("value", BAD_VALUES)
@pytest.mark.parametrize("depth", [0, 1, 2_000])
def test_a_strict_scan_checks_every_byte_of_every_value(value: str, depth: int) -> None:
    data = lines('{"cwd":"1","x":' + "[" * depth + value + "]" * depth + "}")
    for found in (reference.scan_bytes(data), sessscan.scan_bytes(data, strict=True).to_dict()):
        assert found["records"] == 0
        assert found["defects"] == [defect("invalid", 1, 0, len(data) - 1)]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3),
    lambda value: st.lists(value, max_size=3) | st.dictionaries(st.text(max_size=3), value, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(json_values)
def test_the_reference_parses_deep_objects_like_others(value: Any) -> None:
    text = json.dumps({"": value}, ensure_ascii=False)
    assert reference._deep_object_at(text + "{", 0) == (json.loads(text), len(text))
    for cut in range(1, len(text)):
        with pytest.raises(ValueError):
            reference._deep_object_at(text[:cut], 0)


# --- Times ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.999Z", -1),
        ("2025-09-03T00:52:31.217Z", 1_756_860_751_217),
        ("2025-09-03t00:52:31.2179999z", 1_756_860_751_217),
        ("2025-09-03T06:22:31.2+05:30", 1_756_860_751_200),
        ("2025-09-02T16:52:31-08:00", 1_756_860_751_000),
        ("2024-02-29T23:59:60Z", 1_709_251_200_000),
        ("0000-01-01T00:00:00Z", -62_167_219_200_000),
        ("9999-12-31T23:59:59Z", 253_402_300_799_000),
        ("2025-02-29T00:00:00Z", None),
        ("1900-02-29T00:00:00Z", None),
        ("2025-01-01T24:00:00Z", None),
        ("2025-01-01T00:00:61Z", None),
        ("2025-01-01T00:00:00", None),
        ("2025-01-01T00:00:00.Z", None),
        ("2025-01-01T00:00:00+0100", None),
        ("2025-01-01T00:00:00+24:00", None),
        ("2025-01-01 00:00:00Z", None),
        (" 2025-01-01T00:00:00Z", None),
        ("2025-01-01T00:00:00Z\n", None),
        (1_756_860_751_217, None),
        (None, None),
    ],
)
def test_a_time_is_rfc_3339_with_a_zone(scan: Scan, text: Any, expected: int | None) -> None:
    found = scan([{"timestamp": text}])
    assert found["created_at"] == found["last_activity_at"] == expected


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (["t12:00:01.000Z", "T12:00:02.000Z", "T12:00:03.000Z"], (1_000, 3_000)),
        (["t12:00:05.000Z", "T12:00:02.000Z", "T12:00:03.000Z", "t12:00:01.000Z"], (1_000, 5_000)),
        (["T12:00:60.500Z", "T12:01:00.000Z", "T12:00:59.000Z"], (59_000, 60_500)),
        (["T12:00:05.000Z", "T14:00:04.000+02:00", "T12:00:04.5Z", "T11:00:06-01:00"], (4_000, 6_000)),
        (["T12:00:05.000z", "T12:00:06.000Z", "T12:00:04.000z", "T12:00:07.000Z"], (4_000, 7_000)),
    ],
)
def test_times_are_compared_as_times_not_as_text(
    scan: Scan, times: list[str], expected: tuple[int, int]
) -> None:
    noon = 1_749_988_800_000
    for order in itertools.permutations(times):
        found = scan([{"timestamp": "2025-06-15" + time} for time in order])
        assert (found["created_at"] - noon, found["last_activity_at"] - noon) == expected, order


def test_times_of_other_sessions_count_only_if_there_are_no_own(scan: Scan) -> None:
    records = [
        {"sessionId": S, "timestamp": "1970-01-01T00:00:07Z"},
        {"sessionId": S, "timestamp": "1970-01-01T00:00:05Z"},
        {"sessionId": S, "timestamp": "no time"},
        {"sessionId": "parent", "timestamp": "1970-01-01T00:00:01Z"},
        {"timestamp": "1970-01-01T00:00:09Z"},
    ]
    found = scan(records)
    assert (found["created_at"], found["last_activity_at"], found["own_records"]) == (5_000, 7_000, 3)
    found = scan(records[2:])
    assert (found["created_at"], found["last_activity_at"], found["own_records"]) == (1_000, 9_000, 1)
    found = scan(records, session_id=None)
    assert (found["created_at"], found["last_activity_at"], found["own_records"]) == (1_000, 9_000, 0)


# --- Titles -----------------------------------------------------------------------------------------------


def test_the_last_nonempty_title_counts_and_a_custom_one_first(scan: Scan) -> None:
    found = scan(
        [
            {"type": "custom-title", "customTitle": "old"},
            {"type": "custom-title", "customTitle": "mine"},
            {"type": "custom-title", "customTitle": ""},
            {"type": "custom-title", "aiTitle": "not here"},
            {"type": "ai-title", "aiTitle": "its"},
            {"type": "ai-title", "aiTitle": None, "customTitle": "nor here"},
            {"type": "mode", "customTitle": "nor here"},
        ]
    )
    assert (found["custom_title"], found["ai_title"]) == ("mine", "its")
    assert (found["title"], found["title_source"]) == ("mine", "custom")


def test_the_last_summary_of_a_record_in_this_file(scan: Scan) -> None:
    records = [
        {"type": "summary", "summary": "of one that comes later", "leafUuid": "u"},
        {"type": "summary", "summary": "of another session", "leafUuid": "v"},
        {"type": "summary", "summary": None, "leafUuid": "u"},
        {"type": "summary", "summary": "of none"},
        {"type": "x", "uuid": "u", "nested": {"uuid": "v"}},
    ]
    found = scan(records)
    assert (found["summary"], found["title"], found["title_source"]) == (
        *["of one that comes later"] * 2,
        "summary",
    )
    assert scan([*records, {"type": "ai-title", "aiTitle": "t"}])["title_source"] == "ai"
    found = scan([*records, {"type": "summary", "summary": "", "leafUuid": "u"}, user("hello")])
    assert (found["summary"], found["title"], found["title_source"]) == ("", "hello", "prompt")


# --- Turns ------------------------------------------------------------------------------------------------


def test_the_first_prompt_is_folded_and_cut(scan: Scan) -> None:
    found = scan([user(" \n a\u3000\u2028b\x1cc\u200bd " + "é" * 300), user("second")])
    assert found["first_prompt"] == "a b c\u200bd " + "é" * 192
    assert (found["turns"], found["title"], found["title_source"]) == (2, found["first_prompt"], "prompt")


def test_text_blocks_are_joined(scan: Scan) -> None:
    content = [
        {"type": "text", "text": "a"},
        "x",
        {"type": "image", "text": "y"},
        {"type": "text", "text": "b"},
    ]
    assert scan([user([*content, {"type": "text", "text": 1}, {"type": "text"}])])["first_prompt"] == "a b"


@pytest.mark.parametrize(
    "record",
    [
        user("x", isMeta=True),
        user("x", isCompactSummary=True),
        user("x", isSidechain=True),
        user("x", toolUseResult={}),
        user("x", toolUseResult=False),
        user("x", type="assistant"),
        user([{"type": "text", "text": "x"}, {"type": "tool_result"}]),
        user([{"type": "thinking", "text": "x"}]),
        user([]),
        user({"type": "text", "text": "x"}),
        user(None),
        user("", message="x"),
        user(" \n\u2028\x1f"),
        user("<command-name>/clear</command-name>"),
        user(" \n<local-command-stdout>"),
        user("[Request interrupted by user]"),
        user("<task-notification>"),
        user([{"type": "text", "text": ""}, {"type": "text", "text": "<bash-input>"}]),
        user("<system-reminder>"),
        user("<teammate-message from=x>"),
    ],
    ids=str,
)
def test_a_record_that_no_person_typed_is_no_prompt(scan: Scan, record: dict[str, Any]) -> None:
    found = scan([record])
    assert (found["records"], found["turns"], found["first_prompt"]) == (1, 0, None)


@pytest.mark.parametrize(
    "record",
    [
        user("x", isMeta=False, isSidechain="true", isCompactSummary=1, toolUseResult=None),
        user([["tool_result"], {"type": "text", "text": "x"}, {"type": ["tool_result"]}]),
        user("x <bash-input>"),
        user("<command-message>x"),
        user("<Command-name>x"),
        {"type": "user", "message": {"content": "x"}},
    ],
    ids=str,
)
def test_a_record_that_a_person_typed_is_a_prompt(scan: Scan, record: dict[str, Any]) -> None:
    assert scan([record])["turns"] == 1


@pytest.mark.parametrize(
    ("content", "prompt"),
    [
        (
            "<command-message>review is running…</command-message>\n<command-name>/review</command-name>",
            "/review",
        ),
        (
            "<command-message>review</command-message> <command-name> /review </command-name>\n"
            "            <command-args> PR  7 </command-args> more",
            "/review PR 7",
        ),
        (
            "<command-message>a</command-message><command-name>/a</command-name><command-args></command-args>",
            "/a",
        ),
        ("<command-message>a</command-message>\n<command-name>/a</command-name><command-args>b", "/a"),
        ("<ide_opened_file>The user opened a.py</ide_opened_file>\nFix it", "Fix it"),
        (" \n<ide_selection>x</ide_selection><ide_opened_file>\n</ide_opened_file> y", "y"),
        (
            "<ide_selection>x</ide_selection>y<ide_selection>z</ide_selection>",
            "y<ide_selection>z</ide_selection>",
        ),
        (
            [
                {"type": "text", "text": "<ide_opened_file>a"},
                {"type": "text", "text": "b</ide_opened_file>"},
                {"type": "text", "text": "Fix"},
                {"type": "text", "text": "it"},
            ],
            "Fix it",
        ),
        (
            "<ide_opened_file>a</ide_opened_file>"
            "<command-message>m</command-message><command-name>/n</command-name>",
            "/n",
        ),
        # What does not end is text.
        ("<ide_opened_file>a</ide_selection> b", "<ide_opened_file>a</ide_selection> b"),
        (
            "<command-message>a <command-name>/a</command-name>",
            "<command-message>a <command-name>/a</command-name>",
        ),
        ("<command-message>a</command-message> b", "<command-message>a</command-message> b"),
    ],
    ids=str,
)
def test_a_prompt_with_markup_is_what_was_typed(scan: Scan, content: Any, prompt: str) -> None:
    found = scan([user(content)])
    assert (found["turns"], found["first_prompt"], found["title"]) == (1, prompt, prompt)


@pytest.mark.parametrize(
    "content",
    [
        "<ide_opened_file>a</ide_opened_file>",
        "<ide_opened_file>a</ide_opened_file>\n<ide_selection>b</ide_selection> \n",
        "<ide_selection>a</ide_selection>\n<command-name>/clear</command-name>",
        [{"type": "text", "text": "<ide_selection>"}, {"type": "text", "text": "</ide_selection>"}],
        "<command-message>m</command-message><command-name> </command-name><command-args>\n</command-args>",
        "<command-message>m</command-message><command-name><bash-input></command-name>",
    ],
    ids=str,
)
def test_what_carries_only_context_is_no_prompt(scan: Scan, content: Any) -> None:
    found = scan([user(content)])
    assert (found["records"], found["turns"], found["first_prompt"]) == (1, 0, None)


# --- The other fields -------------------------------------------------------------------------------------


def test_the_first_and_last_nonempty_values_count(scan: Scan) -> None:
    found = scan(
        [
            {"cwd": "", "entrypoint": "", "uuid": ""},
            {"cwd": "/a", "gitBranch": "m", "version": "1", "entrypoint": "cli", "uuid": "u1"},
            {"cwd": "/b", "gitBranch": "n", "version": "2", "entrypoint": "claude-desktop", "uuid": "u2"},
            {"cwd": "", "gitBranch": "", "version": "", "entrypoint": "", "uuid": ""},
            {"cwd": 1, "gitBranch": None, "version": [], "entrypoint": {}, "uuid": False},
        ]
    )
    assert (found["cwd"], found["last_cwd"]) == ("/a", "/b")
    assert (found["git_branch"], found["version"]) == ("n", "2")
    assert (found["born_in"], found["entrypoint"]) == ("cli", "claude-desktop")
    assert (found["first_uuid"], found["last_uuid"]) == ("u1", "u2")


def test_the_model_of_the_last_real_answer(scan: Scan) -> None:
    found = scan(
        [
            {"type": "assistant", "message": {"model": "one"}},
            {"type": "assistant", "message": {"model": "two"}},
            {"type": "assistant", "message": {"model": ""}},
            {"type": "assistant", "message": {"model": "<synthetic>"}},
            {"type": "assistant", "message": "three", "model": "four"},
            {"type": "user", "message": {"model": "five"}},
        ]
    )
    assert found["model"] == "two"


def test_the_last_worktree(scan: Scan) -> None:
    session = {"worktreePath": "/w", "worktreeName": "", "worktreeBranch": None, "originalCwd": "/o", "x": 1}
    records = [
        {"type": "worktree-state", "worktreeSession": {"originalBranch": "main"}},
        {"type": "worktree-state", "worktreeSession": session},
        {"type": "worktree-state", "worktreeSession": None},
        {"type": "x", "worktreeSession": {}},
    ]
    assert scan(records)["worktree"] == {
        "path": "/w",
        "name": "",
        "branch": None,
        "original_cwd": "/o",
        "original_branch": None,
    }
    assert scan(records[2:])["worktree"] is None


def test_a_relocated_session(scan: Scan) -> None:
    records = [
        {"type": "relocated", "relocatedCwd": "/new"},
        {"relocatedCwd": "/no", "type": "x"},
        {"type": "relocated", "relocatedCwd": ""},
    ]
    assert scan(records)["relocated_cwd"] == "/new"


def test_the_last_tag_counts_and_an_empty_one_removes_it(scan: Scan) -> None:
    records: list[Any] = [
        {"type": "tag", "tag": "first"},
        {"type": "tag", "tag": "größer"},
        {"type": "tag", "tag": None},
        {"type": "assistant", "tag": "no", "message": {"content": [{"type": "tag", "tag": "nor this"}]}},
    ]
    assert scan(records)["tag"] == "größer"
    assert scan([*records, {"type": "tag", "tag": ""}])["tag"] is None
    assert scan([*records, {"type": "tag", "tag": ""}, {"tag": "again", "type": "tag"}])["tag"] == "again"


def test_the_first_command_of_a_session_without_prompts(scan: Scan) -> None:
    records = [
        user("no command: <command-name>/no</command-name>", isMeta=True),
        user("<command-name> </command-name>"),
        user([{"type": "text", "text": "\n<command-name>/goal  x</command-name>"}]),
        user("<command-name>/clear</command-name>"),
    ]
    assert (scan(records)["first_command"], scan(records)["turns"]) == ("/goal x", 0)
    assert scan([*records, user("hello")])["first_command"] is None
    assert scan([user("<command-name>" + "x" * 173 + "</command-name>")])["first_command"] is None
    assert scan([user("<command-name>" + "x" * 172 + "</command-name>")])["first_command"] == "x" * 172


@pytest.mark.parametrize(("length", "cut"), [(199, False), (200, False), (201, True), (5_000, True)])
def test_a_first_prompt_that_is_cut(scan: Scan, length: int, cut: bool) -> None:
    found = scan([user("\u00e9" * length + " \n")])
    assert (len(found["first_prompt"]), found["first_prompt_is_cut"]) == (min(length, 200), cut)
    assert found["title"] == found["first_prompt"]


def test_the_last_prompt(scan: Scan) -> None:
    records: list[Any] = [
        {"type": "last-prompt", "lastPrompt": "one"},
        {"type": "last-prompt", "lastPrompt": "two", "leafUuid": "u"},
        {"type": "last-prompt", "lastPrompt": None},
        {"type": "last-prompt", "lastPrompt": ""},
        {"type": "last-prompt", "leafUuid": "u"},
        {"type": "other", "lastPrompt": "three"},
    ]
    assert scan(records)["last_prompt"] == "two"
    assert scan(records[3:])["last_prompt"] is None


def test_the_session_that_this_one_continues_in(scan: Scan) -> None:
    def continued(session_id: object, **more: object) -> dict[str, object]:
        return {"type": "continued-in", "continuedInSessionId": session_id, **more}

    records: list[Any] = [
        continued("one", timestamp="1970-01-01T00:00:01Z"),
        continued("two", timestamp="1970-01-01T00:00:02Z"),
        continued("", timestamp="1970-01-01T00:00:03Z"),
        continued(None, timestamp="1970-01-01T00:00:04Z"),
        {"type": "other", "continuedInSessionId": "three"},
        continued("four"),
    ]
    assert [scan(records[:-1])[name] for name in ("continued_in", "continued_at")] == ["two", 2_000]
    assert [scan(records)[name] for name in ("continued_in", "continued_at")] == ["four", None]
    assert [scan(records[2:-1])[name] for name in ("continued_in", "continued_at")] == [None, None]


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([{"isSidechain": True}], False),
        ([{"parentUuid": None, "isSidechain": True}, {"isSidechain": False}], True),
        ([{"parentUuid": "u", "isSidechain": True}, {"parentUuid": 1, "isSidechain": False}], False),
        ([{"parentUuid": "u", "isSidechain": True}, {"parentUuid": "u"}], False),
        ([{"parentUuid": "u", "isSidechain": "true"}], False),
    ],
)
def test_a_sidechain_is_marked_in_every_chain_record(scan: Scan, records: list[Any], expected: bool) -> None:
    assert scan(records)["is_sidechain"] is expected


# --- Files and events -------------------------------------------------------------------------------------


def test_a_file_is_named_after_its_session(tmp_path: Any) -> None:
    file = tmp_path / f"{S}.jsonl"
    file.write_bytes(lines({"sessionId": S}))
    for found in (reference.scan(file), sessscan.scan(file).to_dict()):
        assert (found["path"], found["session_id"], found["own_records"]) == (str(file), S, 1)


@pytest.mark.parametrize("modified", [0, 1_999_999, 1_700_000_000_123_456_789, -1])
def test_a_transcript_knows_its_files_mtime(tmp_path: Any, modified: int) -> None:
    file = tmp_path / f"{S}.jsonl"
    file.write_bytes(lines({"sessionId": S}))
    os.utime(file, ns=(0, modified))
    for scanned in (sessscan.scan(file), *sessscan.scan_many([file])):
        assert scanned.modified_at == file.stat().st_mtime_ns // 1_000_000
    assert sessscan.scan_bytes(file.read_bytes()).modified_at is None


def test_the_events_of_a_file(tmp_path: Any) -> None:
    data = (
        b'\0{"cwd":"/a","type":"custom-title","customTitle":"t","timestamp":"1970-01-01T00:00:01Z"}\n\n'
        b'{"cwd":"/a"} {"cwd":""}{"cwd":"/b"}{"type":"ai-title","aiTitle":"","timestamp":"x"}\n'
        b'{"type":"ai-title","aiTitle":"u"\n'
        b'{"type":"ai-title","aiTitle":"v","cwd":"/a"}'
    )
    expected = [
        (1, 1, "title", "t", "custom"),
        (1, 1, "cwd", "/a", None),
        (1, 1, "timestamp", 1_000, None),
        (3, 113, "cwd", "/b", None),
        (5, 207, "title", "v", "ai"),
        (5, 207, "cwd", "/a", None),
    ]
    file = tmp_path / "x.jsonl"
    file.write_bytes(data)
    assert [tuple(event.values()) for event in reference.events(data)] == expected
    assert reference.events(file) == reference.events(data)
    found = [(e.line, e.offset, e.kind, e.value, e.source) for e in sessscan.events(file)]
    assert found == expected
    assert [e.value for e in sessscan.events(file, ("cwd",))] == ["/a", "/b", "/a"]
