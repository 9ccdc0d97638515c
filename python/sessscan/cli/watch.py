"""`sessscan watch`: take snapshots of rows as they are saved, and report lost ones."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .command import command
from .formats import Format, Shape, option, write
from .options import InsecureState, Projects, Stores

if TYPE_CHECKING:
    from ..model import WatchEvent


@command(
    "Take snapshots as rows are saved; report lost ones.",
    example="sessscan watch --repair --notify 'tee -a lost.jsonl'",
)
def watch(
    store: Stores = None,
    projects: Projects = None,
    notify: Annotated[
        str | None,
        typer.Option(
            metavar="COMMAND",
            help="Run this command for each finding, with the finding as a JSON object on its stdin. It is "
            "not run by a shell: if you need one, give sh -c '...'.",
        ),
    ] = None,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair", help="Put lost rows back when the desktop app is closed, as reconcile would."
        ),
    ] = False,
    transcripts: Annotated[
        bool,
        typer.Option(
            "--transcripts",
            help="Keep what transcripts hold too, as they grow, like snapshot --transcripts; with --repair, "
            "also repair those that are damaged meanwhile, once nobody writes to them.",
        ),
    ] = False,
    form: Annotated[Format, option(Shape.TEXT, Shape.RECORDS)] = Format.TEXT,
    insecure_state: InsecureState = False,
) -> None:
    """Watch the stores: take a snapshot of each row when it is saved; report damaged and removed rows, and
    damaged transcripts.

    It runs until it is ended with Ctrl-C or a signal. Each event is one line. Times are UTC. What an
    interrupted sessscan left in the stores' folders is removed at the start.

    Exit status: 0 ended by a signal; 2 wrong usage; 3 refused: another watch uses the same state folder, or
    that folder cannot be written; 4 the snapshots cannot be opened; 130 ended with Ctrl-C.
    """
    from ..errors import UsageError
    from ..render.data import dump
    from ..render.screen import remark
    from ..render.watching import event_object, print_event
    from ..watching.notify import Notifier
    from ..watching.watch import watch as run
    from .options import fail, folders

    def on_remark(text: str) -> None:
        remark(f"sessscan: {text}")

    stores, roots = folders(store, "--store"), folders(projects, "--projects")
    notifier = None
    if notify is not None:
        try:
            notifier = Notifier(notify, on_remark)
        except UsageError as error:
            fail(f"--notify {notify}: {error}", 2)

    def on_event(event: WatchEvent) -> None:
        content = {Shape.TEXT: lambda: print_event(event), Shape.RECORDS: lambda: [event_object(event)]}
        write(form, content)
        sys.stdout.flush()
        if notifier is not None and event.kind == "finding":
            notifier.send(dump(event_object(event), indent=None).encode() + b"\n")

    stop = threading.Event()
    with _ended_by_signals(stop) as received:
        try:
            run(
                stores,
                roots,
                on_event=on_event,
                on_remark=on_remark,
                repair=repair,
                transcripts=transcripts,
                stop=stop,
            )
        finally:
            if notifier is not None:
                notifier.close()
    if signal.SIGINT in received:
        raise typer.Exit(130)


@contextmanager
def _ended_by_signals(stop: threading.Event) -> Iterator[list[int]]:
    """Set `stop` when a signal to end arrives, and yield the signals. A second Ctrl-C ends at once."""
    received: list[int] = []

    def end(number: int, frame: Any) -> None:
        if number == signal.SIGINT and number in received:
            raise KeyboardInterrupt
        received.append(number)
        stop.set()

    before: dict[int, Any] = {}
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        number = getattr(signal, name, None)
        # A signal that is ignored from the start (by nohup, in a shell's background) stays ignored.
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:
            before[number] = signal.signal(number, end)
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
