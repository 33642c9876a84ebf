"""app.rollout.probe: a voice that speaks well passes; silence, odd lengths and slow voices are refused with the figures."""

import itertools
import math
import re

import pytest

from app.errors import RolloutError
from app.rollout.probe import Probe, open_voice, require_alike, require_fast, require_sound, speak_probe
from loader.config.settings import RolloutSettings
from loader.voices.sample_sentences import SENTENCES

BOUNDS = RolloutSettings()


@pytest.fixture(scope="module")
def voice(settings, embedded_artifact):
    return open_voice(settings.voices[0], embedded_artifact, settings)


def test_a_real_voice_passes(voice):
    spoken = speak_probe(voice)
    require_sound(voice, spoken)

    assert 1 < spoken.audio_s < 8
    assert -40 < spoken.level_db < -10
    assert spoken.cpu_s > 0


def test_a_configured_speed_does_not_hide_the_length(settings, embedded_artifact, voice):
    from dataclasses import replace

    slow = replace(settings.voices[0], length_scale=3.0)
    assert speak_probe(voice).audio_s == speak_probe(open_voice(slow, embedded_artifact, settings)).audio_s


@pytest.mark.parametrize("language", sorted(SENTENCES))
def test_sentences_are_of_one_length_by_their_meaning(language):
    assert 7 < len(SENTENCES[language]) < 60


@pytest.mark.parametrize(
    "audio_s, level_db, message",
    [
        (0.1, -20.0, "33 characters take 0.10 s, expected 0.33 to 33 s"),
        (90.0, -20.0, "33 characters take 90.00 s"),
        (4.0, -70.0, "it is silent: -70 dB, expected -60 dB or more"),
        (4.0, -math.inf, "it is silent: -inf dB"),
    ],
)
def test_odd_audio_is_refused(voice, audio_s, level_db, message):
    with pytest.raises(RolloutError, match=re.escape(message)):
        require_sound(voice, Probe(audio_s, level_db, 1.0))


@pytest.mark.parametrize("audio_s, is_alike", [(4.0, True), (7.9, True), (2.1, True), (8.1, False), (1.9, False)])
def test_a_length_within_the_ratio_is_alike(audio_s, is_alike):
    new, old = Probe(audio_s, -20.0, 1.0), Probe(4.0, -20.0, 1.0)
    if is_alike:
        require_alike("joe", new, old, BOUNDS)
        return
    with pytest.raises(RolloutError, match=r"voice joe: the same sentence takes .* instead of 4.00 s, .*rollout.length_ratio"):
        require_alike("joe", new, old, BOUNDS)


def paces(*cpu_s):
    """Return what speaks a second in each of these times in turn, and then in the last one."""
    times = itertools.chain(cpu_s, itertools.repeat(cpu_s[-1]))
    return lambda: Probe(1.0, -20.0, next(times))


def test_speed_is_measured_again_before_a_voice_is_refused():
    assert 1.0 == require_fast("joe", paces(1.0), paces(1.0), BOUNDS)
    # A disturbance of the first five sentences.
    assert 1.0 == require_fast("joe", paces(*[2.0] * 5, 1.0), paces(1.0), BOUNDS)
    with pytest.raises(RolloutError, match="voice joe: it takes 1.50 times as long as before; at most 1.3 times"):
        require_fast("joe", paces(1.5), paces(1.0), BOUNDS)


def test_speed_is_work_for_a_second_of_audio():
    assert 1.0 == require_fast("joe", lambda: Probe(2.0, -20.0, 2.0), lambda: Probe(1.0, -20.0, 1.0), BOUNDS)
