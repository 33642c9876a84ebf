"""How long audio may be that is made as a whole: said before it is made, and never of a stream."""

import io
import re
import wave

import pytest

TEXT = "The quick brown fox jumps over the lazy dog."
LONG = " ".join([TEXT] * 100)
LIMIT_S = 10


@pytest.fixture
def short_of_time(start):
    return start(keys={"limits": {"audio_s": LIMIT_S}}).ready()


def test_a_whole_file_that_would_be_too_long_is_refused_before_all_of_it_is_made(short_of_time):
    answer = short_of_time.speak(LONG, response_format="wav")
    made_s = float(re.search(r"event=speech\.\w+ .*\baudio_s=([\d.]+)", short_of_time.log())[1])

    assert 413 == answer.status
    assert "audio_too_long" == answer.json()["error"]["code"]
    assert "longer than 10 s" in answer.json()["error"]["message"]
    assert made_s < LIMIT_S + 5


@pytest.mark.parametrize("path, field", [("/api/tts", "text"), ("/process", "INPUT_TEXT")])
def test_so_it_is_in_other_dialects(short_of_time, path, field):
    answer = short_of_time.ask("POST", path, f"{field}={LONG}", {"Content-Type": "application/x-www-form-urlencoded"})

    assert 413 == answer.status
    assert b"longer than 10 s" in answer.body


def test_a_short_file_and_a_long_stream_are_made(short_of_time):
    whole = short_of_time.speak(TEXT, response_format="wav")
    streamed = short_of_time.speak(LONG, response_format="pcm", stream=True)

    with wave.open(io.BytesIO(whole.body)) as audio:
        assert 1 < audio.getnframes() / audio.getframerate() < LIMIT_S
    assert 200 == streamed.status
    assert len(streamed.body) / 2 / 22050 > 10 * LIMIT_S


@pytest.mark.parametrize("caption_format", ["json", "srt", "vtt"])
def test_captions_that_would_be_too_long_are_refused(short_of_time, caption_format):
    asked = {"voice": "joe", "caption_format": caption_format}
    answers = [short_of_time.ask("POST", "/v1/audio/captions", {**asked, "input": text}) for text in (LONG, TEXT)]

    assert [413, 200] == [answer.status for answer in answers]
    assert "audio_too_long" == answers[0].json()["error"]["code"]
