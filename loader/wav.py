"""WAV: samples to 16-bit bytes, as a file or as a stream of unknown length."""

import struct
from collections.abc import Iterable

import numpy as np

from loader.engines.base import Samples

#: The sizes in the header of a streamed file, as OpenAI sends them.
_UNKNOWN_SIZE = 0xFFFFFFFF
_SAMPLE_BYTES = 2
#: Largest number of data bytes that fits a RIFF header.
MAX_DATA_BYTES = _UNKNOWN_SIZE - 36 - 1


def pcm16(samples: Samples) -> bytes:
    """Return float samples as signed 16-bit little-endian; beyond [-1, 1] is clipped."""
    return (np.clip(samples, -1.0, 1.0) * np.float32(32767)).astype("<i2").tobytes()


def wav_header(sample_rate_hz: int, data_bytes: int | None) -> bytes:
    """Return the 44 bytes before the samples; `data_bytes` is None for a stream."""
    riff_size = _UNKNOWN_SIZE if data_bytes is None else 36 + data_bytes
    data_size = _UNKNOWN_SIZE if data_bytes is None else data_bytes
    bytes_per_second = sample_rate_hz * _SAMPLE_BYTES
    form = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", riff_size, b"WAVE", b"fmt ", 16, 1, 1,
                       sample_rate_hz, bytes_per_second, _SAMPLE_BYTES, 8 * _SAMPLE_BYTES)  # fmt: skip
    return form + struct.pack("<4sI", b"data", data_size)


def wav_file(windows: Iterable[Samples], sample_rate_hz: int) -> bytes:
    """Return a whole WAV file with exact sizes."""
    data = b"".join(pcm16(window) for window in windows)
    return wav_header(sample_rate_hz, len(data)) + data
