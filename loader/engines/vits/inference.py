"""The arithmetic between VITS's three networks: durations, noise, frames and windows.

Plain numpy, shared by every engine that can run the three networks separately. They
are cut where a length becomes known:

    encode   ids, duration noise      -> mean, log scale, log durations   (one column an id)
    flow     prior                    -> latent                           (one column a frame)
    decode   a window of the latent   -> samples

Noise is drawn here and passed in, so that no network holds a source of chance.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from loader.engines.base import NO_SAMPLES, Plan, Samples, Utterance, Work
from loader.engines.vits.windows import Window, plan_windows
from loader.errors import SynthesisError

Array = npt.NDArray[np.float32]
#: [from, to), counted from the first frame of a window.
Frames = tuple[int, int]

#: Core frames of the first windows when somebody waits for them: 0.37 s at 256 samples a frame and 22.05 kHz, then
#: twice as much each time, so that a slow voice has the next one ready before the last one is heard.
FIRST_WINDOWS_FRAMES = (32, 64, 128, 256)
#: Most core frames of any window, unless an engine asks for others. Bounds the memory of decoding, whatever the
#: text's length, and lets several threads share a short sentence. 256 are 1 to 3 % faster by core time, and take twice
#: the memory (2026-11-24).
WINDOW_FRAMES = 128
#: Most core frames that one run of the flow makes; its margins are wider than the decoder's.
FLOW_FRAMES = 512
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

    def decode(self, window: Array, condition: Condition, keep: Frames | None = None) -> Samples:
        """Turn a latent window (1, channels, frames) into samples_per_frame samples for each frame to keep; None is for all.

        The others are there for what is kept to be exact, and are left out of the work where they may be.
        """
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
    #: The same, after the first of its stages.
    inner_margin_frames: int
    #: Frames on either side that a frame out of the flow depends on.
    flow_margin_frames: int

    def worked_on(self, keep: Frames | None, frames: int) -> Frames:
        """Return the frames that later stages must work on to make those audible that are kept."""
        first, last = keep or (0, frames)
        return max(0, first - self.inner_margin_frames), min(frames, last + self.inner_margin_frames)

    def kept(self, samples: Samples, worked_on: Frames, keep: Frames | None) -> Samples:
        """Return what is kept of the samples of the frames that were worked on."""
        if keep is None:
            return samples
        first, last = (each - worked_on[0] for each in keep)
        return samples[first * self.samples_per_frame : last * self.samples_per_frame]


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
class VitsEngine:
    """An `Engine` over three networks. Immutable; memory does not grow with the text."""

    networks: Networks
    facts: VitsFacts
    conditions: Conditions
    #: Most core frames of any window.
    window_frames: int = WINDOW_FRAMES

    def plan(self, utterance: Utterance, random: np.random.Generator, soon: bool) -> Plan:
        """Learn how long each id lasts, and cut what is to be made audible (see `Engine.plan`)."""
        condition = self.conditions.of(utterance)
        ids, prosody = np.asarray([utterance.ids], dtype=np.int64), utterance.prosody
        noise = random.standard_normal((1, 2, ids.shape[1]), dtype=np.float32)
        encoding = self.networks.encode(ids, noise * np.float32(prosody.noise_scale_duration), condition)
        frames = frames_per_id(encoding.log_durations, prosody.length_scale, prosody.speed)
        prior = _prior(encoding, frames, prosody.noise_scale, random)
        return Plan(frames * self.facts.samples_per_frame, self._work(prior, condition, soon))

    def _work(self, prior: Array, condition: Condition, soon: bool) -> Iterator[Work]:
        """Yield windows to decode, and before each the flow that the next one may need."""
        frames, margin = prior.shape[2], self.facts.margin_frames
        latent = Latent(partial(self.networks.flow, condition=condition), prior, self._chunks(frames, soon))
        first = [core for core in FIRST_WINDOWS_FRAMES if soon and core < self.window_frames]
        for window in plan_windows(frames, margin, self.window_frames, first):
            yield from latent.work_until(window.stop + self.window_frames if window.start else window.stop)
            yield partial(self._decoded, latent, window, condition)

    def _chunks(self, frames: int, soon: bool) -> Iterator[Window]:
        first = (FIRST_WINDOWS_FRAMES[0] + self.facts.margin_frames,) if soon else ()
        return plan_windows(frames, self.facts.flow_margin_frames, FLOW_FRAMES, first)

    def _decoded(self, latent: "Latent", window: Window, condition: Condition) -> Samples:
        keep = (window.keep_from, window.keep_to)
        return finite(self.networks.decode(latent.frames(window.start, window.stop), condition, keep))


class Latent:
    """The latent of one utterance, made chunk by chunk. Any thread may make a chunk; each is made once.

    Of long sentences the first chunk is enough for the first window, so that it need not wait for all of them.
    """

    def __init__(self, flow: Callable[[Array], Array], prior: Array, chunks: Iterable[Window]) -> None:
        self._flow = flow
        self._prior = prior
        self._latent = np.empty_like(prior)
        self._chunks = [_Chunk(each) for each in chunks]
        self._offered = 0

    def work_until(self, stop: int) -> Iterator[Work]:
        """Yield what is to be done before frames up to `stop` are asked for, but for what was yielded before."""
        while self._offered < len(self._chunks) and self._chunks[self._offered].first < stop:
            chunk = self._chunks[self._offered]
            self._offered += 1
            yield partial(self._prepared, chunk)

    def frames(self, start: int, stop: int) -> Array:
        """Return the frames [start, stop), made now where nobody has yet."""
        for chunk in self._chunks:
            if chunk.first < stop and start < chunk.last:
                self._make(chunk)
        return self._latent[:, :, start:stop]

    def _prepared(self, chunk: "_Chunk") -> Samples:
        self._make(chunk)
        return NO_SAMPLES

    def _make(self, chunk: "_Chunk") -> None:
        with chunk.making:
            if not chunk.is_made:
                window = chunk.window
                made = self._flow(self._prior[:, :, window.start : window.stop])
                self._latent[:, :, chunk.first : chunk.last] = made[:, :, window.keep_from : window.keep_to]
                chunk.is_made = True


class _Chunk:
    """Frames that one run of the flow makes."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.first, self.last = window.start + window.keep_from, window.start + window.keep_to
        self.making = threading.Lock()
        self.is_made = False


