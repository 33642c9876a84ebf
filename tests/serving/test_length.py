"""The limit of the duration of whole answers: they are refused before all audio is made; streams have no limit."""

import io
import re
import wave

import pytest

TEXT = "The quick brown fox jumps over the lazy dog."
LONG = " ".join([TEXT] * 100)
LIMIT_S = 10


@pytest.fixture
def five_second_limit(start):
    return start(keys={"limits": {"audio_s": LIMIT_S}}).ready()


def test_a_whole_file_above_the_limit_is_refused_before_all_of_it_is_made(five_second_limit):
    answer = five_second_limit.speak(LONG, response_format="wav")
    made_s = float(re.search(r"event=speech\.\w+ .*\baudio_s=([\d.]+)", five_second_limit.log())[1])

    assert 413 == answer.status
    assert "audio_too_long" == answer.json()["error"]["code"]
    assert "longer than 10 s" in answer.json()["error"]["message"]
    assert made_s < LIMIT_S + 5


@pytest.mark.parametrize("path, field", [("/api/tts", "text"), ("/process", "INPUT_TEXT")])
def test_other_dialects_have_the_same_limit(five_second_limit, path, field):
    answer = five_second_limit.ask("POST", path, f"{field}={LONG}", {"Content-Type": "application/x-www-form-urlencoded"})

    assert 413 == answer.status
    assert b"longer than 10 s" in answer.body


def test_a_short_file_and_a_long_stream_are_made(five_second_limit):
    whole = five_second_limit.speak(TEXT, response_format="wav")
    streamed = five_second_limit.speak(LONG, response_format="pcm", stream=True)

    with wave.open(io.BytesIO(whole.body)) as audio:
        assert 1 < audio.getnframes() / audio.getframerate() < LIMIT_S
    assert 200 == streamed.status
    assert len(streamed.body) / 2 / 22050 > 10 * LIMIT_S


@pytest.mark.parametrize("caption_format", ["json", "srt", "vtt"])
def test_captions_above_the_limit_are_refused(five_second_limit, caption_format):
    asked = {"voice": "joe", "caption_format": caption_format}
    answers = [five_second_limit.ask("POST", "/v1/audio/captions", {**asked, "input": text}) for text in (LONG, TEXT)]

    assert [413, 200] == [answer.status for answer in answers]
    assert "audio_too_long" == answers[0].json()["error"]["code"]
