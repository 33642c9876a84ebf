"""app.codecs.registry, other sample rates: tones stay tones, what no rate can hold is gone, and windows do not matter."""

import numpy as np
import pytest

from app.codecs.registry import PlainEncoder, Resampled
from tests.app.codecs.sound import uneven, written


def tone(frequency_hz, rate_hz, seconds=2.0):
    return (0.5 * np.sin(2 * np.pi * frequency_hz / rate_hz * np.arange(int(rate_hz * seconds)))).astype(np.float32)


def resampled(samples, rate_hz, windows=uneven):
    encoder = Resampled(PlainEncoder(False, rate_hz, streamed=True), 22050)
    return np.frombuffer(written(encoder, windows(samples)), "<i2") / 32767


@pytest.mark.parametrize("rate_hz", [8000, 16000, 24000, 44100, 48000])
@pytest.mark.parametrize("frequency_hz", [100, 1000, 3400])
def test_a_tone_stays_where_it_was(frequency_hz, rate_hz):
    found, expected = resampled(tone(frequency_hz, 22050), rate_hz), tone(frequency_hz, rate_hz)

    assert expected.size == found.size
    # Without what the ends of a tone that is cut off do.
    inner = slice(2000, -2000)
    assert np.abs(found - expected)[inner].max() < 5e-4


def test_what_the_rate_cannot_hold_does_not_come_back_as_something_else():
    assert np.abs(resampled(tone(4400, 22050), 8000)[500:-500]).max() < 1e-4


def test_windows_do_not_matter():
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 100_000).astype(np.float32)

    assert np.array_equal(resampled(samples, 24000), resampled(samples, 24000, windows=lambda whole: [whole]))