def _prior(encoding: Encoding, frames: npt.NDArray[np.int64], noise_scale: float, random: np.random.Generator) -> Array:
    mean = np.repeat(encoding.mean, frames, axis=2)
    noise = random.standard_normal(mean.shape, dtype=np.float32)
    prior: Array = mean + noise * np.exp(np.repeat(encoding.log_scale, frames, axis=2)) * np.float32(noise_scale)
    return prior


def frames_per_id(log_durations: Array, length_scale: float, speed: float = 1.0) -> npt.NDArray[np.int64]:
    """Return how many frames each id lasts, shape (n,), rounded up as Coqui rounds; at another speed, that much faster.

    Raises:
        SynthesisError: the predictor gave no finite duration.
    """
    durations = np.exp(log_durations[0, 0]) * np.float32(length_scale)
    if not np.isfinite(durations).all():
        raise SynthesisError("the duration predictor returned a value that is not a number")
    rounded = np.ceil(durations)
    total = float(rounded.sum(dtype=np.float64)) / speed
    if total > MOST_FRAMES:
        raise SynthesisError(f"the duration predictor asked for {total:.0f} frames, limit {MOST_FRAMES}")
    frames = (rounded if speed == 1.0 else _paced(durations, total)).astype(np.int64)
    if frames.sum() < 1:
        frames[0] = 1
    return frames


def _paced(durations: Array, total: float) -> npt.NDArray[np.float64]:
    """Return whole frames of that total, by the length scale that leads to it.

    Dividing the length scale by the speed, as Coqui would, makes twice as fast 1.6 times as
    fast: each of some 400 ids of a sentence is rounded up. Where one frame an id is still too
    slow, some get none. A recogniser mistakes 6 % of words at 1.9 times the speed; dividing
    all frames alike leaves less of short sounds, and it mistakes 19 % (2026-11-24).
    """
    low, high = 0.0, 16.0
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if np.ceil(durations * middle).sum() <= total else (low, middle)
    frames = np.maximum(np.ceil(durations * low), durations > 0).astype(np.float64)
    ends = np.rint(np.cumsum(frames) * (total / max(1.0, frames.sum())))
    return np.diff(ends, prepend=0.0)


def finite(samples: Samples) -> Samples:
    """Return the samples, or refuse them: a NaN on the wire is noise in somebody's ear.

    Raises:
        SynthesisError: a sample is not a finite number.
    """
    if not np.isfinite(samples).all():
        raise SynthesisError("the decoder returned samples that are not numbers")
    return samples
