"""`chorus top`: live view of a running server's scoreboard."""

import os
import select
import sys
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from loader.errors import LoaderError

if TYPE_CHECKING:
    from rich.console import Console

    from app.scoreboard.discovery import Found
    from app.scoreboard.snapshot import Snapshot

_KEYS = "press q or Ctrl-C to quit; the server keeps running"


@click.command(short_help="Watch a running server.")
@click.option("--pid", type=click.IntRange(1), metavar="PID", help="Master or worker of the server; default: the only one here.")
@click.option(
    "--interval", "interval_s", type=click.FloatRange(0.1, 60.0), metavar="SECONDS", default=1.0, show_default=True,
    help="Time between two updates.",
)  # fmt: skip
@click.option("--once", is_flag=True, help="Print one view and exit; the default if the output is not a terminal.")
def top(pid: int | None, interval_s: float, once: bool) -> None:
    """Show the load of a server and of each worker, until you press q.

    Reads the shared memory of a server on this machine: it works even if every worker hangs.
    Rates are between two updates. Columns: a/w/s/p counts requests that are active, that wait,
    that are in synthesis, and answers parked for slow clients; oldest is the age of the oldest
    chunk in synthesis, and the age at which its worker counts as stalled; took is the usual
    request time; audio is seconds of audio per second; mem is private memory / heap in use.

    \b
    chorus top
    chorus top --once
    chorus top --pid 4242
    """
    from rich.console import Console

    try:
        run = _print_once if once or not _is_terminal() else _watch
        run(find_server(pid), interval_s, Console())
    except EndedError as error:
        print(f"chorus: {error}", file=sys.stderr)


class NoServerError(LoaderError):
    """There is no server to watch, or more than one."""

    exit_status = 69


class EndedError(Exception):
    """The watched server has ended."""


class WatchedServer:
    """A server on this machine, read from its shared memory; nothing is sent to it."""

    def __init__(self, found: "Found") -> None:
        self._pid, self._board = found.pid, found.board
        # A pidfd, because the kernel may reuse the pid.
        self._process = os.pidfd_open(found.pid)
        weakref.finalize(self, os.close, self._process)

    def snapshot(self) -> "Snapshot":
        """Read the scoreboard.

        Raises:
            EndedError: the master has ended; this process still maps its memory.
        """
        from app.scoreboard.snapshot import snapshot

        if select.select([self._process], [], [], 0)[0]:
            raise EndedError(f"the server of master {self._pid} has ended")
        return snapshot(self._board)


def find_server(pid: int | None) -> WatchedServer:
    """Return the server of process `pid`, or the only server of this user.

    Raises:
        NoServerError: there is none, or more than one.
    """
    from app.scoreboard.discovery import servers

    try:
        return WatchedServer(only(servers(os.getuid())) if pid is None else _of_process(pid))
    except ProcessLookupError as error:
        raise NoServerError("the server has just ended") from error


def only(found: Sequence["Found"]) -> "Found":
    """Return the one server of the list.

    Raises:
        NoServerError: there is none, or more than one.
    """
    from app.scoreboard.snapshot import snapshot

    if len(found) == 1:
        return found[0]
    if not found:
        raise NoServerError("this user runs no server here; start one (chorus serve), or select one with --pid")
    seen = [(each.pid, snapshot(each.board)) for each in found]
    listed = "\n".join(f"  --pid {pid}  up {each.up_s:.0f} s, {len(each.workers)} workers" for pid, each in seen)
    raise NoServerError(f"this user runs {len(found)} servers here; select one with --pid\n{listed}")


def _of_process(pid: int) -> "Found":
    from app.scoreboard.discovery import server_of

    try:
        found = server_of(pid)
    except PermissionError as error:
        raise NoServerError(f"process {pid} belongs to another user; run chorus top as that user") from error
    except OSError as error:
        raise NoServerError(f"there is no process {pid}; chorus top without --pid finds the servers here") from error
    if found is None:
        raise NoServerError(f"process {pid} is not a Chorus server of this version; chorus top without --pid finds those here")
    return found


def _print_once(server: WatchedServer, interval_s: float, console: "Console") -> None:
    """Print one view; rates need two snapshots."""
    from app.cli.top_view import view
    from app.scoreboard.rates import History

    history = History()
    history.add(server.snapshot())
    time.sleep(interval_s)
    history.add(server.snapshot())
    console.print(view(history))


def _watch(server: WatchedServer, interval_s: float, console: "Console") -> None:
    """Update the view until q or Ctrl-C is pressed.

    Raises:
        EndedError: the server has ended.
    """
    from rich.live import Live

    from app.cli.top_view import view
    from app.scoreboard.rates import History

    history = History()
    with _keys() as wait_for_key, Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            history.add(server.snapshot())
            live.update(view(history, console.height, _KEYS), refresh=True)
            if wait_for_key(interval_s) in ("q", "Q", "\x03"):
                return


@contextmanager
def _keys() -> Iterator[Callable[[float], str]]:
    """Read single keys without echo, including Ctrl-C; yields a function that returns a key, or "" after a timeout."""
    import termios
    import tty

    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    tty.setcbreak(terminal)
    changed = termios.tcgetattr(terminal)
    # Ctrl-C must restore the terminal too.
    changed[3] &= ~termios.ISIG
    termios.tcsetattr(terminal, termios.TCSANOW, changed)

    def wait_for_key(timeout_s: float) -> str:
        ready, _, _ = select.select([terminal], [], [], timeout_s)
        return os.read(terminal, 1).decode("latin-1") if ready else ""

    try:
        yield wait_for_key
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()
