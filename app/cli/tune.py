"""`chorus tune`: how many workers and threads this machine should serve with."""

import importlib.util
import signal
import sys
import tempfile
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
    from app.tuning.files import Ending
    from app.tuning.journal import Journal
    from app.tuning.machine import Machine
    from app.tuning.plan import Question
    from loader.config.settings import Settings

#: Beside the packages `app` and `loader`, wherever those are.
_PROCESS_MODEL = Path(__file__).resolve().parent.parent.parent / "gunicorn.conf.py"
_MOST_SEED = 2**31
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class NoSettingError(LoaderError):
    """Measured, and nothing on this machine does what was asked for."""

    exit_status = 76
    permanent = True


@dataclass(frozen=True)
class Wanted:
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
@click.option("--seed", type=click.IntRange(0, _MOST_SEED), default=1, metavar="N", show_default=True, help="Of the arrivals.")
@click.option(
    "-o", "--out", default="tune", metavar="DIR", show_default=True, type=click.Path(path_type=Path),
    help="Where tune.json, tune.yaml and tune.svg go.",
)  # fmt: skip
@click.option("--no-plot", is_flag=True, help="Leave tune.svg out; then matplotlib is not needed.")
def tune(config: Path, out: Path, no_plot: bool, **options: Any) -> None:
    """Find out how many workers and threads serve most requests within an SLO, on this machine.

    Starts the real server on a port of its own, once for each setting, and asks it: one
    request at a time, as fast as it can, and at random times like people do. Latency counts
    from when a request was meant to be sent. Nothing else should run meanwhile. The usual
    setting, a worker a core and four threads each, is the answer unless another one does a
    third more beside it: less than that is luck.

    Writes tune.json (everything measured), tune.yaml (what to put into the configuration, each
    value with its reason) and tune.svg. Ctrl-C keeps what was measured. Ends with status 76
    where no setting does what was asked for, and says which comes nearest.

    A line of --mix is a text, or an object such as {"input": "Hello.", "voice": "joe",
    "weight": 3} with any field of /v1/audio/speech.

    \b
    chorus tune
    chorus tune --slo first_audio_p95=300ms,total_p95=2s --memory 8GiB
    chorus tune --slo total_p99=1.5s --mix requests.jsonl --budget 30m --out results
    chorus tune --workers 2,4 --threads 4 --cores 4 --budget 2m
    """
    from app.tuning.files import prepare
    from app.tuning.plot import require_plotting
    from loader.config.settings import load_settings

    if not no_plot:
        require_plotting()
    _require_server()
    settings = load_settings(config)
    question = asked(Wanted(**options), settings)
    prepare(out)
    _conclude(question, _measured(question, settings, out, not no_plot))


def asked(wanted: Wanted, settings: "Settings") -> "Question":
    """Return what is to be found out.

    Raises:
        BadQuantityError: an option cannot be read; the message names it.
    """
    from app.tuning.limits import usable_memory, wanted_cores
    from app.tuning.mix import builtin_mix, read_mix
    from app.tuning.objectives import read_objectives
    from app.tuning.plan import Question, check_budget
    from app.tuning.quantities import duration_s, size_bytes
    from app.tuning.setting import THREADS, read_counts, settings_of, worker_counts

    with _named("--cores"):
        cores = wanted_cores(wanted.cores)
    with _named("--slo"):
        objectives = read_objectives(wanted.slo)
    with _named("--memory"):
        memory_bytes = size_bytes(wanted.memory, 2**26, 2**50) if wanted.memory else usable_memory().size_bytes
    with _named("--workers"):
        workers = read_counts(wanted.workers, 1, 512) if wanted.workers else worker_counts(cores, 512)
    with _named("--threads"):
        threads = read_counts(wanted.threads, 2, 64) if wanted.threads else THREADS
    compared = settings_of(workers, threads)
    with _named("--budget"):
        budget_s = duration_s(wanted.budget, 1.0, 7 * 24 * 3600.0)
        check_budget(budget_s, compared)
    with _named("--mix"):
        mix = read_mix(wanted.mix) if wanted.mix else builtin_mix()
    return Question(objectives, memory_bytes, cores, mix, compared, budget_s, wanted.seed, settings.limits.text_characters)


