"""Repeatability of `chorus tune`: the whole command several times on the same machine."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable

import click

from app.tuning.server import ROOT, ServerFailedError

from .report import Report, Run, Value
from .voices import embedded_voice, write_config

OPTIONS = (
    click.option("--budget", default="10m", show_default=True, help="Of each run; see chorus tune."),
    click.option("--slo", default="first_audio_p95=300ms,total_p95=2s", show_default=True, help="See chorus tune."),
)
#: Exit status if no candidate meets the objectives; that is an answer too.
_NO_CANDIDATE = 76


def tune(run: Run, budget: str, slo: str) -> Report:
    """The recommendation of chorus tune, again and again.

    Pairing: none; every round is a run with the same arrivals.
    Figures: workers, threads, requests a second, share of runs with the most frequent answer. Target: all.
    """
    # The smallest form has one candidate: a budget has to be long enough for all.
    budget, candidates = run.size(budget, "1m"), run.size([], ["--workers", "1", "--threads", "2"])
    config = write_config(run.scratch, embedded_voice(run.scratch).model_path, 2)

    answers: list[tuple[int, int]] = []

    def measure(number: int) -> Iterable[Value]:
        out = run.scratch / f"round-{number}"
        words = ["--config", str(config), "--out", str(out), "--no-plot", "--budget", budget, "--slo", slo, *candidates]
        done = subprocess.run([sys.executable, "-m", "app.cli", "tune", *words], cwd=ROOT, stdout=subprocess.PIPE, check=False)
        if done.returncode not in (0, _NO_CANDIDATE):
            raise ServerFailedError(f"chorus tune ended with status {done.returncode}")
        found = json.loads((out / "tune.json").read_text(encoding="utf-8"))["recommendation"]
        workers, threads = found["candidate"]["workers"], found["candidate"]["threads"]
        answers.append((workers, threads))
        yield Value("workers", "", workers)
        yield Value("threads", "", threads)
        yield Value("sustained", "1/s", found["rate_hz"])
        yield Value("capacity", "1/s", found["capacity_hz"])
        if number == run.rounds:
            ((_, times),) = Counter(answers).most_common(1)
            yield Value("same answer, of all", "x", times / len(answers), ">= 1")

    return run.report(measure, f"The embedded voice, {slo}, {budget} a run, arrivals of the same seed.")
