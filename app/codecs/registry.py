"""The audio formats: how each is written, and an encoder for each. Imports no codec library before it is needed.

MP3, Opus, AAC, FLAC and the formats of telephones, G.711's, are `codecs.ffmpeg`'s; WAV, PCM and other sample rates are
written here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from app.errors import TextTooLongError
from loader import wav
from loader.engines.base import NO_SAMPLES, Samples

#: The formats of `response_format`.
FORMATS = ("mp3", "opus", "aac", "flac", "wav", "pcm", "ogg", "ulaw", "alaw", "sln16")
#: Other names that clients use for them.
_OTHER_NAMES = {"mpeg": "mp3", "wave": "wav", "mulaw": "ulaw", "pcmu": "ulaw", "pcma": "alaw"}

_CONTENT_TYPES = {
    "mp3": "audio/mpeg", "opus": "audio/ogg", "ogg": "audio/ogg", "aac": "audio/aac", "flac": "audio/flac", "wav": "audio/wav",
    "ulaw": "audio/basic", "alaw": "audio/x-alaw-basic",
}  # fmt: skip
#: The rate of Asterisk's `.sln16`: PCM without a header, 16 bits, little-endian.
_SLN16_RATE_HZ = 16_000
_TELEPHONE_RATES_HZ = (8_000,)


class Encoder(Protocol):
    """Encoder of one speech, from samples to bytes. For one thread at a time; to be closed in any case."""

    @property
    def input_rate_hz(self) -> int:
        """The rate that `encode` expects."""
        ...

    @property
    def sample_rate_hz(self) -> int:
        """The rate that a player hears."""
        ...

    @property
    def delay_samples(self) -> int:
        """Silence that players play before the first sample, at `sample_rate_hz`: padding that the format cannot declare."""
        ...

    def encode(self, samples: Samples) -> bytes:
        """Encode the next samples, any number of them; returns nothing while the codec buffers.

        Raises:
            TextTooLongError: the audio is too long for the format.
        """
        ...

    def finish(self) -> bytes:
        """Return the rest after the last samples."""
        ...

    def head(self) -> bytes:
        """Return the head of a whole file, known after `finish`; of a stream nothing, since its head came first."""
        ...

    def close(self) -> None:
        """Free everything. May be called twice."""
        ...


@dataclass(frozen=True)
class Form:
    """One compressed format, in FFmpeg's terms."""

    container: str
    codec: Literal["libmp3lame", "libopus", "aac", "flac", "pcm_mulaw", "pcm_alaw"]
    #: FFmpeg's sample format: `flt` and `fltp` are floats, `s16` are 16-bit integers.
    sample_format: str
    #: Options of codec and container, whole and streamed.
    options: Mapping[str, str]
    #: Further options of a stream.
    streamed_options: Mapping[str, str] = field(default_factory=dict)
    #: Rates that the codec accepts, ascending; empty if it accepts any.
    rates_hz: tuple[int, ...] = ()
    #: Rate at which players decode, if it is not that of the codec's input.
    played_rate_hz: int | None = None
    #: Up to 24 kHz, the rate of most voices, and above. None for lossless formats.
    bit_rates_bps: tuple[int, int] | None = None
    #: Silence before the first sample, whole and streamed.
    delay_samples: tuple[int, int] = (0, 0)

    def input_rate_hz(self, voice_rate_hz: int, wanted_rate_hz: int) -> int:
        """Return the lowest rate of the codec that loses nothing, or its highest."""
        min_hz = voice_rate_hz if self.played_rate_hz else wanted_rate_hz
        if not self.rates_hz:
            return min_hz
        return next((rate_hz for rate_hz in self.rates_hz if rate_hz >= min_hz), self.rates_hz[-1])

    def bit_rate_bps(self, input_rate_hz: int) -> int | None:
        """Return the target bit rate; None for lossless formats."""
        return self.bit_rates_bps and self.bit_rates_bps[input_rate_hz > 24_000]


_MPEG_RATES_HZ = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)

# Core time a second of speech, the embedded voice at 22.05 kHz, measured 2026-11-24; speaking itself takes some 75 ms.

# 2.4 ms; above level 5, or as `voip`, libopus analyses the signal, and takes 6.6 to 8.8 ms. It aims at 32 kbit/s and
# gives 40, as a stream 45. A page is the unit that leaves: one second by default, and two are held back.
_OPUS = Form(
    "ogg", "libopus", "flt", {"compression_level": "5", "application": "audio"}, {"page_duration": "40000"},
    (8_000, 12_000, 16_000, 24_000, 48_000), played_rate_hz=48_000, bit_rates_bps=(32_000, 48_000),
)  # fmt: skip

