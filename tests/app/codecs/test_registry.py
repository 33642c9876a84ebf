"""app.codecs.registry: every format, whole and streamed, decodes to the samples of the voice."""

import io
import wave
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import soxr

from app.codecs.registry import FORMATS, content_type, open_encoder, resolve_format
from loader.voices.voice import SpeechOptions
from loader.wav import pcm16, wav_header
from tests.app.codecs.sound import (
    Similarity,
    decode_ffmpeg,
    decode_libsndfile,
    decode_program,
    encode_all,
    similarity,
    uneven_windows,
)
from tests.loader.children import answer_of

COMPRESSED = ("mp3", "opus", "aac", "flac")
#: Formats of one rate.
RATES_HZ = {"opus": 48_000, "ogg": 48_000, "ulaw": 8_000, "alaw": 8_000, "sln16": 16_000}
#: Formats without a header, and FFmpeg's names of what they hold.
BARE = {"pcm": "s16le", "sln16": "s16le", "ulaw": "mulaw", "alaw": "alaw"}
STREAMED = {"whole": False, "streamed": True}
#: Minimum ratios and maximum error of each format. Measured on this speech: mp3 15 to 22 dB, 26 dB and 0.026;
#: opus 5 dB, 19 dB and 0.08; aac 23 to 28 dB, 39 to 46 dB and 0.017.
BOUNDS = {
    "mp3": Similarity(12, 22, 0.06),
    "opus": Similarity(3, 16, 0.16),
    "aac": Similarity(18, 34, 0.05),
    "flac": Similarity(50, 55, 1e-3),
    "wav": Similarity(50, 55, 1e-3),
    "pcm": Similarity(50, 55, 1e-3),
    "ogg": Similarity(3, 16, 0.16),
    "ulaw": Similarity(20, 30, 0.05),
    "alaw": Similarity(20, 30, 0.05),
    "sln16": Similarity(50, 55, 1e-3),
}
TEXT = "The quick brown fox jumps over the lazy dog. How much wood would a woodchuck chuck, if it could chuck wood?"


@pytest.fixture(scope="module")
def voice(catalogue):
    return catalogue.default


@pytest.fixture(scope="module")
def speech(voice):
    """More than five seconds of speech that end at a loud sample, so that a lost end is noticed."""
    samples = np.concatenate(list(voice.speak(TEXT, SpeechOptions(7))))
    tail = samples[-voice.sample_rate_hz :]
    return samples[: samples.size - tail.size + int(np.argmax(np.abs(tail)))]


def encoded(audio_format, samples, rate_hz=22050, streamed=False, voice_rate_hz=22050):
    encoder = open_encoder(audio_format, voice_rate_hz, rate_hz, streamed)
    return encoder, encode_all(encoder, uneven_windows(samples))


def decoded(audio_format, content, rate_hz):
    if audio_format in ("pcm", "sln16"):
        return np.frombuffer(content, "<i2") / 32767
    found, found_hz = decode_ffmpeg(content, BARE.get(audio_format), rate_hz)
    assert rate_hz == found_hz
    return found


def at_rate(samples, rate_hz):
    return samples if rate_hz == 22050 else soxr.resample(samples, 22050, rate_hz, quality="VHQ")


def require_similar(audio_format, found, expected, rate_hz):
    alike, bounds = similarity(found, expected, rate_hz), BOUNDS[audio_format]
    assert alike.worst_db > bounds.worst_db and alike.median_db > bounds.median_db, alike
    assert alike.largest_error < bounds.largest_error, alike


@pytest.mark.parametrize("rate_hz", [8000, 16000, 22050, 24000, 44100, 48000])
@pytest.mark.parametrize("streamed", STREAMED.values(), ids=STREAMED)
@pytest.mark.parametrize("audio_format", FORMATS)
def test_encoded_speech_decodes_to_the_same_sound(audio_format, streamed, rate_hz, speech):
    encoder, content = encoded(audio_format, speech, rate_hz, streamed)
    found = decoded(audio_format, content, encoder.sample_rate_hz)

    expected = at_rate(speech, encoder.sample_rate_hz)
    require_similar(audio_format, found[encoder.delay_samples :], expected, encoder.sample_rate_hz)
    assert RATES_HZ.get(audio_format, rate_hz) == encoder.sample_rate_hz


def _click(found, rate_hz):
    found[rate_hz * 2] += 0.3


