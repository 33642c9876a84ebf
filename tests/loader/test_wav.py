"""loader.wav: headers that players accept, and clipped samples."""

import io
import struct
import wave

import numpy as np
import pytest

from loader.wav import MAX_DATA_BYTES, pcm16, wav_file, wav_header


def fields(header):
    names = (
        "riff", "riff_size", "wave", "fmt", "fmt_size", "form", "channels", "rate_hz", "bytes_per_second",
        "bytes_per_frame", "bits", "data", "data_size",
    )  # fmt: skip
    return dict(zip(names, struct.unpack("<4sI4s4sIHHIIHH4sI", header), strict=True))


@pytest.mark.parametrize("rate_hz", [16000, 22050, 48000])
def test_every_field_of_the_header(rate_hz):
    assert {
        "riff": b"RIFF", "riff_size": 36 + 1000, "wave": b"WAVE", "fmt": b"fmt ", "fmt_size": 16, "form": 1,
        "channels": 1, "rate_hz": rate_hz, "bytes_per_second": 2 * rate_hz, "bytes_per_frame": 2, "bits": 16,
        "data": b"data", "data_size": 1000,
    } == fields(wav_header(rate_hz, 1000))  # fmt: skip


def test_the_header_of_a_stream_has_an_unknown_size():
    header = fields(wav_header(22050, None))

    assert (0xFFFFFFFF, 0xFFFFFFFF) == (header["riff_size"], header["data_size"])
    assert fields(wav_header(22050, 0)) == {**header, "riff_size": 36, "data_size": 0}


def test_the_largest_possible_file_has_a_header_and_a_larger_one_is_refused():
    assert MAX_DATA_BYTES == fields(wav_header(22050, MAX_DATA_BYTES))["data_size"]
    with pytest.raises(struct.error):
        wav_header(22050, MAX_DATA_BYTES + 2)


def test_samples_are_signed_little_endian():
    assert struct.pack("<4h", 0, 16383, -16383, 32767) == pcm16(np.array([0, 0.5, -0.5, 1], dtype=np.float32))


@pytest.mark.parametrize("loud", [1.0001, 2.0, 1e30, np.inf])
def test_samples_beyond_full_scale_are_clipped(loud):
    assert [32767, -32767] == np.frombuffer(pcm16(np.array([loud, -loud], dtype=np.float32)), "<i2").tolist()


def test_a_file_of_windows_reads_back():
    windows = [np.linspace(-1, 1, count, dtype=np.float32) for count in (100, 1, 0, 333)]

    with wave.open(io.BytesIO(wav_file(iter(windows), 22050))) as audio:
        assert (1, 2, 22050, 434) == (
            audio.getnchannels(), audio.getsampwidth(), audio.getframerate(), audio.getnframes()
        )  # fmt: skip
        found = np.frombuffer(audio.readframes(434), "<i2") / 32767

    assert np.abs(np.concatenate(windows) - found).max() <= 1 / 32767


def test_an_empty_file_is_a_header():
    assert wav_header(22050, 0) == wav_file([], 22050)
