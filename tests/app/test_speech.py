"""app.speech: what is let in, and how a speech is logged when it ends."""

import itertools
import logging

import pytest

from app.errors import BadRequestError, TextTooLongError, UnknownVoiceRequestedError, UnspeakableError
from app.speech import Speaking, SpeechRequest, begin_speech, checked_text, chosen, chosen_seed
from loader.config import Limits

LIMITS = Limits(text_characters=20, body_bytes=1024)


@pytest.mark.parametrize("text", ["a", " a ", "two\nlines\tand\r\ntabs", "Straße", "日本語", "👩‍👩‍👧", "\ufeffBOM", "x" * 20])
def test_text_is_let_in_as_it_is(text):
    assert text == checked_text(text, LIMITS, "input")


def test_text_at_the_limit_is_let_in_and_one_more_is_not():
    with pytest.raises(TextTooLongError, match="input is 21 characters, limit 20"):
        checked_text("x" * 21, LIMITS, "input")


@pytest.mark.parametrize("character", ["\0", "\x07", "\x1b", "\x7f", "\x85", "\ud800", "\udfff"])
def test_what_is_not_text_is_named_with_its_place(character):
    with pytest.raises(BadRequestError, match=rf"U\+{ord(character):04X} at position 2"):
        checked_text(f"ab{character}", LIMITS, "input")


def test_seeds_that_are_drawn_differ():
    assert 7 == chosen_seed(7)
    assert chosen_seed(None) != chosen_seed(None)


def test_an_unknown_voice_is_refused_with_the_known_ones(catalogue):
    assert Speaking(catalogue.default) == chosen(catalogue, None, None, None)
    with pytest.raises(UnknownVoiceRequestedError, match="known voices: joe"):
        chosen(catalogue, "nobody", None, None)


def spoken(catalogue, text):
    clock = itertools.count(100.0, 0.5)
    request = SpeechRequest(text, Speaking(catalogue.default), "wav", False, 1.0, 1, "id-1")
    return begin_speech(request, now=lambda: next(clock))


def test_nothing_to_speak_is_refused_before_anything_is_sent(catalogue):
    with pytest.raises(UnspeakableError):
        spoken(catalogue, "?!")


def test_a_speech_taken_to_its_end_is_logged_as_done(catalogue, caplog):
    caplog.set_level(logging.INFO, "chorus.speech")
    windows = list(spoken(catalogue, "Hello there.").windows)

    (record,) = caplog.records
    assert "speech.done" == record.msg["event"]
    assert round(sum(map(len, windows)) / 22050, 3) == record.msg["audio_s"]
    assert (12, "id-1", "joe") == (record.msg["chars"], record.msg["request_id"], record.msg["voice"])
    assert record.msg["took_s"] > record.msg["first_window_s"] > 0


def test_a_speech_that_is_dropped_is_logged_as_abandoned(catalogue, caplog):
    caplog.set_level(logging.INFO, "chorus.speech")
    speech = spoken(catalogue, "One sentence. And another one. And a third one.")
    next(speech.windows)
    speech.windows.close()

    assert ["speech.abandoned"] == [record.msg["event"] for record in caplog.records]
