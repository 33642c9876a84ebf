"""What a baked voice says is what Coqui's own VITS says, sample by sample, given the same noise."""

import subprocess
import sys
from typing import NamedTuple

import numpy as np
import pytest

from loader.acoustics import VitsEngine
from loader.artifact import open_artifact, this_platform
from loader.engines import onnx
from loader.engines.base import Prosody
from tests.loader.children import PATIENCE_S, ROOT

SEED = 20
#: Floating point in another order. Measured 102.7 dB (embedded voice) and 132.5 dB (random, LJSpeech size);
#: 60 dB would be inaudible, but a hundredth more noise in the random voice is 62.7 dB.
LEAST_DECIBELS = 90.0


class Native(NamedTuple):
    """What Coqui said, and of what."""

    ids: list[int]
    samples: np.ndarray
    shapes: list[tuple[int, ...]]
    prosody: Prosody


@pytest.fixture(scope="module", params=["embedded", "large"])
def voices(request, tmp_path_factory):
    """Coqui's own samples, and our engine over the artifact baked from the same checkpoint."""
    release = request.getfixturevalue(f"{request.param}_release")
    artifact = open_artifact(request.getfixturevalue(f"{request.param}_artifact"), this_platform(onnx.version()))
    output = tmp_path_factory.mktemp("native") / "spoken.npz"
    words = [sys.executable, "-m", "tests.loader.bake.native", release, str(SEED), output]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stderr
    with np.load(output) as spoken:
        native = Native(
            spoken["ids"].tolist(), spoken["samples"],
            [tuple(shape) for shape in spoken["shapes"].tolist()], Prosody(*spoken["prosody"].tolist()),
        )  # fmt: skip
    facts = artifact.manifest.voice
    return native, VitsEngine(onnx.OnnxNetworks(artifact), facts.samples_per_frame, facts.margin_frames), facts


def decibels(reference, candidate):
    error = np.square(reference.astype(np.float64) - candidate).sum()
    return 10 * np.log10(np.square(reference.astype(np.float64)).sum() / error)


def speak(engine, native, prosody, soon=False):
    random = np.random.Generator(np.random.Philox(key=[SEED, 0]))
    return np.concatenate(list(engine.speak(native.ids, prosody, random, soon)))


def trained(facts):
    return Prosody(facts.length_scale, facts.noise_scale, facts.noise_scale_duration)


def test_coqui_draws_the_noise_we_draw_and_no_other(voices):
    native, _, facts = voices
    frames = native.samples.size // facts.samples_per_frame

    assert [(1, 2, len(native.ids)), (1, facts.latent_channels, frames)] == native.shapes


def test_the_trained_prosody_is_coquis(voices):
    native, _, facts = voices

    assert native.prosody == trained(facts)


@pytest.mark.parametrize("soon", [False, True])
def test_our_samples_are_coquis(voices, soon):
    native, engine, facts = voices

    ours = speak(engine, native, trained(facts), soon)

    assert native.samples.size == ours.size > facts.sample_rate_hz
    assert np.abs(ours).max() > 0.01, "silence is no proof"
    figure = decibels(native.samples, ours)
    assert figure >= LEAST_DECIBELS, f"{figure:.1f} dB"


@pytest.mark.parametrize("scale, duration_scale", [(1.01, 1.0), (1.0, 1.2)])
def test_a_little_more_noise_would_be_seen(voices, scale, duration_scale):
    """The bound above can fail."""
    native, engine, facts = voices
    own = trained(facts)
    other = Prosody(own.length_scale, own.noise_scale * scale, own.noise_scale_duration * duration_scale)

    ours = speak(engine, native, other)

    assert ours.size != native.samples.size or decibels(native.samples, ours) < LEAST_DECIBELS
