"""The command line of `ops/bench`."""

import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import click

from app.tuning.machine import usage_now, used_by_others

from . import (
    coldstart,
    engines,
    fairness,
    formats,
    hang,
    health,
    hostile,
    latency,
    longtext,
    memory,
    nginx,
    overload,
    respawn,
    slow_readers,
    throughput,
    tune,
    watchdog,
)
from .machine import require_espeak, this_machine
from .processes import ChildFailedError, end_descendants
from .report import Report, Setting, print_report
from .table import table

#: From the number of rounds, an empty folder and its own options to what was found.
_Measure = Callable[..., Report]
_Option = Callable[[click.Command], click.Command]


@click.group()
def main() -> None:
    """Measure this server beside the native way of speaking, in turn, in one run."""


def _benchmark(rounds: int, *options: _Option) -> Callable[[_Measure], click.Command]:
    def command(measure: _Measure) -> click.Command:
        name = measure.__name__.replace("_", "-")

        @click.option("--rounds", default=rounds, show_default=True, type=click.IntRange(1), help="How often.")
        @click.option("--json", "json_path", type=click.Path(path_type=Path, dir_okay=False), help="Write JSON too.")
        def run(rounds: int, json_path: Path | None, **chosen: Any) -> None:
            require_espeak()
            machine, before = this_machine(), usage_now()
            with tempfile.TemporaryDirectory(prefix="chorus-bench-") as scratch:
                report = measure(rounds, Path(scratch), **chosen)
            others = used_by_others(before, usage_now())
            print_report(report, Setting(name, machine, others), json_path)

        made = main.command(name, help=measure.__doc__)(run)
        for option in options:
            made = option(made)
        return made

    return command


_benchmark(rounds=5)(coldstart.coldstart)
_benchmark(rounds=3)(memory.memory)
_benchmark(rounds=3)(throughput.throughput)
_benchmark(rounds=3)(respawn.respawn)
_benchmark(rounds=3)(hang.hang)
_benchmark(1, *health.OPTIONS)(health.health)
_benchmark(3, *overload.OPTIONS)(overload.overload)
_benchmark(3, *fairness.OPTIONS)(fairness.fairness)
_benchmark(rounds=3)(nginx.nginx)
_benchmark(1, *hostile.OPTIONS)(hostile.hostile)
_benchmark(rounds=3)(slow_readers.slow_readers)
_benchmark(3, *engines.OPTIONS)(engines.engines)
_benchmark(rounds=3)(formats.formats)
_benchmark(3, *latency.OPTIONS)(latency.latency)
_benchmark(1, *longtext.OPTIONS)(longtext.longtext)
_benchmark(5, *tune.OPTIONS)(tune.tune)
_benchmark(2, *watchdog.OPTIONS)(watchdog.watchdog)


@main.command("table")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
def _table(paths: tuple[Path, ...]) -> None:
    """Print the tables of docs/benchmarks.md from JSON files of the benchmarks."""
    print(table(paths))


def _interrupt(number: int, frame: Any) -> NoReturn:
    raise KeyboardInterrupt


def _run() -> int:
    # Being told to end is no reason to leave servers behind, so it unwinds as Ctrl-C does.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        main.main(standalone_mode=False, prog_name="ops/bench")
    except ChildFailedError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 70
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    finally:
        end_descendants()
    return 0


if __name__ == "__main__":
    sys.exit(_run())
