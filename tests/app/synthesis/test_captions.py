"""app.synthesis.captions: the spoken text with its times as JSON, as events and as subtitles."""

import html
import io
import itertools
import json
from dataclasses import replace

import pytest
import webvtt

from app.synthesis.captions import GRANULARITIES, captions_json, marks_event, srt, vtt
from loader.timing.timings import Mark, Timing

RATE_HZ = 16000


def timed(text, start_s=0.0, sentence=0, word_s=0.25):
    """Return the timings of a sentence with words of equal length, and half of that before the first and after the last."""
    at = [round(RATE_HZ * (start_s + word_s * (0.5 + count))) for count in range(len(text.split()) + 1)]
    words = [Mark(word.strip('“”",.;:!?'), *span) for word, span in zip(text.split(), itertools.pairwise(at), strict=True)]
    end = at[-1] + round(RATE_HZ * word_s / 2)
    sounds = tuple(Mark("ə", word.start_samples, word.end_samples) for word in words)
    return Timing(sentence, text, round(RATE_HZ * start_s), end, tuple(words), sounds)


SPEECH = [timed("Hello, you."), timed("“How are", 1.0, 1), timed("you?”", 1.75, 1), timed("Fine.", 3.0, 2)]


def parse_subtitles(text, subtitle_format):
    return list(webvtt.from_buffer(io.StringIO(text), format=subtitle_format))


def subtitles(timings):
    """Return the text and the times in seconds of each cue, equal in both formats."""
    held = []
    for text, subtitle_format in ((vtt(timings, RATE_HZ), "vtt"), (srt(timings, RATE_HZ), "srt")):
        captions = parse_subtitles(text, subtitle_format)
        unescaped = html.unescape if subtitle_format == "vtt" else str
        held.append([(unescaped(each.raw_text), each.start, each.end) for each in captions])
    assert held[0] == held[1]
    return held[0]


def test_a_sentence_is_a_cue():
    assert [
        ("Hello, you.", "00:00:00.000", "00:00:00.750"),
        ("“How are you?”", "00:00:01.000", "00:00:02.250"),
        ("Fine.", "00:00:03.000", "00:00:03.500"),
    ] == subtitles(SPEECH)


MARKED = replace(SPEECH[0], marks=(Mark("here", 4000, 4000), Mark("there", 12000, 12000)))
SILENCE = Timing(2, "", 56000, 72000, marks=(Mark("end", 56000, 56000),), is_silence=True)


def test_marks_are_at_the_top_of_the_document_and_in_the_event_of_their_utterance():
    document = captions_json([MARKED, *SPEECH[1:], SILENCE], RATE_HZ, 72000, ["word"], 7)

    assert [("here", 0.25), ("there", 0.75), ("end", 3.5)] == [(each["name"], each["time_s"]) for each in document["marks"]]
    assert document["marks"][:2] == marks_event(MARKED, RATE_HZ, [])["marks"]
    assert "words" not in marks_event(MARKED, RATE_HZ, [])
    assert "marks" not in captions_json(SPEECH, RATE_HZ, 56000, ["word"], 7)
    assert "marks" not in marks_event(SPEECH[0], RATE_HZ, ["word"])


def test_a_silence_after_the_last_sentence_is_no_sentence_and_no_cue():
    document = captions_json([*SPEECH, SILENCE], RATE_HZ, 72000, ["word"], 7)

    assert 4.5 == document["duration_s"]
    assert captions_json(SPEECH, RATE_HZ, 72000, ["word"], 7)["sentences"] == document["sentences"]
    assert subtitles(SPEECH) == subtitles([*SPEECH, SILENCE])
    assert [] == captions_json([SILENCE], RATE_HZ, 16000, ["word"], 7)["sentences"]
    assert "" == srt([SILENCE], RATE_HZ)
    assert [] == parse_subtitles(vtt([SILENCE], RATE_HZ), "vtt")


def test_subtitles_of_no_speech_are_a_valid_file():
    assert [] == parse_subtitles(vtt([], RATE_HZ), "vtt")
    assert "" == srt([], RATE_HZ)


LONG = (
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness, "
    "it was the epoch of belief, it was the epoch of incredulity."
)
#: One word that is wider than a line, with its own times.
ENDLESS = "See https://example.com/" + "a" * 120 + " there."


@pytest.mark.parametrize("text", [LONG, ENDLESS, "word " * 500, "a " * 90, "x" * 500, "Aa, " * 60, "今天天气很好，" * 30])
def test_a_long_sentence_is_split_into_cues_of_two_lines(text):
    text = text.strip()
    cues = subtitles([timed(text, 1.0)])

    assert "".join(text.split()) == "".join("".join(cue.split()) for cue, _, _ in cues)
    for cue, start, end in cues:
        assert len(cue.split("\n")) <= 2
        assert all(0 < len(line) <= 42 for line in cue.split("\n"))
        assert start < end
    assert all(end == start for (_, _, end), (_, start, _) in itertools.pairwise(cues))
    assert "00:00:01.000" == cues[0][1]


def test_cues_end_after_clauses_and_between_words():
    cues = [cue.replace("\n", " ") for cue, _, _ in subtitles([timed(LONG)])]

    assert [
        "It was the best of times, it was the worst of times,",
        "it was the age of wisdom, it was the age of foolishness,",
        "it was the epoch of belief, it was the epoch of incredulity.",
    ] == cues


def test_a_cue_starts_with_its_first_word():
    timing = timed(LONG)
    _, second, *_ = subtitles([timing])

    assert 12 == LONG[: LONG.index("it was the age of wisdom")].count(" ")
    assert f"00:00:{timing.words[12].start_samples / RATE_HZ:06.3f}" == second[1]