@contextmanager
def _named(option: str) -> Iterator[None]:
    from app.tuning.quantities import BadQuantityError

    try:
        yield
    except BadQuantityError as error:
        raise BadQuantityError(f"{option}: {error}") from error


def _require_server() -> None:
    if not _PROCESS_MODEL.is_file() or importlib.util.find_spec("gunicorn") is None:
        raise MissingPackageError(
            f"tuning starts the server, which takes {_PROCESS_MODEL} and gunicorn; "
            "run it in a checkout: pip install --editable '.[serve,tune]'"
        )


def _measured(question: "Question", settings: "Settings", out: Path, plot: bool) -> "Journal":
    """Measure, and write the files of what was measured, whatever ends it."""
    from app.cli.progress import watched_stages
    from app.cli.tuning_progress import shown_tuning
    from app.tuning.bench import Bench
    from app.tuning.journal import Journal
    from app.tuning.serving import Gunicorn, processors_for
    from app.tuning.tuner import tune as measure
    from loader.voices.catalog import locate_all

    with watched_stages():
        locate_all(settings)
    journal = Journal()
    with (
        _ended_as_by_ctrl_c(),
        _kept(question, journal, out, plot),
        tempfile.TemporaryDirectory(prefix="chorus-tune-") as scratch,
        shown_tuning(question.budget_s) as telling,
    ):
        servers = Gunicorn(settings, _PROCESS_MODEL, Path(scratch), processors_for(question.cores))
        measure(Bench(question, servers.launch, journal, telling))
    return journal


@contextmanager
def _ended_as_by_ctrl_c() -> Iterator[None]:
    """Have SIGTERM, and SIGHUP of a terminal that is closed, unwind too: dying at once would leave a server running."""

    def interrupt(number: int, frame: Any) -> NoReturn:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _kept(question: "Question", journal: "Journal", out: Path, plot: bool) -> Iterator[None]:
    """Write the files afterwards, also where that is early."""
    from app.tuning.files import Ending
    from app.tuning.limits import throttled_s
    from app.tuning.machine import this_machine, usage_now, used_by_others

    machine, before, throttled_before_s, how = this_machine(), usage_now(), throttled_s(), "failed"
    try:
        yield
        how = "whole"
    except KeyboardInterrupt:
        how = "interrupted"
        raise
    finally:
        at, after = datetime.now(UTC).isoformat(timespec="seconds"), usage_now()
        held_back_s = throttled_s() - throttled_before_s
        ending = Ending(how, at, after.clock_s - before.clock_s, held_back_s, used_by_others(before, after))
        with _undisturbed():
            _write(question, journal, machine, ending, out, plot)


def _write(question: "Question", journal: "Journal", machine: "Machine", ending: "Ending", out: Path, plot: bool) -> None:
    from app.tuning.files import contents, write

    if not journal.windows:
        return
    files = contents(question, journal, machine, ending, plot)
    write(out, files)
    print(f"chorus: written: {', '.join(str(out / name) for name in files)}", file=sys.stderr, flush=True)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let nobody press Ctrl-C meanwhile: drawing takes a second, in which impatience would lose what was measured."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _conclude(question: "Question", journal: "Journal") -> None:
    """Print what came of it, and end as documented."""
    from app.tuning.advice import advice_of
    from app.tuning.summary import conclusion, summary
    from app.tuning.verdict import verdict_of

    verdict = verdict_of(question, journal)
    for line in summary(question, journal, verdict, advice_of(question, verdict) if verdict else ()):
        print(line)
    if verdict is None:
        raise NoSettingError("nothing could be compared; tune.json has what was measured")
    if not verdict.is_met:
        raise NoSettingError(conclusion(question, verdict))
