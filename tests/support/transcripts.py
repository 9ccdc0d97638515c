"""Generate transcripts for property tests.

`transcripts()` gives whole files as bytes: every kind of line, in both orders of keys, with every known trap.
`damaged()` adds damage that was seen in the field, `mutated()` changes that no crash would make.

A record is made from pairs of a key and *JSON text*, not from a dict, so that it can have a key twice, an
escaped key, or a number that no Python number prints as.
"""

from __future__ import annotations

import json
import re
from inspect import isgetsetdescriptor
from random import Random
from typing import Any

import sessscan
from hypothesis import strategies as st
from support.damage import Damage, damage, mutate

SESSION = "7f1c2a9e-4b1d-4c7e-9d52-0a6b8e3f5d11"
PARENT_SESSION = "11111111-2222-4333-8444-555555555555"

Pairs = list[tuple[str, str]]


def all_fields(transcript: sessscan.Transcript) -> dict[str, Any]:
    """Return all fields of a transcript, also those that `to_dict` leaves out."""
    members = {name for name, member in vars(sessscan.Transcript).items() if isgetsetdescriptor(member)}
    shown = transcript.to_dict()
    others = members - shown.keys() - {"modified_at"}  # this is of the file, not of its content
    return {**shown, **{name: getattr(transcript, name) for name in others}}


@st.composite
def either(draw: Any, *strategies: st.SearchStrategy[Any]) -> Any:
    """Draw from one of these strategies, each equally likely (`one_of` would flatten nested choices)."""
    return draw(strategies[draw(st.integers(0, len(strategies) - 1))])


# --- JSON text --------------------------------------------------------------------------------------------


def quoted(text: str, style: str = "plain") -> str:
    """Return a string as JSON text: raw UTF-8 (`plain`), ASCII only (`ascii`), or all escapes (`escaped`)."""
    if style == "escaped":
        units = text.encode("utf-16-be", "surrogatepass")
        return '"' + "".join(f"\\u{units[i]:02x}{units[i + 1]:02X}" for i in range(0, len(units), 2)) + '"'
    if style == "ascii":
        return json.dumps(text).replace("/", "\\/")
    plain = json.dumps(text, ensure_ascii=False)
    return re.sub("[\ud800-\udfff]", lambda lone: f"\\u{ord(lone[0]):04x}", plain)


styles = st.sampled_from(["plain"] * 6 + ["ascii", "escaped"])


