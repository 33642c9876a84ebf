"""loader.acoustics: durations, windows, and that joins are exact."""

import numpy as np
import pytest

from loader.acoustics import WINDOW_FRAMES, Condition, VitsFacts, frames_per_id, plan_windows
from loader.artifact import Artifact
from loader.engines import onnx
from loader.engines.base import Prosody, Utterance
from loader.engines.onnx import OnnxNetworks
from loader.errors import SynthesisError


def decibels(reference, candidate):
    error = np.square(reference.astype(np.float64) - candidate).sum()
    return 10 * np.log10(np.square(reference.astype(np.float64)).sum() / error) if error else np.inf


@pytest.fixture(scope="module")
def networks(opened_embedded: Artifact) -> OnnxNetworks:
    return OnnxNetworks(opened_embedded)


def test_a_duration_is_rounded_up_and_scaled():
    frames = frames_per_id(np.log(np.array([[[1.2, 2.0, 0.1]]], dtype=np.float32)), length_scale=1.5)

    assert [2, 3, 1] == frames.tolist()


def test_an_utterance_has_at_least_one_frame():
    assert 1 == frames_per_id(np.full((1, 1, 3), -np.inf, dtype=np.float32), 1.0).sum()


@pytest.mark.parametrize("value", [np.nan, np.inf, 50.0])
def test_a_runaway_duration_is_refused(value):
    with pytest.raises(SynthesisError):
        frames_per_id(np.full((1, 1, 3), value, dtype=np.float32), 1.0)


@pytest.mark.parametrize("most", [WINDOW_FRAMES, 512])
@pytest.mark.parametrize("first", [None, 32])
@pytest.mark.parametrize("frames", [1, 31, 44, 45, 46, 255, 256, 257, 270, 300, 500, 512, 513, 516, 1000, 1025, 50_000])
def test_windows_cover_every_frame_once(frames, first, most):
    kept = []
    for window in plan_windows(frames, margin=12, first=first, most=most):
        assert 0 <= window.start < window.stop <= frames
        assert 0 < window.keep_to - window.keep_from <= most
        kept += range(window.start + window.keep_from, window.start + window.keep_to)

    assert list(range(frames)) == kept


@pytest.mark.parametrize("frames", [289, 300, 611, 1000, 1001])
@pytest.mark.parametrize("first", [None, 32])
def test_windows_have_their_whole_margin_on_inner_edges(frames, first):
    for window in plan_windows(frames, margin=14, first=first):
        assert window.start == 0 or window.keep_from >= 14
        assert window.stop == frames or window.stop - window.start - window.keep_to == 14


@pytest.mark.parametrize("frames", [289, 300, 611, 1000, 1001])
def test_windows_but_for_a_short_first_one_have_one_length(frames):
    """Libraries compile their kernels for one length."""
    whole = [window.stop - window.start for window in plan_windows(frames, margin=14)]
    soon = [window.stop - window.start for window in plan_windows(frames, margin=14, first=32)]

    assert 1 == len(set(whole)) < len(whole)
    assert 32 + 14 == soon[0]
    assert 1 == len(set(soon[1:]))


def test_a_sentence_a_little_longer_than_a_window_is_cut_in_two():
    assert [(0, 272), (244, 516)] == [(window.start, window.stop) for window in plan_windows(516, margin=14, most=512)]


@pytest.mark.parametrize("frames", [33, 200, 611])
def test_windowed_decoding_equals_one_pass(networks, opened_embedded, frames):
    facts = VitsFacts(**opened_embedded.manifest.network["vits"])
    latent = np.random.default_rng(frames).standard_normal((1, facts.latent_channels, frames), dtype=np.float32)
    whole = networks.decode(latent, Condition())

    joined = windowed(networks, latent, facts.margin_frames, facts.samples_per_frame)

    assert whole.size == joined.size == frames * facts.samples_per_frame
    assert decibels(whole, joined) >= 100


def test_a_margin_below_the_receptive_field_is_audible(networks, opened_embedded):
    """The bound above can fail: two thirds of the margin already do."""
    facts = VitsFacts(**opened_embedded.manifest.network["vits"])
    latent = np.random.default_rng(1).standard_normal((1, facts.latent_channels, 611), dtype=np.float32)

    joined = windowed(networks, latent, facts.margin_frames * 2 // 3, facts.samples_per_frame)

    assert decibels(networks.decode(latent, Condition()), joined) < 100


def windowed(networks, latent, margin, samples_per_frame):
    return np.concatenate([
        networks.decode(latent[:, :, window.start : window.stop], Condition())[
            window.keep_from * samples_per_frame : window.keep_to * samples_per_frame
        ]
        for window in plan_windows(latent.shape[2], margin, first=32)
    ])  # fmt: skip


def test_the_same_random_state_gives_the_same_samples(opened_embedded):
    engine = onnx.open_engine(opened_embedded)
    utterance = Utterance(range(4, 60), Prosody(1.0, 0.667, 0.8))

    def speak(seed, soon=False):
        random = np.random.Generator(np.random.Philox(key=[seed, 0]))
        return np.concatenate(list(engine.speak(utterance, random, soon)))

    assert np.array_equal(speak(5), speak(5))
    assert not np.array_equal(speak(5)[:1000], speak(6)[:1000])
    assert decibels(speak(5), speak(5, soon=True)) >= 90
