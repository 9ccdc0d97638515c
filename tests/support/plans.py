"""Make plans with each kind of action, and plan files with a checksum that fits."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from sessscan.changes.plan import Plan
from sessscan.reconciliation import reconcile
from support.small_worlds import a_talk, lose, lose_prefix
from support.store_factory import DAY, NOW, World, compact, key
from support.transcript_factory import talk

Document = dict[str, Any]


def plan_with_every_kind(world: World) -> Plan:
    """Return a plan with each kind of action: two restores, a hold, a link, an adoption and an index."""
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
    linked = a_talk(world, NOW - 20 * DAY, cwd="/home/ada/linked")
    row = world.row(linked, "local_22222222-2222-4333-8444-555555555555", cliSessionId=None)
    path = world.stores[0] / f"{row['sessionId']}.json"
    world.write(path, compact(row), linked.ended + 1_000)
    found = reconcile(world.user_data, world.projects, adopt=True, rebuild_index=True, now=NOW)
    kinds = sorted(action.kind for action in found.actions)
    assert kinds == ["adopt", "hold", "rebuild-index", "relink", "restore", "restore"]
    return found


def document_of(plan: Plan, folder: Path) -> Document:
    """Return the JSON document of the file that a plan is saved to."""
    plan.save(folder / "plan.json")
    document: Document = json.loads((folder / "plan.json").read_bytes())
    (folder / "plan.json").unlink()
    return document


def write(document: Document, path: Path) -> Path:
    """Write a document as a plan file with a checksum that fits, as somebody who forges a plan would."""
    document.pop("sha256", None)
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    path.write_text(json.dumps({**document, "sha256": hashlib.sha256(text.encode()).hexdigest()}))
    return path


def action_of(document: Document, kind: str) -> Document:
    """Return the first action of a kind."""
    action: Document = next(action for action in document["actions"] if action["kind"] == kind)
    return action
