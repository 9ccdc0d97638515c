#!/usr/bin/env python3
"""Write the seeds of the fuzz targets to `corpus`: each known shape of a transcript or row, small."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def compact(value: Any) -> str:
    """Return a value as JSON without spaces."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


# --- Transcripts ------------------------------------------------------------------------------------------

ENVELOPE = {"userType": "external", "entrypoint": "cli", "cwd": "/a/b", "sessionId": "s", "version": "2.1.76"}
ENVELOPE |= {"gitBranch": "main"}
ENDS = {"uuid": "u-1", "timestamp": "2026-03-01T12:00:00.123Z"}
MESSAGE = {"role": "user", "content": "Why does the build fail?"}
USER = compact(
    {"parentUuid": None, "isSidechain": False, "type": "user", "message": MESSAGE} | ENDS | ENVELOPE
)
OLD_ORDER = compact(
    {"parentUuid": None, "isSidechain": True} | ENVELOPE | {"type": "user", "message": MESSAGE} | ENDS
)
TITLE = compact({"type": "custom-title", "customTitle": "A name", "sessionId": "s"})
STATE = compact({"type": "mode", "mode": "plan", "sessionId": "s"})
DECOY = {"type": "custom-title", "customTitle": "no title", "cwd": "/nowhere", "timestamp": "x"}
TOOL = {
    "model": "m-1",
    "content": [{"type": "tool_use", "id": "t", "input": DECOY}, {"type": "text", "text": "ok"}],
}
WORKTREE = {
    "originalCwd": "/a",
    "worktreePath": "/a/w",
    "worktreeName": "w",
    "worktreeBranch": None,
    "sessionId": "x",
}


def chain(**members: Any) -> str:
    """Return a record with a `parentUuid`."""
    return compact({"parentUuid": "u-1"} | members)


