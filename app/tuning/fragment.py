"""Advice as a piece of tts_config.yaml, each key under its reason."""

import textwrap
from collections.abc import Sequence

from app.tuning.advice import Advice
from app.tuning.objectives import shown_objectives
from app.tuning.plan import Question
from app.tuning.quantities import shown_size
from app.tuning.verdict import Verdict

_WIDTH = 100


def fragment(question: Question, verdict: Verdict, advice: Sequence[Advice], date: str) -> str:
    """Return YAML with a comment before each key. It names only what was tuned: to be put into a configuration."""
    lines = _comment(_heading(question, verdict, date)) + [""]
    for each in (each for each in advice if "." not in each.key):
        lines += [*_comment(each.reason), f"{each.key}: {_written(each.value)}"]
    parents = dict.fromkeys(each.key.partition(".")[0] for each in advice if "." in each.key)
    for parent in parents:
        lines += [f"{parent}:"]
        for each in (each for each in advice if each.key.startswith(f"{parent}.")):
            lines += [f"  {line}" for line in _comment(each.reason)]
            lines += [f"  {each.key.removeprefix(f'{parent}.')}: {_written(each.value)}"]
    return "\n".join(lines) + "\n"


def _heading(question: Question, verdict: Verdict, date: str) -> str:
    asked = f"{shown_objectives(question.objectives)} in {shown_size(question.memory_bytes)} on {question.cores:g} cores"
    met = "" if verdict.is_met else "NO SETTING DOES WHAT WAS ASKED FOR; this one came nearest. "
    doubts = " ".join(f"Mind: {each}." for each in verdict.doubts)
    return f"{met}Measured by chorus tune on {date} for {asked}, with {question.mix.name} texts. {doubts}".strip()


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="# ", break_long_words=False)


def _written(value: int | float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.12g}" if value != int(value) else f"{value:.1f}"
