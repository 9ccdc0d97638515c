"""The charts: drawn by pygal, freed of its scripts and styles; the page's own style sheet colours them."""

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
"""By which room is left for texts. The style sheet draws them at most as large."""
_LONGEST = 22
"""Characters of a label; the tables beside the charts have the whole text."""
_LABELS = 6
"""So many of them fit side by side."""
_BARS = 8

_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML may hold, not even escaped."""
_SVG = "{http://www.w3.org/2000/svg}"


def charts(facts: Facts) -> dict[str, Markup]:
    """The charts by name; those that would show nothing are left out."""
    bars = facts.timeline
    drawn = {
        "timeline": _columns(
            "Sessions by when they were last used",
            [bar.label for bar in bars],
            {"begun in the app": [bar.desktop for bar in bars], "elsewhere": [bar.other for bar in bars]},
        ),
        "sizes": _columns("Sessions by size of the transcript", SIZES, {"sessions": facts.sizes}),
        "folders": _rows("Size of transcripts by folder", _by_name(facts.folders[:_BARS]), size),
        "deadlines": _columns(
            "Sessions by how soon they will be deleted",
            list(facts.deadlines),
            {"sessions": list(facts.deadlines.values())},
        ),
        "defects": _rows("Damaged places in transcripts by kind", facts.defects, lambda count: f"{count:,}"),
    }
    return {name: chart for name, chart in drawn.items() if chart is not None}


def _by_name(folders: Sequence[Folder]) -> dict[str, int]:
    """Sizes by the last part of each path; of those that have it in common, by more of them."""
    names = Counter(_end(folder.path, 1) for folder in folders)
    sizes: dict[str, int] = {}
    for folder in folders:
        name = _end(folder.path, 1)
        name = _short(name if names[name] == 1 else _end(folder.path, 2))
        sizes[name] = sizes.get(name, 0) + folder.size
    return sizes


def _columns(title: str, labels: Sequence[str], series: Mapping[str, Sequence[int]]) -> Markup | None:
    """Upright bars, stacked where there are several series."""
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
    chart.x_labels = [label if not place % every else "" for place, label in enumerate(labels)]
    # A series keeps its colour where the other one is empty.
    for name, values in series.items():
        chart.add(name, [value or None for value in values])
    said = "; ".join(
        f"{label}: {', '.join(f'{v[place]:,} {name}' for name, v in used.items())}"
        for place, label in enumerate(labels)
        if any(v[place] for v in used.values())
    )
    return _inline(chart, f"{title}. {said}")


def _rows(title: str, amounts: Mapping[str, int], form: Callable[[int], str]) -> Markup | None:
    """Lying bars, the largest on top."""
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
        formatter=lambda value: form(round(value)),
        range=(0, max(amounts.values()) * 1.22),  # room for the figure at the end of the longest bar
    )
    upwards = list(amounts.items())[::-1]
    chart.x_labels = [name for name, _ in upwards]
    chart.add("", [value for _, value in upwards])
    said = "; ".join(f"{name}: {form(value)}" for name, value in amounts.items())
    return _inline(chart, f"{title}. {said}")


def _ticks(top: int) -> list[int]:
    """Whole numbers from 0 on, four or five of them."""
    step = next(unit * 10**power for power in range(20) for unit in (1, 2, 5) if unit * 10**power * 4 >= top)
    return list(range(0, top + step, step))


def _end(path: str, parts: int) -> str:
    """The last parts of a path of any platform."""
    end = "/".join(path.replace("\\", "/").rstrip("/").split("/")[-parts:])
    return _NOT_XML.sub("\ufffd", clean(end)) or "(no folder)"


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"…{name[1 - _LONGEST :]}"


def _inline(chart: pygal.Graph, description: str) -> Markup:
    """The SVG as a part of a page: an image with a description, without scripts, styles and tooltips."""
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