SCANNER: dict[str, str | bytes] = {
    "user": USER + "\n",
    "user-old-order": OLD_ORDER + "\n",
    "utf-16": b"\xff\xfe" + (USER + "\r\n\U0001f600 {}\n" + TITLE).encode("utf-16-le"),
    "utf-16-unmarked": (TITLE + TITLE + "\n{}").encode("utf-16-be"),
    "assistant": chain(type="assistant", message=TOOL, isSidechain=False) + "\n",
    "synthetic": chain(type="assistant", message={"model": "<synthetic>"}) + "\n",
    "tool-result": chain(type="user", message={"content": [{"type": "tool_result"}]}, toolUseResult={"a": []})
    + "\n",
    "text-blocks": chain(type="user", message={"content": [{"type": "text", "text": "a"}, {"type": "text"}]})
    + "\n",
    "meta": chain(type="user", isMeta=True, message={"content": "x"}) + "\n",
    "custom-title": TITLE + "\n",
    "sdk-title": compact({"type": "custom-title", "sessionId": "s", "customTitle": "A", "uuid": "u"} | ENDS)
    + "\n",
    "ai-title": compact({"type": "ai-title", "sessionId": "s", "aiTitle": "Größe, 検索 🚀"}) + "\n",
    "summary": USER + "\n" + compact({"type": "summary", "summary": "Fixed", "leafUuid": "u-1"}) + "\n",
    "worktree": compact({"type": "worktree-state", "worktreeSession": WORKTREE, "sessionId": "s"}) + "\n",
    "worktree-left": '{"type":"worktree-state","worktreeSession":null,"sessionId":"s"}\n',
    "relocated": compact({"type": "relocated", "relocatedCwd": "/b", "sessionId": "s"}) + "\n",
    "snapshot": compact({"type": "file-history-snapshot", "snapshot": {"timestamp": "x", "files": {}}})
    + "\n",
    "last-prompt": '{"type":"last-prompt","lastPrompt":null,"sessionId":"s"}\n',
    "tag": compact({"type": "tag", "tag": "later", "sessionId": "s"}) + "\n" + '{"tag":"","type":"tag"}\n',
    "many-states": (STATE + "\n") * 12,
    "crlf": STATE + "\r\n" + STATE + "\r\n",
    "bom": "\ufeff" + STATE + "\n",
    "blank-lines": "\n \t\n\r\n" + STATE + "\n\n",
    "no-final-newline": STATE + "\n" + STATE,
    "spaced": '{ "type" : "mode" ,\t"mode" : [ 1 , { } ] }\r\n' * 2,
    "empty-objects": '{}\n{"a":{}}\n{"a":[]}\n',
    "key-twice": '{"type":"x","cwd":"/a","cwd":"/b","type":"user"}\n',
    "key-escaped": r'{"t\u0079pe":"custom-title","customTitle":"\ud83d\ude80\n\"\\"}' + "\n",
    "lone-surrogate": r'{"type":"ai-title","aiTitle":"\ud83d and \udc00"}' + "\n",
    "other-types": '{"type":1,"cwd":null,"timestamp":{"a":[true]},"uuid":false,'
    '"sessionId":[],"version":""}\n',
    "numbers": '{"a":-0.5e+10,"b":0,"c":12345678901234567890123456789,"d":1E2,"e":-7}\n',
    "almost-numbers": '{"a":01}\n{"a":1.}\n{"a":-}\n{"a":+1}\n{"a":NaN}\n{"a":tru}\n',
    "deep": '{"a":' + '[{"b":' * 60 + "1" + "}]" * 60 + "}\n",
    "deeper-than-a-mask": '{"a":' + "[" * 70 + "]" * 70 + "}\n",
    "brackets-crossed": '{"a":[{]}}\n{"a":{"b":]}}\n',
    "brackets-in-strings": r'{"a":"}]{[","b":["\"}",{"c":"\\"}],"d":"\\\""}' + "\n",
    "backslashes": '{"a":"' + "\\\\" * 40 + '","b":"' + "x" * 57 + '\\"","c":1}\n',
    "block-edges": "".join(
        '{"a":"' + "x" * length + '","b":[' + "1," * 28 + '"]"]}\n' for length in (50, 55, 56, 57)
    ),
    "long-string": '{"a":"' + "lorem ipsum " * 40 + '","type":"x"}\n',
    "non-ascii": '{"a":"' + "é" * 90 + '","b":"\u2028"}\n',
    "not-utf-8": b'{"a":"\xff\xe2\x82","type":"x"}\n{"\xc3":1}\n\xff\n',
    "control": b'{"a":"\x01"}\n{"a":\x0b1}\n{"a":"tab\there"}\n',
    "nul-line": b"\0" * 200 + b"\n" + STATE.encode() + b"\n",
    "nul-after": STATE.encode() + b"\0" * 90 + b"\n" + STATE.encode(),
    "nul-before": b"\0\0" + STATE.encode() + b"\n",
    "nul-end": STATE.encode() + b"\n" + b"\0" * 143,
    "nul-inside": STATE.encode().replace(b"plan", b"pl\0\0") + b"\n",
    "glued": STATE + TITLE + "\n",
    "glued-padded": STATE + "\0 " + TITLE + "\t\n",
    "spliced": USER[:150] + STATE + "\n",
    "spliced-in-string": STATE[:20] + TITLE + STATE + "\n",
    "spliced-twice": STATE + STATE[:9] + USER[:40] + TITLE + "\n",
    "spliced-without-tail": STATE + '{"type":"x","a":' + '{"parentUuid":1}' + " ,\n",
    "torn": STATE + "\n" + USER[:200],
    "torn-in-escape": STATE + '\n{"a":"\\',
    "not-json": 'plain text\n]\n[1,2]\n"string"\n{\n}\n',
    "colons": '{"a"::1}\n{"a":1,,"b":2}\n{"a" 1}\n{,}\n{"a":1,}\n{:1}\n',
}

# --- Rows -------------------------------------------------------------------------------------------------

