"""A plan on disk: carried out exactly, or refused; and that a damaged or hostile one can do nothing."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from program import picture as contents
from program import places, run
from sessscan.errors import ConflictError, PlanChangedError, PlanFileError, RefusedError
from sessscan.reconcile import reconcile
from sessscan.reconcile.plan import Plan
from sessscan.reconcile.undo import choose, undo
from small_worlds import a_talk, lose, lose_prefix
from store_factory import DAY, NOW, World, key
from test_truth import picture
from transcript_factory import new_id, talk

Document = dict[str, Any]


@pytest.fixture
def plan(world: World) -> Plan:
    return everything(world)


def everything(world: World) -> Plan:
    """A plan with each kind of action: two restores, a hold, an adoption and an index."""
    made, orphan = a_talk(world), a_talk(world, NOW - 9 * DAY, cwd="/home/ada/other")
    lose(world, made, made.ended + 1_000)
    cut = a_talk(world, NOW - 12 * DAY)
    world.healthy_row(a_talk(world, NOW - 15 * DAY, cwd="/home/ada/other"), store=world.stores[0])
    session_id = "local_11111111-2222-4333-8444-555555555555"
    whole = json.dumps(world.row(cut, session_id)).encode()
    lose(world, cut, cut.ended + 1_000, whole[: whole.index(b'"originCwd"')], session_id)
    gone = talk(world.dice, "/home/ada/gone", NOW - 3 * DAY)
    lose_prefix(world, gone, gone.ended + 1_000, 200)
    index = world.projects / key(orphan.cwd) / "sessions-index.json"
    index.write_text('{"version":1,"entries":[]}')
    found = reconcile(world.user_data, world.projects, adopt=True, rebuild_index=True, now=NOW)
    kinds = sorted(action.kind for action in found.actions)
    assert kinds == ["adopt", "hold", "rebuild-index", "restore", "restore"]
    return found


def document_of(plan: Plan, folder: Path) -> Document:
    plan.save(folder / "plan.json")
    document: Document = json.loads((folder / "plan.json").read_bytes())
    (folder / "plan.json").unlink()
    return document


def write(document: Document, path: Path, signed: bool = True) -> Path:
    """Writes a document as a plan file; `signed`: with a checksum that fits, as whoever forges one would."""
    if signed:
        document.pop("sha256", None)
        text = json.dumps(document, sort_keys=True, separators=(",", ":"))
        document = {**document, "sha256": hashlib.sha256(text.encode()).hexdigest()}
    path.write_text(json.dumps(document))
    return path


def the(document: Document, kind: str) -> Document:
    action: Document = next(action for action in document["actions"] if action["kind"] == kind)
    return action


# Saved and carried out


def test_a_plan_is_what_it_was(plan: Plan, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    plan.save(file)
    loaded = Plan.load(file)
    assert loaded == plan
    assert (loaded.to_dict(), loaded.exit_status) == (plan.to_dict(), plan.exit_status)
    if os.name == "posix":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert loaded.changes() == []


def test_the_file_is_the_contract(plan: Plan, tmp_path: Path) -> None:
    document = document_of(plan, tmp_path)
    keys = ["schema", "version", "stores", "summary", "findings", "actions", "sha256"]
    assert list(document) == keys
    assert document["schema"] == "sessscan.plan/1"
    assert list(document["stores"][0]) == ["path", "user_data", "agent_mode", "rows"]
    shown = plan.to_dict()
    assert document["summary"] == shown["summary"]
    assert document["findings"] == shown["findings"]
    for action, told in zip(document["actions"], shown["actions"], strict=True):
        assert {name: action[name] for name in told} == told
        assert set(action) - set(told) == {"content", "rests_on"}
        content = base64.b64decode(action["content"])
        if action["row"]:
            assert json.loads(content) == action["row"]
        for fingerprint in action["rests_on"]:
            names = ["path", "exists", "size", "mtime_ns", "inode", "sha256"]
            assert list(fingerprint) == names


def test_a_loaded_plan_writes_the_same_bytes(world: World, plan: Plan, tmp_path: Path) -> None:
    before = picture(world.user_data)
    plan.save(tmp_path / "plan.json")
    report = Plan.load(tmp_path / "plan.json").apply(exact=True, force=True)
    assert sorted(action.status for action in report.actions) == ["applied"] * 4 + ["held"]
    for action in plan.actions:
        if action.kind != "hold":
            assert Path(action.path).read_bytes() == action.content
    chosen = choose(report.run)
    assert chosen is not None
    undo(chosen, force=True)
    undone = {path: facts[2] for path, facts in picture(world.user_data).items()}
    assert undone == {path: facts[2] for path, facts in before.items()}


def test_an_existing_file_is_never_written_over(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ConflictError):
        plan.save(tmp_path / "mine.txt")
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_what_could_not_be_loaded_is_not_saved(world: World, tmp_path: Path) -> None:
    made = a_talk(world)
    lose(world, made, made.ended + 1_000)
    odd = world.user_data / ".." / world.user_data.name
    with pytest.raises(PlanFileError, match="not a plain absolute path"):
        reconcile(odd, world.projects, now=NOW).save(tmp_path / "plan.json")
    assert not (tmp_path / "plan.json").exists()


# Refused, since something has changed


CHANGES: dict[str, Callable[[World, Document], Path]] = {
    "the damaged row": lambda world, action: _rewritten(Path(action["path"])),
    "the transcript": lambda world, action: _appended(Path(action["transcript"])),
    "a tombstone": lambda world, action: _made(
        Path(action["path"]).parent / ("deleted_" + action["cli_session_id"])
    ),
    "the row is gone": lambda world, action: _removed(Path(action["path"])),
    "its place was taken": lambda world, action: _made(Path(action["path"])),
    "the index": lambda world, action: _rewritten(Path(action["path"])),
}


def _rewritten(path: Path) -> Path:
    path.write_bytes(path.read_bytes() + b" ")
    return path


def _appended(path: Path) -> Path:
    with path.open("ab") as file:
        file.write(b"{}\n")
    return path


def _made(path: Path) -> Path:
    path.write_bytes(b"1")
    return path


def _removed(path: Path) -> Path:
    path.unlink()
    return path


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        ("the damaged row", "restore"),
        ("the transcript", "restore"),
        ("the transcript", "adopt"),
        ("a tombstone", "restore"),
        ("the row is gone", "restore"),
        ("its place was taken", "adopt"),
        ("the index", "rebuild-index"),
    ],
)
def test_one_change_and_nothing_is_written(
    world: World, plan: Plan, tmp_path: Path, what: str, kind: str
) -> None:
    plan.save(tmp_path / "plan.json")
    action = the(plan.to_dict(), kind)
    changed = CHANGES[what](world, action)
    before = picture(world.user_data.parent / "Claude"), picture(world.projects)
    loaded = Plan.load(tmp_path / "plan.json")
    assert len(loaded.changes()) == 1 and str(changed) in loaded.changes()[0]
    with pytest.raises(PlanChangedError, match="the plan no longer fits") as refusal:
        loaded.apply(exact=True, force=True)
    assert str(changed) in str(refusal.value)
    assert (picture(world.user_data.parent / "Claude"), picture(world.projects)) == before


def test_each_changed_file_is_named(world: World, plan: Plan) -> None:
    changed = {str(_rewritten(Path(a.path))) for a in plan.actions if a.kind == "restore"}
    assert {line.split(" has ")[0] for line in plan.changes()} == changed
    assert len(changed) == 2


def test_a_store_that_is_gone_is_a_change(world: World, plan: Plan) -> None:
    world.stores[0].rename(world.stores[0].with_name("elsewhere"))
    assert plan.changes() == [f"{world.stores[0]} is gone"]
    with pytest.raises(PlanChangedError):
        plan.apply(exact=True, force=True)


def test_what_the_plan_does_not_rest_on_may_change(world: World, plan: Plan) -> None:
    a_talk(world, NOW - DAY, cwd="/home/ada/third")
    (world.stores[0] / "scheduled-tasks.json").write_text("{}")
    assert plan.changes() == []
    assert plan.apply(exact=True, force=True).exit_status == 1  # the hold


def test_without_exact_the_rest_is_done(plan: Plan) -> None:
    first = next(action for action in plan.actions if action.kind == "restore")
    _rewritten(Path(first.path))
    statuses = sorted(action.status for action in plan.apply(force=True).actions)
    assert statuses == ["applied"] * 3 + ["held", "refused"]


# Damaged and hostile


def refused(document: Document, folder: Path, says: str) -> None:
    with pytest.raises(PlanFileError, match=says) as refusal:
        Plan.load(write(document, folder / "plan.json"))
    assert str(refusal.value).startswith(str(folder / "plan.json")) and "\n" not in str(refusal.value)


def _content(row: Document) -> str:
    return base64.b64encode(json.dumps(row).encode()).decode()


def _other_row(document: Document, **change: Any) -> None:
    """Makes the first restore write another row, and show it."""
    action = the(document, "restore")
    action["row"] = {**action["row"], **change}
    action["content"] = _content(action["row"])


def _elsewhere(document: Document, kind: str, path: str) -> None:
    """Makes an action write somewhere else, and say so throughout."""
    action = the(document, kind)
    action["path"] = action["rests_on"][0]["path"] = path


def _store(document: Document) -> str:
    path: str = document["stores"][0]["path"]
    return path


HOSTILE: dict[str, tuple[Callable[[Document], object], str]] = {
    "another version": (lambda d: d.update(schema="sessscan.plan/2"), "this sessscan reads"),
    "another document": (lambda d: d.update(schema="sessscan.reconcile/1"), "this sessscan reads"),
    "no schema": (lambda d: d.pop("schema"), "does not say that it is one"),
    "no actions": (lambda d: d.pop("actions"), "no list of actions"),
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
        lambda d: the(d, "restore").update(transcript="/x/y.jsonl"),
        "not the one that it names",
    ),
    "no JSON": (
        lambda d: the(d, "restore").update(content=base64.b64encode(b"{").decode()),
        "the row it shows",
    ),
    "no base64": (lambda d: the(d, "restore").update(content="%"), "an action's content is not"),
    "shows another row": (lambda d: the(d, "restore")["row"].update(title="x"), "the row it shows"),
    "shows no row": (lambda d: the(d, "restore").update(row={}), "the row it shows"),
    "shows a row it holds": (lambda d: the(d, "hold").update(row={"a": 1}), "the row it shows"),
    "holds and writes": (lambda d: the(d, "hold").update(content=_content({"a": 1}), row={"a": 1}), "holds"),
    "holds and plans": (lambda d: the(d, "hold").update(status="planned"), "holds"),
    "done already": (lambda d: the(d, "restore").update(status="applied"), "does not say what it would"),
    "a backup": (lambda d: the(d, "restore").update(backup="/etc/passwd"), "does not say what it would"),
    "an unknown action": (lambda d: the(d, "hold").update(kind="delete"), "does not know"),
    "an unknown finding": (lambda d: d["findings"][0].update(rule="new"), "does not know"),
    "rests on nothing": (lambda d: the(d, "restore").update(rests_on=[]), "does not say what .* was"),
    "does not say what was": (
        lambda d: the(d, "restore")["rests_on"][0].update(sha256=None),
        "does not say what .* was",
    ),
    "no checksum": (lambda d: the(d, "restore")["rests_on"][0].update(sha256="x"), "does not say what"),
    "makes what is there": (
        lambda d: the(d, "adopt")["rests_on"][0].update(exists=True, sha256="0" * 64),
        "is there already",
    ),
    "twice": (lambda d: d["actions"].append(copy.deepcopy(the(d, "restore"))), "says twice"),
    "no index": (lambda d: _elsewhere(d, "rebuild-index", "/etc/passwd"), "no index that could"),
    "an index anew": (
        lambda d: the(d, "rebuild-index")["rests_on"][0].update(exists=False),
        "no index that could",
    ),
    "an index elsewhere": (
        lambda d: _elsewhere(d, "rebuild-index", "/etc/sessions-index.json"),
        "no index of that folder",
    ),
    "an index of anything": (
        lambda d: the(d, "rebuild-index").update(content=_content({"entries": [1]})),
        "is no index",
    ),
    "a text for a number": (lambda d: d["summary"].update(rows="1"), "the number of rows is not"),
    "a truth for a number": (lambda d: d["stores"][0].update(rows=True), "a store's rows is not"),
    "a number too large": (lambda d: the(d, "restore")["rests_on"][0].update(size=1 << 63), "size is not"),
    "more than there is": (lambda d: the(d, "restore").update(more=1), "lacks something, or has more"),
    "less than there is": (lambda d: the(d, "restore").pop("path"), "lacks something, or has more"),
    "no source": (lambda d: the(d, "restore").update(source="me"), "source is not"),
    "another summary": (lambda d: d["summary"]["actions"].update(restore=9), "summary does not fit"),
}


@pytest.mark.skipif(os.name == "nt", reason="the paths are POSIX paths")
@pytest.mark.parametrize("name", HOSTILE)
def test_what_no_plan_may_ask_for(plan: Plan, tmp_path: Path, name: str) -> None:
    document = document_of(plan, tmp_path)
    change, says = HOSTILE[name]
    change(document)
    if name not in ("another summary", "a text for a number", "no actions"):
        kinds = [action.get("kind") for action in document["actions"]]
        document["summary"]["actions"] = {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}
        rules = [finding["rule"] for finding in document["findings"]]
        document["summary"]["findings"] = {rule: rules.count(rule) for rule in dict.fromkeys(rules)}
    refused(document, tmp_path, says)


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{}", b"\xff", b"[" * 100_000, b'{"schema":1}'])
def test_what_is_no_plan_at_all(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "plan.json").write_bytes(content)
    with pytest.raises(PlanFileError, match="is no plan"):
        Plan.load(tmp_path / "plan.json")


def test_a_plan_cut_off_or_changed_anywhere(plan: Plan, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    plan.save(file)
    whole = file.read_bytes()

    @settings(max_examples=150, deadline=None)
    @given(st.integers(0, len(whole) - 3), st.integers(0, 255), st.booleans())
    def damaged(place: int, byte: int, cut: bool) -> None:
        content = whole[:place] if cut else whole[:place] + bytes([byte]) + whole[place + 1 :]
        file.write_bytes(content)
        try:
            loaded = Plan.load(file)
        except PlanFileError:
            return
        assert loaded == plan, "white space may change, and the way that a text is written"

    damaged()


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=8),
    st.sampled_from(
        [
            "..", "../x", "/", "/etc/passwd", "local_x", "local_/../x.json", "\0", "\ud800", "restore",
            "adopt", "hold", "rebuild-index", "planned", "held", "0" * 64, "e30=", "sessions-index.json",
        ]
    ),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
)


def spots(value: Any) -> list[tuple[Any, Any]]:
    """Every container of a document with each of its keys."""
    found: list[tuple[Any, Any]] = []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in list(items):
        found.append((value, name))
        found += spots(inner)
    return found


@settings(
    max_examples=int(os.environ.get("SESSSCAN_PLANS", "120")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_no_forged_plan_harms(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, data: st.DataObject
) -> None:
    """Whatever is changed in a plan: it is refused, or writes rows and indexes in their places."""
    folder, document, plan = _forgery(tmp_path_factory)
    monkeypatch.setenv("SESSSCAN_HOME", str(folder.parent / "state"))
    document = copy.deepcopy(document)
    for _ in range(data.draw(st.integers(1, 3))):
        container, name = data.draw(st.sampled_from(spots(document)))
        fate = data.draw(st.sampled_from(["value", "drop", "copy", "beside"]))
        if fate == "value":
            container[name] = data.draw(VALUES)
        elif fate == "drop":
            del container[name]
        else:
            other, at = data.draw(st.sampled_from(spots(document)))
            if fate == "copy" and name in (
                container if isinstance(container, dict) else range(len(container))
            ):
                container[name] = copy.deepcopy(other[at])
            elif isinstance(container[name], str) and isinstance(other[at], str):
                container[name] = other[at] + container[name]
    before = picture(folder)
    file = write(document, folder.parent / "forged.json")
    try:
        forged = Plan.load(file)
    except PlanFileError:
        return
    json.dumps(forged.to_dict())
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
    """One store and its plan, for all examples: each leaves it as it was."""
    if not _FORGERY:
        folder = factory.mktemp("forged") / "world"
        dice = Random(11)
        stores = [folder / "Claude" / "claude-code-sessions" / new_id(dice) / new_id(dice) for _ in range(2)]
        for place in (*stores, folder / "projects"):
            place.mkdir(parents=True)
        world = World(dice, folder / "Claude", folder / "projects", stores, sparse=True, scenarios=["forged"])
        plan = everything(world)
        _FORGERY.append((folder, document_of(plan, folder.parent), plan))
    return _FORGERY[0]


def _restore_times(before: dict[str, tuple[object, ...]]) -> None:
    for path, facts in before.items():
        if len(facts) > 3 and isinstance(facts[3], int):
            os.utime(path, ns=(facts[3], facts[3]))


# On the command line


def test_made_shown_carried_out_and_refused(env: dict[str, str], sample: Path, tmp_path: Path) -> None:
    file = tmp_path / "the plan.json"
    made = run(env, "reconcile", *places(sample), "--plan-out", file, "--format", "json")
    assert made.returncode == 1
    assert str(file) in made.stderr and made.stderr.count("\n") == 1
    before = contents(sample)
    shown = run(env, "reconcile", "--plan", file, "--format", "json")
    assert (shown.returncode, shown.stderr, shown.stdout) == (1, "", made.stdout)
    text = run(env, "reconcile", "--plan", file).stdout
    assert f"sessscan reconcile --plan '{file}' --apply" in text
    assert "make a new plan" in text and "--match ROW=TRANSCRIPT --apply" not in text
    assert contents(sample) == before

    applied = run(env, "reconcile", "--plan", file, "--apply", "--format", "json")
    report = json.loads(applied.stdout)
    assert (applied.returncode, report["run"] is not None) == (1, True)
    assert {action["status"] for action in report["actions"]} == {"applied", "held"}
    after = contents(sample)

    for more in ([], ["--apply"]):
        again = run(env, "reconcile", "--plan", file, *more)
        assert again.returncode == 3
        for action in report["actions"]:
            if action["status"] == "applied":
                assert f"the plan no longer fits: {action['path']} " in again.stderr
        assert bool(again.stdout) == (not more)
    assert "refused, nothing was written" in again.stderr
    assert contents(sample) == after
    assert run(env, "undo").returncode == 0
    assert run(env, "reconcile", "--plan", file).returncode == 1, "it fits again"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--plan", "missing"], "--plan missing: No such file"),
        (["--plan", "."], "--plan .: Is a directory"),
        (["--plan", "text"], "text is no plan: it is not JSON"),
        (["--plan", "old"], "'sessscan.plan/0'"),
        (["--plan-out", "text"], "--plan-out text: there is a file already"),
        (["--plan-out", "nowhere/plan"], "--plan-out nowhere/plan: there is no such folder"),
        (["--plan", "text", "--adopt", "--match", "a=b"], "does not go with --match, --adopt"),
        (["--plan", "text", "--plan-out", "new"], "does not go with --plan-out"),
        (["--plan", "text", "--verify"], "does not go with --plan"),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="the system says it in other words")
def test_a_plan_that_is_none_is_one_clear_line_and_status_2(
    env: dict[str, str], tmp_path: Path, arguments: list[str], says: str
) -> None:
    (tmp_path / "text").write_text("mine")
    (tmp_path / "old").write_text('{"schema": "sessscan.plan/0"}')
    result = run(env, "reconcile", *arguments, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("sessscan: ") and says in result.stderr
    assert result.stderr.count("\n") == 1
    assert (tmp_path / "text").read_text() == "mine" and not (tmp_path / "new").exists()