def strings(texts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Turn texts into JSON text in some style."""
    return st.builds(quoted, texts, styles)


def one(*texts: str) -> st.SearchStrategy[str]:
    """Draw one of these texts, as JSON text."""
    return strings(st.sampled_from(texts))


NUMBERS = ("0", "-0", "7", "-12.50", "1e5", "1E+400", "-1e-999", "0.1", "1" * 5_000, "0." + "3" * 400)
OTHER_TYPES = ("null", "true", "false", '""', "[]", "{}", '["x"]', '{"type":"user","text":"x"}', *NUMBERS)

# Holds every key that a scan looks for, but one level too deep.
DECOY = (
    '{"type":"custom-title","customTitle":"not a title","aiTitle":"nor this","cwd":"/not/here",'
    f'"timestamp":"1999-01-01T00:00:00.000Z","sessionId":"{SESSION}","uuid":"decoy","parentUuid":null,'
    '"isSidechain":true,"gitBranch":"no","version":"0","entrypoint":"no","message":{"model":"no"}}'
)
NESTED = (
    DECOY,
    f"[{DECOY}]",
    '[{"type":"tool_use","id":"t1","name":"Bash","input":{"command":"echo \\"}{\\" \\\\","timestamp":"x"}}]',
    '{"stdout":"{\\"type\\":\\"user\\"}\\n{\\"parentUuid\\":null}","stderr":"","interrupted":false}',
    '{"a":[1,[2,[3,{"b":null}]]],"":{"":[]}}',
    '{ "spaced" : [ 1 ,\t2\r, { } , [ ] ] }',
    '"}]}\\"{[,:"',
    '"\\\\"',
)
DEEP = tuple(
    opening * depth + "0" + closing * depth
    for depth in (2, 30, 70, 1_100, 3_000)
    for opening, closing in (("[", "]"), ('{"a":', "}"))
)
nested = st.sampled_from(NESTED * 4 + DEEP + OTHER_TYPES)

# --- Values of fields ------------------------------------------------------------------------------------

# Quotes and backslashes, Unicode white space and characters that look like it, line ends of other formats,
# astral characters, both halves of a surrogate pair, and characters that JSON must escape.
AWKWARD = (
    '"\\/{}[]:, \t\n\r\0\x0b\x1c\x1f\x7f\x85\xa0\u1680\u200b\u2028\u2029\u3000\ufeff\ufffdéß語😀\ud83d\ude00'
)

texts = either(
    st.sampled_from(
        (
            "Fix the flaky test",
            "  two\n\nlines,\tand a tab ",
            'say "hi" \\ {"type":"user"} }{',
            "naïve 日本語 👩‍👩‍👧\u2028next",
            "half a pair \ud83d and the other \ude00",
            "   \n\u3000\x1c",
            "",
            "word " * 60,
            "é" * 199 + "😀" * 3,
            "x" * 5_000,
        )
    ),
    st.text(AWKWARD, max_size=12),
    st.text(max_size=8),
)

PREFIXES = (
    "<command-name>/clear</command-name>",
    "\n<command-name>  /a \u2003 b\t</command-name>\n<command-args></command-args>",
    "<command-name>" + "x" * 190 + "</command-name>",
    "<command-name> </command-name>",
    "<command-message>this one is a prompt</command-message>",
    "<local-command-stdout></local-command-stdout>",
    "[Request interrupted by user]",
    "[Request",
    "<task-notification>",
    "<bash-input>ls</bash-input>",
    "<system-reminder>",
    "<teammate-message from=x>",
)
TAGS = (
    "<ide_opened_file>",
    "</ide_opened_file>",
    "<ide_opened_file>The user opened /home/ada/\u00e9.py</ide_opened_file>",
    "<ide_selection>",
    "</ide_selection>",
    "<ide_selection>lines 1 to 3:\n\tx = {}\n</ide_selection>",
    "<ide_selection>" + "selected " * 900 + "</ide_selection>",
    "<command-message>",
    "</command-message>",
    "<command-message>review is running\u2026</command-message>",
    "<command-name>",
    "</command-name>",
    "<command-name>/review</command-name>",
    "<command-name>  [Request  </command-name>",
    "<command-args>",
    "</command-args>",
    "<command-args>PR 7\n<b></command-args>",
    "<command-args>\u3000 interrupted\n</command-args>",
    "<command-args>" + "long " * 80 + "</command-args>",
    "<ide_",
    "opened_file>",
    "<",
    "<bash-input>",
)
marked_up = st.lists(
    either(st.sampled_from(TAGS), st.sampled_from(("", " ", "\n\n", "\u2028")), texts), max_size=9
)
prompts = either(
    texts,
    texts,
    marked_up.map("".join),
    st.builds(
        lambda context, space, message, name, arguments, rest: (
            context + space + message + space + name + space + arguments + rest
        ),
        st.sampled_from(("", TAGS[2], TAGS[5] + "\n" + TAGS[2])),
        st.sampled_from(("", " ", "\n\n\u3000")),
        st.sampled_from(("", *(tag for tag in TAGS if "message" in tag))),
        st.sampled_from(("", *(tag for tag in TAGS if "name" in tag))),
        st.sampled_from(("", *(tag for tag in TAGS if "args" in tag))),
        texts,
    ),
    st.builds(
        lambda space, prefix: space + prefix,
        st.sampled_from(["", " \n", "\u2028"]),
        st.sampled_from(PREFIXES),
    ),
)

ODD_TIMES = (
    "2026-02-29T00:00:00Z",
    "2024-02-29T23:59:60.999Z",
    "0000-02-29T00:00:00Z",
    "9999-12-31T23:59:60.9999-23:59",
    "2025-01-01t00:00:00z",
    "2025-01-01 00:00:00Z",
    "2025-01-01T00:00:00",
    "2025-01-01T00:00:00.Z",
    "2025-01-01T00:00Z",
    "2025-01-01T24:00:00Z",
    "2025-01-01T00:00:61Z",
    "2025-01-01T00:00:00+0100",
    "2025-01-01T00:00:00+24:00",
    "2025-01-01T00:00:00-00:60",
    "2025-13-01T00:00:00Z",
    "2025-01-00T00:00:00Z",
    "+2025-01-01T00:00:00Z",
    "2025-01-01T00:00:00Z\n",
    "\uff12025-01-01T00:00:00Z",
    "1735689600000",
    "",
)
times = either(
    st.builds(
        "2025-{:02}-{:02}{}{:02}:{:02}:{:02}{}{}".format,
        st.sampled_from((1, 6, 6, 6, 12)),
        st.sampled_from((1, 15, 15, 15, 28)),
        st.sampled_from("TTTTTTTt"),
        st.integers(0, 23),
        st.integers(0, 59),
        st.integers(0, 60),
        st.sampled_from((".123", ".123", ".123", ".000001", "", ".9", ".98765432109876543210")),
        st.sampled_from(("Z", "Z", "Z", "Z", "z", "+05:30", "-08:00", "-00:00")),
    ),
    st.sampled_from(ODD_TIMES),
)

UUIDS = ("u-1", "u-2", "u-3", "u-4", "U-1", "", "\ud800", "\ufffd")
uuids = one(*UUIDS)
session_ids = one(SESSION, SESSION, SESSION, SESSION, PARENT_SESSION, "", SESSION.upper())
cwds = one(
    "/home/ada/engine", "/home/ada/engine", "/home/ada/engine/src", "C:\\Users\\Ada", "/home/jörg/仕事", ""
)
booleans = st.sampled_from(("true", "false", "false"))
models = one("claude-opus-4-6", "claude-sonnet-4-5", "<synthetic>", "")
titles = strings(texts)


def obj(pairs: Pairs, *, loose: bool = False) -> str:
    """Return an object as JSON text: compact as the CLI writes it, or `loose`, with blanks."""
    members = [f"{key} : {value}" if loose else f"{key}:{value}" for key, value in pairs]
    return "{ " + " ,\t".join(members) + " }" if loose else "{" + ",".join(members) + "}"


def pair(key: str, value: str) -> tuple[str, str]:
    return f'"{key}"', value


def _object(**members: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.fixed_dictionaries(members).map(lambda d: obj([pair(k, v) for k, v in d.items()]))


blocks = either(
    _object(type=st.just('"text"'), text=strings(prompts)),
    _object(type=st.just('"text"'), text=strings(prompts)),
    _object(text=titles, type=one("text", "image", "tool_result", "thinking")),
    _object(type=st.just('"tool_result"'), tool_use_id=st.just('"t1"'), content=nested),
    _object(type=st.just('"tool_use"'), input=nested),
    nested,
)
contents = either(
    strings(prompts),
    strings(prompts),
    st.lists(blocks, max_size=3).map(lambda items: "[" + ",".join(items) + "]"),
    nested,
)

# --- Records ----------------------------------------------------------------------------------------------


@st.composite
def chain_pairs(draw: Any) -> Pairs:
    """Draw a line of the conversation, with its envelope first (before 2.1.76) or last (since)."""
    kind = draw(
        st.sampled_from(("user",) * 6 + ("assistant", "assistant", "system", "attachment", "progress"))
    )
    parent = [pair("parentUuid", draw(st.sampled_from(("null", '"u-1"', '"u-2"'))))]
    side = [pair("isSidechain", draw(st.sampled_from(("false",) * 5 + ("true",))))]
    envelope = [pair("userType", '"external"')]
    if draw(st.booleans()):
        envelope.append(pair("entrypoint", draw(one("cli", "claude-desktop", "sdk-cli", ""))))
    envelope += [
        pair("cwd", draw(cwds)),
        pair("sessionId", draw(session_ids)),
        pair("version", draw(one("2.1.76", "1.0.98", ""))),
        pair("gitBranch", draw(one("main", "HEAD", "feature/ünï", ""))),
    ]
    body = []
    if kind == "user":
        content = draw(contents)
        body.append(
            pair("message", draw(st.sampled_from(('{"role":"user","content":%s}',) * 4 + ("%s",))) % content)
        )
        if draw(st.integers(0, 6)) == 6:
            body.append(pair("toolUseResult", draw(either(nested, st.just("null")))))
        if draw(st.integers(0, 8)) == 8:
            body.append(pair(draw(st.sampled_from(("isMeta", "isCompactSummary"))), draw(booleans)))
    elif kind == "assistant":
        body.append(pair("message", obj([pair("model", draw(models)), pair("content", draw(nested))])))
    else:
        body.append(pair("content" if kind == "system" else "data", draw(nested)))
    tail = [pair("type", f'"{kind}"'), pair("uuid", draw(uuids)), pair("timestamp", quoted(draw(times)))]
    if draw(st.booleans()):
        return parent + side + envelope + tail[:1] + body + tail[1:]
    return parent + side + body + tail + envelope


def _state(kind: str, **members: st.SearchStrategy[str]) -> st.SearchStrategy[Pairs]:
    return st.fixed_dictionaries({"type": st.just(f'"{kind}"'), **members}).map(
        lambda d: [pair(key, value) for key, value in d.items()]
    )


worktree_sessions = either(
    st.just("null"),
    _object(
        originalCwd=cwds,
        worktreePath=cwds,
        worktreeName=one("brave-curie", ""),
        worktreeBranch=either(one("worktree-brave-curie"), st.just("null")),
        sessionId=st.just(f'"{PARENT_SESSION}"'),
    ),
    _object(worktreePath=cwds, worktreeName=nested, originalBranch=one("main"), timestamp=st.just('"x"')),
    nested,
)
timestamps = times.map(quoted)
state_pairs = either(
    _state("custom-title", customTitle=titles, sessionId=session_ids),
    _state("custom-title", sessionId=session_ids, customTitle=titles, uuid=uuids, timestamp=timestamps),
    _state("ai-title", aiTitle=titles, sessionId=session_ids),
    _state("ai-title", sessionId=session_ids, aiTitle=titles, customTitle=titles),
    _state("agent-name", agentName=titles, sessionId=session_ids),
    _state("summary", summary=titles, leafUuid=uuids),
    _state("summary", leafUuid=uuids, summary=titles, title=titles),
    _state("last-prompt", lastPrompt=titles, leafUuid=uuids, sessionId=session_ids),
    _state("mode", mode=one("plan"), sessionId=session_ids),
    _state("tag", tag=titles, sessionId=session_ids),
    _state(
        "queue-operation",
        operation=one("enqueue"),
        timestamp=timestamps,
        sessionId=session_ids,
        content=nested,
    ),
    _state("pr-link", sessionId=session_ids, prNumber=st.just("7"), prUrl=titles, timestamp=timestamps),
    _state("worktree-state", worktreeSession=worktree_sessions, sessionId=session_ids),
    _state("relocated", relocatedCwd=cwds, sessionId=session_ids),
    _state("relocated", sessionId=session_ids, relocatedCwd=cwds),
    _state("continued-in", timestamp=timestamps, sessionId=session_ids, continuedInSessionId=session_ids),
    _state("file-history-snapshot", messageId=uuids, snapshot=nested, isSnapshotUpdate=booleans),
    _state("frame-link", title=titles, frame=nested),
    _state("a-kind-yet-to-come", worktreeSession=worktree_sessions, relocatedCwd=cwds, customTitle=titles),
    _state("a-kind-yet-to-come", tag=titles, lastPrompt=titles),
    _state("a-kind-yet-to-come", value=nested, cwd=cwds, entrypoint=one("web"), message=nested),
)


@st.composite
def records(draw: Any) -> str:
    """Draw a record as JSON text."""
    pairs = draw(either(chain_pairs(), chain_pairs(), state_pairs))
    oddity = draw(st.integers(0, 48))
    if oddity > 6:
        return obj(pairs)
    if oddity == 6:
        return obj(pairs, loose=True)
    i = draw(st.integers(0, len(pairs) - 1))
    key, value = pairs[i]
    if oddity == 0:
        del pairs[i]
    elif oddity in (1, 2):
        pairs[i] = key, draw(either(st.sampled_from(OTHER_TYPES), nested))
    elif oddity == 3:
        other = draw(
            either(st.sampled_from(OTHER_TYPES), st.just(value), st.sampled_from(pairs).map(lambda p: p[1]))
        )
        pairs.insert(draw(st.integers(0, len(pairs))), (key, other))
    elif oddity == 4:
        pairs[i] = quoted(json.loads(key), "escaped"), value
    else:
        pairs = draw(st.permutations(pairs))
    return obj(pairs)


padding = st.sampled_from(("", "", " ", "\r", "\t\0", "\0 \r"))
padded = st.builds("{}{}{}".format, padding, records(), padding)
lines = either(*[records()] * 20, padded, padded, st.sampled_from(("", " ", "\t \r", "{}", "\0 \0")))


@st.composite
def transcripts(draw: Any) -> bytes:
    """Draw a whole and undamaged transcript of the session `SESSION`."""
    length = draw(st.integers(0, 12))
    content = draw(st.lists(lines, min_size=length, max_size=length))
    ending = draw(st.sampled_from(("\n", "\n", "\n", "\r\n")))
    text = "".join(line + ending for line in content)
    if draw(st.integers(0, 4)) == 4:
        text = text.removesuffix(ending)
    if draw(st.integers(0, 5)) == 5:
        text = text.replace(
            '"isSidechain":false', '"isSidechain":' + draw(st.sampled_from(("true", "true", "1")))
        )
    if draw(st.integers(0, 9)) == 9:
        text = "\ufeff" + text
    return text.encode()


randoms = either(st.randoms(use_true_random=False), st.integers(0, 1 << 30).map(Random))
"""Two sources of randomness: the first shrinks well, the second is spread evenly."""


def damaged(*by: Damage) -> st.SearchStrategy[bytes]:
    """Draw a transcript with one of these damages, or without arguments with up to three of any."""
    if by:
        return st.builds(
            lambda data, kind, random: kind(data, random), transcripts(), st.sampled_from(by), randoms
        )
    return st.builds(damage, transcripts(), randoms)


def mutated() -> st.SearchStrategy[bytes]:
    """Draw a transcript with arbitrary bytes changed, as no crash would do."""
    return st.builds(mutate, transcripts(), randoms)
