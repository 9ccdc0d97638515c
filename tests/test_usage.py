"""Test how tokens are added up: each response once, however many records and files it stands in."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any, get_args

import pytest
import sessscan
from sessscan.tokens.files import place
from sessscan.tokens.prices import read_prices
from sessscan.tokens.responses import Tokens
from support.program import run
from support.rounds import rounds
from support.token_records import KINDS, count, record, store, uuid_of, write

BY: tuple[Any, ...] = ("day", "month", "model", "project")
COUNT: tuple[Any, ...] = ("final", "first")
AT = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
USAGE = {
    "input_tokens": 10,
    "output_tokens": 200,
    "cache_creation_input_tokens": 3000,
    "cache_read_input_tokens": 40_000,
}


def tokens(group: sessscan.UsageGroup) -> dict[str, int]:
    return {kind: getattr(group.tokens, kind) for kind in KINDS}


@pytest.fixture
def sessions(tmp_path: Path) -> Path:
    """Make a folder for transcripts that is empty."""
    (tmp_path / "sessions").mkdir()
    return tmp_path / "sessions"


@rounds(6, thorough=60)
def test_sums_are_those_of_a_count_in_plain_python(sessions: Path, seed: int, rounds: int) -> None:
    for number in range(rounds):
        root = sessions / str(number)
        store(root, seed + number)
        for by, which in product(BY, COUNT):
            found = sessscan.usage(projects=root, by=by, count=which, timezone="Asia/Kolkata")
            expected = count(root, by, which, "Asia/Kolkata")
            assert {group.key: tokens(group) for group in found.groups} == expected


def test_the_groups_add_up_to_the_total(sessions: Path, seed: int) -> None:
    store(sessions, seed)
    totals = set()
    for by in get_args(sessscan.UsageBy):
        found = sessscan.usage(projects=sessions, by=by)
        for name in (*KINDS, "responses", "total_tokens"):
            assert sum(getattr(group.tokens, name) for group in found.groups) == getattr(
                found.total.tokens, name
            )
            assert sum(getattr(group.of_subagents, name) for group in found.groups) == getattr(
                found.total.of_subagents, name
            )
        totals.add(found.total.tokens)
    assert len(totals) == 1


def test_of_the_records_of_a_response_that_with_the_most_output_counts(sessions: Path) -> None:
    grown = [USAGE | {"output_tokens": output} for output in (1, 200, 7)]
    path = sessions / f"{uuid_of(1)}.jsonl"
    write(
        path, [record("msg_1", "req_1", usage, at=AT + timedelta(seconds=n)) for n, usage in enumerate(grown)]
    )
    found = sessscan.usage(path)
    assert (found.total.tokens.responses, found.total.tokens.output_tokens) == (1, 200)
    assert found.total_of_first_records.output_tokens == 1
    assert sessscan.usage(path, count="first").total.tokens.output_tokens == 1


def test_a_message_id_with_another_request_is_another_response(sessions: Path) -> None:
    path = sessions / f"{uuid_of(1)}.jsonl"
    write(
        path, [record("msg_1", "req_1", USAGE), record("msg_1", "req_2", USAGE), record("msg_1", None, USAGE)]
    )
    assert sessscan.usage(path).total.tokens.responses == 3


def test_a_record_without_a_message_id_counts_once_by_its_uuid(sessions: Path) -> None:
    one = record(None, None, USAGE)
    write(sessions / f"{uuid_of(1)}.jsonl", [one, {**one, "uuid": "other"}])
    write(sessions / f"{uuid_of(2)}.jsonl", [one])
    assert sessscan.usage(sessions).total.tokens.responses == 2


def test_a_resumed_session_counts_only_what_it_added(sessions: Path) -> None:
    first = [record(f"msg_{n}", f"req_{n}", USAGE, at=AT + timedelta(minutes=n)) for n in range(3)]
    more = record("msg_9", "req_9", USAGE, at=AT + timedelta(minutes=9), session=uuid_of(2))
    write(sessions / "p" / f"{uuid_of(1)}.jsonl", first)
    # Its name sorts before the other, and its records are the same to the millisecond.
    write(
        sessions / "a" / f"{uuid_of(2)}.jsonl", [*({**one, "sessionId": uuid_of(2)} for one in first), more]
    )
    found = sessscan.usage(sessions, by="session")
    assert {group.key: group.tokens.responses for group in found.groups} == {uuid_of(1): 3, uuid_of(2): 1}


def test_subagents_are_told_apart_wherever_their_files_lie(sessions: Path) -> None:
    session, key = uuid_of(1), sessions / "-home-ada-engine"
    write(key / f"{session}.jsonl", [record("m1", "r1", USAGE), record("m2", "r2", USAGE, isSidechain=True)])
    write(key / session / "subagents" / "agent-1.jsonl", [record("m3", "r3", USAGE)])
    write(key / session / "subagents" / "deep" / "agent-2.jsonl", [record("m4", "r4", USAGE)])
    write(key / "agent-3.jsonl", [record("m5", "r5", USAGE)])
    [group] = sessscan.usage(projects=sessions, by="session").groups
    assert (group.key, group.tokens.responses, group.of_subagents.responses) == (session, 5, 4)
    [group] = sessscan.usage(projects=sessions, by="project").groups
    assert (group.key, group.label, group.tokens.responses) == ("-home-ada-engine", "/home/ada/engine", 5)


def test_a_path_tells_project_session_and_subagent() -> None:
    session = uuid_of(7).upper()
    parts = Path("x", "projects", "-k")
    for path, expected in (
        (parts / f"{session}.jsonl", ("-k", session.lower(), False)),
        (parts / session / "subagents" / "agent-1.jsonl", ("-k", session.lower(), True)),
        (parts / "agent-1.jsonl", ("-k", None, True)),
        (Path("alone.jsonl"), ("", "alone", False)),
    ):
        found = place(str(path))
        assert (found.project, found.session, found.of_subagent) == expected


def test_lifetimes_of_what_was_cached(sessions: Path) -> None:
    lifetimes = {"cache_creation": {"ephemeral_5m_input_tokens": 1000, "ephemeral_1h_input_tokens": 2000}}
    write(sessions / "a.jsonl", [record("m1", "r1", USAGE | lifetimes), record("m2", "r2", USAGE)])
    total = sessscan.usage(sessions).total.tokens
    assert total.cache_creation_input_tokens == 6000
    assert (total.cache_creation_5m_input_tokens, total.cache_creation_1h_input_tokens) == (1000, 2000)


def test_days_and_months_are_those_of_the_zone(sessions: Path) -> None:
    write(sessions / "a.jsonl", [record("m1", "r1", USAGE, at=datetime(2026, 2, 28, 23, 30, tzinfo=UTC))])

    def keys(**options: Any) -> list[str | None]:
        return [group.key for group in sessscan.usage(sessions, **options).groups]

    assert keys(timezone="UTC") == ["2026-02-28"]
    assert keys(timezone="Europe/Berlin") == ["2026-03-01"]
    assert keys(timezone="Europe/Berlin", by="month") == ["2026-03"]
    local = datetime(2026, 2, 28, 23, 30, tzinfo=UTC).astimezone().date().isoformat()
    assert keys() == [local]


def test_a_bound_in_time_leaves_out_what_has_no_time(sessions: Path) -> None:
    timeless = record("m3", "r3", USAGE)
    del timeless["timestamp"]
    write(sessions / "a.jsonl", [record("m1", "r1", USAGE, at=AT), record("m2", "r2", USAGE), timeless])
    at = int(AT.timestamp() * 1000)
    assert [group.key for group in sessscan.usage(sessions, timezone="UTC").groups][-1] is None
    assert sessscan.usage(sessions, since=at, until=at).total.tokens.responses == 1
    assert sessscan.usage(sessions, since=at + 1).total.tokens.responses == 0


def test_what_the_cli_makes_itself_is_no_response(sessions: Path) -> None:
    nothing = dict.fromkeys(KINDS, 0)
    write(sessions / "a.jsonl", [record("m1", "r1", USAGE), record("m2", None, nothing, model="<synthetic>")])
    assert sessscan.usage(sessions).total.tokens.responses == 1


@pytest.mark.parametrize("value", [None, "12", 1.5, 10**30, -5, True, {}, []])
def test_a_count_that_is_no_number_of_tokens_is_absent(sessions: Path, value: Any) -> None:
    write(sessions / "a.jsonl", [record("m1", "r1", USAGE | {"input_tokens": value})])
    total = sessscan.usage(sessions).total.tokens
    assert (total.input_tokens, total.output_tokens, total.responses) == (0, 200, 1)


def test_damaged_lines_count_as_far_as_they_are_whole(sessions: Path) -> None:
    lines = [json.dumps(record(f"m{n}", f"r{n}", USAGE)) for n in range(3)]
    (sessions / "a.jsonl").write_bytes((lines[0] + lines[1] + "\n\0\0\0" + lines[2][:80]).encode())
    found = sessscan.usage(sessions)
    assert found.total.tokens.responses == 2
    assert found.defect_count > 0


def test_prices_multiply_each_kind_of_each_model(sessions: Path) -> None:
    lifetimes = {"cache_creation": {"ephemeral_5m_input_tokens": 1000, "ephemeral_1h_input_tokens": 1500}}
    write(sessions / "a.jsonl", [record("m1", "r1", USAGE | lifetimes, model="claude-x-1")])
    prices = {
        "currency": "EUR",
        "models": {
            "claude-*": {"input_tokens": 999},
            "claude-x-*": {
                "input_tokens": 3,
                "output_tokens": 15,
                "cache_creation_input_tokens": 3.75,
                "cache_creation_1h_input_tokens": 6,
                "cache_read_input_tokens": 0.3,
            },
        },
    }
    found = sessscan.usage(sessions, prices=prices)
    expected = (10 * 3 + 200 * 15 + 1000 * 3.75 + 1500 * 6 + 500 * 3.75 + 40_000 * 0.3) / 1e6
    assert found.total.cost == pytest.approx(expected, abs=1e-12)
    assert (found.currency, found.without_price) == ("EUR", ())
    del prices["models"]["claude-x-*"]
    found = sessscan.usage(sessions, prices=prices)
    assert (found.total.cost, found.without_price) == (None, ("claude-x-1",))


def test_a_price_is_the_number_that_is_written(sessions: Path) -> None:
    path = sessions / "prices.json"
    path.write_text('{"models": {"m": {"input_tokens": 0.1}}}', encoding="utf-8")
    assert read_prices(path).cost("m", Tokens(input=3)) == Decimal("0.3") / 1_000_000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "line 1, column 2"),
        ("[]", "a table of prices has the form"),
        ('{"models": {"m": {"inputs": 1}}}', "'inputs'; there are input_tokens"),
        ('{"models": {"m": {"input_tokens": "1"}}}', "is not a number"),
        ('{"models": {"m": {"input_tokens": -1}}}', "is not a price"),
        ('{"models": {"m": {"input_tokens": NaN}}}', "is not a price"),
        ('{"models": {"m": 3}}', "are not an object"),
        ('{"currency": 3, "models": {}}', "is not a text"),
        ("[" * 100_000, "is not JSON"),
    ],
)
def test_a_table_of_prices_that_is_none_is_refused(sessions: Path, text: str, said: str) -> None:
    path = sessions / "prices.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(sessscan.UsageError, match=f"(?s)prices.json.*{said}"):
        read_prices(path)


@pytest.mark.parametrize(
    "options", [{"by": "year"}, {"count": "last"}, {"timezone": "Atlantis/Capital"}, {"timezone": "../x"}]
)
def test_options_that_there_are_not(sessions: Path, options: dict[str, Any]) -> None:
    with pytest.raises(sessscan.UsageError, match=next(iter(options.values()))):
        sessscan.usage(sessions, **options)


def test_the_command_tells_what_the_numbers_are(sessions: Path, env: dict[str, str]) -> None:
    grown = [
        record("m1", "r1", USAGE | {"output_tokens": output}, model="\x1b[31mred") for output in (1, 200)
    ]
    write(sessions / "-home-ada-engine" / f"{uuid_of(1)}.jsonl", grown)
    done = run(env, "usage", "--projects", sessions, "--by", "model")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].split() == [
        "MODEL", "RESPONSES", "INPUT", "OUTPUT", "CACHE", "WRITE", "CACHE", "READ", "TOTAL",
    ]  # fmt: skip
    assert done.stdout.splitlines()[1].split() == [
        "\\x1b[31mred",
        "1",
        "10",
        "200",
        "3,000",
        "40,000",
        "43,210",
    ]
    assert "with the first one alone, as ccusage counts, the output would be 1 " in done.stderr
    assert "days are in local time" in run(env, "usage", sessions).stderr


def test_json_has_all_that_python_has(sessions: Path, env: dict[str, str]) -> None:
    store(sessions, 3)
    done = run(env, "usage", sessions, "--by", "session", "--format", "json", "--timezone", "UTC")
    assert json.loads(done.stdout) == json.loads(
        json.dumps(sessscan.usage(sessions, by="session", timezone="UTC").to_dict())
    )
    table = run(env, "usage", sessions, "--by", "session", "--format", "csv").stdout.splitlines()
    lines = run(env, "usage", sessions, "--by", "session", "--format", "jsonl").stdout.splitlines()
    assert len(table) == len(lines) + 1 == len(sessscan.usage(sessions, by="session").groups) + 1


def test_mistakes_of_the_command_line(sessions: Path, env: dict[str, str]) -> None:
    for arguments, said in (
        (["nowhere"], "nowhere: there is no such file or folder"),
        ([str(sessions), "--by", "year"], "'year' is not one of 'day', 'month'"),
        ([str(sessions), "--timezone", "Mars"], "there is no time zone 'Mars'"),
        ([str(sessions), "--since", "2026-03-02", "--until", "2026-03-01"], "is later than --until"),
    ):
        done = run(env, "usage", *arguments)
        assert said in " ".join(done.stderr.split()), done.stderr
        assert done.returncode == 2


def test_prices_that_are_not_there(sessions: Path, env: dict[str, str]) -> None:
    done = run(env, "usage", sessions, "--prices", sessions / "none.json")
    assert done.returncode != 0 and "none.json" in done.stderr and "Traceback" not in done.stderr


def test_a_file_that_cannot_be_read_is_told_and_the_rest_counts(sessions: Path, env: dict[str, str]) -> None:
    write(sessions / "a.jsonl", [record("m1", "r1", USAGE)])
    (sessions / "b.jsonl").symlink_to(sessions / "nowhere")
    found = sessscan.usage(sessions)
    assert found.total.tokens.responses == 1
    [(path, _)] = found.errors
    assert Path(path).name == "b.jsonl"
    assert run(env, "usage", sessions).returncode == 4
