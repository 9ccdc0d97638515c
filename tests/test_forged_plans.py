"""A damaged or hostile plan file is refused, or does no harm."""

from __future__ import annotations

import base64
import contextlib
import copy
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sessscan.changes import plan_file
from sessscan.changes.plan import Plan
from sessscan.changes.undo import choose, undo
from sessscan.errors import PlanChangedError, PlanFileError, RefusedError
from sessscan.reconciliation.saved_plan import load_plan
from sessscan.render.reconciliation import print_outcome
from support.plans import Document, action_of, document_of, plan_with_every_kind, write
from support.rounds import examples
from support.store_factory import NOW, World
from support.transcript_factory import new_id
from test_truth import picture

pytestmark = pytest.mark.full


@pytest.fixture
def plan(world: World) -> Plan:
    return plan_with_every_kind(world)


def assert_refused(document: Document, folder: Path, says: str) -> None:
    with pytest.raises(PlanFileError, match=says) as refusal:
        plan_file.load(Plan, write(document, folder / "plan.json"))
    assert str(refusal.value).startswith(str(folder / "plan.json")) and "\n" not in str(refusal.value)


def _content(row: Document) -> str:
    return base64.b64encode(json.dumps(row).encode()).decode()


def _other_row(document: Document, **change: Any) -> None:
    """Make the first restore write another row, and show it."""
    action = action_of(document, "restore")
    action["row"] = {**action["row"], **change}
    action["content"] = _content(action["row"])


def _elsewhere(document: Document, kind: str, path: str) -> None:
    """Make an action write to another path, and name that path everywhere."""
    action = action_of(document, kind)
    action["path"] = action["rests_on"][0]["path"] = path


def _transcript(document: Document, name: str | None, *, rests_on: bool) -> None:
    """Make the first restore give another file as its transcript, by default one of the same name."""
    action = action_of(document, "restore")
    action["transcript"] = f"/x/{name or action['cli_session_id']}.jsonl"
    if rests_on:
        action["rests_on"].append({**action["rests_on"][0], "path": action["transcript"]})


def _store(document: Document) -> str:
    path: str = document["stores"][0]["path"]
    return path


