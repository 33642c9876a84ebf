"""VITS inference: the arithmetic between its three networks, with durations, noise, frames and windows.

Plain numpy, shared by every engine that runs the three networks separately. They are cut
where a length becomes known:

    encode   ids, duration noise      -> mean, log scale, log durations   (one column an id)
    flow     prior                    -> latent                           (one column a frame)
    decode   a window of the latent   -> samples

Noise is drawn here and passed in, so that the networks are deterministic.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from loader.artifacts.artifact import Artifact
from loader.engines.base import Array, Plan, Samples, Speaker, SpeakerMix, Utterance, Work
from loader.engines.decoder_windows import Latent, Window, plan_windows
from loader.errors import SynthesisError

#: [from, to), counted from the first frame of a window.
Frames = tuple[int, int]

#: Core frames of the first windows if a client waits for them: 0.37 s at 256 samples a frame and 22.05 kHz, then
#: twice as many each time, so that a slow voice has the next one ready before the last one has been played.
FIRST_WINDOWS_FRAMES = (32, 64, 128, 256)
#: Default of an engine's core frames a window. Bounds the memory of decoding for any length of text, and lets several
#: threads share a short sentence. 256 are 1 to 3 % faster by core time, and take twice the memory (2026-11-24).
WINDOW_FRAMES = 128
#: Core frames of one run of the flow; its margins are wider than the decoder's.
FLOW_FRAMES = 512
#: Frames of an utterance (10 minutes at 256 samples a frame, 22.05 kHz): more is a runaway.
MAX_FRAMES = 50_000
#: Float32, a row for each of the manifest's speakers or languages. Missing if the voice has no such choice.
SPEAKERS_FILE, LANGUAGES_FILE = "speakers.f32", "languages.f32"


class Encoding(NamedTuple):
    """Output of `encode`, with batch 1 and one column for each of n ids."""

    #: (1, channels, n)
    mean: Array
    #: (1, channels, n), natural logarithm
    log_scale: Array
    #: (1, 1, n), natural logarithm of frames
    log_durations: Array


@dataclass(frozen=True)
class Condition:
    """Speaker and language vectors; None if the voice has no such choice."""

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
        """Turn a latent window (1, channels, frames) into samples_per_frame samples for each frame of `keep`; None is all.

        The other frames are the margins that make the kept ones exact; the networks may crop them early.
        """
        ...


@dataclass(frozen=True)
class VitsFacts:
    """Facts of the networks in a VITS artifact's manifest."""

    #: Samples that the decoder makes of one latent frame.
    samples_per_frame: int
    #: Channels of a latent frame.
    latent_channels: int
    #: Frames on either side that a decoded frame depends on.
    margin_frames: int
    #: The same, after the first of its stages.
    inner_margin_frames: int
    #: Frames on either side that a frame of the flow's output depends on.
    flow_margin_frames: int

    def add_margin(self, keep: Frames | None, frames: int) -> Frames:
        """Return the frames that the decoder's later stages need for those of `keep`."""
        first, last = keep or (0, frames)
        return max(0, first - self.inner_margin_frames), min(frames, last + self.inner_margin_frames)

    def drop_margin(self, samples: Samples, decoded: Frames, keep: Frames | None) -> Samples:
        """Return the samples of the frames of `keep` out of those of the `decoded` frames."""
        if keep is None:
            return samples
        first, last = (each - decoded[0] for each in keep)
        return samples[first * self.samples_per_frame : last * self.samples_per_frame]


@dataclass(frozen=True)
class Conditions:
    """The vectors of a voice's speakers and languages, a row each; None if there is no choice."""

    #: (speakers, channels)
    speakers: Array | None
    #: (languages, channels)
    languages: Array | None

    def of(self, utterance: Utterance) -> Condition:
        """Return the vectors for one utterance."""
        return Condition(_column(self.speakers, utterance.speaker), _column(self.languages, utterance.language))


def _column(table: Array | None, row: Speaker) -> Array | None:
    if table is None:
        return None
    vector = table[row] if isinstance(row, int) else _mixed(table, row)
    return vector.reshape(1, -1, 1)


def _mixed(table: Array, mix: SpeakerMix) -> Array:
    rows, shares = zip(*mix.shares, strict=True)
    vector: Array = np.asarray(shares, np.float32) @ table[list(rows)]
    return vector


