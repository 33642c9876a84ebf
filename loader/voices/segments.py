"""Segments and chunks: planned utterances, the audio made of them, and when each is heard."""

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from loader.engines.base import Plan, Samples
from loader.text.front_end import Reading


@dataclass(frozen=True)
class Segment:
    """One planned utterance: its text is read and its length is known, its audio is still to be made."""

    #: Number of its sentence, from 0; parts of a long sentence share it.
    sentence: int
    reading: Reading
    #: The language it was read in, as the manifest names it.
    language: str
    #: Silence before it.
    pause_samples: int
    plan: Plan


@dataclass(frozen=True)
class TimedSegment:
    """A segment with its place in the audio, in samples from the first one."""

    segment: Segment
    start_samples: int
    end_samples: int


@dataclass(frozen=True)
class Chunk:
    """A window of samples or of silence, with the segment that begins in it; None inside a segment."""

    samples: Samples
    begins: TimedSegment | None = None


def chunks(results: Generator[tuple[Segment | None, Samples], None, None]) -> Generator[Chunk, None, None]:
    """Yield the audio, without empty chunks.

    Args:
        results: of the segments' work, in order, each with its segment if it is the first of it; closed with this generator.
    """
    heard, begins = 0, None
    with closing(results):
        for segment, samples in results:
            if segment is not None:
                if segment.pause_samples:
                    yield Chunk(np.zeros(segment.pause_samples, dtype=np.float32))
                begins = _time_segment(segment, heard + segment.pause_samples, samples.size)
                heard = begins.end_samples
            if samples.size:
                yield Chunk(samples, begins)
                begins = None


def time_segments(segments: Iterator[Segment]) -> Iterator[TimedSegment]:
    """Yield each segment with its place; makes audio only if the engine learns the length by speaking."""
    heard = 0
    for segment in segments:
        spoken = sum(work().size for work in segment.plan.work) if segment.plan.samples_per_id is None else 0
        timed = _time_segment(segment, heard + segment.pause_samples, spoken)
        heard = timed.end_samples
        yield timed


def _time_segment(segment: Segment, start_samples: int, spoken_samples: int) -> TimedSegment:
    known = segment.plan.samples_per_id
    return TimedSegment(segment, start_samples, start_samples + (spoken_samples if known is None else int(known.sum())))