HOSTILE: dict[str, tuple[Callable[[Document], object], str]] = {
    "another version": (lambda d: d.update(schema="sessscan.plan/2"), "this sessscan reads"),
    "another document": (lambda d: d.update(schema="sessscan.reconcile/1"), "this sessscan reads"),
    "no schema": (lambda d: d.pop("schema"), "does not say that it is one"),
    "no actions": (lambda d: d.pop("actions"), "required field `actions`"),
    "no stores": (lambda d: d["stores"].clear(), "is no row of a store that it names"),
    "outside": (lambda d: _elsewhere(d, "restore", "/etc/local_x.json"), "no row of a store"),
    "above": (
        lambda d: _elsewhere(d, "restore", _store(d) + "/../local_x.json"),
        "not a plain absolute path",
    ),
    "below": (lambda d: _elsewhere(d, "restore", _store(d) + "/x/local_x.json"), "no row of a store"),
    "relative": (lambda d: _elsewhere(d, "restore", "local_x.json"), "not a plain absolute path"),
    "NUL": (lambda d: _elsewhere(d, "restore", _store(d) + "/local_\0.json"), "not a plain absolute path"),
    "no row's name": (lambda d: _elsewhere(d, "restore", _store(d) + "/other.json"), "no row of a store"),
    "a tmp": (lambda d: _elsewhere(d, "restore", _store(d) + "/local_x.json.tmp"), "no row of a store"),
    "another's name": (lambda d: _elsewhere(d, "restore", _store(d) + "/local_x.json"), "no row of a store"),
    "a store above": (lambda d: d["stores"][0].update(path=_store(d) + "/.."), "not a plain absolute path"),
    "another session": (lambda d: _other_row(d, sessionId="local_x"), "no row of that session"),
    "no time": (lambda d: _other_row(d, createdAt="now"), "no row of that session"),
    "another transcript": (lambda d: _other_row(d, cliSessionId="x"), "names another transcript"),
    "a transcript it does not rest on": (
        lambda d: action_of(d, "restore").update(transcript="/x/y.jsonl"),
        "not the one that it names",
    ),
    "a transcript of its name that it does not rest on": (
        lambda d: _transcript(d, None, rests_on=False),
        "not the one that it names",
    ),
    "a transcript of another name": (
        lambda d: _transcript(d, "y", rests_on=True),
        "not the one that it names",
    ),
    "no JSON": (
        lambda d: action_of(d, "restore").update(content=base64.b64encode(b"{").decode()),
        "the row it shows",
    ),
    "no base64": (
        lambda d: action_of(d, "restore").update(content="%"),
        r"Invalid base64 .* at `\$\.actions\[\d\]\.content`",
    ),
    "shows another row": (lambda d: action_of(d, "restore")["row"].update(title="x"), "the row it shows"),
    "shows no row": (lambda d: action_of(d, "restore").update(row={}), "the row it shows"),
    "shows a row it holds": (lambda d: action_of(d, "hold").update(row={"a": 1}), "the row it shows"),
    "holds and writes": (
        lambda d: action_of(d, "hold").update(content=_content({"a": 1}), row={"a": 1}),
        "holds",
    ),
    "holds and plans": (lambda d: action_of(d, "hold").update(status="planned"), "holds"),
    "done already": (
        lambda d: action_of(d, "restore").update(status="applied"),
        "does not say what it would",
    ),
    "a backup": (
        lambda d: action_of(d, "restore").update(backup="/etc/passwd"),
        "does not say what it would",
    ),
    "an unknown action": (
        lambda d: action_of(d, "hold").update(kind="delete"),
        r"'delete' - at `\$\.actions\[\d\]\.kind`",
    ),
    "an unknown finding": (lambda d: d["findings"][0].update(rule="new"), "does not know"),
    "rests on nothing": (lambda d: action_of(d, "restore").update(rests_on=[]), "does not say what .* was"),
    "does not say what was": (
        lambda d: action_of(d, "restore")["rests_on"][0].update(sha256=None),
        "does not say what .* was",
    ),
    "no checksum": (lambda d: action_of(d, "restore")["rests_on"][0].update(sha256="x"), "does not say what"),
    "makes what is there": (
        lambda d: action_of(d, "adopt")["rests_on"][0].update(exists=True, sha256="0" * 64),
        "is there already",
    ),
    "links to nothing": (lambda d: action_of(d, "relink").update(transcript=None), "to which transcript"),
    "links what is not there": (
        lambda d: action_of(d, "relink")["rests_on"][0].update(exists=False),
        "to which transcript",
    ),
    "links to another than it says": (
        lambda d: action_of(d, "relink").update(cli_session_id="99999999-9999-4999-8999-999999999999"),
        "names another transcript",
    ),
    "twice": (lambda d: d["actions"].append(copy.deepcopy(action_of(d, "restore"))), "two actions for"),
    "no index": (lambda d: _elsewhere(d, "rebuild-index", "/etc/passwd"), "no index that could"),
    "an index anew": (
        lambda d: action_of(d, "rebuild-index")["rests_on"][0].update(exists=False),
        "no index that could",
    ),
    "an index elsewhere": (
        lambda d: _elsewhere(d, "rebuild-index", "/etc/sessions-index.json"),
        "no index of that folder",
    ),
    "an index of what it does not rest on": (
        lambda d: action_of(d, "rebuild-index").update(
            rests_on=action_of(d, "rebuild-index")["rests_on"][:1]
        ),
        "no index of that folder",
    ),
    "an index of what is no path": (
        lambda d: action_of(d, "rebuild-index").update(content=_content({"entries": [{"fullPath": []}]})),
        "no index of that folder",
    ),
    "an index of anything": (
        lambda d: action_of(d, "rebuild-index").update(content=_content({"entries": [1]})),
        "is no index",
    ),
    "a text for a number": (lambda d: d["summary"].update(rows="1"), r"got `str` - at `\$\.summary\.rows`"),
    "a truth for a number": (
        lambda d: d["stores"][0].update(rows=True),
        r"got `bool` - at `\$\.stores\[0\]\.rows`",
    ),
    "a number too large": (
        lambda d: action_of(d, "restore")["rests_on"][0].update(size=1 << 63),
        r"<= 9223372036854775807 - at `\$\.actions\[\d\]\.rests_on\[0\]\.size`",
    ),
    "a number with a fraction": (lambda d: d["stores"][0].update(rows=1.0), "got `float`"),
    "more than there is": (lambda d: action_of(d, "restore").update(more=1), "unknown field `more`"),
    "less than there is": (lambda d: action_of(d, "restore").pop("path"), "missing required field `path`"),
    "less than there is, though it may be null": (
        lambda d: action_of(d, "restore").pop("error"),
        "missing required field `error`",
    ),
    "half a surrogate pair for a kind": (
        lambda d: action_of(d, "restore").update(kind="\ud800"),
        r"'\\ud800' is no text",
    ),
    "half a surrogate pair for a field": (
        lambda d: action_of(d, "restore").update({"\ud800": 1}),
        r"'\\ud800' is no text",
    ),
    "no source": (
        lambda d: action_of(d, "restore").update(source="me"),
        r"'me' - at `\$\.actions\[\d\]\.source`",
    ),
    "another summary": (lambda d: d["summary"]["actions"].update(restore=9), "summary does not fit"),
}


