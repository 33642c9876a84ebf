"""`chorus tune`: how many workers and threads this machine should serve with."""

import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.cli import config_option
from app.cli.serve import ROOT, find_process_model
from loader.errors import LoaderError

if TYPE_CHECKING:
    from app.tuning.plan import TuningPlan
    from app.tuning.results import Measurements

_MAX_SEED = 2**31
_ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: Starting a server, warming it up and a test of some requests; and what a run takes beside its candidates.
_MIN_CANDIDATE_S, _MIN_RUN_S = 6.0, 20.0


class NoCandidateError(LoaderError):
    """No candidate on this machine meets the objectives."""

    exit_status = 76
    permanent = True


class _Parsed(click.ParamType[Any]):
    """A value that a function of `app.tuning` parses; its ValueError is shown with the name of the option."""

    def __init__(self, name: str, parse: Callable[[Any, str], Any]) -> None:
        self.name, self._parse = name, parse

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse the value, see `click.ParamType`."""
        from app import tuning
        from app.tuning import plan, workload  # noqa: F401

        try:
            return self._parse(tuning, value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


_OBJECTIVES = _Parsed("LIST", lambda tuning, text: tuning.plan.parse_objectives(text))
_SIZE = _Parsed("SIZE", lambda tuning, text: tuning.plan.parse_size_bytes(text, 2**26, 2**50))
_DURATION = _Parsed("TIME", lambda tuning, text: tuning.plan.parse_duration_s(text, 1.0, 7 * 24 * 3600.0))
_WORKERS = _Parsed("LIST", lambda tuning, text: tuning.plan.parse_counts(text, "workers"))
_THREADS = _Parsed("LIST", lambda tuning, text: tuning.plan.parse_counts(text, "threads"))
_WORKLOAD = _Parsed("FILE", lambda tuning, text: tuning.workload.load_workload(Path(text)))


@click.command(short_help="Measure how many workers and threads to serve with.")
@config_option
@click.option(
    "--slo", "objectives", type=_OBJECTIVES, default="first_audio_p95=300ms,total_p95=2s", show_default=True,
    help="first_audio or total, _p and a percentile, =, a duration; several by commas.",
)  # fmt: skip
@click.option("--memory", type=_SIZE, help="Such as 8GiB; default: what the control group or the machine has.")
@click.option("--cores", type=click.IntRange(1, 1024), metavar="N", help="Default: those of affinity and control group.")
@click.option("--mix", type=_WORKLOAD, help="A text a line; default: ten English texts.")
@click.option(
    "--workers", type=_WORKERS,
    help="Numbers to compare, such as 1,2,4; default: from one to half more than cores.",
)  # fmt: skip
@click.option("--threads", type=_THREADS, help="Numbers to compare; default: 2,4,8.")
@click.option("--budget", type=_DURATION, default="10m", show_default=True, help="How long to measure.")
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
    four threads each, is recommended unless another candidate does a third more: less than that
    is luck.

    Writes tune.json (everything measured), tune.yaml (what to put into the configuration, each
    value with its reason) and tune.svg. Ctrl-C keeps what was measured. Ends with status 76
    if no candidate meets the objectives, and names the nearest.

    A line of --mix is a text, or an object such as {"input": "Hello.", "voice": "joe",
    "weight": 3} with any field of /v1/audio/speech.

    \b
    chorus tune
    chorus tune --slo first_audio_p95=300ms,total_p95=2s --memory 8GiB
    chorus tune --slo total_p99=1.5s --mix requests.jsonl --budget 30m --out results
    chorus tune --workers 2,4 --threads 4 --cores 4 --budget 2m
    """
    from app.cli.progress import show_time, watched_stages
    from app.tuning.candidate import candidate_launcher
    from app.tuning.plan import format_duration
    from app.tuning.recommend import recommend
    from app.tuning.report import conclusion, prepare, require_plotting, summary
    from app.tuning.results import Measurements
    from app.tuning.search import Tuner
    from loader.artifacts.resolve import locate_all
    from loader.config.settings import load_settings

    if not no_plot:
        require_plotting()
    find_process_model(ROOT)
    settings = load_settings(config)
    plan, measurements = plan_of(settings.limits.text_characters, **options), Measurements()
    prepare(out)
    with watched_stages():
        locate_all(settings)
    _show(f"candidates: {len(plan.candidates)}, budget: {format_duration(plan.budget_s)}")
    with _written(plan, measurements, out, not no_plot), tempfile.TemporaryDirectory(prefix="chorus-tune-") as scratch:
        tuner = Tuner(plan, candidate_launcher(settings, Path(scratch), plan.cores), measurements, _show)

        def counted() -> str:
            return f"chorus: {len(measurements.load_tests)} load tests"

        with show_time(counted, plan.budget_s, lambda: plan.budget_s - tuner.left_s):
            tuner.run()
    found = recommend(plan, measurements)
    print("\n".join(summary(plan, measurements, found)))
    if found is None:
        raise NoCandidateError("nothing could be compared; tune.json has what was measured")
    if not found.is_met:
        raise NoCandidateError(conclusion(plan, found))