ROW_FIELDS: dict[str, Any] = {
    "sessionId": "local_1",
    "cliSessionId": "s",
    "cwd": "/a",
    "createdAt": 1,
    "lastActivityAt": 2,
}
MORE: dict[str, Any] = {"title": "Größe 🚀", "titleSource": "auto", "isArchived": False, "completedTurns": 3}
MORE |= {
    "model": "m-1",
    "permissionMode": "default",
    "remoteMcpServersConfig": [{"url": "x", "tools": {"a": [0.25]}}],
}
WHOLE = compact(ROW_FIELDS | MORE)

ROW: dict[str, str | bytes] = {
    "ok": WHOLE,
    "ok-indented": json.dumps(ROW_FIELDS, indent=2) + "\n",
    "ok-escaped-id": WHOLE.replace("local_1", r"\u006cocal_1"),
    "ok-escaped-key": WHOLE.replace("sessionId", r"session\u0049d"),
    "id-mismatch": WHOLE.replace("local_1", "local_2"),
    "id-twice": WHOLE.replace("}", ',"sessionId":"local_9"}', 1),
    "no-id": compact({"createdAt": 1, "lastActivityAt": 2}),
    "id-number": compact(ROW_FIELDS | {"sessionId": 7}),
    "time-string": compact(ROW_FIELDS | {"createdAt": "1"}),
    "time-null": compact(ROW_FIELDS | {"lastActivityAt": None}),
    "time-float": compact(ROW_FIELDS | {"createdAt": -1.5e300}),
    "nested-id": compact({"a": ROW_FIELDS, "b": [ROW_FIELDS]}),
    "empty-object": "{}",
    "array": "[" + WHOLE + "]",
    "string": '"local_1"',
    "number": "-0.0e-0",
    "literal": " null ",
    "bom": "\ufeff" + WHOLE,
    "zeros": b"\0" * 300,
    "zeros-then-data": b"\0" * 70 + WHOLE.encode(),
    "tail-of-zeros": WHOLE[:200].encode() + b"\0" * 100,
    "whole-then-zeros": WHOLE.encode() + b"\0" * 64,
    "whole-then-more": WHOLE + WHOLE[:30],
    "cut-in-key": WHOLE[:20],
    "cut-after-key": WHOLE[: WHOLE.index(":", 40)],
    "cut-after-colon": WHOLE[: WHOLE.index(":", 40) + 1],
    "cut-after-comma": WHOLE[: WHOLE.index(",", 40) + 1],
    "cut-in-value": WHOLE[: WHOLE.index("false") + 3],
    "cut-in-nested": WHOLE[: WHOLE.index("0.25") + 2],
    "cut-in-escape": '{"sessionId":"\\u00',
    "cut-after-backslash": '{"a\\',
    "cut-in-character": WHOLE.encode()[: WHOLE.encode().index("🚀".encode()) + 2],
    "cut-number": '{"a":-',
    "cut-exponent": '{"a":1e+',
    "cut-literal": "[true,fal",
    "leading-zero": '{"a":01}',
    "bad-escape": '{"a":"\\x"}',
    "bad-unicode-escape": '{"a":"\\u00g0"}',
    "lone-surrogate": '{"sessionId":"\\ud83d","createdAt":1,"lastActivityAt":1}',
    "control-in-string": b'{"a":"\x01"}',
    "not-utf-8": b'{"a":"\xff","b\xc3":1}',
    "not-utf-8-outside": b'{"a":\xff}',
    "trailing-comma": '{"a":1,}',
    "brackets-crossed": '{"a":[1}',
    "deep": "[" * 200 + "]" * 200,
    "deep-objects": '{"a":' * 130 + "1" + "}" * 130,
    "text": "not json at all",
}


def main() -> None:
    for target, seeds in (("scanner", SCANNER), ("row", ROW)):
        folder = HERE / "corpus" / target
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        for name, seed in seeds.items():
            data = seed.encode() if isinstance(seed, str) else seed
            assert len(data) < 1024, (name, len(data))
            (folder / name).write_bytes(data)
        print(f"{target}: {len(seeds)} seeds")


if __name__ == "__main__":
    main()