@pytest.mark.posix("the paths are POSIX paths")
@pytest.mark.parametrize("name", HOSTILE)
def test_a_plan_that_asks_for_too_much_is_refused(plan: Plan, tmp_path: Path, name: str) -> None:
    document = document_of(plan, tmp_path)
    change, says = HOSTILE[name]
    change(document)
    if name not in ("another summary", "a text for a number", "no actions"):
        kinds = [action.get("kind") for action in document["actions"]]
        document["summary"]["actions"] = {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}
        rules = [finding["rule"] for finding in document["findings"]]
        document["summary"]["findings"] = {rule: rules.count(rule) for rule in dict.fromkeys(rules)}
    assert_refused(document, tmp_path, says)


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{}", b"\xff", b"[" * 100_000, b'{"schema":1}'])
def test_a_file_that_is_no_plan_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "plan.json").write_bytes(content)
    with pytest.raises(PlanFileError, match="is no plan"):
        plan_file.load(Plan, tmp_path / "plan.json")


def test_a_plan_cut_or_changed_at_any_byte_is_refused_or_the_same(plan: Plan, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    plan.save(file)
    whole = file.read_bytes()

    @settings(max_examples=150, deadline=None)
    @given(st.integers(0, len(whole) - 3), st.integers(0, 255), st.booleans())
    def damaged(place: int, byte: int, cut: bool) -> None:
        content = whole[:place] if cut else whole[:place] + bytes([byte]) + whole[place + 1 :]
        file.write_bytes(content)
        try:
            loaded = plan_file.load(Plan, file)
        except PlanFileError:
            return
        assert loaded == plan, "white space may change, and the way that a text is written"

    damaged()


def test_what_a_plan_would_write_is_derived_again(world: World, plan: Plan, tmp_path: Path) -> None:
    plan.save(tmp_path / "plan.json")
    loaded = load_plan(tmp_path / "plan.json", now=NOW)
    assert loaded.actions == plan.actions
    assert loaded.changes() == []


@pytest.mark.parametrize(
    "change",
    [
        {"permissionMode": "bypassPermissions"},
        {"sessionPermissionUpdates": [{"type": "addRules", "rules": ["Bash(*)"], "behavior": "allow"}]},
        {"remoteMcpServersConfig": [{"name": "x", "url": "https://example.org"}]},
        {"cwd": "/tmp/evil", "originCwd": "/tmp/evil"},
        {"title": "Another title"},
    ],
)
def test_a_row_that_its_sources_do_not_give_is_refused(
    world: World, plan: Plan, tmp_path: Path, change: dict[str, Any]
) -> None:
    document = document_of(plan, tmp_path)
    _other_row(document, **change)
    forged = load_plan(write(document, tmp_path / "plan.json"), now=NOW)
    refused = [action for action in forged.actions if action.status == "refused"]
    assert len(refused) == 1
    assert all(key in (refused[0].error or "") for key in change)
    before = picture(world.user_data)
    with pytest.raises(PlanChangedError, match=next(iter(change))):
        forged.apply(exact=True, force=True)
    assert picture(world.user_data) == before
    report = forged.apply(force=True)
    assert {a.status for a in report.actions if a.path != refused[0].path} <= {"applied", "held"}
    assert refused[0].path not in {a.path for a in report.actions if a.status == "applied"}


def test_a_row_of_a_session_that_nobody_lost_is_refused(world: World, plan: Plan, tmp_path: Path) -> None:
    document = document_of(plan, tmp_path)
    action = copy.deepcopy(action_of(document, "adopt"))
    name = new_id(world.dice)
    row = {**action["row"], "sessionId": f"local_{name}"}
    path = str(Path(action["path"]).with_name(f"local_{name}.json"))
    action.update(path=path, session_id=f"local_{name}", row=row, content=_content(row))
    action["rests_on"][0]["path"] = path
    document["actions"].append(action)
    document["summary"]["actions"]["adopt"] += 1
    forged = load_plan(write(document, tmp_path / "plan.json"), now=NOW)
    assert [one.path for one in forged.actions if one.status == "refused"] == [path]
    assert "nothing is to be done about it" in (forged.actions[-1].error or "")


@pytest.mark.parametrize(
    "change", [{"title": "Another"}, {"permissionMode": "bypassPermissions"}, {"cwd": "/tmp/evil"}], ids=str
)
def test_a_link_that_changes_anything_else_is_refused(
    world: World, plan: Plan, tmp_path: Path, change: dict[str, Any]
) -> None:
    document = document_of(plan, tmp_path)
    action = action_of(document, "relink")
    action["row"] = {**action["row"], **change}
    action["content"] = _content(action["row"])
    forged = load_plan(write(document, tmp_path / "plan.json"), now=NOW)
    [refused] = [one for one in forged.actions if one.status == "refused"]
    assert (refused.kind, refused.path) == ("relink", action["path"])
    assert next(iter(change)) in (refused.error or "")


def test_a_link_to_a_transcript_that_the_row_does_not_tell_is_refused(
    world: World, plan: Plan, tmp_path: Path
) -> None:
    document = document_of(plan, tmp_path)
    action, orphan = action_of(document, "relink"), action_of(document, "adopt")
    former = action["cli_session_id"]
    for key in ("cli_session_id", "transcript"):
        action[key] = orphan[key]
    action["row"]["cliSessionId"] = orphan["cli_session_id"]
    action["content"] = _content(action["row"])
    action["rests_on"] += [one for one in orphan["rests_on"] if one["path"] == orphan["transcript"]]
    forged = load_plan(write(document, tmp_path / "plan.json"), now=NOW)
    [refused] = [one for one in forged.actions if one.status == "refused"]
    assert (refused.kind, refused.cli_session_id) == ("relink", orphan["cli_session_id"])
    assert refused.cli_session_id != former and "cliSessionId" in (refused.error or "")


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=8),
    st.sampled_from(
        [
            "..", "../x", "/", "/etc/passwd", "local_x", "local_/../x.json", "\0", "\ud800", "restore",
            "adopt", "hold", "relink", "rebuild-index", "planned", "held", "0" * 64, "e30=",
            "sessions-index.json",
        ]
    ),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
)


