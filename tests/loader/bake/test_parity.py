"""A baked voice has the samples of Coqui's own VITS for the same noise."""

from dataclasses import astuple

import numpy as np
import pytest

from loader.artifacts.artifact import open_artifact
from loader.artifacts.resolve import locate_artifact
from loader.config.settings import load_settings
from loader.engines.vits import VitsFacts
from tests.conftest import CACHE
from tests.loader.bake.speech import MIN_DECIBELS, Speech, decibels, native_speech, our_speech, trained

#: The engines of VITS voices.
ENGINES = ["onnx", "pytorch"]
#: Factors of the noise scales of sound and durations, as proof that the comparison can fail.
OTHER_NOISE = [(1.01, 1.0), (1.0, 1.2)]


@pytest.fixture(scope="module", params=["joe_coqui", "large"])
def native(request, tmp_path_factory):
    """A release, and Coqui's own samples."""
    release = request.getfixturevalue(f"{request.param}_release")
    (native,) = native_speech(release, tmp_path_factory.mktemp("native") / "spoken.npz")
    return release, native


@pytest.fixture(scope="module", params=ENGINES)
def voices(request, native, tmp_path_factory):
    """Coqui's samples, and ours from an artifact of the same checkpoint: whole, with short windows first, with other noise."""
    release, native = native
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "tts_config.yaml").write_text(f"{{model_path: {release}, cache_dir: {CACHE}, engine: {request.param}}}\n")
    settings = load_settings(folder / "tts_config.yaml")
    artifact = locate_artifact(settings.voices[0], settings)
    manifest = open_artifact(artifact).manifest
    assert request.param == manifest.engine
    length, noise, duration = trained(manifest.voice)
    asked = [Speech(native.ids, (length, noise, duration), soon=soon) for soon in (False, True)]
    asked += [Speech(native.ids, (length, noise * own, duration * rhythm)) for own, rhythm in OTHER_NOISE]
    return native, our_speech(artifact, folder / "ours.npz", asked), manifest


def test_coqui_draws_exactly_the_noise_that_we_draw(voices):
    native, _, manifest = voices
    facts = VitsFacts(**manifest.network["vits"])
    frames = native.samples.size // facts.samples_per_frame

    assert [(1, 2, len(native.ids)), (1, facts.latent_channels, frames)] == native.shapes


def test_the_trained_prosody_is_that_of_coqui(voices):
    native, _, manifest = voices

    assert astuple(native.prosody) == (*trained(manifest.voice), 1.0)


@pytest.mark.parametrize("soon", [False, True])
def test_our_samples_are_those_of_coqui(voices, soon):
    native, spoken, manifest = voices

    ours = spoken[soon]

    assert native.samples.size == ours.size > manifest.voice.sample_rate_hz
    assert np.abs(ours).max() > 0.01, "silence proves nothing"
    figure = decibels(native.samples, ours)
    assert figure >= MIN_DECIBELS, f"{figure:.1f} dB"


@pytest.mark.parametrize("number", range(len(OTHER_NOISE)))
def test_a_little_more_noise_would_be_noticed(voices, number):
    """The bound above can fail."""
    native, spoken, _ = voices

    ours = spoken[2 + number]

    assert ours.size != native.samples.size or decibels(native.samples, ours) < MIN_DECIBELS
