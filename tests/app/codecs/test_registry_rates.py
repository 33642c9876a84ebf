"""app.codecs.registry, other rates: tones keep their frequency, aliases are filtered, windows do not affect the result."""

import numpy as np
import pytest

from app.codecs.registry import PlainEncoder, Resampled
from tests.app.codecs.sound import encode_all, uneven_windows


def tone(frequency_hz, rate_hz, seconds=2.0):
    return (0.5 * np.sin(2 * np.pi * frequency_hz / rate_hz * np.arange(int(rate_hz * seconds)))).astype(np.float32)


def resampled(samples, rate_hz, windows=uneven_windows):
    encoder = Resampled(PlainEncoder(False, rate_hz, streamed=True), 22050)
    return np.frombuffer(encode_all(encoder, windows(samples)), "<i2") / 32767


@pytest.mark.parametrize("rate_hz", [8000, 16000, 24000, 44100, 48000])
@pytest.mark.parametrize("frequency_hz", [100, 1000, 3400])
def test_a_tone_keeps_its_frequency(frequency_hz, rate_hz):
    found, expected = resampled(tone(frequency_hz, 22050), rate_hz), tone(frequency_hz, rate_hz)

    assert expected.size == found.size
    # Without the transients at both ends of the tone.
    inner = slice(2000, -2000)
    assert np.abs(found - expected)[inner].max() < 5e-4


def test_frequencies_above_half_the_rate_are_filtered_without_aliases():
    assert np.abs(resampled(tone(4400, 22050), 8000)[500:-500]).max() < 1e-4


def test_the_size_of_windows_does_not_affect_the_result():
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 100_000).astype(np.float32)

    assert np.array_equal(resampled(samples, 24000), resampled(samples, 24000, windows=lambda whole: [whole]))
