"""Command line of `ops/bench`."""

import functools
import inspect
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import psutil

from app.system.machine import this_machine, usage_now, used_by_others
from loader.errors import LoaderError

from .availability import coldstart, hang, health, respawn
from .engines import engines
from .formats import formats
from .hostile import hostile, nginx, slow_readers
from .load import fairness, overload, tune
from .memory import longtext, memory
from .report import Measure, Run, markdown_table, measure_rounds, print_report
from .speed import latency, throughput
from .swap import swap
from .text import text
from .watchdog import watchdog

#: Each benchmark and its default number of rounds. It gets a run and its own options, which click keeps on the function, and
#: returns its measurement of one round. Its docstring is the help, and explains the figures below the table.
_BENCHMARKS: Mapping[Callable[..., Measure], int] = {
    coldstart: 5, respawn: 3, hang: 3, health: 1, memory: 3, longtext: 1, throughput: 3, latency: 3, engines: 3, formats: 3,
    overload: 3, fairness: 3, nginx: 3, slow_readers: 3, hostile: 1, watchdog: 2, tune: 5,
    text: 1, swap: 1,
}  # fmt: skip


@click.group(context_settings={"terminal_width": 130})
def main() -> None:
    """Measure this server, beside the native way of speaking, in turn, in one run."""


def _add(benchmark: Callable[..., Measure], default_rounds: int) -> None:
    name, (summary, text) = benchmark.__name__.replace("_", "-"), str(inspect.getdoc(benchmark)).split("\n\n")

    # \b keeps the lines as they are.
    @main.command(name, help=f"{summary}\n\n\b\n{text}", short_help=summary)
    @click.option("--rounds", type=click.IntRange(1), help=f"How often.  [default: {default_rounds}, or 1 if --quick]")
    @click.option("--quick", is_flag=True, help="The smallest form: shows that the benchmark works, its figures mean nothing.")
    @click.option("--json", "json_path", type=click.Path(path_type=Path, dir_okay=False), help="Write JSON too.")
    @functools.wraps(benchmark)
    def command(rounds: int | None, quick: bool, json_path: Path | None, **options: Any) -> None:
        if not (shutil.which("espeak-ng") or shutil.which("espeak")):
            raise click.ClickException("the native side needs the program espeak-ng; on Debian: apt install espeak-ng")
        machine, before = this_machine(), usage_now()
        with tempfile.TemporaryDirectory(prefix="chorus-bench-") as scratch:
            run = Run(rounds or (1 if quick else default_rounds), Path(scratch), quick)
            figures = measure_rounds(benchmark(run, **options), run.rounds)
        document = {
            "benchmark": name, "machine": asdict(machine), "cores_used_by_others": used_by_others(before, usage_now()),
            "figures": figures, "notes": text.splitlines(),
        }  # fmt: skip
        if json_path is not None:
            json_path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        print_report(document, machine)


for _benchmark, _rounds in _BENCHMARKS.items():
    _add(_benchmark, _rounds)


@main.command("table")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
def _table(paths: tuple[Path, ...]) -> None:
    """Print JSON reports of the benchmarks as the Markdown table of docs/benchmarks.md."""
    print(markdown_table(paths))


def _run() -> int:
    # SIGTERM unwinds as Ctrl-C does, so that no server is left behind.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
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
        # An interrupt may fall between the start of a process and its `with`.
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                process.kill()
    return 0


if __name__ == "__main__":
    sys.exit(_run())
