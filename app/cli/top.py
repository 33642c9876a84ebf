"""`chorus top`: what a running server does, live."""

import sys

import click


@click.command(short_help="Watch a running server.")
@click.option("--pid", type=click.IntRange(1), metavar="PID", help="Its master or a worker; default: the only server here.")
@click.option("--url", metavar="URL", help="Ask a server elsewhere, such as http://10.0.0.5:5002.")
@click.option(
    "--interval", "interval_s", type=click.FloatRange(0.1, 60.0), metavar="SECONDS", default=1.0, show_default=True,
    help="From one look to the next.",
)  # fmt: skip
@click.option("--once", is_flag=True, help="Print one view and end; so it is where the output is no terminal.")
def top(pid: int | None, url: str | None, interval_s: float, once: bool) -> None:
    """Show what a server and each of its workers do, until you press q.

    A server of this machine is read from its shared memory: it shows even while every worker
    hangs. Rates are from one look to the next. The columns: a/w/s are requests that are let in,
    that wait, and that need a core; oldest is how long the oldest piece of audio has been worked
    on, and when its worker counts as stalled; took is a request's usual time; audio is seconds
    of it per second; mem is the memory of a worker's own, and its heap that is in use.

    \b
    chorus top
    chorus top --once
    chorus top --url http://10.0.0.5:5002
    """
    from rich.console import Console

    from app.cli.top_live import is_terminal, show_once, watch
    from app.cli.top_source import EndedError, source

    if pid is not None and url is not None:
        raise click.UsageError("--pid and --url name two servers; give one of them")
    if url is not None and not url.startswith(("http://", "https://")):
        raise click.UsageError(f"--url is {url[:80]!r}, expected http://host:port")
    try:
        shown = show_once if once or not is_terminal() else watch
        shown(source(pid, url), interval_s, Console())
    except EndedError as error:
        print(f"chorus: {error}", file=sys.stderr)
