"""Make the text of sessions from a seed: code, output of tools, prose."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from random import Random


def _list(words: str) -> list[str]:
    return words.split()


NAMES = _list("""
    parser cursor index buffer token record session writer reader window offset cache shard ledger engine
    cluster worker queue signal branch config manifest registry snapshot journal limit weight margin
    palette viewport channel socket request response header payload schema column bucket digest lease
    plan receipt
""")
VERBS = _list("read write open close merge split find count render resolve commit flush parse skip load")
WORDS = _list("""
    the a of to and in that it is for on with as this by from be are was when which one line file test
    must not only each before after because while value order state error check result change two still
    same next first last path name call returns keeps takes makes needs holds breaks works there where
    then than
""")
TYPES = _list("str int bytes bool Path Token Record usize u64 Option<String> Vec<u8>")
FAR_WORDS = _list("naïve façade Größe Zürich señal 設定 検索 файл δοκιμή données Überblick résumé")
SIGNS = _list("— → ✓ … “so” │ └─ ├─ ● ≥ • 🚀")
PNG = "iVBORw0KGgoAAAANSUhEUgAA"
"""How a PNG begins in base64."""


@dataclass(frozen=True)
class Content:
    """Text to cut pieces from, so that files look alike and no kilobyte repeats."""

    plain: str
    """ASCII only."""
    far: str
    """With text from beyond ASCII."""
    image: str
    """Base64."""

    def text(self, dice: Random, length: int, far: float = 0.25) -> str:
        """Return that many characters of text; `far`: the share of pieces that are not ASCII only."""
        return _cut(self.far if dice.random() < far else self.plain, dice, length)

    def picture(self, dice: Random, length: int) -> str:
        return PNG + _cut(self.image, dice, length - len(PNG))


def make(seed: int, size: int = 2_000_000) -> Content:
    dice = Random(seed)
    return Content(
        _lines(dice, size, far=0.0),
        _lines(dice, size // 2, far=0.4),
        base64.b64encode(dice.randbytes(size)).decode(),
    )


def _cut(text: str, dice: Random, length: int) -> str:
    begin = dice.randrange(len(text))
    piece = text[begin : begin + length]
    while len(piece) < length:
        piece += text[: length - len(piece)]
    return piece


def _lines(dice: Random, size: int, far: float) -> str:
    lines: list[str] = []
    length = 0
    while length < size:
        line = dice.choice(KINDS)(dice)
        if dice.random() < far:
            line = f"{line} {dice.choice(SIGNS)} {dice.choice(FAR_WORDS)}"
        lines.append(line)
        length += len(line) + 1
    return "\n".join(lines)


def _python(dice: Random) -> str:
    one, two, verb = dice.choice(NAMES), dice.choice(NAMES), dice.choice(VERBS)
    return "    " * dice.randint(0, 4) + dice.choice(
        (
            f"def {verb}_{one}(self, {two}: {dice.choice(TYPES)}) -> None:",
            f"if {one} is None or {two}.{verb}({dice.randrange(99)}):",
            f'return self.{one}["{two}"]',
            f"{one} = {verb}_{two}({one}, key=lambda item: item[{dice.randrange(9)}])",
            f'raise ValueError(f"{one} of {{{two}!r}} is no {dice.choice(NAMES)}")',
            f"for {one} in {two}.{verb}():",
            "",
        )
    )


def _rust(dice: Random) -> str:
    one, two, verb = dice.choice(NAMES), dice.choice(NAMES), dice.choice(VERBS)
    return "    " * dice.randint(0, 3) + dice.choice(
        (
            f"let {one} = {two}.{verb}()?;",
            f"pub fn {verb}(&mut self, {one}: {dice.choice(TYPES)}) -> Result<(), Error> {{",
            f"assert_eq!({one}.{verb}(b'\\n'), Some({dice.randrange(4096)}));",
            f"// {_words(dice, 9)}",
            "}",
        )
    )


def _script(dice: Random) -> str:
    one, two, verb = dice.choice(NAMES), dice.choice(NAMES), dice.choice(VERBS)
    return "\t" * dice.randint(0, 3) + dice.choice(
        (
            f'export const {one} = await {verb}("./{two}/{one}.ts", {{ depth: {dice.randrange(9)} }});',
            f"  <li className='{one}' onClick={{() => {verb}({two})}}>{two}</li>",
            f'console.log("{one}", {two}.{verb}(), `${{{one}}}`);',
            "});",
        )
    )


def _data(dice: Random) -> str:
    """JSON as a tool prints it: keys that look like a transcript's own, one level too deep."""
    pairs = {
        dice.choice(NAMES): dice.randrange(10_000),
        "type": dice.choice(VERBS),
        "path": f"src/{dice.choice(NAMES)}.rs",
    }
    if dice.random() < 0.2:
        pairs |= {"timestamp": "1999-01-01T00:00:00.000Z", "cwd": "/not/here", "sessionId": "none"}
    return json.dumps(pairs)


def _tests(dice: Random) -> str:
    name = f"tests/test_{dice.choice(NAMES)}.py::test_{dice.choice(VERBS)}_{dice.choice(NAMES)}"
    return dice.choice(
        (
            f"{name} PASSED [{dice.randrange(100):3}%]",
            f"{name} FAILED: assert {dice.randrange(99)} == {dice.randrange(99)}",
            f'  File "src/{dice.choice(NAMES)}.py", line {dice.randrange(900)}, in {dice.choice(VERBS)}',
            f"{dice.randrange(400)} passed, {dice.randrange(9)} failed in {dice.random() * 60:.2f}s",
        )
    )


def _listing(dice: Random) -> str:
    return dice.choice(
        (
            f"-rw-r--r-- ada {dice.randrange(90_000):8} Nov {dice.randint(1, 28)} {dice.choice(NAMES)}.rs",
            f"{dice.randrange(900):6}\t{_python(dice)}",
            f"C:\\Users\\ada\\engine\\src\\{dice.choice(NAMES)}.ts({dice.randrange(900)},5): error TS2304",
            f"+        {dice.choice(NAMES)} = {dice.choice(VERBS)}({dice.randrange(99)})",
            f"src/{dice.choice(NAMES)}/{dice.choice(NAMES)}.py:{dice.randrange(900)}: {_words(dice, 6)}",
        )
    )


def _prose(dice: Random) -> str:
    return _words(dice, dice.randint(8, 36)).capitalize() + "."


def _markdown(dice: Random) -> str:
    return dice.choice(
        (
            f"## {_words(dice, 4).title()}",
            f"- **{dice.choice(NAMES)}**: {_words(dice, 10)}",
            f"| `{dice.choice(NAMES)}` | {_words(dice, 5)} | {dice.randrange(999)} |",
            "```",
            "",
        )
    )


def _words(dice: Random, count: int) -> str:
    return " ".join(dice.choices(WORDS, k=count))


KINDS = (_python, _python, _rust, _script, _data, _tests, _listing, *[_prose] * 7, _markdown)
