"""A report to look at: one page of HTML that needs nothing else, not even a script.

Jinja2 escapes its texts, pygal draws its charts: as SVG, whose colours follow the reader's light or dark
scheme, and which needs no script, so that the page can forbid every script. Plotly, Bokeh and Vega would need
megabytes of it; Matplotlib fixes the colours, and draws text as outlines that nobody can search or read out.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from .. import _core
from ..model import Progress
from ..reconciliation import reconcile
from ..render import newfile
from ..scan_cache import USE_INDEX
from ..scan_cache import scan as recorder
from ..stores.locate import StrPath, list_transcripts, locate


def make(
    stores: StrPath | Iterable[StrPath] | None = None,
    projects: StrPath | Iterable[StrPath] | None = None,
    *,
    given: Sequence[str] = (),
    index: bool = USE_INDEX,
    progress: Progress | None = None,
    now: int | None = None,
) -> tuple[str, int]:
    """The page, and how many files or folders could not be read for it. Writes nothing into a store.

    `stores` and `projects` as for `reconcile`; `given`: the options for the commands that the page suggests;
    `index`: read only what is new of the transcripts, as `reconcile` does; `progress` is called with the
    bytes of transcripts that are scanned and that are to be; `now`: epoch ms, if another time is
    meant. Raises OSError for a folder that was named, and `ImportError`
    without the extra `report`.
    """
    from . import page  # first of all: without the extra there is no need to read anything
    from .facts import gather

    now = int(time.time() * 1000) if now is None else now
    stores, projects = _listed(stores), _listed(projects)
    plan = reconcile(stores, projects, index=index, progress=progress, now=now)
    listing = list_transcripts(locate(stores, projects).projects)
    scan_many = recorder.scan_many if index else _core.scan_many
    facts = gather(plan, scan_many(listing.transcripts), now)
    return page.render(facts, given), facts.unread


def save(page: str, path: Path, *, force: bool = False) -> None:
    """Writes the page to a new file, mode 0600, whole or not at all; with `force` also over another file.

    Raises `OutputFileError` for what may not be replaced, and OSError.
    """
    newfile.check(path, force=force)
    with newfile.create(path, force=force) as stream:
        stream.write(page.encode("utf-8"))


def _listed(paths: StrPath | Iterable[StrPath] | None) -> StrPath | list[StrPath] | None:
    return paths if paths is None or isinstance(paths, str | Path) else list(paths)  # type: ignore[arg-type]
