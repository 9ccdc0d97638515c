"""`--unbrick` mends what the API refuses in a conversation; a checker of its own finds nothing then."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
import sessscan
from sessscan._core import image_size
from support.broken_transcripts import messages
from support.outgoing import dimensions, picture, refusals
from support.rounds import rounds
from support.talks import Talk, talk
from test_repair import put

Spoil = Callable[[Talk, Random], None]


def assistants(made: Talk) -> list[dict[str, Any]]:
    return [record for record in made.path if record["type"] == "assistant"]


def with_call(made: Talk, chance: Random) -> dict[str, Any]:
    """Return a record with a call, not in the last response."""
    calls = [one for one in assistants(made)[:-1] if one["message"]["content"][0]["type"] == "tool_use"]
    return chance.choice(calls)


def lost_call(made: Talk, chance: Random) -> None:
    with_call(made, chance)["message"]["content"] = [{"type": "text", "text": "I call"}]


def lost_result(made: Talk, chance: Random) -> None:
    name = with_call(made, chance)["message"]["content"][0]["id"]
    for record in made.path:
        content = record.get("message", {}).get("content")
        if isinstance(content, list) and content[0].get("tool_use_id") == name:
            record["message"]["content"] = "no result"


def blank_text(made: Talk, chance: Random) -> None:
    texts = [one for one in assistants(made) if one["message"]["content"][0]["type"] == "text"]
    chance.choice(texts)["message"]["content"] = [{"type": "text", "text": chance.choice(("", " \n\t"))}]


def blank_prompt(made: Talk, chance: Random) -> None:
    prompts = [
        one for one in made.path if one["type"] == "user" and isinstance(one["message"]["content"], str)
    ]
    chance.choice(prompts)["message"]["content"] = chance.choice(("", "  "))


def empty_thinking(made: Talk, chance: Random) -> None:
    record = chance.choice(assistants(made))
    thinking = {"type": "thinking", "thinking": "", "signature": ""}
    content = record["message"]["content"]
    place = chance.choice((0, len(content)))
    record["message"]["content"] = [*content[:place], thinking, *content[place:]]


def only_thinking(made: Talk, chance: Random) -> None:
    texts = [one for one in assistants(made) if one["message"]["content"][0]["type"] == "text"]
    chance.choice(texts)["message"]["content"] = [{"type": "thinking", "thinking": ""}]


def half_a_pair(made: Talk, chance: Random) -> None:
    record = chance.choice(made.path[:1] + assistants(made))
    lone = chance.choice(("\ud83d", "\udc00", "\ud83d\ud83d\ude00", "\\\ud83d"))
    if isinstance(record["message"]["content"], str):
        record["message"]["content"] = f"an emoji {lone} cut"
    else:
        record["message"]["content"].append({"type": "text", "text": f"{lone}"})


def nul(made: Talk, chance: Random) -> None:
    record = with_call(made, chance)
    record["message"]["content"][0]["input"] = {"command": "printf 'a\0b'", "note": "\\u0000"}


def large_image(made: Talk, chance: Random) -> None:
    kind = chance.choice(("png", "gif", "jpeg", "webp"))
    _result(made, chance)["content"] = [_image(kind, 8001, 30), _image(kind, 30, 8000)]


def many_images(made: Talk, chance: Random) -> None:
    images = [_image("png", 100, 1999) for _ in range(20)] + [_image("jpeg", 2400, 100)]
    chance.shuffle(images)
    _result(made, chance)["content"] = images


def _result(made: Talk, chance: Random) -> dict[str, Any]:
    results = [
        one["message"]["content"][0]
        for one in made.path
        if one["type"] == "user" and isinstance(one["message"]["content"], list)
    ]
    found: dict[str, Any] = chance.choice(results)
    return found


def _image(kind: str, width: int, height: int) -> dict[str, Any]:
    source = {"type": "base64", "media_type": f"image/{kind}", "data": picture(kind, width, height)}
    return {"type": "image", "source": source}


SPOILS: tuple[Spoil, ...] = (
    lost_call,
    lost_result,
    blank_text,
    blank_prompt,
    empty_thinking,
    only_thinking,
    half_a_pair,
    nul,
    large_image,
    many_images,
)


@pytest.mark.parametrize("spoil", SPOILS, ids=lambda spoil: spoil.__name__)
@rounds(3, thorough=30)
def test_the_api_would_take_it(spoil: Spoil, rounds: int, tmp_path: Path, seed: int) -> None:
    for number in range(seed, seed + rounds):
        chance = Random(number)
        made = talk(number, 8)
        made.turn(calls=3)
        made.turn()
        assert refusals(messages(made.data)) == []
        spoil(made, chance)
        data = spelled(made)
        assert refusals(messages(data)) != [], f"seed {number}"
        path = put(tmp_path, data)
        report = sessscan.repair(path, unbrick=True).apply()
        assert [action.status for action in report.actions] == ["applied"], f"seed {number}"
        given = messages(path.read_bytes())
        assert refusals(given) == [], f"seed {number}"
        old, new = data.splitlines(), path.read_bytes().splitlines()
        assert len(old) == len(new), "each edit stays on its line"
        assert sum(a != b for a, b in zip(old, new, strict=True)) <= 2, f"seed {number}"
        # No reader puts back a result that became a text, if the conversation went on from another one.
        assert len(messages(data)) - len(given) in (0, spoil is lost_call), f"seed {number}"
        assert sessscan.repair(path, unbrick=True).actions == ()
        sessscan.undo()
        assert path.read_bytes() == data


def spelled(made: Talk) -> bytes:
    """Return the transcript with escapes for all that is not ASCII."""
    return b"".join(json.dumps(record, separators=(",", ":")).encode() + b"\n" for record in made.records)


def test_only_what_is_refused_is_touched(tmp_path: Path) -> None:
    made = talk(5)
    path = put(tmp_path, spelled(made))
    assert sessscan.repair(path, unbrick=True).actions == ()
    half_a_pair(made, Random(1))
    data = spelled(made)
    path = put(tmp_path, data)
    [action] = sessscan.repair(path, unbrick=True).actions
    assert [(edit.old[:2], edit.new) for edit in action.edits] == [(rb"\u", rb"\ufffd")]
    assert sessscan.repair(path).actions == ()


def test_a_signed_thinking_block_without_text_stays(tmp_path: Path) -> None:
    made = talk(5)
    block = {"type": "thinking", "thinking": "", "signature": "c2lnbmVk"}
    assistants(made)[0]["message"]["content"].insert(0, block)
    path = put(tmp_path, spelled(made))
    assert sessscan.repair(path, unbrick=True).actions == ()


def test_thinking_is_dropped_whole_and_never_altered(tmp_path: Path) -> None:
    made = talk(5)
    block = {"type": "thinking", "thinking": "half \ud83d", "signature": "c2lnbmVk"}
    assistants(made)[0]["message"]["content"].insert(0, block)
    path = put(tmp_path, spelled(made))
    assert sessscan.repair(path, unbrick=True).apply().exit_status == 0
    assert b"c2lnbmVk" not in path.read_bytes()


@pytest.mark.parametrize("kind", ["png", "gif", "jpeg", "webp"])
@pytest.mark.parametrize("size", [(1, 1), (8000, 3), (640, 16_383)])
def test_sizes_are_read_from_headers(kind: str, size: tuple[int, int]) -> None:
    import base64

    encoded = picture(kind, *size)
    assert image_size(encoded) == size == dimensions(base64.b64decode(encoded))


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (b"RIFF\0\0\0\0WEBPVP8L\x0a\0\0\0\x2f" + (99 | 49 << 14).to_bytes(4, "little") + bytes(9), (100, 50)),
        (b"RIFF\0\0\0\0WEBPVP8 \x0a\0\0\0\0\0\0\x9d\x01\x2a" + b"\x64\0\x32\0", (100, 50)),
        (b"\x89PNG\r\n\x1a\n", None),
        (b"\xff\xd8\xff\xda", None),
        (b"\xff\xd8" + b"\xff" * 99, None),
        (b"RIFF", None),
        (b"", None),
        (b"not an image", None),
    ],
)
def test_sizes_of_other_headers(data: bytes, size: tuple[int, int] | None) -> None:
    import base64

    assert image_size(base64.b64encode(data).decode()) == size


def test_what_is_no_base64_has_no_size() -> None:
    assert image_size("äöü!") is None
