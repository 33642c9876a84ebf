"""Captions: the timings of a speech as JSON, as events of a stream, and as subtitles in SRT and WebVTT.

The two subtitle formats are written here, in a line or two each: pysubs2 1.8.1 reads braces and backslashes in a
text as commands, webvtt-py 0.6.0 drops what is in angle brackets of an SRT, and spoken texts hold all of them.
The tests read them back with webvtt-py.
"""

import html
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from app.codecs.registry import delay_s
from app.synthesis.request import SpeechRequest
from app.synthesis.subtitles import Cue, join_parts, sentence_cues
from loader.timing.timings import Mark, Timing

SENTENCE, WORD, PHONEME = "sentence", "word", "phoneme"
#: The values of `timestamp_granularities`.
GRANULARITIES = (SENTENCE, WORD, PHONEME)
#: The caption formats, and the media type of each.
CONTENT_TYPES = {"json": "application/json", "srt": "application/x-subrip; charset=utf-8", "vtt": "text/vtt; charset=utf-8"}


def as_played(timing: Timing, request: SpeechRequest) -> Timing:
    """Return `timing` in the player's time: MP3 streams and AAC begin with silence that players cannot skip."""
    rate_hz = request.voice.sample_rate_hz
    delay = delay_s(request.audio_format, rate_hz, request.output_rate_hz, request.streamed)
    return timing.later(round(delay * rate_hz)) if delay else timing


def marks_event(timing: Timing, sample_rate_hz: int, granularities: Collection[str]) -> dict[str, Any]:
    """Return the server-sent event with the timestamps of an utterance, which precedes its audio."""
    return {
        "type": "speech.audio.marks", "sentence": timing.sentence, **_describe([timing], sample_rate_hz, granularities),
        **_named_moments([timing], sample_rate_hz),
    }  # fmt: skip


def captions_json(
    timings: Sequence[Timing], sample_rate_hz: int, total_samples: int, granularities: Collection[str], seed: int
) -> dict[str, Any]:
    """Return the captions document: all timings of a speech, by sentence.

    Args:
        timings: of its utterances and of the silence after the last one, in order; those of one sentence are joined.
        sample_rate_hz: samples of one second.
        total_samples: length of the whole audio.
        granularities: some of GRANULARITIES; sentences are always included.
        seed: of the audio.
    """
    return {
        "seed": seed,
        "sample_rate": sample_rate_hz,
        "duration_s": _seconds(total_samples, sample_rate_hz),
        **_named_moments(timings, sample_rate_hz),
        "sentences": [_describe(parts, sample_rate_hz, granularities) for parts in _by_sentence(timings)],
    }


def srt(timings: Iterable[Timing], sample_rate_hz: int) -> str:
    """Return SubRip subtitles. The format has no escape, so `-->` in a text becomes an arrow."""
    return "".join(
        f"{number}\n{_times(cue, ',')}\n{cue.text.replace('-->', '→')}\n\n"
        for number, cue in enumerate(_all_cues(timings, sample_rate_hz), start=1)
    )


def vtt(timings: Iterable[Timing], sample_rate_hz: int) -> str:
    """Return WebVTT subtitles."""
    cues = (
        f"{_times(cue, '.')}\n{html.escape(cue.text, quote=False)}\n" for cue in _all_cues(timings, sample_rate_hz)
    )
    return "\n".join(["WEBVTT\n", *cues])


def _describe(parts: Sequence[Timing], sample_rate_hz: int, granularities: Collection[str]) -> dict[str, Any]:
    """Return one sentence, or part of one, with the requested marks."""

    def marks(some: Iterable[Mark]) -> list[dict[str, Any]]:
        return [
            {
                "text": mark.text,
                "start_s": _seconds(mark.start_samples, sample_rate_hz),
                "end_s": _seconds(mark.end_samples, sample_rate_hz),
            }
            for mark in some
        ]

    whole = Mark(join_parts([part.text for part in parts]), parts[0].start_samples, parts[-1].end_samples)
    described = marks([whole])[0]
    if WORD in granularities:
        described["words"] = marks(mark for part in parts for mark in part.words)
    if PHONEME in granularities:
        described["phonemes"] = marks(mark for part in parts for mark in part.phonemes)
    return described


def _named_moments(timings: Iterable[Timing], sample_rate_hz: int) -> dict[str, Any]:
    """Return the marks of the client's markup, if there are some."""
    marks = [
        {"name": mark.text, "time_s": _seconds(mark.start_samples, sample_rate_hz)} for timing in timings for mark in timing.marks
    ]
    return {"marks": marks} if marks else {}


def _by_sentence(timings: Iterable[Timing]) -> Iterator[list[Timing]]:
    spoken = (timing for timing in timings if not timing.is_silence)
    for _number, parts in groupby(spoken, key=lambda timing: timing.sentence):
        yield list(parts)


def _seconds(samples: int, sample_rate_hz: int) -> float:
    return round(samples / sample_rate_hz, 3)


def _all_cues(timings: Iterable[Timing], sample_rate_hz: int) -> Iterator[Cue]:
    for parts in _by_sentence(timings):
        yield from sentence_cues(parts, sample_rate_hz)


def _times(cue: Cue, mark: str) -> str:
    return f"{_clock(cue.start_ms, mark)} --> {_clock(cue.end_ms, mark)}"


def _clock(ms: int, mark: str) -> str:
    """Return hours, minutes, seconds and, after `mark`, milliseconds, of two and three digits or more."""
    minutes, within = divmod(ms, 60_000)
    hours, minute = divmod(minutes, 60)
    return f"{hours:02}:{minute:02}:{within // 1000:02}{mark}{within % 1000:03}"
