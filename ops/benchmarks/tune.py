"""Whether `chorus tune` gives the same answer again: the whole command, several times on the same machine."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from .processes import ROOT, ChildFailedError
from .report import Figure, Report, Target, figure, progress
from .voices import embedded_voice, write_config

OPTIONS = (
    click.option("--budget", default="10m", show_default=True, help="Of each run; see chorus tune."),
    click.option("--slo", default="first_audio_p95=300ms,total_p95=2s", show_default=True, help="See chorus tune."),
)
#: No setting meets the objectives; that is an answer too.
_NO_SETTING = 76


@dataclass(frozen=True)
class Answer:
    """What one run recommended."""

    workers: int
    threads: int
    rate_hz: float
    capacity_hz: float
    #: Whether the rate held with other arrivals.
    is_confirmed: bool


def tune(rounds: int, scratch: Path, budget: str, slo: str) -> Report:
    """The same recommendation of chorus tune, again and again."""
    config = write_config(scratch, embedded_voice(scratch).model_path, 2)
    answers = [_answer(number, config, scratch / f"round-{number}", budget, slo) for number in range(1, rounds + 1)]
    return Report(_figures(answers), (f"The embedded voice, {slo}, {budget} a run, arrivals of the same seed.",))


def _answer(number: int, config: Path, out: Path, budget: str, slo: str) -> Answer:
    words = ["--config", str(config), "--out", str(out), "--no-plot", "--budget", budget, "--slo", slo]
    done = subprocess.run([sys.executable, "-m", "app.cli", "tune", *words], cwd=ROOT, stdout=subprocess.PIPE, check=False)
    if done.returncode not in (0, _NO_SETTING):
        raise ChildFailedError(f"chorus tune ended with status {done.returncode}")
    verdict = json.loads((out / "tune.json").read_text(encoding="utf-8"))["verdict"]
    setting = verdict["setting"]
    answer = Answer(
        setting["workers"], setting["threads"], verdict["rate_hz"], verdict["capacity_hz"], verdict["is_confirmed"]
    )
    progress(f"round {number}: {answer.workers} x {answer.threads}, {answer.rate_hz:.2f} requests a second")
    return answer


def _figures(answers: Sequence[Answer]) -> tuple[Figure, ...]:
    ((_, times),) = Counter((each.workers, each.threads) for each in answers).most_common(1)
    return (
        figure("workers", "", answers, lambda each: each.workers),
        figure("threads", "", answers, lambda each: each.threads),
        figure("sustained", "1/s", answers, lambda each: each.rate_hz),
        figure("capacity", "1/s", answers, lambda each: each.capacity_hz),
        figure("confirmed", "x", answers, lambda each: float(each.is_confirmed)),
        Figure("same answer, of all", "x", (times / len(answers),), Target(">=", 1.0)),
    )
