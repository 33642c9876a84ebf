"""WAV and bare PCM: 16 bits, little-endian, with numpy alone."""

from app.errors import TextTooLongError
from loader.engines.base import Samples
from loader.wav import MAX_DATA_BYTES, pcm16, wav_header


class PlainEncoder:
    """Encoder of uncompressed samples, with or without a WAV header."""

    delay_samples = 0

    def __init__(
        self, has_header: bool, sample_rate_hz: int, streamed: bool, max_data_bytes: int = MAX_DATA_BYTES
    ) -> None:
        """Prepare to write.

        Args:
            has_header: a WAV file, rather than bare PCM.
            sample_rate_hz: of the samples.
            streamed: the header goes first, and its sizes are unknown.
            max_data_bytes: limit of the sizes in a header.
        """
        self.input_rate_hz = self.sample_rate_hz = sample_rate_hz
        self._header_is_last = has_header and not streamed
        self._unsent = wav_header(sample_rate_hz, None) if has_header and streamed else b""
        self._max_data_bytes = max_data_bytes
        self._data_bytes = 0

    def encode(self, samples: Samples) -> bytes:
        """Return the samples' bytes."""
        data = pcm16(samples)
        self._data_bytes += len(data)
        if self._header_is_last and self._data_bytes > self._max_data_bytes:
            raise TextTooLongError(
                f"the speech takes more than the {self._max_data_bytes} bytes of a WAV file; "
                "send the text in parts, or ask for a stream or another format",
                "input",
            )
        return self._with_header(data)

    def finish(self) -> bytes:
        """Return nothing, or the header of a stream without samples."""
        return self._with_header(b"")

    def head(self) -> bytes:
        """Return the header with exact sizes, of a whole WAV file."""
        return wav_header(self.sample_rate_hz, self._data_bytes) if self._header_is_last else b""

    def close(self) -> None:
        """Do nothing."""

    def _with_header(self, data: bytes) -> bytes:
        header, self._unsent = self._unsent, b""
        return header + data
