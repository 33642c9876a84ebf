"""Progress of slow work on a terminal; nothing is drawn if standard error is not a terminal."""

import os
import sys
import threading
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

#: Work that ends sooner is not drawn.
SLOW_S = 1.0
_REDRAW_S = 0.1


@contextmanager
def show_bytes(
    title: str | Callable[[], str], total_bytes: int | Callable[[], int | None], done_bytes: Callable[[], int]
) -> Iterator[None]:
    """Draw a bar of `done_bytes()`, which is called from a thread of its own, as the others are that may change."""

    def state() -> dict[str, Any]:
        description, total = title() if callable(title) else title, total_bytes() if callable(total_bytes) else total_bytes
        return {"description": description, "total": total, "completed": done_bytes()}

    def columns() -> list[Any]:
        from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn

        text = TextColumn("{task.description}", markup=False)
        return [text, BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()]

    with _draw_if_slow(columns, state):
        yield


@contextmanager
def show_time(text: Callable[[], str], total_s: float, done_s: Callable[[], float]) -> Iterator[None]:
    """Draw a bar of the time that work may take; both functions are called from a thread of its own.

    Lines that are printed to standard error meanwhile appear above it.
    """

    def columns() -> list[Any]:
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

        return [TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeElapsedColumn()]

    def state() -> dict[str, Any]:
        return {"description": text(), "total": total_s, "completed": min(done_s(), total_s)}

    with _draw_if_slow(columns, state, has_lines=True):
        yield


@contextmanager
def show_text(text: Callable[[], str]) -> Iterator[None]:
    """Draw a clock and `text()`, which is called from a thread of its own."""
    with _draw_if_slow(_clock, lambda: {"description": text()}):
        yield


@contextmanager
def watched_stages() -> Iterator[None]:
    """Show the lines that a child process writes to standard error, the unfinished one with a clock.

    Without a terminal the lines pass unchanged. The calling thread must start the child, which ends with that thread.
    """
    if not sys.stderr.isatty():
        yield
        return
    sys.stderr.flush()
    terminal = os.dup(2)
    reading, writing = os.pipe()
    os.dup2(writing, 2)
    os.close(writing)
    follower = threading.Thread(target=_follow, args=(reading, terminal), daemon=True)
    follower.start()
    try:
        yield
    finally:
        sys.stderr.flush()
        # Closes the last writing end of the pipe, which ends the follower.
        os.dup2(terminal, 2)
        follower.join()
        os.close(reading)


def _follow(reading: int, terminal: int) -> None:
    """Print finished lines and draw the unfinished one, until the pipe is closed. Closes `terminal`."""
    from rich.progress import Progress

    decoder = getincrementaldecoder("utf-8")("replace")
    with os.fdopen(terminal, "w", encoding="utf-8", errors="replace") as file, Progress(
        *_clock(), console=_console(file), transient=True, redirect_stdout=False, redirect_stderr=False
    ) as progress:
        task, pending = progress.add_task("", total=None, visible=False), ""
        while data := os.read(reading, 65536):
            *lines, pending = (pending + decoder.decode(data)).split("\n")
            for line in lines:
                progress.console.print(_visible(line), markup=False, highlight=False, soft_wrap=True)
                progress.reset(task, visible=False)
            progress.update(task, description=_visible(pending), visible=bool(pending))


def _visible(line: str) -> str:
    """Return the part of a line that a terminal shows after carriage returns."""
    return line.rstrip("\r").rpartition("\r")[2]


@contextmanager
def _draw_if_slow(
    columns: Callable[[], list[Any]], state: Callable[[], dict[str, Any]], has_lines: bool = False
) -> Iterator[None]:
    if not sys.stderr.isatty():
        yield
        return
    over = threading.Event()
    drawer = threading.Thread(target=_draw, args=(columns, state, over, has_lines), daemon=True)
    drawer.start()
    try:
        yield
    finally:
        over.set()
        drawer.join()


def _draw(
    columns: Callable[[], list[Any]], state: Callable[[], dict[str, Any]], over: threading.Event, has_lines: bool
) -> None:
    if over.wait(SLOW_S):
        return
    from rich.progress import Progress

    with Progress(
        *columns(), console=_console(sys.stderr), transient=True, redirect_stdout=False, redirect_stderr=has_lines
    ) as progress:
        task = progress.add_task("", total=None)
        while not over.wait(_REDRAW_S):
            progress.update(task, **state())


def _clock() -> list[Any]:
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    return [SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn()]


def _console(file: Any) -> Any:
    from rich.console import Console

    return Console(file=file)
