"""When what was said: as JSON, as an event of a stream, and as subtitles in SRT and WebVTT.

Knows timings and no audio. The two subtitle formats are written here, in a line or two each:
pysubs2 1.8.1 takes braces and backslashes in a text for commands, webvtt-py 0.6.0 leaves out
what stands in angle brackets of an SRT, and what people have spoken holds all of them. The
tests read them back with webvtt-py.
"""

import html
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from app.codecs.registry import delay_s
from app.synthesis.request import SpeechRequest
from app.synthesis.subtitles import Cue, joined, sentence_cues
from loader.timing.timings import Mark, Timing

SENTENCE, WORD, PHONEME = "sentence", "word", "phoneme"
#: What timings can be asked for.
GRANULARITIES = (SENTENCE, WORD, PHONEME)
#: How captions can be had, and the media type of each.
CONTENT_TYPES = {"json": "application/json", "srt": "application/x-subrip; charset=utf-8", "vtt": "text/vtt; charset=utf-8"}


def as_played(timing: Timing, request: SpeechRequest) -> Timing:
    """Return `timing` as a player shows it: MP3 streams and AAC begin with silence that players cannot skip."""
    rate_hz = request.speaking.voice.sample_rate_hz
    delay = delay_s(request.audio_format, rate_hz, request.wanted_rate_hz, request.streamed)
    return timing.later(round(delay * rate_hz)) if delay else timing


def marks_event(timing: Timing, sample_rate_hz: int, granularities: Collection[str]) -> dict[str, Any]:
    """Return the event that goes before an utterance's audio in a stream of events."""
    return {
        "type": "speech.audio.marks", "sentence": timing.sentence, **_described([timing], sample_rate_hz, granularities),
    }  # fmt: skip


def captions_json(
    timings: Iterable[Timing], sample_rate_hz: int, total_samples: int, granularities: Collection[str], seed: int
) -> dict[str, Any]:
    """Return all timings of a speech, sentence by sentence, to be sent as JSON.

    Args:
        timings: of its utterances, in order; those of one sentence are joined.
        sample_rate_hz: samples of one second.
        total_samples: how long the whole audio is.
        granularities: some of GRANULARITIES; sentences are always there.
        seed: what the audio of these timings is made with.
    """
    return {
        "seed": seed,
        "sample_rate": sample_rate_hz,
        "duration_s": _seconds(total_samples, sample_rate_hz),
        "sentences": [_described(parts, sample_rate_hz, granularities) for parts in _by_sentence(timings)],
    }


def srt(timings: Iterable[Timing], sample_rate_hz: int) -> str:
    """Return a speech as SubRip subtitles. The format knows no escape, so `-->` in a text becomes an arrow."""
    return "".join(
        f"{number}\n{_times(cue, ',')}\n{cue.text.replace('-->', '→')}\n\n"
        for number, cue in enumerate(_all_cues(timings, sample_rate_hz), start=1)
    )


def vtt(timings: Iterable[Timing], sample_rate_hz: int) -> str:
    """Return a speech as WebVTT."""
    written = (
        f"{_times(cue, '.')}\n{html.escape(cue.text, quote=False)}\n" for cue in _all_cues(timings, sample_rate_hz)
    )
    return "\n".join(["WEBVTT\n", *written])


def _described(parts: Sequence[Timing], sample_rate_hz: int, granularities: Collection[str]) -> dict[str, Any]:
    """Return one sentence, or part of one, with what is asked for of it."""

    def marks(some: Iterable[Mark]) -> list[dict[str, Any]]:
        return [
            {
                "text": mark.text,
                "start_s": _seconds(mark.start_samples, sample_rate_hz),
                "end_s": _seconds(mark.end_samples, sample_rate_hz),
            }
            for mark in some
        ]

    whole = Mark(joined([part.text for part in parts]), parts[0].start_samples, parts[-1].end_samples)
    described = marks([whole])[0]
    if WORD in granularities:
        described["words"] = marks(mark for part in parts for mark in part.words)
    if PHONEME in granularities:
        described["phonemes"] = marks(mark for part in parts for mark in part.phonemes)
    return described


def _by_sentence(timings: Iterable[Timing]) -> Iterator[list[Timing]]:
    for _number, parts in groupby(timings, key=lambda timing: timing.sentence):
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