def test_the_lines_of_a_cue_have_similar_lengths():
    (cue,) = (cue for cue, _, _ in subtitles([timed("It was the best of times, it was the worst of times.")]))

    assert ["It was the best of times,", "it was the worst of times."] == cue.split("\n")


def test_a_wide_character_counts_as_two_columns():
    cues = subtitles([timed("今天天气很好" * 10)])

    assert [21, 21, 18] == [len(line) for cue, _, _ in cues for line in cue.split("\n")]


def test_a_sentence_without_words_is_split_in_proportion():
    cues = subtitles([Timing(0, LONG, 0, len(LONG) * 160)])

    assert LONG == " ".join(cue.replace("\n", " ") for cue, _, _ in cues)
    assert f"00:00:{0.01 * LONG.index('it was the age of wisdom'):06.3f}" == cues[1][1]


@pytest.mark.parametrize(
    "text",
    [
        "3 < 5 & 5 > 3", "<i>not slanted</i> &amp; &lt;", "<v Roger> speaks", "{\\an8} C:\\new\\hello \\N", "WEBVTT NOTE",
        "12", "12\n\n34\n\n00:00:01,000", "line\nbreak\ttab  two", "“Quoted” — and dashed…", "今日は、良い天気。", "👩‍👩‍👧 ❤",
        "\u202eleft\u202c", "a\u2028b\x85c",
    ],
)  # fmt: skip
def test_any_text_is_unchanged_when_subtitles_are_parsed(text):
    assert [" ".join(text.split())] == [cue.replace("\n", " ") for cue, _, _ in subtitles([timed(text)])]


def test_an_arrow_in_the_text_ends_no_cue():
    timing = timed("a --> b")

    (in_vtt,) = parse_subtitles(vtt([timing], RATE_HZ), "vtt")
    (in_srt,) = parse_subtitles(srt([timing], RATE_HZ), "srt")
    assert ("a --> b", "a → b") == (html.unescape(in_vtt.raw_text), in_srt.raw_text)


@pytest.mark.parametrize("texts", [["9" * 100, ""], ["", "9" * 100], ["9" * 100, "", "", "1"], ["", "9" * 100, "", "1", ""]])
def test_a_part_without_text_extends_the_part_before_it(texts):
    """A number of many digits is one word in several utterances."""
    spans = [(second * RATE_HZ, (second + 1) * RATE_HZ) for second in range(len(texts))]
    parts = [Timing(0, text, *span, (Mark(text, *span),) * bool(text)) for text, span in zip(texts, spans, strict=True)]
    cues = subtitles(parts)

    assert "".join(texts) == "".join("".join(cue.split()) for cue, _, _ in cues)
    assert ("00:00:00.000", f"00:00:0{len(texts)}.000") == (cues[0][1], cues[-1][2])
    assert all(end == start for (_, _, end), (_, start, _) in itertools.pairwise(cues))
    assert " ".join(text for text in texts if text) == captions_json(parts, RATE_HZ, RATE_HZ, (), 1)["sentences"][0]["text"]


def test_a_sentence_without_text_has_no_cue():
    silent = Timing(0, "", 0, RATE_HZ)

    assert "" == srt([silent], RATE_HZ)
    assert "WEBVTT\n" == vtt([silent], RATE_HZ)


def test_times_above_an_hour_have_hours():
    timing = Timing(0, "Late.", 3_599_999 * RATE_HZ // 1000, 360_000 * RATE_HZ)

    assert "00:59:59,999 --> 100:00:00,000" in srt([timing], RATE_HZ)


def test_the_document_has_each_sentence_with_the_requested_marks():
    document = captions_json(SPEECH, RATE_HZ, 4 * RATE_HZ, {"word"}, seed=9)

    assert (9, RATE_HZ, 4.0) == (document["seed"], document["sample_rate"], document["duration_s"])
    assert [("Hello, you.", 0.0, 0.75), ("“How are you?”", 1.0, 2.25), ("Fine.", 3.0, 3.5)] == [
        (each["text"], each["start_s"], each["end_s"]) for each in document["sentences"]
    ]
    assert [
        {"text": "How", "start_s": 1.125, "end_s": 1.375},
        {"text": "are", "start_s": 1.375, "end_s": 1.625},
        {"text": "you", "start_s": 1.875, "end_s": 2.125},
    ] == document["sentences"][1]["words"]
    assert "phonemes" not in document["sentences"][0]
    assert document == json.loads(json.dumps(document))


def test_parts_of_a_sentence_in_a_script_without_spaces_are_joined_without_a_space():
    parts = [timed("今天天气很好，"), timed("我们去公园吧。", 1.0)]

    assert "今天天气很好，我们去公园吧。" == captions_json(parts, RATE_HZ, RATE_HZ, (), 1)["sentences"][0]["text"]
    assert ["今天天气很好，我们去公园吧。"] == [cue.replace("\n", "") for cue, _, _ in subtitles(parts)]


def test_an_event_has_the_marks_of_one_utterance():
    assert {
        "type": "speech.audio.marks", "sentence": 1, "text": "you?”", "start_s": 1.75, "end_s": 2.25,
        "phonemes": [{"text": "ə", "start_s": 1.875, "end_s": 2.125}],
    } == marks_event(SPEECH[2], RATE_HZ, ["sentence", "phoneme"])  # fmt: skip
    assert {"type", "sentence", "text", "start_s", "end_s"} == set(marks_event(SPEECH[2], RATE_HZ, ["sentence"]))
    assert {"words", "phonemes"} <= set(marks_event(SPEECH[2], RATE_HZ, GRANULARITIES))


def test_seconds_are_rounded_to_milliseconds():
    event = marks_event(Timing(0, "A", 1, 2 * RATE_HZ // 3), RATE_HZ, ())

    assert (0.0, 0.667) == (event["start_s"], event["end_s"])
