"""app.codecs.registry, WAV and PCM: headers of files and streams, and speech that is too long for a header."""

import numpy as np
import pytest

from app.codecs.registry import PlainEncoder
from app.errors import TextTooLongError
from loader.wav import wav_header

TEN = np.zeros(10, np.float32)


def test_the_header_of_a_stream_comes_first_and_once():
    encoder = PlainEncoder(has_header=True, sample_rate_hz=22050, streamed=True)

    assert wav_header(22050, None) + bytes(20) == encoder.encode(TEN)
    assert (bytes(20), b"", b"") == (encoder.encode(TEN), encoder.finish(), encoder.head())


def test_a_stream_without_samples_is_a_header():
    assert wav_header(22050, None) == PlainEncoder(True, 22050, streamed=True).finish()


def test_bare_pcm_has_no_header():
    whole, streamed = (PlainEncoder(False, 22050, streamed) for streamed in (False, True))

    assert bytes(20) == whole.encode(TEN) == streamed.encode(TEN)
    assert {b""} == {whole.finish(), whole.head(), streamed.finish(), streamed.head()}


def test_more_data_than_the_header_can_describe_is_refused_with_a_remedy():
    def encode(has_header, streamed):
        encoder = PlainEncoder(has_header, 22050, streamed, max_data_bytes=40)
        return [encoder.encode(TEN) for _window in range(3)]

    with pytest.raises(TextTooLongError, match="more than the 40 bytes .* send the text in parts"):
        encode(has_header=True, streamed=False)
    assert 3 == len(encode(has_header=True, streamed=True)) == len(encode(has_header=False, streamed=False))
