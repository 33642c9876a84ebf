"""`chorus tune`: how many workers and threads this machine should serve with."""

import importlib.util
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from app.cli import config_option
from loader.errors import LoaderError, MissingPackageError

if TYPE_CHECKING:
    from app.tuning.machine import Machine
    from app.tuning.question import Question
    from app.tuning.report import Ending
    from app.tuning.results import Measurements
    from app.tuning.search import Progress
    from loader.config.settings import Settings

_MAX_SEED = 2**31
_ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class NoCandidateError(LoaderError):
    """Measured, and no candidate on this machine meets the objectives."""

    exit_status = 76
    permanent = True


@dataclass(frozen=True)
class Options:
    """The command line, as it was written; None is a default that depends on the machine."""

    slo: str
    memory: str | None
    cores: int | None
    mix: Path | None
    budget: str
    seed: int
    workers: str | None
    threads: str | None


@click.command(short_help="Measure how many workers and threads to serve with.")
@config_option
@click.option(
    "--slo", default="first_audio_p95=300ms,total_p95=2s", metavar="LIST", show_default=True,
    help="first_audio or total, _p and a percentile, =, a duration; several by commas.",
)  # fmt: skip
@click.option("--memory", metavar="SIZE", help="Such as 8GiB; default: what the control group or the machine has.")
@click.option("--cores", type=click.IntRange(1, 1024), metavar="N", help="Default: those of affinity and control group.")
@click.option("--mix", type=click.Path(path_type=Path), metavar="FILE", help="A text a line; default: ten English texts.")
@click.option("--workers", metavar="LIST", help="Numbers to compare, such as 1,2,4; default: from one to half more than cores.")
@click.option("--threads", metavar="LIST", help="Numbers to compare; default: 2,4,8.")
@click.option("--budget", default="10m", metavar="TIME", show_default=True, help="How long to measure.")
@click.option("--seed", type=click.IntRange(0, _MAX_SEED), default=1, metavar="N", show_default=True, help="Of the arrivals.")
@click.option(
    "-o", "--out", default="tune", metavar="DIR", show_default=True, type=click.Path(path_type=Path),
    help="Where tune.json, tune.yaml and tune.svg go.",
)  # fmt: skip
@click.option("--no-plot", is_flag=True, help="Leave tune.svg out; then matplotlib is not needed.")
def tune(config: Path, out: Path, no_plot: bool, **options: Any) -> None:
    """Find out how many workers and threads serve most requests within an SLO, on this machine.

    Starts the real server on a port of its own, once for each candidate, and sends requests:
    one at a time, as fast as it answers, and at random times as people do. Latency counts from
    when a request was due. Nothing else should run meanwhile. The baseline, a worker a core and
    four threads each, is the answer unless another candidate does a third more beside it: less
    than that is luck.

    Writes tune.json (everything measured), tune.yaml (what to put into the configuration, each
    value with its reason) and tune.svg. Ctrl-C keeps what was measured. Ends with status 76
    if no candidate meets the objectives, and says which comes nearest.

    A line of --mix is a text, or an object such as {"input": "Hello.", "voice": "joe",
    "weight": 3} with any field of /v1/audio/speech.

    \b
    chorus tune
    chorus tune --slo first_audio_p95=300ms,total_p95=2s --memory 8GiB
    chorus tune --slo total_p99=1.5s --mix requests.jsonl --budget 30m --out results
    chorus tune --workers 2,4 --threads 4 --cores 4 --budget 2m
    """
    from app.tuning.plot import require_plotting
    from app.tuning.report import prepare
    from loader.config.settings import load_settings

    if not no_plot:
        require_plotting()
    _require_server()
    settings = load_settings(config)
    question = question_of(Options(**options), settings)
    prepare(out)
    _conclude(question, _measure(question, settings, out, not no_plot))


def question_of(options: Options, settings: "Settings") -> "Question":
    """Return what is to be found out.

    Raises:
        BadQuantityError: an option cannot be parsed; the message names it.
    """
    from app.tuning.candidate import THREADS, candidates_of, default_workers, parse_counts
    from app.tuning.limits import usable_memory, wanted_cores
    from app.tuning.question import Question, check_budget, parse_objectives
    from app.tuning.units import parse_duration_s, parse_size_bytes
    from app.tuning.workload import builtin_workload, load_workload

    with _naming("--cores"):
        cores = wanted_cores(options.cores)
    with _naming("--slo"):
        objectives = parse_objectives(options.slo)
    with _naming("--memory"):
        memory_bytes = parse_size_bytes(options.memory, 2**26, 2**50) if options.memory else usable_memory().size_bytes
    with _naming("--workers"):
        workers = parse_counts(options.workers, "workers") if options.workers else default_workers(cores)
    with _naming("--threads"):
        threads = parse_counts(options.threads, "threads") if options.threads else THREADS
    candidates = candidates_of(workers, threads)
    with _naming("--budget"):
        budget_s = parse_duration_s(options.budget, 1.0, 7 * 24 * 3600.0)
        check_budget(budget_s, candidates)
    with _naming("--mix"):
        workload = load_workload(options.mix) if options.mix else builtin_workload()
    return Question(
        objectives, memory_bytes, cores, workload, candidates, budget_s, options.seed, settings.limits.text_characters
    )


