"""Check a conversation that would be sent as the API does, from nothing but the errors that users quote."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from typing import Any

Message = dict[str, Any]


def refusals(given: list[Message]) -> list[str]:
    """Return the errors with which the API would refuse the messages of a transcript, in the order given."""
    sent: list[tuple[str, list[Any]]] = []
    for entry in given:
        content = entry["message"]["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if sent and sent[-1][0] == entry["type"]:
            sent[-1][1].extend(blocks)
        else:
            sent.append((entry["type"], list(blocks)))
    return [*_pairs(sent), *_texts(sent), *_images(sent)]


def _pairs(sent: list[tuple[str, list[Any]]]) -> Iterator[str]:
    for place, (_, blocks) in enumerate(sent):
        calls = {block["id"] for block in blocks if block.get("type") == "tool_use"}
        results = {block["tool_use_id"] for block in blocks if block.get("type") == "tool_result"}
        before = sent[place - 1][1] if place else []
        after = sent[place + 1][1] if place + 1 < len(sent) else None
        called = {block["id"] for block in before if block.get("type") == "tool_use"}
        for name in sorted(results - called):
            yield (
                f"messages.{place}: unexpected `tool_use_id` found in `tool_result` blocks: {name}. Each "
                "`tool_result` block must have a corresponding `tool_use` block in the previous message."
            )
        if after is not None:
            answered = {block["tool_use_id"] for block in after if block.get("type") == "tool_result"}
            for name in sorted(calls - answered):
                yield (
                    f"messages.{place}: `tool_use` ids were found without `tool_result` blocks immediately "
                    f"after: {name}"
                )


def _texts(sent: list[tuple[str, list[Any]]]) -> Iterator[str]:
    for place, (_, blocks) in enumerate(sent):
        for number, block in enumerate(blocks):
            where = f"messages.{place}.content.{number}"
            if block.get("type") == "text" and not block["text"].strip():
                yield f"{where}: text content blocks must contain non-whitespace text"
            if block.get("type") == "thinking" and not (block.get("thinking") or block.get("signature")):
                yield f"{where}: each thinking block must contain thinking"
            for text in _strings(block):
                if any("\ud800" <= character <= "\udfff" for character in text):
                    yield f"{where}: The request body is not valid JSON: no low surrogate in string"
                if "\0" in text:
                    yield f"{where}: text must not contain null bytes"


def _images(sent: list[tuple[str, list[Any]]]) -> Iterator[str]:
    images = [image for _, blocks in sent for block in blocks for image in _pictures(block)]
    most = 2000 if len(images) > 20 else 8000
    for width, height in images:
        if max(width, height) > most:
            many = " for many-image requests" if most == 2000 else ""
            yield f"At least one of the image dimensions exceed max allowed size{many}: {most} pixels"


def _pictures(block: Any) -> Iterator[tuple[int, int]]:
    if not isinstance(block, dict):
        return
    if block.get("type") == "image":
        yield dimensions(base64.b64decode(block["source"]["data"]))
    content = block.get("content")
    for inner in content if isinstance(content, list) else []:
        yield from _pictures(inner)


def dimensions(data: bytes) -> tuple[int, int]:
    """Return the width and height of a PNG, GIF, JPEG or WebP that `pictures` makes."""
    if data[1:4] == b"PNG":
        return struct.unpack(">II", data[16:24])
    if data[:3] == b"GIF":
        return struct.unpack("<HH", data[6:10])
    if data[:2] == b"\xff\xd8":
        height, width = struct.unpack(">HH", data[data.rindex(b"\xff\xc0") + 5 :][:4])
        return width, height
    assert data[8:16] == b"WEBPVP8X"
    return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1


def picture(kind: str, width: int, height: int) -> str:
    """Return the beginning of an image of that size, in base64: all that its header says."""
    match kind:
        case "png":
            data = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR" + struct.pack(">II", width, height) + b"\x08\x06\0\0\0"
        case "gif":
            data = b"GIF89a" + struct.pack("<HH", width, height) + b"\0\0\0"
        case "jpeg":
            notes = b"\xff\xe1" + struct.pack(">H", 60_002) + bytes(60_000)
            data = (
                b"\xff\xd8" + notes * 2 + b"\xff\xc0\0\x11\x08" + struct.pack(">HH", height, width) + b"\x03"
            )
        case _:
            size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
            data = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + size
    return base64.b64encode(data).decode()


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
