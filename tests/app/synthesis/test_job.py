"""app.synthesis.job: what is let in, and how a speech is logged when it ends."""

import itertools
import logging
import time

import numpy as np
import pytest

from app.errors import (
    BadRequestError,
    ClientGoneError,
    DeadlineError,
    SilenceTooLongError,
    TextTooLongError,
    UnknownVoiceRequestedError,
    UnspeakableError,
)
from app.scheduling.cpu import Hands
from app.scheduling.deadline import Listener
from app.scoreboard.snapshot import snapshot
from app.synthesis.bounds import require_silence
from app.synthesis.job import begin_speech, measured_speech
from app.synthesis.request import Speaking, SpeechRequest, checked_text, chosen, chosen_seed
from loader.config.settings import Limits

LIMITS = Limits(text_characters=20, body_bytes=1024)
THERE = Listener(lambda: False, 100.0)


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


def spoken(catalogue, text, cores=1):
    clock = itertools.count(100.0, 0.5)
    request = SpeechRequest(text, Speaking(catalogue.default), "wav", False, 1.0, 1, "id-1")
    return begin_speech(request, Hands(cores), THERE, LIMITS, now=lambda: next(clock))


def test_nothing_to_speak_is_refused_before_anything_is_sent(catalogue):
    with pytest.raises(UnspeakableError):
        spoken(catalogue, "?!")


def test_a_speech_taken_to_its_end_is_logged_as_done(catalogue, caplog):
    caplog.set_level(logging.INFO, "chorus.speech")
    stretches = list(spoken(catalogue, "Hello there.").stretches)

    (record,) = caplog.records
    assert "speech.done" == record.msg["event"]
    assert round(sum(each.samples.size for each in stretches) / 22050, 3) == record.msg["audio_s"]
    assert (12, "id-1", "joe") == (record.msg["chars"], record.msg["request_id"], record.msg["voice"])
    assert record.msg["took_s"] > record.msg["first_window_s"] > 0


def test_audio_counts_on_the_scoreboard_as_it_is_made(catalogue):
    clock, hands = itertools.count(100.0, 0.5), Hands(1)
    request = SpeechRequest("One sentence. And another one.", Speaking(catalogue.default), "wav", False, 1.0, 1, "id-1")
    speech, counted_s = begin_speech(request, hands, THERE, LIMITS, now=lambda: next(clock)), []
    for _ in speech.stretches:
        counted_s.append(snapshot(hands.board).totals.audio_s)

    assert 0 < counted_s[0] < counted_s[-1] == pytest.approx(hands.seat.row["audio_s"])


def test_a_speech_that_is_dropped_is_logged_as_abandoned(catalogue, caplog):
    caplog.set_level(logging.INFO, "chorus.speech")
    speech = spoken(catalogue, "One sentence. And another one. And a third one.")
    next(speech.stretches)
    speech.stretches.close()

    assert ["speech.abandoned"] == [record.msg["event"] for record in caplog.records]


@pytest.mark.parametrize("cores", [2, 3])
def test_further_hands_change_nothing_that_is_heard(catalogue, cores):
    text = "One sentence, of some length, so that there is more than one window to it. And another one! And a third."
    alone, together = (list(spoken(catalogue, text, each).stretches) for each in (1, cores))

    assert len(alone) == len(together) > 3
    assert all(np.array_equal(one.samples, other.samples) for one, other in zip(alone, together, strict=True))
    assert [0, 1, 2] == [each.begins.segment.sentence for each in together if each.begins]


def test_a_request_counts_as_speaking_only_while_it_is_waited_for(catalogue):
    hands = Hands(2)
    request = SpeechRequest("Hello there. And again.", Speaking(catalogue.default), "wav", False, 1.0, 1, "id-1")
    speech = begin_speech(request, hands, THERE, LIMITS)
    next(speech.stretches)

    assert 2 == hands.allowed()
    with hands.speaking(), hands.speaking():
        assert 1 == hands.allowed()
    speech.stretches.close()


def test_what_is_measured_is_what_is_heard(catalogue):
    text = "On the 3rd of May it cost $3.50. Nobody minded, and everybody went home."
    request = SpeechRequest(text, Speaking(catalogue.default), "wav", False, 1.0, 9, "id-1")
    timings = measured_speech(request, Hands(1), Listener(lambda: False, 0.0), LIMITS)
    stretches = list(begin_speech(request, Hands(1), THERE, LIMITS).stretches)
    heard = [catalogue.default.timing(each.begins) for each in stretches if each.begins]

    assert heard == timings
    assert timings[-1].end_samples == sum(each.samples.size for each in stretches)
    assert ["On", "the", "3rd", "of", "May", "it", "cost", "$3.50"] == [word.text for word in timings[0].words]