def plan_of(
    max_characters: int, objectives: Any, memory: int | None, cores: int | None, mix: Any, workers: tuple[int, ...] | None,
    threads: tuple[int, ...] | None, budget: float, seed: int,
) -> "TuningPlan":  # fmt: skip
    """Return the plan by the options; None is a default that depends on the machine.

    Raises:
        click.BadParameter: more cores than there are, or too little time for the candidates.
    """
    from app.system.cgroup import cpu_budget
    from app.system.machine import usable_memory_bytes
    from app.tuning.plan import THREADS, TuningPlan, candidates_of, default_workers, format_duration
    from app.tuning.workload import builtin_workload

    usable = cpu_budget().used
    if cores and cores > usable:
        raise click.BadParameter(f"{cores} cores are wanted, but affinity and CPU quota allow {usable}", param_hint="--cores")
    cores = cores or usable
    candidates = candidates_of(workers or default_workers(cores), threads or THREADS, cores)
    min_s = _MIN_RUN_S + _MIN_CANDIDATE_S * len(candidates)
    if budget < min_s:
        raise click.BadParameter(
            f"expected at least {format_duration(min_s)} for {len(candidates)} candidates; give more, or fewer --workers and "
            "--threads", param_hint="--budget",
        )  # fmt: skip
    memory_bytes, workload = memory or usable_memory_bytes(), mix or builtin_workload()
    return TuningPlan(objectives, candidates, memory_bytes, cores, workload, max_characters, budget, seed)


def _show(line: str) -> None:
    print(f"chorus: {line}", file=sys.stderr, flush=True)


@contextmanager
def _written(plan: "TuningPlan", measurements: "Measurements", out: Path, with_plot: bool) -> Iterator[None]:
    """Write the files afterwards, whatever ends the run; SIGTERM and SIGHUP end it as Ctrl-C does."""
    from app.system.machine import this_machine, usage_now, used_by_others
    from app.tuning.report import Ending, contents
    from loader.storage.files import write_aside

    for number in _ENDING_SIGNALS:
        # Dying at once would leave a server running.
        signal.signal(number, signal.default_int_handler)
    machine, before, how = this_machine(), usage_now(), "failed"
    try:
        yield
        how = "whole"
    except KeyboardInterrupt:
        how = "interrupted"
        raise
    finally:
        # Drawing takes a second, in which a second Ctrl-C would lose what was measured.
        for number in _ENDING_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        at, after = datetime.now(UTC).isoformat(timespec="seconds"), usage_now()
        ending = Ending(how, at, after.clock_s - before.clock_s, used_by_others(before, after))
        if measurements.load_tests:
            for name, text in contents(plan, measurements, machine, ending, with_plot).items():
                write_aside(out / name, text.encode())
                _show(f"written: {out / name}")
