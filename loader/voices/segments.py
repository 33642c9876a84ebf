"""Utterances on their way from paper to sound: in order, with the silence between them, and when each is heard."""

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from loader.engines.base import Plan, Samples
from loader.text.utterance import Reading


@dataclass(frozen=True)
class Passage:
    """One utterance, read and measured, still to be made audible."""

    #: Number of its sentence, from 0; parts of a long sentence share it.
    sentence: int
    reading: Reading
    #: The language it was read in, as the manifest names it.
    language: str
    #: Silence before it.
    pause_samples: int
    plan: Plan


@dataclass(frozen=True)
class Placed:
    """A passage, and when it is heard: samples from the first one of the whole audio."""

    passage: Passage
    start_samples: int
    end_samples: int


@dataclass(frozen=True)
class Stretch:
    """A window of samples or of silence, and the passage that begins with it; None within one."""

    samples: Samples
    begins: Placed | None = None


def stretches(results: Generator[tuple[Passage | None, Samples], None, None]) -> Generator[Stretch, None, None]:
    """Yield what is heard, no stretch of it empty.

    Args:
        results: of the passages' work, in order, each with the passage it is the first of; closed with this generator.
    """
    heard, begins = 0, None
    with closing(results):
        for passage, samples in results:
            if passage is not None:
                if passage.pause_samples:
                    yield Stretch(np.zeros(passage.pause_samples, dtype=np.float32))
                begins = placed(passage, heard + passage.pause_samples, samples.size)
                heard = begins.end_samples
            if samples.size:
                yield Stretch(samples, begins)
                begins = None


def measured(passages: Iterator[Passage]) -> Iterator[Placed]:
    """Yield when each passage is heard, made audible only where its engine learns its length by speaking."""
    heard = 0
    for passage in passages:
        spoken = sum(work().size for work in passage.plan.work) if passage.plan.samples_per_id is None else 0
        found = placed(passage, heard + passage.pause_samples, spoken)
        heard = found.end_samples
        yield found


def placed(passage: Passage, start_samples: int, spoken_samples: int) -> Placed:
    """Return where a passage stands; `spoken_samples` count where its engine learns its length only by speaking."""
    known = passage.plan.samples_per_id
    return Placed(passage, start_samples, start_samples + (spoken_samples if known is None else int(known.sum())))
