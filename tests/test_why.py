"""Say of a session which places show it, and by which rule the others hide it."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import sessscan
from sessscan.visibility.rules import VISIBILITY_RULES
from sessscan.visibility_result import LABELS, Surface
from support.program import picture, places, run
from support.small_worlds import a_talk
from support.store_factory import DAY, NOW, World, compact, key
from support.transcript_factory import TERMINAL, Talk, talk

PAGE = Path(__file__).parent.parent / "python/docs/why.md"
READERS: tuple[Surface, ...] = (
    "terminal",
    "typescript-sdk",
    "typescript-sdk-interactive",
    "python-sdk",
    "vscode",
)


def why(world: World, session: object, **more: Any) -> sessscan.Visibility:
    return sessscan.why(str(session), world.user_data, world.projects, **more)


def rules(found: sessscan.Visibility) -> dict[str, str]:
    """Return by place the verdict and the rules."""
    return {
        one.surface: f"{one.shown}: {', '.join(reason.rule.name for reason in one.reasons)}"
        for one in found.surfaces
    }


def a_session(world: World, **more: Any) -> Talk:
    """Make a session of the app, with a healthy row."""
    made = a_talk(world, **more)
    world.healthy_row(made, store=world.stores[0])
    return made


def transcript(world: World, made: Talk) -> Path:
    return world.projects / key(made.cwd) / f"{made.session_id}.jsonl"


def append(path: Path, *records: dict[str, Any]) -> None:
    with path.open("ab") as file:
        file.writelines(json.dumps(record, separators=(",", ":")).encode() + b"\n" for record in records)


def test_a_healthy_session(world: World) -> None:
    made = a_session(world)
    before = picture(world.projects.parent)
    found = why(world, made.session_id)
    assert rules(found) == {
        "app": "shown: readable-row",
        "terminal": "shown: listed",
        "typescript-sdk": "shown: listed",
        "typescript-sdk-interactive": "shown: listed",
        "python-sdk": "shown: listed",
        "vscode": "unknown: other-program",
        "sessions-index": "hidden: no-index",
    }
    assert (found.session_id, found.cwd) == (made.session_id, made.cwd)
    assert found.transcripts == (str(transcript(world, made)),)
    assert any("2 such lists" in remark for remark in found.of("app").remarks)
    assert picture(world.projects.parent) == before


def test_a_zero_filled_row(world: World) -> None:
    made = a_talk(world)
    lost = world.lose(
        made, "back", time=made.ended + 2_000, content=bytes(900), session_id=f"local_{made.session_id}"
    )
    verdict = why(world, made.session_id).of("app")
    assert (verdict.shown, [reason.rule.name for reason in verdict.reasons]) == ("hidden", ["unreadable-row"])
    assert "every byte of it is zero" in verdict.reasons[0].detail
    assert verdict.reasons[0].at == made.ended + 2_000
    assert any("reconcile --apply" in remark for remark in verdict.remarks)
    assert why(world, lost.session_id) == why(world, made.session_id) == why(world, lost.path)


def test_a_lost_row_that_may_be_of_any_session(world: World) -> None:
    lost = world.lose(None, "hold", time=NOW, content=bytes(900))
    found = why(world, lost.session_id)
    assert found.session_id is None
    assert rules(found)["app"] == "hidden: unreadable-row"
    assert {rules(found)[place] for place in READERS} == {"unknown: not-there"}


def test_an_orphan(world: World) -> None:
    made = a_talk(world)
    verdict = why(world, made.session_id).of("app")
    assert [reason.rule.name for reason in verdict.reasons] == ["no-row"]
    assert any("--adopt" in remark for remark in verdict.remarks)


def test_a_session_of_the_terminal(world: World) -> None:
    made = a_talk(world, entrypoint=TERMINAL)
    verdict = why(world, made.session_id).of("app")
    assert [reason.detail for reason in verdict.reasons] == ["It was not begun in the app (entrypoint cli)."]


def test_a_session_that_begins_in_a_sidechain(world: World) -> None:
    made = a_session(world)
    path = transcript(world, made)
    first = made.records[0] | {"isSidechain": True}
    path.write_bytes(json.dumps(first, separators=(",", ":")).encode() + b"\n" + path.read_bytes())
    found = why(world, made.session_id)
    assert {rules(found)[place] for place in READERS} == {"hidden: sidechain"}
    assert rules(found)["app"] == "shown: readable-row"


def test_a_session_with_nothing_to_show(world: World) -> None:
    made = a_session(world)
    transcript(world, made).write_bytes(b'{"type":"mode","mode":"plan"}\n')
    assert {rules(why(world, made.session_id))[place] for place in READERS} == {"hidden: nothing-to-show"}


def test_a_title_that_stands_between_the_ends(world: World) -> None:
    made = a_talk(world, entrypoint=TERMINAL)
    state = b'{"type":"mode","mode":"' + b"x" * 70_000 + b'"}\n'
    title = b'{"type":"custom-title","customTitle":"In the middle"}\n'
    transcript(world, made).write_bytes(state + title + state)
    reason = why(world, "in the middle").of("python-sdk").reasons[0]
    assert reason.rule.name == "nothing-to-show"
    assert '"In the middle"' in reason.detail


def test_a_session_of_a_program(world: World) -> None:
    made = a_session(world, entrypoint="sdk-cli")
    found = why(world, made.session_id)
    assert {place: rules(found)[place] for place in READERS} == {
        "terminal": "hidden: programmatic",
        "typescript-sdk": "shown: listed",
        "typescript-sdk-interactive": "hidden: programmatic",
        "python-sdk": "shown: listed",
        "vscode": "hidden: programmatic",
    }
    assert f"`claude --resume {made.session_id}`" in found.of("terminal").remarks[0]


def test_a_session_of_vs_code(world: World) -> None:
    made = a_talk(world, entrypoint="claude-vscode")
    assert rules(why(world, made.session_id))["vscode"] == "shown: listed"


def test_an_archived_session(world: World) -> None:
    made = a_talk(world)
    world.healthy_row(made, isArchived=True)
    assert rules(why(world, made.session_id))["app"] == "hidden: archived"


def test_a_session_with_an_archived_row_and_another(world: World) -> None:
    made = a_session(world)
    world.healthy_row(made, isArchived=True)
    assert rules(why(world, made.session_id))["app"] == "shown: readable-row"


def test_a_deleted_session(world: World) -> None:
    made = a_talk(world)
    (world.stores[0] / f"deleted_{made.session_id}").write_text(str(NOW - DAY))
    reason = why(world, made.session_id).of("app").reasons[0]
    assert (reason.rule.name, reason.at) == ("deleted", NOW - DAY)


def test_a_released_session(world: World) -> None:
    made = a_talk(world)
    mark = transcript(world, made).with_name(f"{made.session_id}.desktop-released.json")
    mark.write_text(json.dumps({"v": 1, "releasedAt": NOW - DAY, "reason": "delete"}))
    reason = why(world, made.session_id).of("app").reasons[0]
    assert (reason.rule.name, reason.at) == ("deleted", NOW - DAY)


def test_a_deleted_session_of_which_only_the_mark_is_left(world: World) -> None:
    name = "0f8e2c11-5d1e-4c9a-9c7b-2f6a1b3c4d5e"
    (world.stores[0] / f"deleted_{name}").write_text(str(NOW))
    found = why(world, name[:9])
    assert (found.session_id, rules(found)["app"]) == (name, "hidden: deleted")
    assert rules(found)["python-sdk"] == "hidden: not-there"


def test_a_deleted_session_whose_row_is_there(world: World) -> None:
    made = a_session(world)
    (world.stores[0] / f"deleted_{made.session_id}").write_text("no time")
    verdict = why(world, made.session_id).of("app")
    assert (verdict.shown, verdict.reasons[0].rule.name, verdict.reasons[0].at) == (
        "unknown",
        "deleted",
        None,
    )


def test_a_session_of_another_account(world: World) -> None:
    made = a_session(world)
    found = sessscan.why(made.session_id, world.stores[1], world.projects)
    assert rules(found)["app"] == "hidden: other-account"


def test_without_any_store_the_app_is_not_known(world: World) -> None:
    made = a_talk(world)
    for store in world.stores:
        store.rmdir()
    found = sessscan.why(made.session_id, projects=world.projects)
    assert rules(found)["app"] == "unknown: no-store"


def test_a_session_whose_folder_is_gone(world: World, tmp_path: Path) -> None:
    made = a_talk(world, cwd=str(tmp_path / "shop"))
    (tmp_path / "shop").mkdir()
    world.healthy_row(made)
    assert rules(why(world, made.session_id))["terminal"] == "shown: listed"
    (tmp_path / "shop").rmdir()
    found = why(world, made.session_id)
    assert (rules(found)["terminal"], rules(found)["vscode"]) == ("hidden: folder-gone",) * 2
    assert found.of("terminal").remarks[0] == "Ctrl+A in the picker lists it."
    assert f"OLD is {tmp_path / 'shop'}." in found.of("terminal").remarks[1]
    assert any("not there any more" in remark for remark in found.of("app").remarks)


def test_a_session_under_another_key(world: World) -> None:
    made = a_session(world)
    path = transcript(world, made)
    moved = path.parent.with_name("-somewhere-else") / path.name
    moved.parent.mkdir()
    path.rename(moved)
    found = why(world, made.session_id)
    assert rules(found)["terminal"] == rules(found)["vscode"] == "hidden: other-folder"
    assert rules(found)["python-sdk"] == "shown: listed"
    assert any("the app looks for it in" in remark for remark in found.of("app").remarks)


def test_a_session_one_level_too_deep(world: World) -> None:
    made = a_session(world)
    path = transcript(world, made)
    (path.parent / "nested").mkdir()
    path.rename(path.parent / "nested" / path.name)
    assert {rules(why(world, made.session_id))[place] for place in READERS} == {"hidden: elsewhere"}


def test_a_session_that_goes_on_elsewhere(world: World) -> None:
    made, other = a_session(world), a_talk(world)
    time = "2026-03-01T12:00:00.000Z"
    append(
        transcript(world, made),
        {"type": "continued-in", "timestamp": time, "sessionId": made.session_id}
        | {"continuedInSessionId": other.session_id},
    )
    other_path = transcript(world, other)
    if other_path.parent != transcript(world, made).parent:
        other_path.rename(transcript(world, made).with_name(other_path.name))
    found = why(world, made.session_id)
    assert rules(found)["typescript-sdk"] == rules(found)["terminal"] == "hidden: continued"
    assert rules(found)["python-sdk"] == "shown: listed"
    assert found.of("typescript-sdk").reasons[0].at == 1_772_366_400_000


@pytest.mark.parametrize("again", ["user", "assistant"])
def test_a_session_that_was_used_again_goes_on_itself(world: World, again: str) -> None:
    made = a_session(world)
    mark = {"type": "continued-in", "sessionId": made.session_id, "continuedInSessionId": made.session_id}
    path = transcript(world, made)
    append(path, mark)
    assert rules(why(world, made.session_id))["typescript-sdk"] == "hidden: continued"
    append(path, {"type": again, "message": {"content": "back", "stop_reason": "end_turn"}})
    assert rules(why(world, made.session_id))["typescript-sdk"] == "shown: listed"


def test_a_session_that_its_row_left_for_another(world: World) -> None:
    made, other = a_talk(world), a_talk(world)
    world.healthy_row(other, priorCliSessionIds=[made.session_id])
    reason = why(world, made.session_id).of("app").reasons[0]
    assert reason.rule.name == "continued-row"
    assert other.session_id in reason.detail


def test_several_rules_at_once(world: World) -> None:
    made = a_talk(world, entrypoint="sdk-py")
    path = transcript(world, made)
    first = made.records[0] | {"isSidechain": True}
    path.write_bytes(json.dumps(first, separators=(",", ":")).encode() + b"\n" + path.read_bytes())
    assert (
        rules(why(world, made.session_id))["typescript-sdk-interactive"] == "hidden: programmatic, sidechain"
    )


def test_a_transcript_that_a_row_has_lost_its_link_to(world: World) -> None:
    made = a_talk(world, turns=3)
    row = world.row(made, "local_1", title=made.title)
    del row["cliSessionId"]
    path = world.write(world.stores[0] / "local_1.json", compact(row), made.ended + 2_000)
    app = why(world, made.session_id).of("app")
    assert app.shown == "hidden"
    assert any("reconcile --apply" in remark and "local_1" in remark for remark in app.remarks), app
    row["createdAt"] = made.began - 60_000  # held: it begins at another time
    path.write_bytes(compact(row))
    app = why(world, made.session_id).of("app")
    assert any("may be the session of local_1, which has lost its link" in remark for remark in app.remarks)


def test_a_row_whose_transcript_is_gone(world: World) -> None:
    made = a_session(world)
    transcript(world, made).unlink()
    found = why(world, made.session_id)
    assert rules(found)["app"] == "shown: readable-row"
    assert {rules(found)[place] for place in READERS} == {"hidden: not-there"}
    assert any("cannot open it" in remark for remark in found.of("app").remarks)


def test_an_empty_transcript(world: World) -> None:
    made = a_session(world)
    transcript(world, made).write_bytes(b"")
    assert {rules(why(world, made.session_id))[place] for place in READERS} == {"hidden: empty"}


@pytest.mark.not_root("root reads every file")
def test_a_transcript_that_cannot_be_read(world: World) -> None:
    made = a_session(world)
    transcript(world, made).chmod(0)
    found = why(world, made.session_id)
    assert {rules(found)[place] for place in READERS} == {"hidden: unreadable"}
    assert found.errors


def test_a_link_to_a_transcript(world: World) -> None:
    made = a_session(world)
    path = transcript(world, made)
    (world.projects.parent / "real").mkdir()
    path.rename(world.projects.parent / "real" / path.name)
    path.symlink_to(world.projects.parent / "real" / path.name)
    found = why(world, made.session_id)
    assert rules(found)["typescript-sdk"] == rules(found)["terminal"] == "hidden: linked"
    assert rules(found)["python-sdk"] == "shown: listed"


def test_a_link_to_a_project_folder(world: World) -> None:
    made = a_session(world)
    folder = transcript(world, made).parent
    folder.rename(world.projects.parent / "real")
    folder.symlink_to(world.projects.parent / "real", target_is_directory=True)
    found = why(world, made.session_id)
    assert rules(found)["typescript-sdk"] == "hidden: linked-folder"
    assert rules(found)["terminal"] == rules(found)["python-sdk"] == "shown: listed"


def test_a_session_that_runs(world: World) -> None:
    made = a_talk(world, entrypoint=TERMINAL)
    sessions = world.projects.parent / "sessions"
    sessions.mkdir()
    (sessions / f"{os.getpid()}.json").write_text(json.dumps({"sessionId": made.session_id}))
    assert rules(why(world, made.session_id))["terminal"] == "hidden: running"


def test_a_line_that_nests_too_deeply(world: World) -> None:
    made = a_talk(world, entrypoint=TERMINAL)
    path = transcript(world, made)
    path.write_bytes(b'{"type":"user","message":' + b"[" * 30_000 + b"]" * 30_000 + b"}\n")
    shown = rules(why(world, made.session_id))
    assert {shown[place] for place in READERS} <= {"unknown: too-deep", "hidden: nothing-to-show"}


def test_the_old_index(world: World) -> None:
    made, other = a_talk(world), a_talk(world)
    index = transcript(world, made).with_name("sessions-index.json")
    index.write_text(json.dumps({"version": 1, "entries": [{"sessionId": made.session_id.upper()}]}))
    assert rules(why(world, made.session_id))["sessions-index"] == "shown: named"
    if transcript(world, other).parent == index.parent:
        assert rules(why(world, other.session_id))["sessions-index"] == "hidden: not-named"
    index.write_text("{")
    assert rules(why(world, made.session_id))["sessions-index"] == "unknown: unreadable-index"


def test_a_session_that_only_an_old_index_names(world: World) -> None:
    made = a_talk(world)
    name = "0f8e2c11-5d1e-4c9a-9c7b-2f6a1b3c4d5e"
    entry = {"sessionId": name, "summary": "Forgotten"}
    index = transcript(world, made).with_name("sessions-index.json")
    index.write_text(json.dumps({"version": 1, "entries": [entry]}))
    found = why(world, "forgotten")
    assert (found.session_id, rules(found)["sessions-index"]) == (name, "shown: named")
    assert rules(found)["app"] == "hidden: no-row"


# What the user may type for a session


def test_a_session_by_its_names(world: World) -> None:
    made = a_talk(world)
    row = world.healthy_row(made, title="Größe der Ünder-Liste")
    wanted = why(world, made.session_id)
    path = transcript(world, made)
    names = [made.session_id.upper(), made.session_id[:9], row, row[:14], f"{row}.json", path, wanted.rows[0]]
    for name in [*names, "GRÖSSE DER ÜNDER-LISTE", "ünder", f"{made.session_id}.jsonl"]:
        assert why(world, name) == wanted, name


def test_a_path_relative_to_here(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made = a_session(world)
    path = transcript(world, made)
    monkeypatch.chdir(path.parent)
    assert why(world, path.name).transcripts == (str(path),)
    assert why(world, f"./{path.name}").transcripts == (str(path),)


def test_a_name_that_fits_several(world: World) -> None:
    for number in range(7):
        world.healthy_row(talk(world.dice, f"/home/ada/{number}", NOW - number * DAY), title=f"Shop {number}")
    with pytest.raises(
        sessscan.UsageError, match=r'^shop may be one of 7 sessions; .*"Shop 0".* and 2 more$'
    ):
        why(world, "shop")


def test_a_name_that_fits_none(world: World) -> None:
    world.healthy_row(a_talk(world), title="Faster parser")
    with pytest.raises(
        sessscan.UsageError, match=r'there is no such session; the nearest: .*"Faster parser"'
    ):
        why(world, "fatser parser")
    for name in ("", "   ", "\x1b[31m", "..", "local_", "x" * 9_000):
        with pytest.raises(sessscan.UsageError):
            why(world, name)


def test_a_file_that_is_no_session(world: World, tmp_path: Path) -> None:
    a_session(world)
    folder = world.projects / "-x" / "0f8e2c11-5d1e-4c9a-9c7b-2f6a1b3c4d5e" / "subagents"
    folder.mkdir(parents=True)
    (folder / "agent-1.jsonl").write_text("{}\n")
    with pytest.raises(sessscan.UsageError, match="subagent's transcript"):
        why(world, folder / "agent-1.jsonl")
    (tmp_path / "other.jsonl").write_text("{}\n")
    with pytest.raises(sessscan.UsageError, match="--projects"):
        why(world, tmp_path / "other.jsonl")


# What is printed


def test_the_json(sample: Path, env: dict[str, str]) -> None:
    result = run(env, "why", "search as you type", "--format", "json", *places(sample))
    assert (result.returncode, result.stderr) == (0, "")
    found = json.loads(result.stdout)
    assert found["schema"] == "sessscan.why/1"
    assert [one["surface"] for one in found["surfaces"]] == list(LABELS)
    for one in found["surfaces"]:
        assert one.keys() == {"surface", "label", "shown", "reasons", "remarks"}
        assert one["shown"] in ("shown", "hidden", "unknown")
        assert one["reasons"]
        for reason in one["reasons"]:
            assert reason.keys() == {"rule", "text", "detail", "at", "source", "since", "basis"}
            assert reason["text"] and reason["detail"] and reason["source"]


def test_the_text(sample: Path, env: dict[str, str]) -> None:
    result = run(env, "why", "Health check endpoint", *places(sample))
    assert (result.returncode, result.stderr) == (0, "")
    text = " ".join(result.stdout.split())
    assert '"Health check endpoint", of /home/ada/code/shop-api, last used' in text
    assert "shown in 4 of 7 places, hidden in 2, not known of 1." in text
    assert "hidden desktop app local_" in text
    assert all(label in text for label in LABELS.values())


def test_a_usage_error(sample: Path, env: dict[str, str]) -> None:
    result = run(env, "why", "no such session at all", *places(sample))
    assert (result.returncode, result.stdout) == (2, "")
    assert "there is no such session" in result.stderr


def test_no_control_character_reaches_the_terminal(world: World, env: dict[str, str]) -> None:
    made = a_talk(world)
    world.healthy_row(made, title="\x1b]0;x\x07 evil \u202e title")
    options = ["--store", str(world.user_data), "--projects", str(world.projects)]
    for name in (made.session_id, "evil", "\x1b[31m nothing"):
        result = run(env, "why", name, *options)
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", result.stdout + result.stderr)


# The rules


def test_each_rule_is_documented_with_its_source() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for rule in VISIBILITY_RULES:
        since = rule.since or "not known"
        row = f"| `{rule.name}` | {rule.text} | {rule.basis}: {rule.source} | {since} |"
        section = text.partition(f"\n### {LABELS[rule.surface]}\n")[2].partition("\n#")[0]
        assert row in section, row
    assert text.count("\n| `") == len(VISIBILITY_RULES)


def test_each_rule_has_a_name_of_its_own() -> None:
    assert len({(rule.surface, rule.name) for rule in VISIBILITY_RULES}) == len(VISIBILITY_RULES)
    assert {rule.surface for rule in VISIBILITY_RULES} == set(LABELS)
