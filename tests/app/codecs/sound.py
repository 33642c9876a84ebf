"""Decoders and comparisons for tests of encoders."""

import io
import shutil
import subprocess
from dataclasses import dataclass

import av
import numpy as np
import pytest
import soundfile


def decode_ffmpeg(content, bare=None, rate_hz=None):
    """Decode with FFmpeg's libraries; return samples and rate. Content without a header is `bare`, of that rate."""
    options = {"sample_rate": str(rate_hz), "ch_layout": "mono"} if bare else {}
    with av.open(io.BytesIO(content), format=bare, options=options) as container:
        floats = av.AudioResampler(format="flt", layout="mono")
        frames = [each.to_ndarray()[0] for frame in container.decode(audio=0) for each in floats.resample(frame)]
        return np.concatenate([np.zeros(0, np.float32), *frames]), container.streams.audio[0].rate


def decode_libsndfile(content):
    """Decode with mpg123, libopus or libFLAC; AAC is not supported."""
    return soundfile.read(io.BytesIO(content), dtype="float32")


def decode_program(content, rate_hz):
    """Decode with the ffmpeg program, if installed: another release than the library."""
    program = shutil.which("ffmpeg") or pytest.skip("there is no ffmpeg program here")
    command = [program, "-v", "error", "-i", "-", "-f", "f32le", "-ac", "1", "-ar", str(rate_hz), "-"]
    return np.frombuffer(subprocess.run(command, input=content, capture_output=True, check=True).stdout, "<f4")


@dataclass(frozen=True)
class Similarity:
    """Similarity of two recordings of one speech, over blocks of 50 ms that are not silent."""

    #: Signal-to-difference ratio of the worst block and of the median block.
    worst_db: float
    median_db: float
    #: Of one sample; a click is at least 0.2.
    largest_error: float


def similarity(found, expected, rate_hz):
    """Compare sample by sample, without alignment. Silence at the end of one of them is left out."""
    size = rate_hz // 20
    end = min(len(found), len(expected)) // size * size
    signal, error = expected[:end].reshape(-1, size), (found[:end] - expected[:end]).reshape(-1, size)
    power = np.mean(signal**2, axis=1)
    loud = power > 1e-3
    ratios_db = 10 * np.log10(power[loud] / np.maximum(np.mean(error**2, axis=1)[loud], 1e-12))
    assert loud.sum() > 20
    return Similarity(ratios_db.min(), np.median(ratios_db), np.abs(error).max())


def uneven_windows(samples, seed=1):
    """Cut `samples` into windows of 0 to 20,000 samples, the first ones as a voice makes them."""
    random, at = np.random.default_rng(seed), 0
    for size in (8192, 1, 0, 7, *random.integers(0, 20_000, size=samples.size)):
        if at >= samples.size:
            return
        yield samples[at : at + size]
        at += size


def encode_all(encoder, windows):
    """Return the whole file that `encoder` makes, and close the encoder."""
    pieces = [encoder.encode(window) for window in windows]
    pieces.append(encoder.finish())
    content = b"".join([encoder.head(), *pieces])
    encoder.close()
    return content
