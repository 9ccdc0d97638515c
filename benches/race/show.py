"""Print the results as tables on the terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.console import Console
from rich.table import Table

from .measure import Result, ratio
from .sections import Section
from .targets import MIB, Results, Target, memory


def section(console: Console, at: Section, results: Results, size: int) -> None:
    """Print the cases of one section. `size`: the bytes of its data; 0: print no speed."""
    cases = results[at.name]
    speed = size > 0
    table = Table(title=at.title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("median", justify="right")
    if speed:
        table.add_column("GB/s", justify="right")
    if at.baseline:
        table.add_column(f"÷ {at.baseline}", justify="right")
    table.add_column("memory", justify="right")
    table.add_column("answers")
    base = cases.get(at.baseline)
    for result in cases.values():
        row = [result.case.name]
        if result.seconds:
            row.append(seconds(result.median))
            if speed:
                row.append(f"{size / result.median / 1e9:.2f}")
            if at.baseline:
                row.append(f"{ratio(result, base):.2f}" if base and base.seconds else "")
            more = memory(result, results)
            row.append("" if more is None else f"{max(more, 0) / MIB:,.0f} MiB")
            row.append(_verdict(result))
        else:
            row += [""] * (len(table.columns) - 2) + [_short(result.failure)]
        table.add_row(*row)
    console.print(table)
    for result in cases.values():
        for name, taken in result.extra.items():
            console.print(
                f"{result.case.name}, {name}: {seconds(sorted(taken)[len(taken) // 2])}\n", markup=False
            )


def targets(console: Console, found: Iterable[Target]) -> None:
    table = Table(title="To reach", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("work", "target", "measured", "", ""):
        table.add_column(name, justify="right" if name == "measured" else "left")
    for target in found:
        measured = "not measured" if target.measured is None else f"{target.measured:.2f}"
        met = {True: "met", False: "NOT MET", None: ""}[target.met]
        table.add_row(target.work, target.bound, measured, met, target.remark)
    console.print(table)


def seconds(value: float) -> str:
    if value < 0.001:
        return f"{value * 1e6:.0f} µs"
    return f"{value * 1000:.1f} ms" if value < 1 else f"{value:.2f} s"


def _verdict(result: Result) -> str:
    if result.case.subject in ("", "nothing"):
        return ""
    if not result.wrong:
        return "right"
    if result.case.subject == "peer":
        return "wrong: " + ", ".join(fault.split()[0] for fault in result.wrong)
    return "; ".join(_short(fault) for fault in result.wrong)


def _short(text: str) -> str:
    return text if len(text) <= 90 else text[:89] + "…"
