"""What happens to transcripts: the damage seen in the field, and changes that no crash would make.

Pure functions of a file's bytes and a `random.Random`, so that property tests can damage what they made up,
and real files can be damaged as well, the same way each time: `damaged_copies`, `mutated_copies`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from random import Random

Damage = Callable[[bytes, Random], bytes]


def _split(data: bytes) -> list[bytes]:
    return re.findall(rb"[^\n]*\n|[^\n]+", data)


def _nuls(random: Random) -> bytes:
    return b"\0" * random.choice((1, 2, 31, 64, random.randint(200, 700), 9_216))


def _cut(line: bytes, random: Random) -> bytes:
    """A line that broke off somewhere."""
    return line[: random.randint(0, max(0, len(line) - 2))]


def nul_line(data: bytes, random: Random) -> bytes:
    """A run of NUL as a line of its own."""
    parts = _split(data)
    parts.insert(random.randint(0, len(parts)), _nuls(random) + b"\n")
    return b"".join(parts)


def nul_beside_record(data: bytes, random: Random) -> bytes:
    """A run of NUL after a record, or before it."""
    parts = _split(data) or [b"\n"]
    i = random.randrange(len(parts))
    body = parts[i].rstrip(b"\r\n")
    run = _nuls(random)
    parts[i] = (run + body if random.randrange(4) == 0 else body + run) + parts[i][len(body) :]
    return b"".join(parts)


def nul_end(data: bytes, random: Random) -> bytes:
    """A last line of nothing but NUL."""
    return data + _nuls(random)


def splice(data: bytes, random: Random) -> bytes:
    """A record that breaks off, with the next whole one on the same line."""
    parts = _split(data)
    if len(parts) < 2:
        return data
    i = random.randrange(len(parts) - 1)
    parts[i] = _cut(parts[i], random)
    return b"".join(parts)


def glue(data: bytes, random: Random) -> bytes:
    """Two records with no newline between them."""
    parts = _split(data)
    if len(parts) < 2:
        return data
    i = random.randrange(len(parts) - 1)
    parts[i] = parts[i].removesuffix(b"\n") + random.choice((b"", b"", b"\0\0", b" \t"))
    return b"".join(parts)


def tear(data: bytes, random: Random) -> bytes:
    """A last line that is not all there yet."""
    parts = _split(data)
    return b"".join(parts[:-1]) + _cut(parts[-1], random) if parts else data


def nul_inside(data: bytes, random: Random) -> bytes:
    """NUL over the middle of a record."""
    parts = _split(data)
    if not parts:
        return data
    i = random.randrange(len(parts))
    begin = random.randrange(len(parts[i]))
    length = min(random.choice((1, 3, 64, 512)), len(parts[i]) - 1 - begin)
    parts[i] = parts[i][:begin] + b"\0" * length + parts[i][begin + length :]
    return b"".join(parts)


def nul_block(data: bytes, random: Random) -> bytes:
    """A block of the file zeroed, whatever lines it covers."""
    begin = random.randint(0, len(data))
    length = min(random.choice((64, 512, 4_096)), len(data) - begin)
    return data[:begin] + b"\0" * length + data[begin + length :]


def truncate(data: bytes, random: Random) -> bytes:
    """A file cut off anywhere."""
    return data[: random.randint(0, len(data))]


def zero_tail(data: bytes, random: Random) -> bytes:
    """A file of the right length whose end never reached the disk."""
    kept = random.randint(0, len(data))
    return data[:kept] + b"\0" * (len(data) - kept)


DAMAGES = (
    nul_line,
    nul_beside_record,
    nul_end,
    splice,
    glue,
    tear,
    nul_inside,
    nul_block,
    truncate,
    zero_tail,
)


def damage(data: bytes, random: Random) -> bytes:
    """`data` with one to three of the damages above."""
    for _ in range(random.choice((1, 1, 2, 3))):
        data = random.choice(DAMAGES)(data, random)
    return data


def damaged_copies(data: bytes, seed: int, n: int) -> Iterator[bytes]:
    """`n` copies of a file, each damaged in its own way; the same ones for the same seed."""
    random = Random(seed)
    return (damage(data, random) for _ in range(n))


# --- Worse ------------------------------------------------------------------------------------------------

TROUBLE = tuple(
    [bytes([byte]) for byte in b'"\\{}[],:\n\r\0 \t0-.eEu/tfn\x01\x1f\x7f\x80\xbf\xc3\xe2\xed\xf0\xff']
    + [
        b"\xef\xbb\xbf",
        b"\xed\xa0\x80",
        b'{"type":',
        b'{"parentUuid":',
        b"}{",
        b'\\"',
        b"\\ud83d",
        b"\\u00",
        b"NaN",
    ]
)

ALMOST_JSON = (
    b"NaN",
    b"-Infinity",
    b"01",
    b"1.",
    b"-",
    b".5",
    b"+1",
    b"1e",
    b"0x1",
    b"True",
    b"nul",
    b"'a'",
    b"",
)


def _mutate_once(data: bytes, random: Random) -> bytes:
    at = random.randint(0, len(data))
    kind = random.randrange(7)
    if kind == 0:
        return data[:at] + random.choice(TROUBLE) + data[at:]
    if kind == 1:
        return data[:at] + random.choice(TROUBLE) + data[at + 1 :]
    if kind == 2:
        return data[:at] + data[at + random.choice((1, 1, 2, 17)) :]
    if kind == 3 and at < len(data):
        return data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1 :]
    if kind == 4:
        source = random.randint(0, len(data))
        return data[:at] + data[source : source + random.choice((1, 5, 60, 400))] + data[at:]
    if kind == 5 and (
        values := list(re.finditer(rb"(?<=[:\[,])(?:true|false|null|-?[0-9][0-9.eE+-]*)", data))
    ):
        value = random.choice(values)
        return data[: value.start()] + random.choice(ALMOST_JSON) + data[value.end() :]
    # Among the bytes that carry the structure a change does most.
    places = [match.start() for match in re.finditer(rb'["\\{}\[\],:\n]', data)]
    if not places:
        return data
    at = random.choice(places)
    return data[:at] + random.choice((b"", random.choice(TROUBLE))) + data[at + 1 :]


def mutate(data: bytes, random: Random) -> bytes:
    """`data` with one to six changes to its bytes, and sometimes a damage before."""
    if random.randrange(4) == 0:
        data = damage(data, random)
    for _ in range(random.randint(1, 6)):
        data = _mutate_once(data, random)
    return data


def mutated_copies(data: bytes, seed: int, n: int) -> Iterator[bytes]:
    """`n` copies of a file, each changed in its own way; the same ones for the same seed."""
    random = Random(seed)
    return (mutate(data, random) for _ in range(n))