def members(value: Any) -> list[tuple[Any, Any]]:
    """Return every object and list of a document, with each of its keys or indices."""
    found: list[tuple[Any, Any]] = []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in list(items):
        found.append((value, name))
        found += members(inner)
    return found


@examples(120, data=st.data(), thorough=400)
def test_a_forged_plan_does_no_harm(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, data: st.DataObject
) -> None:
    """Whatever is changed in a plan, it is refused, or it writes only rows and indexes in their places."""
    folder, document, plan = _forgery(tmp_path_factory)
    monkeypatch.setenv("SESSSCAN_HOME", str(folder.parent / "state"))
    document = copy.deepcopy(document)
    for _ in range(data.draw(st.integers(1, 3))):
        container, name = data.draw(st.sampled_from(members(document)))
        change = data.draw(st.sampled_from(["value", "drop", "copy", "beside"]))
        if change == "value":
            container[name] = data.draw(VALUES)
        elif change == "drop":
            del container[name]
        else:
            other, at = data.draw(st.sampled_from(members(document)))
            if change == "copy" and name in (
                container if isinstance(container, dict) else range(len(container))
            ):
                container[name] = copy.deepcopy(other[at])
            elif isinstance(container[name], str) and isinstance(other[at], str):
                container[name] = other[at] + container[name]
    before = picture(folder)
    file = write(document, folder.parent / "forged.json")
    try:
        forged = plan_file.load(Plan, file)
    except PlanFileError:
        return
    json.dumps(forged.to_dict())
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        print_outcome(forged, [])
    assert all(character == "\n" or character.isprintable() for character in shown.getvalue())
    forged.changes()
    try:
        report = forged.apply(exact=data.draw(st.booleans()), force=True)
    except RefusedError:
        assert picture(folder) == before
        return
    after = picture(folder)
    allowed = {action.path for action in plan.actions if action.kind != "hold"}
    backups = {f"{path}.corrupted-bak" for path in allowed}
    changed = {path for path in after.keys() | before.keys() if after.get(path) != before.get(path)}
    stores = {store.path for store, _ in plan.stores}
    changed = {path for path in changed if not Path(path).is_dir()}
    for path in changed - allowed - backups:
        assert str(Path(path).parent) in stores and Path(path).name.startswith("local_"), path
    if report.run is not None:
        chosen = choose(report.run)
        assert chosen is not None
        undo(chosen, force=True)
    content = {path: facts[2] for path, facts in picture(folder).items()}
    assert content == {path: facts[2] for path, facts in before.items()}
    _restore_times(before)


_FORGERY: list[tuple[Path, Document, Plan]] = []


def _forgery(factory: pytest.TempPathFactory) -> tuple[Path, Document, Plan]:
    """Return one store and its plan for all examples; each example leaves the store as it was."""
    if not _FORGERY:
        folder = factory.mktemp("forged") / "world"
        dice = Random(11)
        stores = [folder / "Claude" / "claude-code-sessions" / new_id(dice) / new_id(dice) for _ in range(2)]
        for place in (*stores, folder / "projects"):
            place.mkdir(parents=True)
        world = World(dice, folder / "Claude", folder / "projects", stores, sparse=True, scenarios=["forged"])
        plan = plan_with_every_kind(world)
        _FORGERY.append((folder, document_of(plan, folder.parent), plan))
    return _FORGERY[0]


def _restore_times(before: dict[str, tuple[object, ...]]) -> None:
    for path, facts in before.items():
        if len(facts) > 3 and isinstance(facts[3], int):
            os.utime(path, ns=(facts[3], facts[3]))
