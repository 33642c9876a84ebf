"""How each compressed format is written: codec, rates, bit rates, options. Facts only; nothing heavy is imported."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Form:
    """One compressed format, in FFmpeg's words."""

    container: str
    codec: Literal["libmp3lame", "libopus", "aac", "flac"]
    #: How samples are handed over: `flt` and `fltp` are floats, `s16` is what WAV holds.
    sample_format: str
    #: Options of codec and container, whole and streamed.
    options: Mapping[str, str]
    #: Further ones of a stream.
    streamed_options: Mapping[str, str] = field(default_factory=dict)
    #: What the codec takes, rising; empty where it takes any.
    rates_hz: tuple[int, ...] = ()
    #: What players hear, where that is not what the codec was given.
    played_rate_hz: int | None = None
    #: Up to 24 kHz, where most voices are, and above. None where nothing is thrown away.
    bit_rates_bps: tuple[int, int] | None = None
    #: Played before the first sample, whole and streamed.
    delay_samples: tuple[int, int] = (0, 0)

    def input_rate_hz(self, voice_rate_hz: int, wanted_rate_hz: int) -> int:
        """Return the lowest rate that loses nothing of what was asked for, or the highest there is."""
        least_hz = voice_rate_hz if self.played_rate_hz else wanted_rate_hz
        if not self.rates_hz:
            return least_hz
        return next((rate_hz for rate_hz in self.rates_hz if rate_hz >= least_hz), self.rates_hz[-1])

    def bit_rate_bps(self, input_rate_hz: int) -> int | None:
        """Return what the codec aims at."""
        return self.bit_rates_bps and self.bit_rates_bps[input_rate_hz > 24_000]


_MPEG_RATES_HZ = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)

# Core time a second of speech, the embedded voice at 22.05 kHz, measured 2026-11-24; speaking itself takes some 75 ms.
FORMS: Mapping[str, Form] = {
    # A constant bit rate, because players tell the length of a stream by it. LAME's level 7 takes 4.5 ms, its usual 5
    # takes 7 ms and is no nearer to the original at this bit rate. 64 kbit/s is also the most below 16 kHz.
    "mp3": Form(
        "mp3", "libmp3lame", "fltp", {"compression_level": "7", "id3v2_version": "0"}, {},
        _MPEG_RATES_HZ, bit_rates_bps=(64_000, 96_000), delay_samples=(0, 1105),
    ),
    # 2.4 ms; above level 5, or as `voip`, libopus analyses the signal, and takes 6.6 to 8.8 ms. It aims at 32 kbit/s and
    # gives 40, as a stream 45. A page is the unit that leaves: one second by default, and two are held back.
    "opus": Form(
        "ogg", "libopus", "flt", {"compression_level": "5", "application": "audio"}, {"page_duration": "40000"},
        (8_000, 12_000, 16_000, 24_000, 48_000), played_rate_hz=48_000, bit_rates_bps=(32_000, 48_000),
    ),
    # 3.6 ms; the other search takes 7.5 ms and is no nearer to the original at this bit rate.
    "aac": Form(
        "adts", "aac", "fltp", {"aac_coder": "fast"}, {},
        _MPEG_RATES_HZ, bit_rates_bps=(64_000, 96_000), delay_samples=(1024, 1024),
    ),
    # 0.4 ms. Level 2 has blocks of 26 ms instead of 104, for 7 % more bytes.
    "flac": Form(
        "flac", "flac", "s16", {"compression_level": "5", "metadata_header_padding": "0"}, {"compression_level": "2"},
    ),
}  # fmt: skip
