"""The arithmetic between VITS's three networks: durations, noise, frames and windows.

Plain numpy, shared by every engine that can run the three networks separately. They
are cut where a length becomes known:

    encode   ids, duration noise      -> mean, log scale, log durations   (one column an id)
    flow     prior                    -> latent                           (one column a frame)
    decode   a window of the latent   -> samples

Noise is drawn here and passed in, so that no network holds a source of chance.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from loader.engines.base import Samples, Utterance
from loader.errors import SynthesisError

Array = npt.NDArray[np.float32]

#: Core frames of the first window when somebody waits for it (0.37 s at 256 samples a frame, 22.05 kHz).
FIRST_WINDOW_FRAMES = 32
#: Most core frames of any window, unless an engine asks for others. Bounds the memory of decoding, whatever the
#: text's length.
WINDOW_FRAMES = 256
#: Longest utterance, in frames (10 minutes at 256 samples a frame, 22.05 kHz): more is a runaway.
MOST_FRAMES = 50_000


class Encoding(NamedTuple):
    """What `encode` returns, all with batch 1 and one column for each of n ids."""

    #: (1, channels, n)
    mean: Array
    #: (1, channels, n), natural logarithm
    log_scale: Array
    #: (1, 1, n), natural logarithm of frames
    log_durations: Array


@dataclass(frozen=True)
class Condition:
    """Who speaks and in which language, as the networks take it; None where the voice has no such choice."""

    #: (1, channels, 1)
    speaker: Array | None = None
    #: (1, channels, 1)
    language: Array | None = None


class Networks(Protocol):
    """The three networks of one VITS voice. Every call may run in any thread."""

    def encode(self, phoneme_ids: npt.NDArray[np.int64], noise: Array, condition: Condition) -> Encoding:
        """Run the text encoder and the duration predictor on ids (1, n) and noise (1, 2, n)."""
        ...

    def flow(self, prior: Array, condition: Condition) -> Array:
        """Turn a prior (1, channels, frames) into a latent of the same shape."""
        ...

    def decode(self, window: Array, condition: Condition) -> Samples:
        """Turn a latent window (1, channels, frames) into frames * samples_per_frame samples."""
        ...


@dataclass(frozen=True)
class VitsFacts:
    """What a VITS artifact's manifest says of its networks."""

    #: Samples the decoder makes of one latent frame.
    samples_per_frame: int
    #: Channels of a latent frame.
    latent_channels: int
    #: Frames on either side that a decoded frame depends on.
    margin_frames: int


@dataclass(frozen=True)
class Conditions:
    """The vectors of a voice's speakers and languages, a row each; None where there is no choice."""

    #: (speakers, channels)
    speakers: Array | None
    #: (languages, channels)
    languages: Array | None

    def of(self, utterance: Utterance) -> Condition:
        """Return the vectors for one utterance."""
        return Condition(_column(self.speakers, utterance.speaker), _column(self.languages, utterance.language))


def _column(table: Array | None, row: int) -> Array | None:
    return None if table is None else table[row].reshape(1, -1, 1)


@dataclass(frozen=True)
class Window:
    """A stretch of frames to decode, and what to keep of the result."""

    #: Frames to feed, margins included: [start, stop).
    start: int
    stop: int
    #: Frames of the result to keep: [keep_from, keep_to), counted from `start`.
    keep_from: int
    keep_to: int


@dataclass(frozen=True)
class VitsEngine:
    """An `Engine` over three networks. Immutable; memory does not grow with the text."""

    networks: Networks
    facts: VitsFacts
    conditions: Conditions
    #: Most core frames of any window.
    window_frames: int = WINDOW_FRAMES

    def speak(self, utterance: Utterance, random: np.random.Generator, soon: bool) -> Iterator[Samples]:
        """Yield the samples of one utterance, window by window (see `Engine.speak`)."""
        condition = self.conditions.of(utterance)
        latent = self._latent(utterance, condition, random)
        hop = self.facts.samples_per_frame
        first = FIRST_WINDOW_FRAMES if soon else None
        for window in plan_windows(latent.shape[2], self.facts.margin_frames, first, self.window_frames):
            decoded = self.networks.decode(latent[:, :, window.start : window.stop], condition)
            yield finite(decoded[window.keep_from * hop : window.keep_to * hop])

    def _latent(self, utterance: Utterance, condition: Condition, random: np.random.Generator) -> Array:
        ids, prosody = np.asarray([utterance.ids], dtype=np.int64), utterance.prosody
        noise = random.standard_normal((1, 2, ids.shape[1]), dtype=np.float32)
        encoding = self.networks.encode(ids, noise * np.float32(prosody.noise_scale_duration), condition)
        frames = frames_per_id(encoding.log_durations, prosody.length_scale)
        mean = np.repeat(encoding.mean, frames, axis=2)
        scale = np.exp(np.repeat(encoding.log_scale, frames, axis=2))
        noise = random.standard_normal(mean.shape, dtype=np.float32)
        return self.networks.flow(mean + noise * scale * np.float32(prosody.noise_scale), condition)


def frames_per_id(log_durations: Array, length_scale: float) -> npt.NDArray[np.int64]:
    """Return how many frames each id lasts, shape (n,), rounded up as Coqui rounds.

    Raises:
        SynthesisError: the predictor gave no finite duration.
    """
    durations = np.exp(log_durations[0, 0]) * np.float32(length_scale)
    if not np.isfinite(durations).all():
        raise SynthesisError("the duration predictor returned a value that is not a number")
    total = float(np.ceil(durations).sum())
    if total > MOST_FRAMES:
        raise SynthesisError(f"the duration predictor asked for {total:.0f} frames, limit {MOST_FRAMES}")
    frames: npt.NDArray[np.int64] = np.ceil(durations).astype(np.int64)
    if total < 1:
        frames[0] = 1
    return frames


def plan_windows(frames: int, margin: int, first: int | None = None, most: int = WINDOW_FRAMES) -> Iterator[Window]:
    """Cut `frames` into windows with margins on their inner edges, so that joins are exact.

    All but a short first one are fed equally many frames: libraries compile their kernels for one length.

    Args:
        frames: how many there are, at least 1.
        margin: how far a decoded frame looks to either side.
        first: core frames of the first window; None when nobody waits for it.
        most: core frames of any window, more than twice the margin.
    """
    done = 0
    if first is not None and frames > first + margin:
        yield Window(0, first + margin, 0, first)
        done = first
    start = max(0, done - margin)
    if frames - done <= most:
        yield Window(start, frames, done - start, frames - start)
        return
    inner = frames - start - 2 * margin
    count = max(2, -(-inner // (most - margin)))
    fed = -(-inner // count) + 2 * margin
    for index in range(count):
        low = min(start + index * (fed - 2 * margin), frames - fed)
        high = frames if index == count - 1 else low + fed - margin
        yield Window(low, low + fed, done - low, high - low)
        done = high


def finite(samples: Samples) -> Samples:
    """Return the samples, or refuse them: a NaN on the wire is noise in somebody's ear.

    Raises:
        SynthesisError: a sample is not a finite number.
    """
    if not np.isfinite(samples).all():
        raise SynthesisError("the decoder returned samples that are not numbers")
    return samples
