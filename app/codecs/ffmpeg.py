"""MP3, Opus, AAC and FLAC by FFmpeg's libraries. Imports PyAV: 42 ms and 7 MB of a worker's own memory (2026-11-24)."""

import ctypes
from collections.abc import Iterable
from fractions import Fraction
from functools import cache

import av
import numpy as np

from app.codecs.registry import Form
from loader.engines.base import Samples
from loader.wav import pcm16

#: Options of every file: no random stream number, no threads.
_OPTIONS = {"fflags": "+bitexact", "threads": "1"}


class CompressedEncoder:
    """A codec and the container it writes into, in memory."""

    def __init__(self, form: Form, input_rate_hz: int, streamed: bool, serial: int = 0) -> None:
        """Open both.

        Args:
            form: what to write.
            input_rate_hz: one of the form's rates.
            streamed: the head goes first, without the length of the speech.
            serial: of an Ogg stream, 0 to 2**31 - 1.
        """
        _disable_threads()
        self.input_rate_hz = input_rate_hz
        self.sample_rate_hz = form.played_rate_hz or input_rate_hz
        self.delay_samples = form.delay_samples[streamed]
        self._sample_format = form.sample_format
        self._given_samples = 0
        self._sink = _Sink(is_rewritable=not streamed)
        options = _options(form, input_rate_hz, streamed)
        if form.container == "ogg":
            options["serial_offset"] = str(serial)
        self._container = av.open(self._sink, "w", format=form.container, options=options)
        self._stream = self._container.add_stream(form.codec, input_rate_hz, layout="mono", format=form.sample_format)
        self._container.start_encoding()
        self._sink.head_is_written()

    def encode(self, samples: Samples) -> bytes:
        """Encode the next samples; returns the packets that are complete."""
        if samples.size:
            self._mux(self._stream.encode(self._frame(samples)))
        return self._sink.taken()

    def finish(self) -> bytes:
        """Return the rest of the codec and of the container."""
        self._mux(self._stream.encode(None))
        self._container.close()
        return self._sink.taken()

    def head(self) -> bytes:
        """Return the head of a whole file, with the length of an MP3 or a FLAC."""
        return bytes(self._sink.head)

    def close(self) -> None:
        """Free codec and container now; they refer to each other."""
        self._sink.closed = True
        self._container.close()

    def _frame(self, samples: Samples) -> av.AudioFrame:
        planes = np.clip(samples, -1.0, 1.0)
        if self._sample_format == "s16":
            planes = np.frombuffer(pcm16(samples), "<i2")
        frame = av.AudioFrame.from_ndarray(planes[np.newaxis], format=self._sample_format, layout="mono")
        frame.sample_rate, frame.time_base = self.input_rate_hz, Fraction(1, self.input_rate_hz)
        frame.pts = self._given_samples
        self._given_samples += samples.size
        return frame

    def _mux(self, packets: "Iterable[av.Packet[av.AudioStream]]") -> None:
        for packet in packets:
            # LAME's last packet may contain only padding. The muxer would forget the padding before it, and players
            # would play up to 46 samples too many. FLAC's last packet is empty and has the figures of the head.
            if packet.duration or not packet.size:
                self._container.mux(packet)


class _Sink:
    """The file object that the container writes to. The head of a whole file is kept, since it is rewritten at the end.

    A stream's head has neither FLAC's statistics nor the frame with the length of an MP3.
    """

    def __init__(self, is_rewritable: bool) -> None:
        self.head = bytearray()
        #: Read by PyAV: a closed file gets no trailer.
        self.closed = False
        self._is_rewritable = is_rewritable
        self._at = 0
        self._pieces: list[bytes] = []

    def seekable(self) -> bool:
        return self._is_rewritable

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset
        return offset

    def tell(self) -> int:
        return self._at

    def write(self, data: bytes) -> int:
        if self._at < len(self.head):
            self.head[self._at : self._at + len(data)] = data
        else:
            self._pieces.append(data)
        self._at += len(data)
        return len(data)

    def head_is_written(self) -> None:
        if self._is_rewritable:
            self.head += self.taken()

    def taken(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


def _options(form: Form, input_rate_hz: int, streamed: bool) -> dict[str, str]:
    bit_rate_bps = form.bit_rate_bps(input_rate_hz)
    return {
        **_OPTIONS,
        **form.options,
        **(form.streamed_options if streamed else {}),
        **({} if bit_rate_bps is None else {"b": str(bit_rate_bps)}),
    }


@cache
def _disable_threads() -> None:
    """Make FFmpeg see one core, once per process.

    PyAV cuts samples into the codec's frames with a filter graph, which starts a thread for
    every core, whatever the options of the codec; two an encoder here, seventeen on a large
    machine. Process-wide, and nothing else in this process uses these libraries.
    """
    ctypes.CDLL(av._core.__file__).av_cpu_force_count(1)