@contextmanager
def _naming(option: str) -> Iterator[None]:
    """Name the option in the message of a refused value."""
    from app.tuning.units import BadQuantityError

    try:
        yield
    except BadQuantityError as error:
        raise BadQuantityError(f"{option}: {error}") from error


def _require_server() -> None:
    from app.tuning.server import PROCESS_MODEL

    if not PROCESS_MODEL.is_file() or importlib.util.find_spec("gunicorn") is None:
        raise MissingPackageError(
            f"tuning starts the server, which takes {PROCESS_MODEL} and gunicorn; "
            "run it in a checkout: pip install --editable '.[serve,tune]'"
        )


def _measure(question: "Question", settings: "Settings", out: Path, with_plot: bool) -> "Measurements":
    """Measure, and write the files of what was measured, whatever ends it."""
    from app.cli.progress import watched_stages
    from app.tuning.candidate import candidate_launcher
    from app.tuning.results import Measurements
    from app.tuning.search import Tuner
    from loader.voices.catalog import locate_all

    with watched_stages():
        locate_all(settings)
    measurements = Measurements()
    with (
        _ended_as_by_ctrl_c(),
        _written(question, measurements, out, with_plot),
        tempfile.TemporaryDirectory(prefix="chorus-tune-") as scratch,
        tuning_progress(question.budget_s) as progress,
    ):
        Tuner(question, candidate_launcher(settings, Path(scratch), question.cores), measurements, progress).run()
    return measurements


class _Lines:
    """Findings as lines, without a terminal."""

    def doing(self, what: str) -> None:
        """Show nothing."""

    def done(self, line: str) -> None:
        """Write the line."""
        print(f"chorus: {line}", file=sys.stderr, flush=True)


@contextmanager
def tuning_progress(budget_s: float) -> Iterator["Progress"]:
    """Show findings as lines on standard error; on a terminal also what is being done, a clock and a bar of the budget."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    import rich.progress as bars
    from rich.console import Console

    console, text = Console(file=sys.stderr), bars.TextColumn("{task.description}", markup=False)
    columns = (bars.SpinnerColumn(), bars.BarColumn(bar_width=20), bars.TimeElapsedColumn(), text)
    with bars.Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as progress:
        task, began_s = progress.add_task("", total=budget_s), time.monotonic()

        class Bar:
            def doing(self, what: str) -> None:
                progress.update(task, description=what, completed=time.monotonic() - began_s)

            def done(self, line: str) -> None:
                progress.console.print(f"chorus: {line}", markup=False, highlight=False, soft_wrap=True)
                progress.update(task, completed=time.monotonic() - began_s)

        yield Bar()


@contextmanager
def _ended_as_by_ctrl_c() -> Iterator[None]:
    """Have SIGTERM, and SIGHUP of a closed terminal, unwind too: dying at once would leave a server running."""

    def interrupt(number: int, frame: Any) -> NoReturn:
        raise KeyboardInterrupt

    with _handling(interrupt):
        yield


@contextmanager
def _handling(handler: Any) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in _ENDING_SIGNALS}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


@contextmanager
def _written(question: "Question", measurements: "Measurements", out: Path, with_plot: bool) -> Iterator[None]:
    """Write the files afterwards, also if that is early."""
    from app.tuning.limits import throttled_s
    from app.tuning.machine import this_machine, usage_now, used_by_others
    from app.tuning.report import Ending

    machine, before, throttled_before_s, how = this_machine(), usage_now(), throttled_s(), "failed"
    try:
        yield
        how = "whole"
    except KeyboardInterrupt:
        how = "interrupted"
        raise
    finally:
        at, after = datetime.now(UTC).isoformat(timespec="seconds"), usage_now()
        throttled = throttled_s() - throttled_before_s
        ending = Ending(how, at, after.clock_s - before.clock_s, throttled, used_by_others(before, after))
        # Drawing takes a second, in which a second Ctrl-C would lose what was measured.
        with _handling(signal.SIG_IGN):
            _write(question, measurements, machine, ending, out, with_plot)


def _write(
    question: "Question", measurements: "Measurements", machine: "Machine", ending: "Ending", out: Path, with_plot: bool
) -> None:
    from app.tuning.report import contents, write

    if not measurements.windows:
        return
    files = contents(question, measurements, machine, ending, with_plot)
    write(out, files)
    print(f"chorus: written: {', '.join(str(out / name) for name in files)}", file=sys.stderr, flush=True)


def _conclude(question: "Question", measurements: "Measurements") -> None:
    """Print what came of it, and end as documented."""
    from app.tuning.recommend import recommend
    from app.tuning.report import conclusion, summary

    found = recommend(question, measurements)
    for line in summary(question, measurements, found):
        print(line)
    if found is None:
        raise NoCandidateError("nothing could be compared; tune.json has what was measured")
    if not found.is_met:
        raise NoCandidateError(conclusion(question, found))
