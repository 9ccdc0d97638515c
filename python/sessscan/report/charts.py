"""Draw the charts with pygal, without its scripts and styles: the page's own style sheet colours them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from xml.etree import ElementTree

import pygal
from markupsafe import Markup
from pygal.style import Style

from ..render.text import clean, size
from .facts import SIZES, Facts, Folder

_STYLE = Style(label_font_size=14, major_label_font_size=14, value_font_size=14, legend_font_size=14)
"""The font sizes by which pygal leaves room for texts. The style sheet draws none larger."""
_LONGEST = 22
"""Characters of a label. The tables beside the charts have the whole text."""
_LABELS = 6
"""The most labels that fit side by side."""
_BARS = 8
"""The most bars of a horizontal chart."""

_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML forbids, even escaped."""
_SVG = "{http://www.w3.org/2000/svg}"


def charts(facts: Facts) -> dict[str, Markup]:
    """Return the charts by name, without those that would show nothing."""
    bars = facts.timeline
    drawn = {
        "timeline": _vertical(
            "Sessions by when they were last used",
            [bar.label for bar in bars],
            {"begun in the app": [bar.desktop for bar in bars], "elsewhere": [bar.other for bar in bars]},
        ),
        "sizes": _vertical("Sessions by size of the transcript", SIZES, {"sessions": facts.sizes}),
        "folders": _horizontal("Size of transcripts by folder", _by_name(facts.folders[:_BARS]), size),
        "deadlines": _vertical(
            "Sessions by how soon they will be deleted",
            list(facts.deadlines),
            {"sessions": list(facts.deadlines.values())},
        ),
        "defects": _horizontal(
            "Damaged places in transcripts by kind", facts.defects, lambda count: f"{count:,}"
        ),
    }
    return {name: chart for name, chart in drawn.items() if chart is not None}


def _by_name(folders: Sequence[Folder]) -> dict[str, int]:
    """Return the sizes by the last part of each path, or by the last two where several share the last."""
    names = Counter(_end(folder.path, 1) for folder in folders)
    sizes: dict[str, int] = {}
    for folder in folders:
        name = _end(folder.path, 1)
        name = _short(name if names[name] == 1 else _end(folder.path, 2))
        sizes[name] = sizes.get(name, 0) + folder.size
    return sizes


def _vertical(title: str, labels: Sequence[str], series: Mapping[str, Sequence[int]]) -> Markup | None:
    """Draw vertical bars, stacked if there are several series."""
    if not any(any(values) for values in series.values()):
        return None
    used = {name: values for name, values in series.items() if any(values)}
    top = max(map(sum, zip(*used.values(), strict=True)))
    kind = pygal.StackedBar if len(series) > 1 else pygal.Bar
    chart = kind(
        style=_STYLE,
        width=460,
        height=250 if len(series) == 1 else 270,
        margin=6,
        margin_top=20,
        show_legend=len(series) > 1,
        legend_at_bottom=True,
        legend_at_bottom_columns=2,
        legend_box_size=11,
        print_values=len(series) == 1,
        print_values_position="top",
        print_zeroes=False,
        truncate_label=-1,
        formatter=lambda value: f"{value:,.0f}",
        value_formatter=lambda value: f"{value:,.0f}",
        y_labels=_ticks(top),
    )
    every = -(-len(labels) // _LABELS)
    chart.x_labels = [label if not index % every else "" for index, label in enumerate(labels)]
    # An empty series is drawn too, so that the other one keeps its colour.
    for name, values in series.items():
        chart.add(name, [value or None for value in values])
    description = "; ".join(
        f"{label}: {', '.join(f'{v[index]:,} {name}' for name, v in used.items())}"
        for index, label in enumerate(labels)
        if any(v[index] for v in used.values())
    )
    return _inline(chart, f"{title}. {description}")


def _horizontal(title: str, amounts: Mapping[str, int], format_value: Callable[[int], str]) -> Markup | None:
    """Draw horizontal bars, the largest on top."""
    if not any(amounts.values()):
        return None
    chart = pygal.HorizontalBar(
        style=_STYLE,
        width=460,
        height=44 + 30 * max(len(amounts), 2),
        margin=6,
        margin_right=12,
        show_legend=False,
        print_values=True,
        print_values_position="top",
        truncate_label=-1,
        formatter=lambda value: format_value(round(value)),
        range=(0, max(amounts.values()) * 1.22),  # room for the figure at the end of the longest bar
    )
    upwards = list(amounts.items())[::-1]
    chart.x_labels = [name for name, _ in upwards]
    chart.add("", [value for _, value in upwards])
    description = "; ".join(f"{name}: {format_value(value)}" for name, value in amounts.items())
    return _inline(chart, f"{title}. {description}")


def _ticks(top: int) -> list[int]:
    """Return whole numbers from 0 to at least `top`, in steps of 1, 2 or 5 times a power of ten."""
    step = next(unit * 10**power for power in range(20) for unit in (1, 2, 5) if unit * 10**power * 4 >= top)
    return list(range(0, top + step, step))


def _end(path: str, parts: int) -> str:
    """Return the last parts of a path of any platform."""
    end = "/".join(path.replace("\\", "/").rstrip("/").split("/")[-parts:])
    return _NOT_XML.sub("\ufffd", clean(end)) or "(no folder)"


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"…{name[1 - _LONGEST :]}"


def _inline(chart: pygal.Graph, description: str) -> Markup:
    """Return the SVG for use in a page: with a description, without scripts, styles and tooltips."""
    root = ElementTree.fromstring(chart.render())
    for parent in list(root.iter()):
        for child in list(parent):
            name = str(child.tag).removeprefix(_SVG)
            unwanted = name in ("defs", "desc", "script", "style", "title")
            if unwanted or "tooltip-overlay" in child.get("class", ""):
                parent.remove(child)
    for element in root.iter():
        element.tag = str(element.tag).removeprefix(_SVG)
        element.attrib.pop("id", None)
    root.set("role", "img")
    root.set("aria-label", description)
    return Markup(ElementTree.tostring(root, encoding="unicode"))  # ElementTree has escaped it
