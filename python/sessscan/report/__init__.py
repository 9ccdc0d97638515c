"""Make the report: one page of HTML that loads nothing and runs no script.

Jinja2 escapes the texts. Pygal draws the charts as SVG: its colours can follow the reader's light or dark
scheme, and it needs no script, so that the page can forbid all scripts. Plotly, Bokeh and Vega would need
megabytes of script; Matplotlib fixes the colours, and draws text as outlines that nobody can search or have
read aloud.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

from ..model import Progress
from ..reconciliation import plan_of
from ..reconciliation.inventory import take_inventory
from ..render import newfile
from ..scan_cache import USE_INDEX
from ..snapshots.source import SnapshotSource
from ..stores.locate import StrPath


def make(
    stores: StrPath | Iterable[StrPath] | None = None,
    projects: StrPath | Iterable[StrPath] | None = None,
    *,
    given: Sequence[str] = (),
    index: bool = USE_INDEX,
    progress: Progress | None = None,
    now: int | None = None,
) -> tuple[str, int]:
    """Return the page, and how many files or folders could not be read for it.

    `stores`, `projects` and `index` are those of `reconcile`. `given`: the options for the commands that the
    page suggests. `progress` is called with the bytes of transcripts scanned so far, and of all of them.
    `now`: the time of the report in epoch ms, by default the present.

    Raises OSError for a folder that was named and cannot be read, and `ImportError` without the extra
    `report`.
    """
    from . import page  # at first: without the extra it fails, before anything is read
    from .facts import gather

    now = int(time.time() * 1000) if now is None else now
    stores, projects = _as_list(stores), _as_list(projects)
    with closing(SnapshotSource(read=True)) as snapshots:
        inventory = take_inventory(stores, projects, progress, now, index, snapshots)
        plan = plan_of(inventory)
    facts = gather(plan, inventory.transcripts, now)
    return page.render(facts, given), facts.unread


def save(page: str, path: Path, *, force: bool = False) -> None:
    """Write the page to a file, mode 0600, whole or not at all. Only with `force` is a file replaced.

    Raises `OutputFileError` if it must not be written there, and OSError.
    """
    newfile.check(path, force=force)
    with newfile.create(path, force=force) as stream:
        stream.write(page.encode("utf-8"))


def _as_list(paths: StrPath | Iterable[StrPath] | None) -> StrPath | list[StrPath] | None:
    return paths if paths is None or isinstance(paths, str | Path) else list(paths)  # type: ignore[arg-type]
