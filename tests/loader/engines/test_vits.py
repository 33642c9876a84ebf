"""loader.engines.vits: durations, windows and exact joins."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from loader.artifacts.artifact import Artifact
from loader.engines import onnx
from loader.engines.base import Prosody, Utterance
from loader.engines.decoder_windows import Latent, plan_windows
from loader.engines.onnx import OnnxNetworks
from loader.engines.vits import (
    FIRST_WINDOWS_FRAMES,
    FLOW_FRAMES,
    WINDOW_FRAMES,
    Condition,
    VitsFacts,
    frames_per_id,
)
from loader.errors import SynthesisError
from tests.loader.bake.speech import decibels
from tests.loader.engines.speaking import windows_of


@pytest.fixture(scope="module")
def networks(opened_embedded: Artifact) -> OnnxNetworks:
    return OnnxNetworks(opened_embedded)


def test_a_duration_is_rounded_up_and_scaled():
    frames = frames_per_id(np.log(np.array([[[1.2, 2.0, 0.1]]], dtype=np.float32)), length_scale=1.5)

    assert [2, 3, 1] == frames.tolist()


@pytest.mark.parametrize("speed", [0.25, 0.5, 0.9, 1.1, 1.7, 2.0, 3.0, 4.0])
def test_the_speed_of_an_utterance_is_exact(speed):
    log_durations = np.random.default_rng(1).normal(0.0, 0.7, (1, 1, 300)).astype(np.float32)
    plain, paced = (frames_per_id(log_durations, 1.0, each) for each in (1.0, speed))

    assert abs(paced.sum() - plain.sum() / speed) <= 0.5
    assert paced.min() >= 0


def test_at_any_speed_every_sound_has_a_frame_if_possible():
    log_durations = np.random.default_rng(1).normal(0.5, 0.7, (1, 1, 300)).astype(np.float32)

    assert frames_per_id(log_durations, 1.0, 1.5).min() == 1


def test_an_utterance_has_at_least_one_frame():
    assert 1 == frames_per_id(np.full((1, 1, 3), -np.inf, dtype=np.float32), 1.0).sum()


@pytest.mark.parametrize("value", [np.nan, np.inf, 50.0])
def test_a_runaway_duration_is_refused(value):
    with pytest.raises(SynthesisError):
        frames_per_id(np.full((1, 1, 3), value, dtype=np.float32), 1.0)


@pytest.mark.parametrize("frames", [33, 200, 611])
def test_windowed_decoding_equals_one_pass(networks, opened_embedded, frames):
    facts = VitsFacts(**opened_embedded.manifest.network["vits"])
    latent = np.random.default_rng(frames).standard_normal((1, facts.latent_channels, frames), dtype=np.float32)
    whole = networks.decode(latent, Condition())

    joined = windowed(networks, latent, facts.margin_frames)

    assert whole.size == joined.size == frames * facts.samples_per_frame
    assert decibels(whole, joined) >= 100


def test_a_margin_below_the_receptive_field_is_audible(networks, opened_embedded):
    """The bound above can fail: two thirds of the margin are already too small."""
    facts = VitsFacts(**opened_embedded.manifest.network["vits"])
    latent = np.random.default_rng(1).standard_normal((1, facts.latent_channels, 611), dtype=np.float32)

    joined = windowed(networks, latent, facts.margin_frames * 2 // 3)

    assert decibels(networks.decode(latent, Condition()), joined) < 100


def test_an_inner_margin_below_the_reach_of_the_later_stages_is_audible(networks, opened_embedded):
    facts = VitsFacts(**opened_embedded.manifest.network["vits"])
    latent = np.random.default_rng(1).standard_normal((1, facts.latent_channels, 611), dtype=np.float32)
    damaged = OnnxNetworks(opened_embedded)
    damaged._facts = dataclasses.replace(facts, inner_margin_frames=facts.inner_margin_frames - 1)

    assert decibels(networks.decode(latent, Condition()), windowed(damaged, latent, facts.margin_frames)) < 100


@pytest.mark.parametrize("frames", [30, 76, 77, 400, 1300])
@pytest.mark.parametrize("first", [(), (44,)])
def test_a_latent_in_chunks_equals_the_latent_of_one_pass(networks, opened_embedded, frames, first):
    facts = VitsFacts(**opened_embedded.manifest.network["vits"])
    prior = np.random.default_rng(frames).standard_normal((1, facts.latent_channels, frames), dtype=np.float32)
    made = in_chunks(networks, prior, facts.flow_margin_frames, first)

    assert decibels(networks.flow(prior, Condition()), made) >= 110


def test_a_flow_margin_below_its_reach_would_be_noticed(networks, opened_embedded):
    facts = VitsFacts(**opened_embedded.manifest.network["vits"])
    prior = np.random.default_rng(1).standard_normal((1, facts.latent_channels, 1300), dtype=np.float32)
    made = in_chunks(networks, prior, facts.flow_margin_frames // 2, (44,))

    assert decibels(networks.flow(prior, Condition()), made) < 110


def in_chunks(networks, prior, margin, first):
    chunks = plan_windows(prior.shape[2], margin, FLOW_FRAMES, first)
    latent = Latent(lambda part: networks.flow(part, Condition()), prior, chunks)
    return latent.frames(0, prior.shape[2])


def test_each_block_of_a_latent_is_made_once():
    prior = np.zeros((1, 2, 700), dtype=np.float32)
    asked = []
    latent = Latent(lambda part: asked.append(part.shape[2]) or part + 1, prior, plan_windows(700, 3, 256))
    offered = list(latent.work_until(300))

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda start: latent.frames(start, start + 40).mean(), range(0, 660, 20)))
    for work in offered:
        assert 0 == work().size

    assert {1.0} == set(map(float, found))
    assert 3 == len(asked)
    assert [] == list(latent.work_until(300))
    assert 1 == len(list(latent.work_until(700)))


def windowed(networks, latent, margin):
    return np.concatenate([
        networks.decode(latent[:, :, window.start : window.stop], Condition(), (window.keep_from, window.keep_to))
        for window in plan_windows(latent.shape[2], margin, WINDOW_FRAMES, FIRST_WINDOWS_FRAMES)
    ])  # fmt: skip


def test_the_same_random_state_gives_the_same_samples(opened_embedded):
    engine = onnx.open_engine(opened_embedded)
    utterance = Utterance(range(4, 60), Prosody(1.0, 0.667, 0.8))

    def speak(seed, soon=False):
        random = np.random.Generator(np.random.Philox(key=[seed, 0]))
        return np.concatenate(windows_of(engine, utterance, random, soon))

    assert np.array_equal(speak(5), speak(5))
    assert not np.array_equal(speak(5)[:1000], speak(6)[:1000])
    assert decibels(speak(5), speak(5, soon=True)) >= 90
