"""Test which sessions `sessscan list` shows, in which order and how."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sessscan
import sessscan.sessions.listing
from rich.cells import cell_len
from sessscan.render.sessions import ago, zone
from sessscan.sessions.listing import find_sessions
from support.program import picture, places, run
from support.store_factory import DAY, HOUR, NOW, World, build, key
from support.transcript_factory import DESKTOP, TERMINAL, line, new_id, resumed, stamp, talk

pytestmark = pytest.mark.full

KEYS = {
    "session_id", "path", "title", "title_source", "first_prompt", "last_prompt", "tag", "cwd", "git_branch",
    "created_at", "last_activity_at", "last_modified", "turns", "size", "defects", "health", "desktop", "row",
    "entrypoint", "archived", "hollow", "sidechain", "in_future", "records", "own_records",
}  # fmt: skip


def listed(env: dict[str, str], sample: Path, *options: object) -> dict[str, Any]:
    result = run(env, "list", "--format", "json", *places(sample), *options)
    assert (result.returncode, result.stderr) == (0, "")
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def titles(env: dict[str, str], sample: Path, *options: object) -> set[str]:
    return {session["title"] for session in listed(env, sample, *options)["sessions"]}


# How sessions are printed


def test_all_formats_show_the_same_sessions(env: dict[str, str], sample: Path) -> None:
    found = listed(env, sample)
    assert found["schema"] == "sessscan.list/1"
    assert (found["total"], found["matched"]) == (len(found["sessions"]),) * 2
    assert [Path(store).parent.parent.name for store in found["stores"]] == ["claude-code-sessions"] * len(
        found["stores"]
    )
    assert set(found["sessions"][0]) == KEYS
    lines = run(env, "list", "--format", "jsonl", *places(sample)).stdout.splitlines()
    assert [json.loads(line) for line in lines] == found["sessions"]
    rows = list(csv.DictReader(io.StringIO(run(env, "list", "--format", "csv", *places(sample)).stdout)))
    assert [row["session_id"] for row in rows] == [session["session_id"] for session in found["sessions"]]
    assert set(rows[0]) == KEYS
    table = run(env, "list", *places(sample)).stdout.splitlines()
    assert len(table) == len(rows) + 1
    for text, session in zip(table[1:], found["sessions"], strict=True):
        for name in ("title", "cwd", "git_branch", "health", "desktop", "entrypoint", "session_id"):
            assert session[name] in text


def test_sessions_are_sorted_by_last_activity_newest_first(env: dict[str, str], sample: Path) -> None:
    found = listed(env, sample)["sessions"]
    oldest = Path(found[-1]["path"])
    os.utime(oldest)  # a new mtime is no activity
    again = listed(env, sample)["sessions"]
    assert [session["path"] for session in again] == [session["path"] for session in found]
    times = [session["last_activity_at"] for session in again]
    assert times == sorted(times, reverse=True)
    assert again[-1]["last_modified"] == oldest.stat().st_mtime_ns // 1_000_000


def test_list_changes_nothing(env: dict[str, str], sample: Path) -> None:
    before = picture(sample)
    listed(env, sample)
    run(env, "list", *places(sample))
    assert picture(sample) == before


@pytest.mark.posix("no pseudo-terminals")
@pytest.mark.parametrize("columns", [40, 60, 79, 80, 100, 150, 200])
def test_the_table_fits_the_terminal(env: dict[str, str], sample: Path, columns: int) -> None:
    put_hostile(sample)
    lines = on_a_terminal({**env, "COLUMNS": str(columns), "TZ": "Asia/Tokyo"}, "list", *places(sample))
    head = next(line for line in lines if line.startswith("WHEN"))
    assert head.split() == (
        ["WHEN", "UTC+9", "TITLE", "FOLDER", *(["BRANCH"] if columns >= 80 else []), "SIZE", "HEALTH"]
        + (["SESSION"] if columns >= 150 else [])
    )
    rows = [line for line in lines if re.search(r" (ok|lost|damaged)\b", line) and "sessscan:" not in line]
    assert len(rows) > 30
    assert max(map(cell_len, rows)) <= max(columns, 60)
    assert any("Health check endpoint"[: columns // 8] in row for row in rows)


def on_a_terminal(env: dict[str, str], *arguments: object) -> list[str]:
    """Run the program on a terminal; return the lines it writes."""
    import pty

    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(sys.executable, [sys.executable, "-m", "sessscan", *map(str, arguments)], env)
    written = b""
    while True:
        try:
            data = os.read(terminal, 65_536)
        except OSError:
            break
        if not data:
            break
        written += data
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    text = written.decode()
    assert re.fullmatch(r"[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*", text), "a control character"
    return text.replace("\r\n", "\n").splitlines()


def put_hostile(sample: Path) -> Path:
    """Write a transcript with control characters in every text; return its path."""
    record = {
        "parentUuid": None,
        "type": "user",
        "message": {"content": "\x1b]0;owned\x07\x1b[2J" + "\u202e" + "x" * 400},
        "uuid": "u",
        "timestamp": "2026-03-01T12:00:00Z",
        "cwd": "/tmp/\x1b[31m\n" + "d" * 300,
        "gitBranch": "b\x9b1m\r" + "b" * 300,
    }
    path = sample / "projects" / "-tmp-x" / "0a000000-0000-4000-8000-000000000001.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(record) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("form", ["table", "json", "jsonl", "csv"])
def test_no_control_character_reaches_the_terminal(env: dict[str, str], sample: Path, form: str) -> None:
    put_hostile(sample)
    result = run(env, "list", "--format", form, *places(sample))
    assert result.returncode == 0
    assert "owned" in result.stdout
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", result.stdout + result.stderr)


@pytest.mark.parametrize(
    ("passed", "text"),
    [
        (0, "just now"),
        (59_999, "just now"),
        (60_000, "1 min ago"),
        (HOUR - 1, "59 min ago"),
        (HOUR, "1 h ago"),
        (DAY - 1, "23 h ago"),
        (DAY, "1 d ago"),
        (7 * DAY - 1, "6 d ago"),
        (8 * DAY, datetime.fromtimestamp((NOW - 8 * DAY) / 1000).strftime("%Y-%m-%d")),
        (-DAY, datetime.fromtimestamp((NOW + DAY) / 1000).strftime("%Y-%m-%d")),
    ],
)
def test_recent_times_are_relative_and_others_dates(passed: int, text: str) -> None:
    assert ago(NOW - passed, NOW) == text


def test_a_time_that_is_no_date_is_shown_as_a_number() -> None:
    assert ago(10**19, NOW) == str(10**19)[:10]


# Which sessions are listed


def test_sessions_of_a_folder_and_its_worktrees(env: dict[str, str], sample: Path, tmp_path: Path) -> None:
    inside = titles(env, sample, "--folder", "/home/ada/code/shop-api")
    assert (
        "Health check endpoint" in inside and "Queue instead of cron" in inside
    )  # the latter is of a worktree
    assert inside == titles(env, sample, "--folder", "/home/ada/code/shop-api/")
    assert titles(env, sample, "--folder", "/home/ada/code") > inside
    assert titles(env, sample, "--folder", "/") == titles(env, sample)
    assert titles(env, sample, "--folder", "/home/ada/code/shop") == set()
    assert titles(env, sample, "--folder", "/home/ada/code/shop-api/.claude/worktrees/job-queue") == {
        "Queue instead of cron"
    }


def test_a_folder_may_be_relative_or_of_another_platform(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    (real / "inner").mkdir(parents=True)
    world.put(talk(world.dice, str(real / "inner"), NOW))
    world.put(talk(world.dice, "C:\\Users\\Ada\\src", NOW))
    monkeypatch.chdir(real)
    for folder in (".", "inner", "../real", str(real), "c:/users/ada", "C:\\Users"):
        assert find_sessions(world.user_data, world.projects, folder=folder).matched == 1, folder
    assert find_sessions(world.user_data, world.projects, folder="nowhere").matched == 0
    if sys.platform != "win32":
        link.symlink_to(real)
        assert find_sessions(world.user_data, world.projects, folder=link).matched == 1


def test_sessions_with_each_of_some_words(env: dict[str, str], sample: Path) -> None:
    assert titles(env, sample, "--text", "HEALTH endpoint") == {"Health check endpoint"}
    assert titles(env, sample, "--text", "endpoint", "--text", "health") == {"Health check endpoint"}
    assert titles(env, sample, "--text", "claude/job") == {"Queue instead of cron"}  # the branch
    assert "Health check endpoint" in titles(env, sample, "--text", "shop-api")  # the folder
    assert titles(env, sample, "--text", "résumé") == titles(env, sample, "--text", "RÉSUMÉ") != set()
    assert titles(env, sample, "--text", "health zzz") == set()
    first = next(s for s in listed(env, sample)["sessions"] if s["title"] == "Health check endpoint")
    assert titles(env, sample, "--text", first["first_prompt"]) >= {"Health check endpoint"}


def test_sessions_of_a_time_and_at_most_so_many(env: dict[str, str], sample: Path) -> None:
    everything = listed(env, sample)["sessions"]
    times = [session["last_activity_at"] for session in everything]
    bound = datetime.fromtimestamp(times[5] / 1000, UTC).isoformat(timespec="milliseconds")
    assert listed(env, sample, "--since", bound)["sessions"] == everything[:6]
    assert listed(env, sample, "--until", bound)["sessions"] == everything[5:]
    assert listed(env, sample, "--since", bound, "--until", bound)["sessions"] == everything[5:6]
    day = datetime.fromtimestamp(times[5] / 1000).strftime("%Y-%m-%d")
    that_day = [
        s
        for s in everything
        if datetime.fromtimestamp(s["last_activity_at"] / 1000).strftime("%Y-%m-%d") == day
    ]
    assert listed(env, sample, "--since", day, "--until", day)["sessions"] == that_day
    found = listed(env, sample, "--limit", 3)
    assert (found["sessions"], found["matched"]) == (everything[:3], len(everything))
    assert listed(env, sample, "-n", 2, "--until", bound)["sessions"] == everything[5:7]


@pytest.mark.parametrize(
    "options",
    [
        ["--since", "soon"],
        ["--until", "3"],
        ["--since", "1d", "--until", "2d"],
        ["--limit", "0"],
        ["--format", "xml"],
        ["--hide", "robots"],
        ["--store", "/no/such/folder"],
        ["--projects", "/no/such/folder"],
    ],
)
def test_usage_errors_are_status_2(env: dict[str, str], options: list[str]) -> None:
    result = run(env, "list", *options)
    assert (result.returncode, result.stdout) == (2, "")
    assert options[0] in result.stderr


# What the desktop app knows of them


def status(world: World, path: Path) -> tuple[str, str | None, str | None]:
    [session] = [s for s in find_sessions(world.user_data, world.projects).sessions if s.path == str(path)]
    return session.health, session.desktop, session.row


def test_a_session_with_a_healthy_row_is_listed(world: World) -> None:
    made = talk(world.dice, "/home/ada/code", NOW)
    path = world.put(made)
    world.healthy_row(made)
    assert status(world, path) == ("ok", "listed", str(world.healthy[0]))


def test_a_session_of_the_terminal_has_no_row(world: World) -> None:
    assert status(world, world.put(talk(world.dice, "/a", NOW, entrypoint=TERMINAL))) == (
        "ok",
        "none",
        None,
    )


def test_a_session_with_a_damaged_row_is_lost(world: World) -> None:
    made = talk(world.dice, "/home/ada/code", NOW)
    path = world.put(made)
    lost = world.lose(made, "back", time=made.ended + 1_000)
    assert status(world, path) == ("lost", "lost", str(lost.path))
    assert sessscan.reconcile(world.user_data, world.projects).apply(force=True).exit_status == 0
    assert status(world, path) == ("ok", "listed", str(lost.path))


def test_a_desktop_session_without_a_row_is_an_orphan(world: World) -> None:
    path = world.put(talk(world.dice, "/home/ada/code", NOW, entrypoint=DESKTOP))
    assert status(world, path) == ("lost", "orphan", None)


def test_a_session_with_a_tombstone_is_deleted(world: World) -> None:
    made = talk(world.dice, "/home/ada/code", NOW)
    path = world.put(made)
    (world.stores[0] / f"deleted_{made.session_id}").write_text("1790000000000")
    assert status(world, path) == ("ok", "deleted", None)


def test_a_session_that_was_resumed_in_another_transcript_is_continued(world: World) -> None:
    older = talk(world.dice, "/home/ada/code", NOW)
    newer = resumed(world.dice, older, DESKTOP)
    paths = [world.put(older), world.put(newer)]
    world.healthy_row(newer, priorCliSessionIds=[older.session_id])
    assert status(world, paths[0])[:2] == ("ok", "continued")
    assert status(world, paths[1])[:2] == ("ok", "listed")


def test_nul_bytes_are_damage_and_a_torn_last_line_is_not(world: World) -> None:
    made = talk(world.dice, "/home/ada/code", NOW)
    path = world.put(made)
    world.healthy_row(made)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"parentUuid":null,"type":"us')
    assert status(world, path)[0] == "ok"
    path.write_bytes(whole + bytes(300) + b"\n")
    assert status(world, path)[0] == "damaged"


def test_a_lost_and_damaged_session_is_lost(world: World) -> None:
    path = world.put(talk(world.dice, "/home/ada/code", NOW))
    path.write_bytes(path.read_bytes() + bytes(300) + b"\n")
    [session] = find_sessions(world.user_data, world.projects).sessions
    assert (session.health, session.desktop, session.defects) == ("lost", "orphan", 1)


def test_without_a_store_nothing_is_said_about_the_app(world: World) -> None:
    path = world.put(talk(world.dice, "/home/ada/code", NOW))
    shutil.rmtree(world.user_data)
    [session] = find_sessions(None, world.projects).sessions
    assert (session.path, session.health, session.desktop) == (str(path), "ok", None)


@pytest.mark.parametrize("seed", range(8))
def test_list_and_reconcile_agree_on_lost_sessions(tmp_path: Path, seed: int) -> None:
    """In random stores, `lost` are exactly the sessions that reconcile would put back or finds orphaned."""
    world = build(tmp_path, seed)
    plan = sessscan.reconcile(world.user_data, world.projects)
    found = {session.path: session for session in find_sessions(world.user_data, world.projects).sessions}
    back = {a.transcript: a.path for a in plan.actions if a.kind == "restore" and a.transcript in found}
    orphans = {f.transcript for f in plan.findings if f.rule == "orphan"} & set(found)
    assert {path for path, s in found.items() if s.desktop == "orphan"} == orphans
    for path, row in back.items():
        assert path is not None
        assert (found[path].health, found[path].desktop, found[path].row) == ("lost", "lost", row)
    readable = {json.loads(path.read_bytes()).get("cliSessionId") for path in world.healthy if path.exists()}
    for session in found.values():
        assert (session.health == "lost") == (session.desktop in ("lost", "orphan"))
    listed = {session.session_id for session in found.values() if session.desktop == "listed"}
    assert listed >= readable & {session.session_id for session in found.values()}
    assert find_sessions(world.user_data, world.projects).held == sum(a.kind == "hold" for a in plan.actions)


def test_sessions_without_a_title_have_a_heading(world: World) -> None:
    def put(*records: dict[str, Any]) -> None:
        name = new_id(world.dice)
        envelope = {"parentUuid": None, "uuid": "u", "cwd": "/a", "sessionId": name}
        data = "".join(
            json.dumps(record if "customTitle" in record else envelope | record) + "\n" for record in records
        )
        world.write(world.projects / key("/a") / f"{name}.jsonl", data.encode(), NOW)

    def user(text: str) -> dict[str, Any]:
        return {"type": "user", "message": {"content": text}}

    put(user("<command-name>/goal</command-name>"))
    put(user("<command-message>init</command-message>\n<command-name>/init</command-name>"))
    put(user("hello"))
    put({"type": "assistant", "message": {"model": "m", "content": []}})
    put({"type": "custom-title", "customTitle": "only a title"})
    put(user("a subagent's") | {"isSidechain": True})
    put({"type": "mode", "mode": "plan", "parentUuid": 1, "uuid": ""} | {"customTitle": None})
    found = find_sessions(world.user_data, world.projects).sessions
    assert sorted(session.heading for session in found) == [
        "",
        "",
        "",
        "/goal",
        "/init",
        "hello",
        "only a title",
    ]
    assert [session.heading for session in found if session.health == "empty"] == ["only a title", ""]
    assert [session.sidechain for session in found].count(True) == 1


# Every transcript


def all_of(world: World, **options: Any) -> dict[str, sessscan.Session]:
    """Return the sessions by path, in the order of the list."""
    return {s.path: s for s in find_sessions(world.user_data, world.projects, **options).sessions}


def test_each_file_of_a_session_is_listed_and_its_row_is_about_one(world: World) -> None:
    alpha = talk(world.dice, "/home/ada/alpha", NOW)
    beta = talk(world.dice, "/home/ada/beta", NOW + HOUR, session_id=alpha.session_id)
    paths = [str(world.put(made)) for made in (alpha, beta)]
    world.healthy_row(alpha)
    found = all_of(world)
    assert [found[path].cwd for path in paths] == [alpha.cwd, beta.cwd]
    assert [found[path].title for path in paths] == [alpha.title, beta.title]
    assert [found[path].desktop for path in paths] == ["listed", "none"]
    assert {session.session_id for session in found.values()} == {alpha.session_id}
    world.healthy[0].write_bytes(bytes(100))
    os.utime(world.healthy[0], ns=((alpha.ended + 1_000) * 1_000_000,) * 2)
    assert sorted(s.desktop or "" for s in all_of(world).values()) in (["none", "orphan"], ["lost", "none"])


@pytest.mark.parametrize(
    ("content", "health"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b'{"type":"mode","mode":"plan"}\n', "empty"),
        (bytes(5_000), "damaged"),
        (b'{"parentUuid":null,"type":"us', "damaged"),
        (b"no JSON\n", "damaged"),
    ],
)
def test_a_transcript_without_a_conversation_is_listed(world: World, content: bytes, health: str) -> None:
    made = talk(world.dice, "/home/ada/code", NOW)
    path = str(world.write(world.projects / key(made.cwd) / f"{made.session_id}.jsonl", content, NOW))
    session = all_of(world)[path]
    assert (session.health, session.desktop, session.hollow) == (health, "none", False)
    assert (session.active_at, session.size, session.heading) == (NOW, len(content), "")
    world.healthy_row(made, title="From the row")
    session = all_of(world)[path]
    assert (session.health, session.desktop, session.hollow) == ("hollow", "listed", True)
    assert (session.heading, session.title_source, session.cwd) == ("From the row", "row", made.cwd)
    assert all_of(world, folder="/home/ada") == all_of(world, text="from row") == {path: session}
    world.healthy[0].unlink()
    world.healthy_row(made, completedTurns=0)
    assert all_of(world)[path].health == health
    assert all_of(world, folder="/home/ada/code/inner") == {}


def test_a_transcript_behind_a_linked_folder_is_listed(world: World, tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("links need a privilege")
    made = talk(world.dice, "/home/ada/shared", NOW)
    (tmp_path / "elsewhere").mkdir()
    (world.projects / key(made.cwd)).symlink_to(tmp_path / "elsewhere")
    path = str(world.put(made))
    world.healthy_row(made)
    assert (all_of(world)[path].desktop, all_of(world)[path].health) == ("listed", "ok")


@pytest.mark.posix("links need a privilege")
def test_a_folder_may_have_several_names(world: World, tmp_path: Path) -> None:
    real, link = tmp_path / "real one", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    world.put(talk(world.dice, str(link), NOW), key(str(real)))
    world.write(world.projects / key(str(real)) / f"{new_id(world.dice)}.jsonl", b"", NOW)
    for folder in (real, link, tmp_path):
        assert find_sessions(world.user_data, world.projects, folder=folder).matched == 2, folder
    assert find_sessions(world.user_data, world.projects, folder=tmp_path / "other").matched == 0


# Archived, begun by a program, a subagent's


def archive(path: Path, at: int, *, archived: bool = True) -> None:
    """Write `archived.json` as the TypeScript SDK does."""
    mark = {"archived": archived, "at": stamp(at), "by": "user"}
    (path.parent / path.stem).mkdir(exist_ok=True)
    (path.parent / path.stem / "archived.json").write_text(json.dumps(mark))


def test_a_session_is_archived_by_its_row_or_beside_its_transcript(world: World) -> None:
    made = [talk(world.dice, "/home/ada/code", NOW - n * DAY, entrypoint=TERMINAL) for n in range(6)]
    paths = [world.put(one) for one in made]
    world.healthy_row(made[0], isArchived=True)
    world.healthy_row(made[1], isArchived=False)
    archive(paths[2], made[2].ended + 1)
    archive(paths[3], made[3].ended + 1, archived=False)
    world.healthy_row(made[4], isArchived=False)
    archive(paths[4], made[4].ended + 1)
    found = all_of(world)
    assert [found[str(path)].archived for path in paths] == [True, False, True, False, True, None]
    shown = all_of(world, hide=["archived"])
    assert list(shown) == [str(paths[n]) for n in (1, 3, 5)]


def test_a_later_prompt_takes_a_session_out_of_the_archive(world: World) -> None:
    made = talk(world.dice, "/home/ada/code", NOW, turns=2)
    path = world.put(made)
    prompts = [r for r in made.records if r["type"] == "user"]
    for record, archived in ((prompts[-1], True), (prompts[0], False)):
        archive(path, milliseconds(record["timestamp"]))
        assert all_of(world)[str(path)].archived is archived
    archive(path, made.ended + 1)
    assert all_of(world)[str(path)].archived is True
    queued = {"type": "queued_command", "prompt": "go on", "commandMode": "prompt"}
    for attachment, archived in (
        ({"type": "file"}, True),
        ({**queued, "isMeta": True}, True),
        (queued, False),
    ):
        record = {"type": "attachment", "attachment": attachment, "timestamp": stamp(made.ended + DAY)}
        record |= {"parentUuid": "x", "uuid": "y", "sessionId": made.session_id}
        path.write_bytes(made.bytes() + line(record))
        assert all_of(world)[str(path)].archived is archived, attachment


def milliseconds(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def test_the_title_beside_a_transcript_is_shown(world: World) -> None:
    made = talk(world.dice, "/home/ada/code", NOW)
    made.records = [record for record in made.records if record["type"] != "custom-title"]
    path = world.put(made)
    (path.parent / path.stem).mkdir()
    (path.parent / path.stem / "custom-title.json").write_text('{"customTitle":" Beside\\n it "}')
    session = all_of(world)[str(path)]
    assert (session.title, session.title_source) == ("Beside  it", "custom")
    named = {"type": "custom-title", "customTitle": "In it", "sessionId": made.session_id}
    path.write_bytes(made.bytes() + line(named))
    assert all_of(world)[str(path)].title == "In it"


def test_kinds_of_sessions_can_be_left_out(world: World) -> None:
    made = {
        "plain": talk(world.dice, "/a", NOW, entrypoint=TERMINAL),
        "sdk": talk(world.dice, "/a", NOW, entrypoint="sdk-py"),
        "archived": talk(world.dice, "/a", NOW),
        "sidechain": talk(world.dice, "/a", NOW, sidechain=True),
        "deleted": talk(world.dice, "/a", NOW),
        "continued": talk(world.dice, "/a", NOW),
    }
    paths = {name: str(world.put(one)) for name, one in made.items()}
    newer = resumed(world.dice, made["continued"], DESKTOP)
    paths["newer"] = str(world.put(newer))
    empty = world.projects / "-a" / f"{new_id(world.dice)}.jsonl"
    paths["empty"] = str(world.write(empty, b"", NOW))
    world.healthy_row(newer, priorCliSessionIds=[made["continued"].session_id])
    world.healthy_row(made["archived"], isArchived=True)
    (world.stores[0] / f"deleted_{made['deleted'].session_id}").write_text("1790000000000")
    assert set(all_of(world)) == set(paths.values())
    kinds = sessscan.sessions.listing.SESSION_KINDS
    for kind in kinds:
        assert set(paths.values()) - set(all_of(world, hide=[kind])) == {paths[kind]}
    assert set(all_of(world, hide=kinds)) == {paths["plain"], paths["newer"]}
    found = find_sessions(world.user_data, world.projects, hide=["sdk"])
    assert (found.total, found.matched) == (8, 7)
    with pytest.raises(sessscan.UsageError, match="'robots'"):
        all_of(world, hide=["robots"])


def test_hide_may_be_repeated(env: dict[str, str], world: World) -> None:
    world.put(talk(world.dice, "/a", NOW, entrypoint="sdk-cli"))
    world.put(talk(world.dice, "/a", NOW, sidechain=True))
    kept = world.put(talk(world.dice, "/a", NOW, entrypoint=TERMINAL))
    where = ["--store", world.user_data, "--projects", world.projects]
    shown = run(env, "list", "--format", "json", "--hide", "sdk", "--hide", "sidechain", *where)
    assert [Path(s["path"]) for s in json.loads(shown.stdout)["sessions"]] == [kept]
    table = run(env, "list", *where).stdout
    assert "sdk-cli" in table and "sidechain" in table


# Times


@pytest.fixture
def ahead(world: World) -> tuple[str, str]:
    """Make a session of an hour ago, and one of next year; return their paths."""
    now = int(time.time() * 1000)
    right = talk(world.dice, "/a", now - HOUR, entrypoint=TERMINAL, minutes=2)
    wrong = talk(world.dice, "/a", now + 365 * DAY, entrypoint=TERMINAL, minutes=2)
    return str(world.put(right)), str(world.put(wrong))


def test_times_that_cannot_be_do_not_lead(world: World, ahead: tuple[str, str]) -> None:
    found = all_of(world)
    assert list(found) == list(ahead)
    assert [session.in_future for session in found.values()] == [False, True]
    soon = talk(world.dice, "/a", int(time.time() * 1000) - 120_000, minutes=3)  # a clock that is a bit ahead
    path = world.put(soon)
    assert next(iter(all_of(world))) == str(path)


def test_a_file_time_that_cannot_be_does_not_lead(world: World) -> None:
    name = new_id(world.dice)
    path = world.write(world.projects / "-a" / f"{name}.jsonl", b"", int(time.time() * 1000) + 9 * DAY)
    assert all_of(world)[str(path)].in_future


def test_sessions_of_the_future_are_not_left_out_in_silence(
    env: dict[str, str], world: World, ahead: tuple[str, str]
) -> None:
    where = ["--store", world.user_data, "--projects", world.projects]
    shown = run(env, "list", *where)
    later = "a time later than the clock of this machine"
    assert f"1 of these sessions has {later}, and comes last" in shown.stderr
    assert re.search(r" future .*\n$", shown.stdout)
    shown = run(env, "list", "--since", "1d", *where)
    assert len(shown.stdout.splitlines()) == 3
    today = datetime.now().strftime("%Y-%m-%dT%H:%M:%S")
    shown = run(env, "list", "--until", today, "--format", "json", *where)
    found = json.loads(shown.stdout)
    assert [session["path"] for session in found["sessions"]] == [ahead[0]]
    assert found["in_future"] == 1
    assert f"--until leaves out 1 session with {later}" in shown.stderr
    shown = run(env, "list", "--until", today, "--limit", 1, *where)
    assert "--until leaves out 1 session" in shown.stderr
    shown = run(env, "list", "--since", "2999-01-01", *where)
    assert "--since 2999-01-01 is later than the clock of this machine" in shown.stderr
    assert shown.stdout == ""


@pytest.mark.posix("TZ is no IANA zone there")
def test_tables_have_local_times_and_their_zone(env: dict[str, str], world: World) -> None:
    """Half past eight in the evening, UTC, is the next day in Tokyo."""
    began = 1_763_670_600_000  # 2025-11-20 20:30 UTC
    made = talk(world.dice, "/a", began, entrypoint=TERMINAL, turns=1)
    made.records = [record | {"timestamp": stamp(began)} for record in made.records if "timestamp" in record]
    world.put(made)
    where = [str(part) for part in ("--store", world.user_data, "--projects", world.projects)]
    tokyo = {**env, "TZ": "Asia/Tokyo"}
    assert "2025-11-21 05:30 +09:00" in run(tokyo, "list", *where).stdout
    assert "2025-11-20 17:00 -03:30" in run({**env, "TZ": "America/St_Johns"}, "list", *where).stdout
    [session] = json.loads(run(tokyo, "list", "--format", "json", *where).stdout)["sessions"]
    assert session["last_activity_at"] == began
    for option, count in (
        (("--since", "2025-11-21"), 1),
        (("--until", "2025-11-20"), 0),
        (("--until", "2025-11-20T20:30:00Z"), 1),
        (("--since", "2025-11-22"), 0),
    ):
        shown = run(tokyo, "list", "--format", "jsonl", *option, *where).stdout
        assert len(shown.splitlines()) == count, option
    lines = on_a_terminal({**tokyo, "COLUMNS": "100"}, "list", *where)
    assert lines[0].startswith("WHEN UTC+9") and lines[1].startswith("2025-11-21")


@pytest.mark.parametrize(
    ("name", "text"),
    [("UTC", "UTC"), ("Asia/Tokyo", "UTC+9"), ("Asia/Kolkata", "UTC+5:30"), ("America/St_Johns", "UTC-3:30")],
)
def test_a_zone_is_named_by_its_offset(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    if sys.platform == "win32":
        pytest.skip("TZ is no IANA zone there")
    monkeypatch.setenv("TZ", name)
    time.tzset()
    try:
        assert zone(1_763_670_600_000) == text
    finally:
        monkeypatch.undo()
        time.tzset()


# Remarks on stderr


def test_remarks_on_limits_lost_sessions_and_held_rows(env: dict[str, str], sample: Path) -> None:
    remarks = run(env, "list", "--limit", 5, *places(sample)).stderr
    assert "the newest 5 of 32 sessions" in remarks
    assert "sessions are missing from the app: " in remarks.splitlines()[0]
    assert "2 held" in remarks.splitlines()[0]
    assert f"sessscan reconcile --store {sample / 'Claude'} --projects {sample / 'projects'}" in remarks
    remarks = run(env, "list", "--text", "zzz", *places(sample)).stderr
    assert remarks.splitlines()[1] == "sessscan: none of 32 sessions matches"


def test_without_sessions_a_remark_suggests_projects(env: dict[str, str], tmp_path: Path) -> None:
    result = run(env, "list")
    assert (result.returncode, result.stdout) == (0, "")
    assert "--projects" in result.stderr
    assert json.loads(run(env, "list", "--format", "json").stdout)["sessions"] == []


@pytest.mark.not_root("root reads everything")
def test_an_unreadable_transcript_is_an_error_and_the_others_are_listed(
    env: dict[str, str], sample: Path
) -> None:
    path = put_hostile(sample)
    path.chmod(0)
    result = run(env, "list", "--format", "json", *places(sample))
    assert result.returncode == 4
    found = json.loads(result.stdout)
    assert [error["path"] for error in found["errors"]] == [str(path)]
    assert str(path) in result.stderr
    assert len(found["sessions"]) == 32