@dataclass(frozen=True)
class VitsEngine:
    """An `Engine` over three networks. Immutable; memory does not grow with the text."""

    networks: Networks
    facts: VitsFacts
    conditions: Conditions
    #: Core frames of a window at most.
    window_frames: int = WINDOW_FRAMES

    def plan(self, utterance: Utterance, random: np.random.Generator, soon: bool) -> Plan:
        """Compute the durations, and cut the latent into windows (see `Engine.plan`)."""
        condition = self.conditions.of(utterance)
        ids, prosody = np.asarray([utterance.ids], dtype=np.int64), utterance.prosody
        noise = random.standard_normal((1, 2, ids.shape[1]), dtype=np.float32)
        encoding = self.networks.encode(ids, noise * np.float32(prosody.noise_scale_duration), condition)
        frames = frames_per_id(encoding.log_durations, prosody.length_scale, prosody.speed)
        prior = _prior(encoding, frames, prosody.noise_scale, random)
        return Plan(frames * self.facts.samples_per_frame, self._work(prior, condition, soon))

    def _work(self, prior: Array, condition: Condition, soon: bool) -> Iterator[Work]:
        """Yield windows to decode, and before each the flow block that the next one may need."""
        frames, margin = prior.shape[2], self.facts.margin_frames
        latent = Latent(partial(self.networks.flow, condition=condition), prior, self._blocks(frames, soon))
        first = [core for core in FIRST_WINDOWS_FRAMES if soon and core < self.window_frames]
        for window in plan_windows(frames, margin, self.window_frames, first):
            yield from latent.work_until(window.stop + self.window_frames if window.start else window.stop)
            yield partial(self._decode, latent, window, condition)

    def _blocks(self, frames: int, soon: bool) -> Iterator[Window]:
        first = (FIRST_WINDOWS_FRAMES[0] + self.facts.margin_frames,) if soon else ()
        return plan_windows(frames, self.facts.flow_margin_frames, FLOW_FRAMES, first)

    def _decode(self, latent: Latent, window: Window, condition: Condition) -> Samples:
        keep = (window.keep_from, window.keep_to)
        return finite(self.networks.decode(latent.frames(window.start, window.stop), condition, keep))


def _prior(encoding: Encoding, frames: npt.NDArray[np.int64], noise_scale: float, random: np.random.Generator) -> Array:
    mean = np.repeat(encoding.mean, frames, axis=2)
    noise = random.standard_normal(mean.shape, dtype=np.float32)
    prior: Array = mean + noise * np.exp(np.repeat(encoding.log_scale, frames, axis=2)) * np.float32(noise_scale)
    return prior


def frames_per_id(log_durations: Array, length_scale: float, speed: float = 1.0) -> npt.NDArray[np.int64]:
    """Return the frames of each id, shape (n,), rounded up as in Coqui; at another speed, that much faster in total.

    Raises:
        SynthesisError: the predictor's output is not finite, or too long.
    """
    durations = np.exp(log_durations[0, 0]) * np.float32(length_scale)
    if not np.isfinite(durations).all():
        raise SynthesisError("the duration predictor returned a value that is not a number")
    rounded = np.ceil(durations)
    total = float(rounded.sum(dtype=np.float64)) / speed
    if total > MAX_FRAMES:
        raise SynthesisError(f"the duration predictor returned {total:.0f} frames, limit {MAX_FRAMES}")
    frames = (rounded if speed == 1.0 else _scale_to_total(durations, total)).astype(np.int64)
    if frames.sum() < 1:
        frames[0] = 1
    return frames


def _scale_to_total(durations: Array, total: float) -> npt.NDArray[np.float64]:
    """Return whole frames of that total, by the length scale that leads to it.

    Coqui divides the length scale by the speed: speed 2 is 1.6 times as fast, because each of
    some 400 ids of a sentence is rounded up. If one frame an id is still too slow, some ids get
    none. A speech recognizer misses 6 % of words at 1.9 times the speed; dividing all frames
    equally shortens short sounds more, and it misses 19 % (2026-11-24).
    """
    low, high = 0.0, 16.0
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if np.ceil(durations * middle).sum() <= total else (low, middle)
    frames = np.maximum(np.ceil(durations * low), durations > 0).astype(np.float64)
    ends = np.rint(np.cumsum(frames) * (total / max(1.0, frames.sum())))
    return np.diff(ends, prepend=0.0)


def finite(samples: Samples) -> Samples:
    """Return the samples after a check: a NaN would be played as noise.

    Raises:
        SynthesisError: a sample is not a finite number.
    """
    if not np.isfinite(samples).all():
        raise SynthesisError("the decoder returned samples that are not numbers")
    return samples


def vits_engine(networks: Networks, artifact: Artifact, window_frames: int = WINDOW_FRAMES) -> VitsEngine:
    """Return the engine over `networks` of `artifact`, with at most `window_frames` core frames a window."""
    voice = artifact.manifest.voice
    conditions = Conditions(
        _table(artifact, SPEAKERS_FILE, len(voice.speakers)), _table(artifact, LANGUAGES_FILE, len(voice.languages))
    )
    return VitsEngine(networks, VitsFacts(**artifact.manifest.network["vits"]), conditions, window_frames)


def _table(artifact: Artifact, name: str, rows: int) -> Array | None:
    """Return a view of the artifact's own mapping."""
    if name not in artifact.buffers:
        return None
    return np.frombuffer(artifact.buffers[name], dtype=np.float32).reshape(rows, -1)
