"""app.codecs.ffmpeg: no threads, no leaks, no output on standard error, and bytes as early as the format allows."""

import io

import numpy as np
import pytest
import soundfile

from app.codecs.registry import FORMS, open_encoder
from tests.app.codecs.sound import decode_ffmpeg, encode_all, uneven_windows
from tests.loader.children import answer_of, run_program

NOISE = np.random.default_rng(0).uniform(-0.3, 0.3, 60_000).astype(np.float32)

CHILD = """
import gc, json, os
os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as gunicorn.conf.py does
import numpy as np
from app.system import heap
from app.codecs.registry import open_encoder

heap.keep_one_heap()
gc.disable()  # an encoder that waits for the collector stays for as long as there is none
noise = np.random.default_rng(0).uniform(-0.3, 0.3, 60_000).astype(np.float32)

def own_kib():
    heap.return_free_memory()
    with open("/proc/self/smaps_rollup") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Anonymous"))
"""

ABANDONED = CHILD + """
def abandon(times, audio_format):
    for number in range(times):
        encoder = open_encoder(audio_format, 22050, 24000, streamed=bool(number % 2))
        encoder.encode(noise[:3000])
        encoder.encode(noise[3000:4000])
        encoder.close()
        encoder.close()

def grown_kib(audio_format):
    abandon(50, audio_format)
    before = own_kib()
    abandon(1000, audio_format)
    return own_kib() - before

print(json.dumps({audio_format: grown_kib(audio_format) for audio_format in ("mp3", "opus", "aac", "flac", "ulaw")}))
"""

LONG = CHILD + """
def grown_kib(audio_format, streamed):
    encoder = open_encoder(audio_format, 22050, 24000, streamed)
    sizes = []
    for minute in range(5):
        sent = sum(len(encoder.encode(noise)) for window in range(22))
        sizes.append(own_kib())
    encoder.finish()
    encoder.close()
    return sizes[-1] - sizes[0]

print(json.dumps({f"{audio_format} {streamed}": grown_kib(audio_format, streamed)
                  for audio_format in ("mp3", "opus", "aac", "flac") for streamed in (False, True)}))
"""

THREADS = CHILD + """
encoders = [open_encoder(audio_format, 22050, 24000, streamed)
            for audio_format in ("mp3", "opus", "aac", "flac", "pcm") for streamed in (False, True)]
for encoder in encoders:
    encoder.encode(noise)
print(json.dumps(len(os.listdir("/proc/self/task"))))
"""


def test_abandoned_encoders_free_their_memory():
    grown_kib = answer_of(ABANDONED)

    # Less than a tenth of what the encoders hold.
    assert max(grown_kib.values()) < 400, grown_kib


def test_memory_does_not_grow_with_the_length_of_the_speech():
    grown_kib = answer_of(LONG)

    # These four minutes are 1 MB as Opus and 9 MB as FLAC.
    assert max(grown_kib.values()) < 400, grown_kib


def test_no_encoder_starts_a_thread():
    assert 1 == answer_of(THREADS)


def test_ffmpeg_writes_nothing_to_standard_error():
    done = run_program(ABANDONED.replace("1000", "10") + "\nencoders = None\n")

    assert (0, "") == (done.returncode, done.stderr)


@pytest.mark.parametrize(("audio_format", "held_s"), [("mp3", 0.16), ("opus", 0.11), ("aac", 0.15), ("flac", 0.03)])
def test_a_stream_buffers_little(audio_format, held_s):
    encoder, sent, held = open_encoder(audio_format, 22050, 22050, streamed=True), b"", []
    for given in range(8192, 8192 + 3000, 600):
        sent += encoder.encode(NOISE[given - 600 if sent else 0 : given])
        found, rate_hz = decode_ffmpeg(sent)
        held.append(given / 22050 - (found.size - encoder.delay_samples) / rate_hz)
    encoder.close()

    assert max(held) < held_s, held


def test_a_whole_mp3_has_its_length_and_the_padding_to_skip():
    content = encode_all(open_encoder("mp3", 22050, 22050, streamed=False), uneven_windows(NOISE))

    # The header frame is silent; it contains the number of bytes, itself included.
    at = content.index(b"Info")
    frames, size = (int.from_bytes(content[at + 8 + 4 * place :][:4], "big") for place in (0, 1))
    delays = int.from_bytes(content[at + 141 :][:3], "big")
    assert at < 64
    assert size == len(content)
    assert frames * 576 == (delays >> 12) + NOISE.size + (delays & 0xFFF)


def test_a_streamed_mp3_is_frames_from_the_first_byte():
    content = encode_all(open_encoder("mp3", 22050, 22050, streamed=True), uneven_windows(NOISE))

    assert content[0] == 0xFF and content[1] & 0xE0 == 0xE0
    assert b"Info" not in content and b"Xing" not in content


def test_a_whole_flac_has_its_length_and_a_streamed_one_has_none():
    whole, streamed = (
        encode_all(open_encoder("flac", 22050, 22050, streamed), uneven_windows(NOISE)) for streamed in (False, True)
    )

    assert NOISE.size == soundfile.info(io.BytesIO(whole)).frames
    assert NOISE.size == int.from_bytes(whole[18:26], "big") & (1 << 36) - 1
    assert 0 == int.from_bytes(streamed[18:26], "big") & (1 << 36) - 1


def test_aac_is_a_sequence_of_adts_frames():
    content = encode_all(open_encoder("aac", 22050, 22050, streamed=True), uneven_windows(NOISE))

    at, frames = 0, 0
    while at < len(content):
        assert content[at] == 0xFF and content[at + 1] & 0xF6 == 0xF0
        at += (int.from_bytes(content[at + 3 : at + 6], "big") >> 5) & 0x1FFF
        frames += 1
    assert (len(content), -(-(NOISE.size + 1024) // 1024)) == (at, frames)


@pytest.mark.parametrize("audio_format", FORMS)
def test_files_have_the_size_expected_of_speech(audio_format):
    content = encode_all(open_encoder(audio_format, 22050, 22050, streamed=True), uneven_windows(np.tile(NOISE, 4)))

    # Noise is the worst case for FLAC; the others have a fixed bit rate.
    assert 8 * len(content) / (4 * NOISE.size / 22050) < {"flac": 360_000}.get(audio_format, 80_000)
