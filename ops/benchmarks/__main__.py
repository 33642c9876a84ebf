"""Command line of `ops/bench`."""

import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import click
import psutil

from app.tuning.machine import this_machine, usage_now, used_by_others
from loader.errors import LoaderError

from . import (
    engines,
    fairness,
    formats,
    health,
    hostile,
    latency,
    longtext,
    memory,
    overload,
    startup,
    throughput,
    tune,
    watchdog,
)
from .report import Report, Run, markdown_table, print_report

#: From a run and the benchmark's own options to the result.
_Measure = Callable[..., Report]
_Option = Callable[[click.Command], click.Command]

#: Each benchmark, its default number of rounds, and its own options.
_BENCHMARKS: tuple[tuple[_Measure, int, tuple[_Option, ...]], ...] = (
    (startup.coldstart, 5, ()),
    (startup.respawn, 3, ()),
    (startup.hang, 3, ()),
    (memory.memory, 3, ()),
    (throughput.throughput, 3, ()),
    (latency.latency, 3, latency.OPTIONS),
    (longtext.longtext, 1, longtext.OPTIONS),
    (formats.formats, 3, ()),
    (engines.engines, 3, engines.OPTIONS),
    (health.health, 1, health.OPTIONS),
    (overload.overload, 3, overload.OPTIONS),
    (fairness.fairness, 3, fairness.OPTIONS),
    (hostile.nginx, 3, ()),
    (hostile.slow_readers, 3, ()),
    (hostile.hostile, 1, hostile.OPTIONS),
    (watchdog.watchdog, 2, watchdog.OPTIONS),
    (tune.tune, 5, tune.OPTIONS),
)


@click.group(context_settings={"terminal_width": 130})
def main() -> None:
    """Measure this server, beside the native way of speaking, in turn, in one run."""


def _add(measure: _Measure, rounds: int, options: tuple[_Option, ...]) -> None:
    name = measure.__name__.replace("_", "-")

    @click.option("--rounds", type=click.IntRange(1), help=f"How often.  [default: {rounds}, or 1 if --quick]")
    @click.option("--quick", is_flag=True, help="The smallest form: shows that the benchmark works, its figures mean nothing.")
    @click.option("--json", "json_path", type=click.Path(path_type=Path, dir_okay=False), help="Write JSON too.")
    def command(rounds: int | None, quick: bool, json_path: Path | None, _default: int = rounds, **options: Any) -> None:
        if not (shutil.which("espeak-ng") or shutil.which("espeak")):
            raise click.ClickException("the native side needs the program espeak-ng; on Debian: apt install espeak-ng")
        machine, before = this_machine(), usage_now()
        with tempfile.TemporaryDirectory(prefix="chorus-bench-") as scratch:
            report = measure(Run(rounds or (1 if quick else _default), Path(scratch), quick), **options)
        print_report(report, name, machine, used_by_others(before, usage_now()), json_path)

    summary, *_, details = (measure.__doc__ or "").strip().partition("\n\n")
    # \b keeps the lines as they are.
    paragraphs = "\n".join(line.strip() for line in details.splitlines())
    made = main.command(name, help=f"{summary}\n\n\b\n{paragraphs}", short_help=summary)(command)
    for option in options:
        made = option(made)


for _each in _BENCHMARKS:
    _add(*_each)


@main.command("table")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
def _table(paths: tuple[Path, ...]) -> None:
    """Print JSON reports of the benchmarks as the Markdown table of docs/benchmarks.md."""
    print(markdown_table(paths))


def _interrupt(number: int, frame: Any) -> NoReturn:
    raise KeyboardInterrupt


def _end_descendants() -> None:
    """Kill all descendants: an interrupt may fall between a start and its `with`."""
    for process in psutil.Process().children(recursive=True):
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue


def _run() -> int:
    # SIGTERM unwinds as Ctrl-C does, so that no server is left behind.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        main.main(standalone_mode=False, prog_name="ops/bench")
    except LoaderError as error:
        print(f"bench: {error}", file=sys.stderr)
        return error.exit_status
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    finally:
        _end_descendants()
    return 0


if __name__ == "__main__":
    sys.exit(_run())
