"""Looking again and again on a terminal, and once elsewhere."""

import os
import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live

from app.cli.top_source import NoServerError, Source
from app.cli.top_view import view
from app.scoreboard.rates import RecentSnapshots

_KEYS = "q or Ctrl-C ends this; the server goes on"


def show_once(source: Source, interval_s: float, console: Console) -> None:
    """Print what is seen; rates take a second look."""
    looks = RecentSnapshots()
    looks.add(source.look())
    time.sleep(interval_s)
    looks.add(source.look())
    console.print(view(looks))


def watch(source: Source, interval_s: float, console: Console) -> None:
    """Show what is seen until q or Ctrl-C is pressed.

    Raises:
        EndedError: the server is there no more.
    """
    looks, note = RecentSnapshots(), _KEYS
    looks.add(source.look())
    with _keys() as pressed, Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            live.update(view(looks, console.height, note), refresh=True)
            if pressed(interval_s) in ("q", "Q", "\x03"):
                return
            note = _looked_again(source, looks)


def _looked_again(source: Source, looks: RecentSnapshots) -> str:
    """Add a look, and return what is to be said; a server that does not say once may do so the next time."""
    try:
        looks.add(source.look())
    except NoServerError as error:
        return f"as it was before: {error}"
    return _KEYS


@contextmanager
def _keys() -> Iterator[Callable[[float], str]]:
    """Have keys come one by one and unseen, Ctrl-C among them; yields how to wait for one, empty where none came."""
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    tty.setcbreak(terminal)
    changed = termios.tcgetattr(terminal)
    # Neither may leave the terminal as it is now.
    changed[3] &= ~termios.ISIG
    termios.tcsetattr(terminal, termios.TCSANOW, changed)

    def pressed(within_s: float) -> str:
        ready, _, _ = select.select([terminal], [], [], within_s)
        return os.read(terminal, 1).decode("latin-1") if ready else ""

    try:
        yield pressed
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def is_terminal() -> bool:
    """Return whether somebody watches and can press keys."""
    return sys.stdin.isatty() and sys.stdout.isatty()