def test_a_client_that_leaves_stops_the_measuring(catalogue):
    request = SpeechRequest("Hello there. And again.", Speaking(catalogue.default), "wav", False, 1.0, 9, "id-1")

    with pytest.raises(ClientGoneError):
        measured_speech(request, Hands(1), Listener(lambda: True, 0.0), LIMITS)


def test_a_client_that_waits_no_longer_stops_the_measuring(catalogue):
    request = SpeechRequest("Hello there. And again.", Speaking(catalogue.default), "wav", False, 1.0, 9, "id-1")

    with pytest.raises(DeadlineError, match="X-Request-Timeout"):
        measured_speech(request, Hands(1), Listener(lambda: False, 0.0, until_s=1.0), LIMITS)


def test_the_board_has_what_was_spoken_and_how_fast(catalogue):
    hands, clock = Hands(1), itertools.count(100.0, 0.5)
    request = SpeechRequest("Hello there.", Speaking(catalogue.default), "wav", False, 1.0, 1, "id-1")
    stretches = list(begin_speech(request, hands, Listener(lambda: False, 90.0), LIMITS, now=lambda: next(clock)).stretches)

    seen = snapshot(hands.board).totals
    assert {"done": 1, "failed": 0, "abandoned": 0, "refused": 0} == seen.outcomes
    assert sum(each.samples.size for each in stretches) / 22050 == pytest.approx(seen.audio_s)
    assert 12 == seen.characters
    assert 11.0 == seen.histograms["first_audio_s"].sum
    assert seen.histograms["synthesis_s"].sum / seen.audio_s == pytest.approx(seen.histograms["rtf"].sum)


SILENT = "\u200b! " * 300


@pytest.mark.parametrize("begin", [
    lambda request, listener: begin_speech(request, Hands(1), listener, LIMITS),
    lambda request, listener: measured_speech(request, Hands(1), listener, LIMITS),
])  # fmt: skip
def test_a_client_that_leaves_ends_the_reading_of_a_text_without_sound(catalogue, begin):
    questions = itertools.count()
    listener = Listener(lambda: next(questions) >= 10, 0.0)

    with pytest.raises(ClientGoneError):
        begin(SpeechRequest(SILENT, Speaking(catalogue.default), "wav", False, 1.0, 9, "id-1"), listener)

    assert 11 == next(questions)


def test_reading_a_text_without_sound_is_progress(catalogue):
    clock = itertools.count(100.0, 1.0)
    hands = Hands(1, stall_s=5.0, now=lambda: next(clock))
    overdue = []
    listener = Listener(lambda: bool(overdue.append(next(clock) > hands.seat.row["stalls_s"])), 0.0)

    with pytest.raises(UnspeakableError):
        begin_speech(SpeechRequest(SILENT, Speaking(catalogue.default), "wav", False, 1.0, 9, "id-1"), hands, listener, LIMITS)

    assert 300 == len(overdue) and not any(overdue)


@pytest.mark.parametrize(
    "sentence_pause_s, sentences, is_refused", [(10, 361, False), (10, 362, True), (0.45, 3000, False), (0, 5000, False)]
)
def test_silence_between_sentences_is_bounded_before_anything_is_spoken(catalogue, sentence_pause_s, sentences, is_refused):
    request = SpeechRequest(
        "A! " * sentences, Speaking(catalogue.default), "wav", False, 1.0, 9, "id-1", sentence_pause_s=sentence_pause_s
    )
    if is_refused:
        with pytest.raises(SilenceTooLongError, match="362 sentences with pauses of 10 s are 3610 s of silence, limit 3600"):
            require_silence(request, LIMITS)
    else:
        require_silence(request, LIMITS)


def test_a_stream_that_began_in_time_has_no_deadline(catalogue):
    text = "One sentence. And another one. And a third one."
    listener = Listener(lambda: False, 0.0, until_s=time.monotonic() + 3600)
    speaking = (catalogue.default,)
    streamed, whole = (
        begin_speech(SpeechRequest(text, Speaking(*speaking), "pcm", is_streamed, 1.0, 9, "id-1"), Hands(1), late, LIMITS)
        for is_streamed, late in ((True, listener), (False, listener))
    )
    object.__setattr__(listener, "until_s", 1.0)

    assert len(list(streamed.stretches)) > 2
    with pytest.raises(DeadlineError):
        list(whole.stretches)
