"""List what is measured: sections, each with its data, its cases and its rounds."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from . import machine
from .measure import Case

ONE, ALL, TWO = "sessscan, 1 thread", "sessscan, all threads", "sessscan, 2 threads"
RIPGREP, RIPGREP_START = "ripgrep", "ripgrep, its start"
REFERENCE, JSON = "reference.py", "json"
PEERS = ("orjson", "pysimdjson", "msgspec", "DuckDB", "Polars")
"""The peers, each on one thread, as sessscan is when it is compared with them."""
SDK = "claude-agent-sdk list_sessions"
CONVERSATION, SDK_MESSAGES = "sessscan.conversation", "claude-agent-sdk get_session_messages"
RECONCILE, BARE = "sessscan.reconcile, dry run", "pysimdjson of the rows, scan_many"
VERSION, EMPTY_APP = "sessscan --version", "an empty Typer app"
EVENTS = "sessscan.events"
STAT, RESCAN, APPENDED = "os.stat of each", "rescan, all unchanged", "rescan, 1 MB appended to one"
NOTHING = "the interpreter"

NEEDLE = "no such string here"


@dataclass(frozen=True)
class Section:
    name: str
    title: str
    set: str
    cases: Sequence[Case]
    rounds: float = 1.0
    """The share of the requested rounds."""
    baseline: str = ""
    """The case by whose times the others' are divided."""


def threads() -> int:
    """Return how many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def _ripgrep(folder: Path) -> list[str]:
    return ["rg", "--no-config", "-c", "--mmap", "-F", NEEDLE, str(next(folder.glob("*.jsonl")))]


def _ripgrep_start(folder: Path) -> list[str]:
    return ["rg", "--no-config", "-c", "--mmap", "-F", NEEDLE, os.devnull]


def _scan_cases() -> list[Case]:
    def ours(name: str, width: str = "", **options: object) -> Case:
        environment = {"SESSSCAN_WIDTH": width} if width else {}
        return Case(name, "sessscan_scan", options, environment, ours=True)

    cases = [
        Case(RIPGREP, command=_ripgrep, needs="rg", status=1, output="", ours=True),
        Case(RIPGREP_START, command=_ripgrep_start, needs="rg", status=1, output="", ours=True),
        ours(ONE, threads=1),
        ours(TWO, threads=2),
    ]
    if threads() > 2:
        cases.append(ours(ALL))
    cases.append(ours("sessscan, strict", threads=1, strict=True))
    return [
        *cases,
        *(ours(f"sessscan, {width}", width, threads=1) for width in machine.widths()),
        *_peer_cases(),
        Case("DuckDB, all threads", "peer", {"name": "duckdb", "threads": None}, needs="duckdb"),
        Case("Polars, all threads", "peer", {"name": "polars"}, needs="polars"),
    ]


def _peer_cases() -> list[Case]:
    return [
        Case(REFERENCE, "reference_scan", ours=True),
        Case(JSON, "peer", {"name": "plain_json"}),
        Case("orjson", "peer", {"name": "orjson"}, needs="orjson"),
        Case("pysimdjson", "peer", {"name": "pysimdjson"}, needs="simdjson"),
        Case("msgspec", "peer", {"name": "msgspec"}, needs="msgspec"),
        Case("DuckDB", "peer", {"name": "duckdb", "threads": 1}, needs="duckdb"),
        Case("Polars", "peer", {"name": "polars"}, {"POLARS_MAX_THREADS": "1"}, needs="polars"),
    ]


def _console_script(folder: Path) -> list[str]:
    script = shutil.which("sessscan", path=str(Path(sys.executable).parent))
    return [script or shutil.which("sessscan") or "sessscan", "--version"]


def _empty_app(folder: Path) -> list[str]:
    return [sys.executable, str(Path(__file__).with_name("empty.py"))]


STORE_CASES = (
    Case(SDK, "sdk_list_sessions", needs="claude_agent_sdk"),
    Case(ONE, "sessscan_store", {"threads": 1}, ours=True),
    Case(ALL, "sessscan_store", ours=True),
)
INDEX_CASES = (
    Case(STAT, "stat_loop", ours=True),
    Case(RESCAN, "index_rescan", ours=True),
    Case(APPENDED, "index_rescan", {"appended": 1_000_000}, ours=True),
)
RECONCILE_CASES = (
    Case(RECONCILE, "sessscan_reconcile", ours=True),
    Case(BARE, "bare_reading", ours=True, needs="simdjson"),
)
START_CASES = (
    Case(EMPTY_APP, command=_empty_app, output="", ours=True),
    Case(VERSION, command=_console_script, output=f"sessscan {version('sessscan')}", ours=True),
)
CONVERSATION_CASES = (
    Case(ONE, "sessscan_scan", {"threads": 1}, ours=True),
    Case(CONVERSATION, "sessscan_conversation", ours=True),
    Case(SDK_MESSAGES, "sdk_messages", needs="claude_agent_sdk"),
)
EVENT_CASES = (Case(EVENTS, "sessscan_events", ours=True),)


def all_sections() -> list[Section]:
    """Return all sections, in the order in which they run."""
    one = Case(ONE, "sessscan_scan", {"threads": 1}, ours=True)
    two = Case(TWO, "sessscan_scan", {"threads": 2}, ours=True)
    return [
        Section("interpreter", "The interpreter alone", "", (Case(NOTHING, "nothing", ours=True),), 0.5),
        Section("transcript", "One transcript of the usual shape", "transcript", _scan_cases(), baseline=ONE),
        Section("short", "One of short lines", "short", _scan_cases(), 0.5, ONE),
        Section("huge", "One of few huge lines", "huge", _scan_cases(), 0.5, ONE),
        Section("damaged", "A damaged one: who gets over it", "damaged", (one, *_peer_cases()), 0.0, ONE),
        Section("long", "A long one", "long", (one, two, *EVENT_CASES), 0.5, ONE),
        Section("line", "One that is a single line", "line", (one, two), 0.5, ONE),
        Section("events", "The events of the usual one", "transcript", EVENT_CASES),
        Section(
            "conversation", "The conversation of the usual one", "transcript", CONVERSATION_CASES, 0.5, ONE
        ),
        Section("store", "Many transcripts in project folders", "store", STORE_CASES, baseline=ONE),
        Section("index", "The same with the index, scanned before", "store", INDEX_CASES, baseline=STAT),
        Section(
            "reconcile", "A registry of large rows, and its transcripts", "rows", RECONCILE_CASES, 1.0, BARE
        ),
        Section("start", "How long the command takes to start", "", START_CASES, 3.0, EMPTY_APP),
    ]