def _gap(found, rate_hz):
    loudest = int(np.argmax(np.abs(found)))
    found[loudest - rate_hz // 40 : loudest + rate_hz // 40] = 0


def _swapped(found, rate_hz):
    found[rate_hz : 2 * rate_hz] = np.roll(found[rate_hz : 2 * rate_hz], rate_hz // 2)


def _late(found, rate_hz):
    found[:] = np.roll(found, rate_hz // 1000)


@pytest.mark.parametrize("damage", [_click, _gap, _swapped, _late])
@pytest.mark.parametrize("audio_format", FORMATS)
def test_the_comparison_detects_damage(audio_format, damage, speech):
    encoder, content = encoded(audio_format, speech)
    found = decoded(audio_format, content, encoder.sample_rate_hz)[encoder.delay_samples :].copy()
    damage(found, encoder.sample_rate_hz)

    with pytest.raises(AssertionError, match="worst_db"):
        require_similar(audio_format, found, at_rate(speech, encoder.sample_rate_hz), encoder.sample_rate_hz)


#: Samples of silence that may follow the decoded speech: the last frame of the codec for AAC, and two for an MP3 stream.
_SILENCE_AFTER = {("mp3", True): 2 * 576, ("aac", True): 1024, ("aac", False): 1024}


@pytest.mark.parametrize("streamed", STREAMED.values(), ids=STREAMED)
@pytest.mark.parametrize("audio_format", COMPRESSED)
def test_no_sample_is_lost_or_added_at_any_length(audio_format, streamed, speech):
    added = set()
    # Lengths for every position within the codecs' frames of 480 to 2304 samples.
    for size in (*range(50, 60), *range(30_000, 32_400, 61), speech.size):
        encoder, content = encoded(audio_format, speech[:size], 24000, streamed, voice_rate_hz=24000)
        found = decoded(audio_format, content, encoder.sample_rate_hz)
        added.add(found.size - encoder.delay_samples - size * encoder.sample_rate_hz // 24000)

    assert 0 <= min(added) <= max(added) <= _SILENCE_AFTER.get((audio_format, streamed), 0), added


# libsndfile cannot read a FLAC file without its length.
@pytest.mark.parametrize(
    ("audio_format", "streamed"), [("mp3", False), ("mp3", True), ("opus", False), ("opus", True), ("flac", False)]
)
def test_other_decoders_agree(audio_format, streamed, speech):
    encoder, content = encoded(audio_format, speech, 24000, streamed)
    found, found_hz = decode_libsndfile(content)

    # libsndfile decodes Opus at the rate of the encoder's input.
    assert 24000 == found_hz
    require_similar(audio_format, found[encoder.delay_samples :], at_rate(speech, 24000), 24000)
    if (audio_format, streamed) != ("mp3", True):
        assert round(speech.size * 24000 / 22050) == found.size


@pytest.mark.parametrize("streamed", STREAMED.values(), ids=STREAMED)
@pytest.mark.parametrize("audio_format", COMPRESSED)
def test_the_ffmpeg_program_agrees(audio_format, streamed, speech):
    encoder, content = encoded(audio_format, speech, 24000, streamed)
    found = decode_program(content, encoder.sample_rate_hz)

    expected = at_rate(speech, encoder.sample_rate_hz)
    require_similar(audio_format, found[encoder.delay_samples :], expected, encoder.sample_rate_hz)


@pytest.mark.parametrize("streamed", STREAMED.values(), ids=STREAMED)
def test_flac_has_exactly_the_samples_of_pcm(streamed, speech):
    _encoder, content = encoded("flac", speech, streamed=streamed)
    found, _rate_hz = decode_ffmpeg(content)

    assert pcm16(speech) == (found * 32768).astype("<i2").tobytes()


def test_pcm_is_the_bare_samples(speech):
    assert pcm16(speech) == encoded("pcm", speech)[1] == encoded("pcm", speech, streamed=True)[1]


def test_a_whole_wav_has_exact_sizes_and_a_streamed_one_has_unknown_sizes(speech):
    _encoder, whole = encoded("wav", speech)
    _encoder, streamed = encoded("wav", speech, streamed=True)

    assert wav_header(22050, 2 * speech.size) + pcm16(speech) == whole
    assert wav_header(22050, None) + pcm16(speech) == streamed
    with wave.open(io.BytesIO(encoded("wav", speech, 24000)[1])) as audio:
        assert (24000, round(speech.size * 24000 / 22050)) == (audio.getframerate(), audio.getnframes())


@pytest.mark.parametrize("streamed", STREAMED.values(), ids=STREAMED)
@pytest.mark.parametrize("audio_format", FORMATS)
@pytest.mark.parametrize("size", [1, 2, 100])
def test_very_few_samples_are_a_valid_file(audio_format, streamed, size, speech):
    encoder, content = encoded(audio_format, speech[30_000 : 30_000 + size], streamed=streamed)

    least = size * encoder.sample_rate_hz // 22050
    assert decoded(audio_format, content, encoder.sample_rate_hz).size >= least


@pytest.mark.parametrize("audio_format", FORMATS)
def test_silence_stays_silent(audio_format):
    encoder, content = encoded(audio_format, np.zeros(44_100, np.float32))
    found = decoded(audio_format, content, encoder.sample_rate_hz)

    assert np.abs(found).max(initial=0) < 1e-3
    assert 2 <= found.size / encoder.sample_rate_hz < 2.1


@pytest.mark.parametrize("audio_format", FORMATS)
def test_samples_beyond_full_scale_are_clipped(audio_format):
    tone = 4 * np.sin(2 * np.pi * 200 / 22050 * np.arange(22050, dtype=np.float32))
    encoder, content = encoded(audio_format, tone)
    found = decoded(audio_format, content, encoder.sample_rate_hz)[encoder.delay_samples :]

    expected = at_rate(np.clip(tone, -1, 1), encoder.sample_rate_hz)
    assert np.corrcoef(found[: expected.size], expected[: found.size])[0, 1] > 0.99


@pytest.mark.parametrize("audio_format", FORMATS)
def test_the_same_samples_give_the_same_bytes_in_any_thread(audio_format, speech):
    def encode(_number):
        return encoded(audio_format, speech, 24000, streamed=True)[1]

    with ThreadPoolExecutor(4) as threads:
        assert 1 == len(set(threads.map(encode, range(8))))


@pytest.mark.parametrize(
    ("audio_format", "wanted_hz", "sent_hz"),
    [
        ("mp3", 8000, 8000), ("mp3", 8001, 11025), ("mp3", 22049, 22050), ("mp3", 30000, 32000), ("mp3", 47999, 48000),
        ("aac", 9000, 11025), ("aac", 48000, 48000), ("opus", 8000, 48000), ("opus", 22050, 48000),
        ("flac", 12345, 12345), ("wav", 12345, 12345), ("pcm", 47999, 47999), ("ulaw", 24000, 8000), ("alaw", 8000, 8000),
        ("sln16", 8000, 16000),
    ],
)  # fmt: skip
def test_a_rate_that_the_format_does_not_support_becomes_the_next_higher_one(audio_format, wanted_hz, sent_hz, speech):
    encoder, content = encoded(audio_format, speech[:60_000], wanted_hz)

    assert sent_hz == encoder.sample_rate_hz
    assert decoded(audio_format, content, sent_hz).size >= 60_000 * sent_hz // 22050


@pytest.mark.parametrize("voice_rate_hz", [8000, 11025, 16000, 24000, 48000, 96000])
@pytest.mark.parametrize("audio_format", FORMATS)
def test_voices_of_any_rate_keep_their_speed(audio_format, voice_rate_hz, speech):
    encoder, content = encoded(audio_format, speech, min(voice_rate_hz, 48000), voice_rate_hz=voice_rate_hz)
    found = decoded(audio_format, content, encoder.sample_rate_hz)[encoder.delay_samples :]

    said_s = speech.size / voice_rate_hz
    assert said_s - 1e-3 < found.size / encoder.sample_rate_hz < said_s + 2048 / encoder.sample_rate_hz


def test_every_format_has_its_own_content_type():
    assert [
        "audio/mpeg", "audio/ogg", "audio/aac", "audio/flac", "audio/wav", "audio/pcm;rate=24000;channels=1", "audio/ogg",
        "audio/basic", "audio/x-alaw-basic", "audio/pcm;rate=24000;channels=1",
    ] == [content_type(audio_format, 24000) for audio_format in FORMATS]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "audio_format"),
    [
        ("mp3", "mp3"), ("MP3", "mp3"), ("mpeg", "mp3"), ("Wave", "wav"), ("ogg", "ogg"), ("OPUS", "opus"), ("mulaw", "ulaw"),
        ("pcmu", "ulaw"), ("PCMA", "alaw"), ("sln16", "sln16"), (" wav ", "wav"), ("mp4", None), ("", None),
    ],
)  # fmt: skip
def test_formats_have_other_names_in_any_case(name, audio_format):
    assert audio_format == resolve_format(name)


IMPORTED = """
import json, sys
import numpy as np
from app.codecs.registry import open_encoder

def imported(audio_format, rate_hz):
    encoder = open_encoder(audio_format, 22050, rate_hz, True)
    encoder.encode(np.zeros(1000, np.float32))
    encoder.finish()
    encoder.close()
    return [name for name in ("soxr", "av") if name in sys.modules]

print(json.dumps([imported("wav", 22050), imported("pcm", 22050), imported("pcm", 24000), imported("mp3", 22050)]))
"""


def test_codecs_import_heavy_libraries_at_their_first_use():
    assert [[], [], ["soxr"], ["soxr", "av"]] == answer_of(IMPORTED)
