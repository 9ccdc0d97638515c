"""Find a transcript's conversation in plain Python, step by step as the TypeScript SDK does.

The core is compared with this on random transcripts, and with the SDK itself by `test_messages_sdk.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from math import inf
from typing import Any, NoReturn

from support.reference import time_of

Record = dict[str, Any]
Message = tuple[str, str]

KINDS = ("user", "assistant", "progress", "system", "attachment")
SKIP_FROM = 5 * 1024 * 1024
CHUNK = 1024 * 1024
QUIET = "No response requested."
NOTES = (
    "[Request interrupted by user]",
    "[Request interrupted: the session ended before this agent finished. Nobody asked it to stop.]",
    "[This turn ended before it finished.]",
    "[Agent call interrupted: the process running this conversation stopped before this agent finished, so "
    "it returned no result. Nobody asked it to stop.]",
    "[Request interrupted by user for tool use]",
    "[Tool call did not complete: the turn was ended to deliver the message that follows. Nothing refused "
    "it; re-run it if still needed.]",
    "[Tool call interrupted: the session ended before this call's result was recorded, so its outcome is "
    "unknown. Check whether it took effect before relying on it or running it again.]",
    "[Tool call result not in this copy: this session was copied from another session before that session "
    "recorded this call's result. The call may have finished there, may still be running there, or may never "
    "have run. Check whether it took effect before relying on it or running it again.]",
    "The user doesn't want to take this action right now. STOP what you are doing and wait for the user to "
    "tell you how to proceed.",
    "[Tool call skipped: the turn was stopped before this call ran, by the check whose denial is on another "
    "call in this batch. Nothing refused this call and it had no effects; re-run it if still needed.]",
    "[Tool call skipped: the turn ended to deliver the message that follows before this call ran. Nothing "
    "refused it; re-run it if still needed.]",
)
SHOWN_ORIGINS = ("channel", "observer", "observer-activity", "slack-ping", "voice-call", "peer")


def messages(data: bytes) -> list[Message]:
    """Return the type and uuid of each message that the reader gives."""
    records = list(parsed(data[skipped(data) :]))
    entries = [one for one in records if one.get("type") in KINDS and isinstance(one.get("uuid"), str)]
    nodes = relinked(entries)
    leaf = find_leaf(entries, nodes)
    if leaf is None:
        return []
    chain, seen = walk(leaf, nodes)
    chain = with_siblings(chain, seen, nodes)
    trailing = queued_behind(entries, nodes, chain, leaf)
    whole = with_commands(chain + trailing, {one["uuid"] for one in trailing}, taken_in(records))
    return [(one["type"], one["uuid"]) for one in whole if is_shown(one)]


# Lines


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def parse(line: bytes) -> Any:
    """Return what JavaScript's parser makes of a line; None if it refuses it."""
    try:
        return json.loads(line.decode("utf-8", "replace"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None


def parsed(data: bytes) -> Iterable[Record]:
    for line in data.split(b"\n"):
        record = parse(line.lstrip(bytes(range(0x21))))
        if isinstance(record, dict):
            yield record


def skipped(data: bytes) -> int:
    """Return how many bytes of a large file the reader skips: those before its last compaction that preserves
    nothing, as far as it sees one."""
    if len(data) <= SKIP_FROM:
        return 0
    start = at = 0
    while (end := data.find(b"\n", at)) >= 0:
        if is_seen_boundary(data[at:end], at, end):
            start = at
        at = end + 1
    return start


def is_seen_boundary(line: bytes, at: int, end: int) -> bool:
    chunk = end // CHUNK * CHUNK
    if at < chunk and chunk - at >= len(b'{"type":"attribution-snapshot"'):
        if not line.startswith(b'{"type":"system"'):
            return False
    elif not 0 <= line.find(b'"compact_boundary"') < 256:
        return False
    record = parse(line)
    if not isinstance(record, dict) or (record.get("type"), record.get("subtype")) != (
        "system",
        "compact_boundary",
    ):
        return False
    metadata = record.get("compactMetadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    return not (metadata.get("preservedSegment") or metadata.get("preservedMessages"))


# What follows what


def relinked(entries: list[Record]) -> dict[str, Record]:
    """Return the records by uuid, with what compactions preserve in its place."""
    nodes: dict[str, Record] = {}
    for entry in entries:
        nodes[entry["uuid"]] = entry
    for entry in list(nodes.values()):
        if (entry["type"], entry.get("subtype")) != ("system", "compact_boundary"):
            continue
        metadata = entry.get("compactMetadata") or {}
        kept, segment = metadata.get("preservedMessages"), metadata.get("preservedSegment")
        # Where a key was damaged the SDK fails on the list, and takes others for uuids that are not there.
        if isinstance(kept, dict) and isinstance(kept.get("uuids"), list):
            uuids, anchor = kept["uuids"], kept.get("anchorUuid")
            if not uuids or any(uuid not in nodes for uuid in uuids):
                continue
            parent = anchor
            for uuid in uuids:
                nodes[uuid] = {**nodes[uuid], "parentUuid": parent}
                parent = uuid
            move_children(nodes, anchor, uuids[0], uuids[-1])
        elif isinstance(segment, dict):
            head, anchor = segment.get("headUuid"), segment.get("anchorUuid")
            if head in nodes:
                nodes[head] = {**nodes[head], "parentUuid": anchor}
            move_children(nodes, anchor, head, segment.get("tailUuid"))
    return nodes


def move_children(nodes: dict[str, Record], anchor: Any, but: Any, to: Any) -> None:
    if not isinstance(anchor, str):
        return
    for uuid, node in nodes.items():
        if node.get("parentUuid") == anchor and uuid != but:
            nodes[uuid] = {**node, "parentUuid": to}


def parent_of(node: Record, nodes: Mapping[str, Record]) -> Record | None:
    parent = node.get("parentUuid")
    return nodes.get(parent) if isinstance(parent, str) and parent else None


def is_message(node: Record) -> bool:
    return node["type"] in ("user", "assistant")


def leads(node: Record) -> bool:
    attachment = node.get("attachment")
    briefing = node["type"] == "attachment" and isinstance(attachment, dict)
    return not (
        node.get("isSidechain")
        or node.get("teamName")
        or node["type"] == "progress"
        or (briefing and attachment.get("type") == "fork_briefing")
    )


def hashable(value: Any) -> bool:
    return isinstance(value, (str, int, float))


def find_leaf(entries: list[Record], nodes: dict[str, Record]) -> Record | None:
    position = {entry["uuid"]: at for at, entry in enumerate(entries)}
    parents = [(node, node.get("parentUuid")) for node in nodes.values()]
    followed = {parent for node, parent in parents if parent and hashable(parent) and leads(node)}
    ends = [node for node in nodes.values() if leads(node) and node["uuid"] not in followed]
    visited: set[str] = set()
    for end in sorted(ends, key=lambda node: -position[node["uuid"]]):
        node: Record | None = end
        while node is not None and node["uuid"] not in visited:
            if is_message(node):
                return node
            visited.add(node["uuid"])
            node = parent_of(node, nodes)
    anything = {parent for _, parent in parents if parent and hashable(parent)}
    leaves = []
    for end in nodes.values():
        if end["uuid"] in anything:
            continue
        node, seen = end, set()
        while node is not None and node["uuid"] not in seen:
            seen.add(node["uuid"])
            if is_message(node):
                leaves.append(node)
                break
            node = parent_of(node, nodes)
    main = [one for one in leaves if not (one.get("isSidechain") or one.get("teamName") or one.get("isMeta"))]
    return max(main or leaves, key=lambda node: position[node["uuid"]], default=None)


def walk(leaf: Record, nodes: dict[str, Record]) -> tuple[list[Record], set[str]]:
    chain: list[Record] = []
    seen: set[str] = set()
    node = nodes.get(leaf["uuid"])
    while node is not None and node["uuid"] not in seen:
        seen.add(node["uuid"])
        chain.append(node)
        node = parent_of(node, nodes)
    return chain[::-1], seen


# Parallel calls


def blocks(node: Record) -> list[Record]:
    message = node.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    return [one for one in content if isinstance(one, dict)] if isinstance(content, list) else []


def block_ids(node: Record, kind: str, key: str) -> list[str]:
    return [b[key] for b in blocks(node) if b.get("type") == kind and isinstance(b.get(key), str)]


def response(node: Record) -> str | None:
    message = node.get("message")
    found = message.get("id") if node["type"] == "assistant" and isinstance(message, dict) else None
    return found if isinstance(found, str) and found else None


def is_result(node: Record) -> bool:
    results = any(block.get("type") == "tool_result" for block in blocks(node))
    return node["type"] == "user" and bool(node.get("parentUuid")) and results


def micros_of(node: Record) -> float:
    """Return a record's time in microseconds, by which records are sorted.

    The SDK compares texts as they are spelled, which is the same for times that are spelled alike.
    """
    millis = time_of(node)
    if millis is None:
        return -inf
    digits = node["timestamp"][19:].lstrip(".")
    fraction = digits[: len(digits) - len(digits.lstrip("0123456789"))]
    return millis * 1_000 + int(fraction.ljust(6, "0")[3:6])


def with_siblings(chain: list[Record], seen: set[str], nodes: dict[str, Record]) -> list[Record]:
    anchors = {response(node): node for node in chain if response(node)}
    members: dict[str, list[Record]] = {}
    callers: dict[str, Record | None] = {}
    results = []
    for node in nodes.values():
        if answer := response(node):
            members.setdefault(answer, []).append(node)
            for call in block_ids(node, "tool_use", "id"):
                owner = callers.get(call, node)
                callers[call] = node if owner is not None and response(owner) == answer else None
        elif is_result(node):
            results.append(node)

    def by_the_same(one: Record, other: Record) -> bool:
        same_agent = one.get("agentId") == other.get("agentId")
        return bool(one.get("isSidechain")) == bool(other.get("isSidechain")) and same_agent

    answers: dict[str, list[Record]] = {}
    for result in results:
        owners = [result["parentUuid"]]
        source = result.get("sourceToolAssistantUUID")
        calls = [callers.get(call) for call in block_ids(result, "tool_result", "tool_use_id")]
        for owner in (nodes.get(source) if isinstance(source, str) else None, *calls):
            if owner is not None and by_the_same(result, owner) and owner["uuid"] not in owners:
                owners.append(owner["uuid"])
        for uuid in owners:
            answers.setdefault(uuid, []).append(result)

    order = {uuid: at for at, uuid in enumerate(nodes)}
    on_chain = {call for node in chain for call in block_ids(node, "tool_result", "tool_use_id")}
    inserts: dict[str, list[Record]] = {}
    done: set[str] = set()
    for node in chain:
        answer = response(node)
        if not answer or answer in done:
            continue
        done.add(answer)
        group = members[answer]
        uuids = {member["uuid"] for member in group}
        siblings = [member for member in group if member["uuid"] not in seen]
        own, strays, collected = [], [], set()
        for member in group:
            for result in answers.get(member["uuid"], ()):
                if result["uuid"] not in seen and result["uuid"] not in collected:
                    collected.add(result["uuid"])
                    (own if result["parentUuid"] in uuids else strays).append(result)
        answered = on_chain | {c for one in own for c in block_ids(one, "tool_result", "tool_use_id")}
        for stray in sorted(strays, key=lambda one: order[one["uuid"]]):
            calls_of = block_ids(stray, "tool_result", "tool_use_id")
            for call in calls_of:
                owner = callers.get(call)
                if call not in answered and owner is not None and owner["uuid"] in uuids:
                    answered |= set(calls_of)
                    own.append(stray)
                    break
        added = sorted(siblings, key=micros_of) + sorted(own, key=micros_of)
        seen |= {one["uuid"] for one in added}
        if added:
            inserts[anchors[answer]["uuid"]] = added
    return [one for node in chain for one in (node, *inserts.get(node["uuid"], ()))]


# Queued commands


def attached(node: Record) -> Record | None:
    """Return the queued command that a record is."""
    command = node.get("attachment") if node.get("type") == "attachment" else None
    return command if isinstance(command, dict) and command.get("type") == "queued_command" else None


def named(command: Record | None, key: str) -> str | None:
    value = (command or {}).get(key)
    return value if isinstance(value, str) and value else None


def taken_in(records: list[Record]) -> tuple[dict[tuple[str, str], int], set[str]]:
    """Return how often each queued command was taken in, and which copies of a delivery were."""
    counts: dict[tuple[str, str], int] = {}
    copies: dict[str, list[str]] = {}
    texts: dict[str, str] = {}
    mixed = set()
    for one in records:
        if (one.get("type"), one.get("operation"), one.get("reason")) == (
            "queue-operation",
            "remove",
            "absorbed_mid_turn",
        ):
            delivery, command = one.get("deliveryId"), one.get("commandUuid")
            key = None
            if isinstance(delivery, str) and delivery:
                key = ("delivery", delivery)
            elif isinstance(command, str):
                key = ("uuid", command)
            if key is not None:
                counts[key] = counts.get(key, 0) + 1
            continue
        if not isinstance(one.get("uuid"), str):
            continue
        queued = attached(one)
        if delivery := named(queued, "delivery_id"):
            known = copies.setdefault(delivery, [])
            if not any(one["uuid"] in uuids for uuids in copies.values()):
                known.append(one["uuid"])
        elif source := named(queued, "source_uuid"):
            text = json.dumps(queued)
            if texts.setdefault(source, text) != text:
                mixed.add(source)
    for source in mixed:
        counts.pop(("uuid", source), None)
    taken = set()
    for delivery, uuids in copies.items():
        count = counts.get(("delivery", delivery), 0)
        taken |= set(uuids[max(0, len(uuids) - count) :])
    return counts, taken


def queued_behind(
    entries: list[Record], nodes: dict[str, Record], chain: list[Record], leaf: Record
) -> list[Record]:
    """Return the queued commands that come after the leaf."""
    children: dict[str, list[Record]] = {}
    for one in entries:
        if is_message(one):
            continue
        for parent in {one.get("parentUuid"), nodes[one["uuid"]].get("parentUuid")}:
            if isinstance(parent, str) and parent:
                children.setdefault(parent, []).append(one)
    passed = {node["uuid"] for node in chain}
    last = {one["uuid"]: one for one in entries}
    others: set[str] = set()
    for one in entries:
        if is_message(one) and not (one.get("isSidechain") or one.get("teamName") or one["uuid"] in passed):
            node = parent_of(one, last)
            while node is not None and node["uuid"] not in passed and node["uuid"] not in others:
                others.add(node["uuid"])
                node = parent_of(node, last)
    found = []
    stack = [leaf]
    while stack:
        one = stack.pop()
        if one is not leaf:
            if one["uuid"] in passed:
                continue
            passed.add(one["uuid"])
            if attached(one) and one["uuid"] not in others:
                found.append(one)
        for child in reversed(sorted(children.get(one["uuid"], []), key=micros_of)):
            if child["uuid"] not in passed:
                stack.append(child)
    return found


def beginning(node: Record) -> str | None:
    if "promptSource" in node:
        return None
    message = node.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, list):
        texts = [block.get("text") for block in blocks(node) if block.get("type") == "text"]
        content = texts[-1] if texts else None
    if not isinstance(content, str):
        return None
    tags = {
        "<command-name>": "record",
        "<local-command-stdout>": "output",
        "<local-command-stderr>": "output",
        "<local-command-caveat>": "caveat",
    }
    return next((said for tag, said in tags.items() if content.startswith(tag)), None)


def outputs(whole: list[Record]) -> set[int]:
    found = set()
    for at, node in enumerate(whole):
        if node["type"] != "user" or not node.get("isMeta") or beginning(node) != "caveat":
            continue
        is_named = False
        for behind in range(at + 1, len(whole)):
            other = whole[behind]
            if other["type"] == "assistant":
                break
            if other["type"] != "user" or other.get("isMeta"):
                continue
            said = beginning(other)
            if said == "record" and not is_named:
                is_named = True
            elif said != "output" or not is_named:
                break
            found.add(behind)
    return found


def is_note(node: Record) -> bool:
    message = node.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, str):
        return content.startswith(NOTES)

    def text(block: Record) -> Any:
        if block.get("type") == "text":
            return block.get("text")
        return block.get("content") if block.get("is_error") is True else None

    texts = [text(block) for block in blocks(node)]
    return bool(texts) and all(isinstance(one, str) and one.startswith(NOTES) for one in texts)


def with_commands(
    whole: list[Record], trailing: set[str], taken: tuple[dict[tuple[str, str], int], set[str]]
) -> list[Record]:
    """Return the records, with messages in place of those queued commands that became such."""
    counts, copies = taken
    printed = outputs(whole)
    replies = [False] * len(whole)
    reply = False
    for at in range(len(whole) - 1, -1, -1):
        node = whole[at]
        replies[at] = reply
        if node["type"] == "assistant" or is_result(node) or (node["type"] == "user" and is_note(node)):
            reply = True
        elif node["type"] == "user" and not (
            node.get("isMeta") or node.get("isCompactSummary") or at in printed
        ):
            reply = False
    places: dict[tuple[str, str], list[int]] = {}
    for at, node in enumerate(whole):
        delivery, source = (named(attached(node), key) for key in ("delivery_id", "source_uuid"))
        key = ("delivery", delivery) if delivery else ("uuid", source) if source else None
        if key in counts:
            places.setdefault(key, []).append(at)  # type: ignore[arg-type]
    is_taken = {}
    for key, ats in places.items():
        for number, at in enumerate(ats):
            is_taken[at] = (
                whole[at]["uuid"] in copies if key[0] == "delivery" else number >= len(ats) - counts[key]
            )
    uuids = {node["uuid"] for node in whole}
    out = []
    for at, node in enumerate(whole):
        command = attached(node)
        takes = is_taken.get(at, replies[at] or node["uuid"] in trailing)
        if at not in printed and takes and command is not None:
            node = as_message(node, command, uuids)
        out.append(node)
    return out


def as_message(node: Record, command: Record, uuids: set[str]) -> Record:
    shows = is_shown_origin(command.get("origin"))
    intent = command.get("forwardedIntent")
    lineage = intent.get("lineage") if isinstance(intent, dict) else None
    uuid = named(command, "source_uuid") or node["uuid"]
    if (
        (command.get("isMeta") and not shows)
        or not isinstance(command.get("prompt"), (str, list))
        or (isinstance(lineage, str) and lineage)
        or (uuid != node["uuid"] and uuid in uuids)
    ):
        return node
    uuids.add(uuid)
    kept = {key: node.get(key) for key in ("isSidechain", "teamName")}
    return {"type": "user", "uuid": uuid, "isMeta": command.get("isMeta") and not shows, **kept}


def is_shown_origin(origin: Any) -> bool:
    return isinstance(origin, dict) and origin.get("kind") in SHOWN_ORIGINS


def is_shown(node: Record) -> bool:
    if not is_message(node) or node.get("isSidechain") or node.get("teamName"):
        return False
    texts = [(block.get("type"), block.get("text")) for block in blocks(node)]
    silent = texts in ([("text", "")], [("text", QUIET)])
    if node["type"] == "assistant" and node.get("closesQuietTurn") is True and silent:
        return False
    return not node.get("isMeta") or is_shown_origin(node.get("origin"))
