"""Draw the picture for the README."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .measure import Result
from .sections import ALL, BARE, JSON, ONE, RECONCILE, REFERENCE, RIPGREP, SDK
from .targets import Results

OURS, LIMIT, PEER = "#c2562e", "#8a8a8a", "#b9c4d0"
INK = "#303030"


def draw(
    path: Path, results: Results, sizes: dict[str, int], machine: dict[str, object], claims: bool
) -> None:
    """Draw speeds on one transcript and times for many, as SVG or PNG by the file's name.

    `claims`: whether the figures mean anything. Needs matplotlib.
    """
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    pyplot.rcParams.update(
        {"svg.hashsalt": "sessscan", "font.size": 9, "text.color": INK, "axes.edgecolor": INK}
    )
    scan = [result for result in results.get("transcript", {}).values() if result.seconds]
    scan.sort(key=lambda result: (result.case.name != RIPGREP, result.median))
    figure = pyplot.figure(figsize=(10, 0.22 * len(scan) + 1.1))
    grid = figure.add_gridspec(3, 2, width_ratios=(5, 3), height_ratios=(3, 2, 2))

    size = sizes.get("transcript", 0)
    left = figure.add_subplot(grid[:, 0])
    left.set_title(f"Exact metadata of one transcript of {_size(size)}, in GB/s", fontsize=9, loc="left")
    speeds = [size / result.median / 1e9 for result in scan]
    _bars(left, scan, speeds, [f"{speed:.2f}" for speed in speeds])

    titles = {
        "store": f"A store of {_size(sizes.get('store', 0))} in many files, in seconds",
        "reconcile": "reconcile, a dry run, in seconds",
        "start": "A command's start, in seconds",
    }
    for row, (section, title) in enumerate(titles.items()):
        found = [result for result in results.get(section, {}).values() if result.seconds]
        axes = figure.add_subplot(grid[row, 1])
        axes.set_title(title, fontsize=9, loc="left")
        _bars(
            axes, found, [result.median for result in found], [f"{r.median:.2f}{_faults(r)}" for r in found]
        )

    note = f"{machine['processor']}, files in the page cache, medians; one thread unless said."
    if not claims:
        note = "SMOKE TEST: says nothing about speed."
    figure.text(0.01, 0.01, note, fontsize=7)
    figure.tight_layout(rect=(0, 0.03, 1, 1))
    figure.savefig(
        path, metadata={"Date": None} if path.suffix == ".svg" else None, facecolor="white", dpi=160
    )
    pyplot.close(figure)


def _size(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


def _bars(axes: Any, results: list[Result], values: list[float], texts: list[str]) -> None:
    places = range(len(results))
    colours = [_colour(result.case.name) for result in results]
    bars = axes.barh(places, values, color=colours, height=0.72)
    axes.bar_label(bars, labels=texts, padding=3, fontsize=8)
    axes.set_yticks(places, [_name(result.case.name) for result in results])
    axes.invert_yaxis()
    axes.set_xticks([])
    axes.margins(x=0.22)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _colour(name: str) -> str:
    if name.startswith("sessscan"):
        return OURS
    return LIMIT if name == RIPGREP else PEER


def _name(name: str) -> str:
    names = {
        RIPGREP: "ripgrep, a fixed string",
        REFERENCE: "pure Python, all fields",
        JSON: "pure Python (json)",
        SDK: "list_sessions, files' ends",
        RECONCILE: "sessscan.reconcile",
        BARE: "only parse and scan",
        ONE: "sessscan, 1 thread",
        ALL: "sessscan, all threads",
    }
    return names.get(name, name)


def _faults(result: Result) -> str:
    return ", with errors" if result.wrong else ""