FORMS: Mapping[str, Form] = {
    # A constant bit rate, because players tell the length of a stream by it. LAME's level 7 takes 4.5 ms, its usual 5
    # takes 7 ms and is no nearer to the original at this bit rate. 64 kbit/s is also the most below 16 kHz.
    "mp3": Form(
        "mp3", "libmp3lame", "fltp", {"compression_level": "7", "id3v2_version": "0"}, {},
        _MPEG_RATES_HZ, bit_rates_bps=(64_000, 96_000), delay_samples=(0, 1105),
    ),
    "opus": _OPUS,
    "ogg": _OPUS,
    # 3.6 ms; the other search takes 7.5 ms and is no nearer to the original at this bit rate.
    "aac": Form(
        "adts", "aac", "fltp", {"aac_coder": "fast"}, {},
        _MPEG_RATES_HZ, bit_rates_bps=(64_000, 96_000), delay_samples=(1024, 1024),
    ),
    # 0.4 ms. Level 2 has blocks of 26 ms instead of 104, for 7 % more bytes.
    "flac": Form(
        "flac", "flac", "s16", {"compression_level": "5", "metadata_header_padding": "0"}, {"compression_level": "2"},
    ),
    # G.711 without a header, as telephones and Asterisk's files have it.
    "ulaw": Form("mulaw", "pcm_mulaw", "s16", {}, rates_hz=_TELEPHONE_RATES_HZ),
    "alaw": Form("alaw", "pcm_alaw", "s16", {}, rates_hz=_TELEPHONE_RATES_HZ),
}  # fmt: skip


def resolve_format(name: str) -> str | None:
    """Return the format of that name, in any case, or by another name of it; None for an unknown name."""
    wanted = name.strip().lower()
    wanted = _OTHER_NAMES.get(wanted, wanted)
    return wanted if wanted in FORMATS else None


def content_type(audio_format: str, sample_rate_hz: int) -> str:
    """Return the media type of an audio format; that of bare PCM includes its rate."""
    return _CONTENT_TYPES.get(audio_format, f"audio/pcm;rate={sample_rate_hz};channels=1")


def delay_s(audio_format: str, voice_rate_hz: int, sample_rate_hz: int, streamed: bool) -> float:
    """Return the silence before the first sample, in seconds (see `Encoder.delay_samples`)."""
    form = FORMS.get(audio_format)
    if form is None:
        return 0.0
    return form.delay_samples[streamed] / (form.played_rate_hz or form.input_rate_hz(voice_rate_hz, sample_rate_hz))


def open_encoder(audio_format: str, voice_rate_hz: int, sample_rate_hz: int, streamed: bool, serial: int = 0) -> Encoder:
    """Return an encoder of mono speech.

    Args:
        audio_format: one of `FORMATS`.
        voice_rate_hz: of the samples it will be given.
        sample_rate_hz: of the audio, 8000 to 48000. MP3 and AAC, which know a few rates only, take the next one above;
            Opus is always 48000, G.711 8000 and `sln16` 16000.
        streamed: bytes come as early as the format allows, and its head first, which cannot say how long the speech
            is. Otherwise the head is known last.
        serial: of an Ogg stream, 0 to 2**31 - 1: files that are joined to one need different ones.
    """
    encoder: Encoder
    if audio_format in FORMS:
        from app.codecs.ffmpeg import CompressedEncoder

        form = FORMS[audio_format]
        encoder = CompressedEncoder(form, form.input_rate_hz(voice_rate_hz, sample_rate_hz), streamed, serial)
    else:
        rate_hz = _SLN16_RATE_HZ if audio_format == "sln16" else sample_rate_hz
        encoder = PlainEncoder(audio_format == "wav", rate_hz, streamed)
    return encoder if encoder.input_rate_hz == voice_rate_hz else Resampled(encoder, voice_rate_hz)


class PlainEncoder:
    """WAV and bare PCM: 16 bits, little-endian, with numpy alone."""

    delay_samples = 0

    def __init__(
        self, has_header: bool, sample_rate_hz: int, streamed: bool, max_data_bytes: int = wav.MAX_DATA_BYTES
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
        self._unsent = wav.wav_header(sample_rate_hz, None) if has_header and streamed else b""
        self._max_data_bytes = max_data_bytes
        self._data_bytes = 0

    def encode(self, samples: Samples) -> bytes:
        """Return the samples' bytes."""
        data = wav.pcm16(samples)
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
        return wav.wav_header(self.sample_rate_hz, self._data_bytes) if self._header_is_last else b""

    def close(self) -> None:
        """Do nothing."""

    def _with_header(self, data: bytes) -> bytes:
        header, self._unsent = self._unsent, b""
        return header + data


class Resampled:
    """An encoder behind a resampler, soxr's. Neither adds delay: what the filter holds back, 27 ms, follows at the end.

    PyAV's resampler would make WAV and PCM at other rates import PyAV: 42 ms and 7 MB of a worker's own memory instead of
    2 ms and 0.1 MB. Both cost 0.2 ms of core time a second of speech (measured 2026-11-24).
    """

    def __init__(self, encoder: Encoder, input_rate_hz: int) -> None:
        """Take over `encoder`, which is closed with this one."""
        import soxr

        self._encoder = encoder
        self._resampler = soxr.ResampleStream(input_rate_hz, encoder.input_rate_hz, 1, dtype="float32", quality="HQ")
        self.input_rate_hz = input_rate_hz
        self.sample_rate_hz = encoder.sample_rate_hz
        self.delay_samples = encoder.delay_samples

    def encode(self, samples: Samples) -> bytes:
        """Resample and encode the next samples."""
        return self._encoder.encode(self._resampler.resample_chunk(samples))

    def finish(self) -> bytes:
        """Return the rest of the filter and of the encoder."""
        return self._encoder.encode(self._resampler.resample_chunk(NO_SAMPLES, last=True)) + self._encoder.finish()

    def head(self) -> bytes:
        """Return the encoder's head."""
        return self._encoder.head()

    def close(self) -> None:
        """Close the encoder; the filter goes with the last reference."""
        self._encoder.close()
