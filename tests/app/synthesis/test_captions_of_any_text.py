"""Captions of any text: the server never fails, and the captions contain the text once and in order.

`CHORUS_CAPTION_CASES=10000` runs that many random texts instead of 500, different ones in each run.
"""

import html
import io
import itertools
import math
import os
import re
import string
import unicodedata

import pytest
import webvtt
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from app import wsgi
from app.scoreboard.board import Scoreboard
from app.synthesis.captions import GRANULARITIES
from loader.text.front_end import without_region
from loader.text.sentences import UTTERANCE_PHONEMES, split_first_clause, split_sentences
from tests.conftest import CACHE
from tests.support.checkpoints import LANGUAGES
from tests.support.piper_voice import write_piper_voice

#: The default number of texts, which are the same in every run.
CASES = 500
ASKED = int(os.environ.get("CHORUS_CAPTION_CASES", CASES))
#: Bytes of a text in UTF-8. Characters that the voice's language does not have are spelt out, in a second of audio or more each.
LONGEST_BYTES = 128
#: Letters and digits that each voice here reads.
LETTERS = frozenset(string.ascii_letters)
READ = LETTERS | frozenset(string.digits)
#: The voices here that read phonemes.
PHONEMES = ("joe", "piper")
#: One range of letters a script, marks and joiners included.
SCRIPTS = (
    (0x41, 0x7A), (0xC0, 0x24F), (0x250, 0x2AF), (0x370, 0x3FF), (0x400, 0x4FF), (0x531, 0x587), (0x590, 0x5FF), (0x600, 0x6FF),
    (0x700, 0x74F), (0x780, 0x7BF), (0x900, 0x97F), (0x980, 0x9FF), (0xA00, 0xA7F), (0xB80, 0xBFF), (0xD00, 0xD7F),
    (0xE00, 0xE5B), (0xE80, 0xEFF), (0xF00, 0xFFF), (0x1000, 0x109F), (0x10A0, 0x10FF), (0x1200, 0x137F), (0x13A0, 0x13FF),
    (0x1780, 0x17FF), (0x1800, 0x18AF), (0x3040, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0x10330, 0x1034F),
    (0x12000, 0x123FF), (0x1D400, 0x1D7FF), (0x20000, 0x2A6DF),
)  # fmt: skip
UNITS = (
    "9", "中", "www.", "Привет", "auto ", "don't ", "A! ", "3.14", "$1,000.50 ", "1st ", "12:30 ", "-5", "e.g. ",
    "U.S. ", "Dr. ", "https://example.com/a?b=c&d ", "me@example.com ", "“", "”", "(", ")", "[[", "]]", "-->",
    "--", "…", "...", "—", "—a", "<b>", "&amp;", "{\\an8}", "WEBVTT ", "NOTE\n", "\n\n", "\n", "\t", " ",
    "1\n\n00:00:01,000 --> 00:00:02,000\n", "👩‍👩‍👧", "❤️", "😀", "e\u0301", "\u0301", "\u200b", "\u200d",
    "\u202e", "\u202c", "\ufeff", "\xad", "\u2028", "\xa0", "\u3000", "。", "、", "「", "」", "！", "？", ".", ",",
    "ː", "ˈ", "ʰ", "①", "²", "½", "٣", "שלום", "مرحبا", "नमस्ते", "สวัสดี", "안녕", "日本語", "ﬀ", "İ", "ß", "_",
    "*", "#", "%", "\\", "`", "|",
)  # fmt: skip

a_letter = st.sampled_from(SCRIPTS).flatmap(lambda script: st.integers(*script)).map(chr).filter(
    lambda letter: letter.isprintable()
)
a_script_word = st.sampled_from(SCRIPTS).flatmap(
    lambda script: st.lists(st.integers(*script).map(chr).filter(str.isprintable), min_size=1, max_size=12).map("".join)
)
any_character = st.characters(exclude_categories=["Cs", "Cc"])
a_run = st.tuples(st.sampled_from(UNITS) | a_letter | a_script_word, st.integers(1, 60)).map(
    lambda run: (run[0] * run[1])[:59] if run[0].isascii() else (run[0] * run[1])[:120]
)
a_piece = st.sampled_from(UNITS) | a_script_word | st.text(any_character, max_size=10) | a_run
texts = st.lists(st.tuples(a_piece, st.sampled_from(["", " ", " ", ". "])), min_size=1, max_size=12).map(
    lambda pieces: "".join(itertools.chain(*pieces)).encode()[:LONGEST_BYTES].decode(errors="ignore")
)


@pytest.fixture(scope="module")
def application(artifact_of, embedded_artifact, tmp_path_factory):
    """A whole application: the embedded voice, one that reads as Piper does, one that reads the letters of three languages."""
    folder = tmp_path_factory.mktemp("any_text")
    configuration = folder / "tts_config.yaml"
    configuration.write_text(
        f"cache_dir: {CACHE}\nvoices:\n  - {{name: joe, model_path: embedded/joe}}\n"
        f"  - {{name: piper, model_path: {write_piper_voice(embedded_artifact, folder / 'piper')}}}\n"
        f"  - {{name: choir, model_path: {artifact_of('languages')}}}\n"
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("CHORUS_CONFIG", str(configuration))
        made = wsgi.create()
    board = Scoreboard(1)
    made.extensions["chorus"].enter_worker(board, board.take_slot())
    return made


@st.composite
def caption_requests(draw):
    """A valid body of a request for captions."""
    body = {
        "input": draw(texts),
        "caption_format": draw(st.sampled_from(["json", "srt", "vtt"])),
        "seed": draw(st.integers(0, 3)),
        "speed": draw(st.floats(0.25, 4.0)),
        "noise_scale": draw(st.floats(0.0, 2.0)),
        "noise_scale_duration": draw(st.floats(0.0, 2.0)),
        "sentence_pause": draw(st.floats(0.0, 10.0)),
        "voice": draw(st.sampled_from(["joe", "piper", "choir"])),
        "response_format": draw(st.sampled_from(["mp3", "wav"])),
    }
    if body["voice"] == "choir":
        body["language"] = draw(st.sampled_from(sorted(LANGUAGES)))
    body["normalize"] = draw(st.booleans())
    if body["caption_format"] == "json":
        body["timestamp_granularities"] = draw(st.lists(st.sampled_from(GRANULARITIES), unique=True))
    return body


#: Its letters are not read: `&amp;` is a sign.
ENTITY = re.compile(r"&#?\w+;")


def without_spaces(text):
    return "".join(text.split())


def spoken_sentences(application, body):
    """Return the readings of each sentence, one for each piece that makes a sound."""
    voice = application.extensions["chorus"].warm_up.catalogue.voice(body["voice"], None)
    front_end, language = voice.parts.open().front_end, voice.manifest.voice.languages[voice.language_row(body.get("language"))]
    sentences = []
    for sentence in split_sentences(body["input"], without_region(language)):
        parts = (sentence,) if sentences else split_first_clause(sentence)
        readings = [reading for part in parts for reading in front_end.utterances(part, language) if reading]
        # Parts of one piece share the phonemes object; equal phonemes of two pieces are two objects.
        if pieces := {id(reading.phonemes): reading for reading in readings}:
            sentences.append(list(pieces.values()))
    return sentences


def text_of(readings):
    return without_spaces("".join(reading.text for reading in readings))


def require_order(times, end_s):
    """Check that each range ends after its start and before the next one starts, and the last one by `end_s`."""
    places = [place for span in times for place in span]
    assert places == sorted(places)
    assert all(start < end for start, end in times)
    assert not places or 0 <= places[0] and places[-1] <= end_s


def require_document(answer, body, sentences):
    document = answer.json
    shown = document["sentences"]
    assert [text_of(sentence) for sentence in sentences] == [without_spaces(sentence["text"]) for sentence in shown]
    require_order([(each["start_s"], each["end_s"]) for each in shown], document["duration_s"])
    for readings, sentence in zip(sentences, shown, strict=True):
        place = 0
        for word in sentence.get("words", ()):
            place = sentence["text"].index(word["text"], place) + len(word["text"])
        # espeak leaves out what follows about 1,000 phonemes of one clause, so long clauses may miss words.
        is_read_whole = all(len(reading.phonemes) <= UTTERANCE_PHONEMES for reading in readings)
        if "words" in sentence and body["voice"] in PHONEMES and is_read_whole:
            assert letters(sentence["text"], body) == letters("".join(word["text"] for word in sentence["words"]), body)
        for marks in (sentence.get("words", ()), sentence.get("phonemes", ())):
            times = [sentence["start_s"], *(mark[edge] for mark in marks for edge in ("start_s", "end_s")), sentence["end_s"]]
            assert times == sorted(times)


def require_subtitles(answer, body, sentences, end_s):
    form = body["caption_format"]
    cues = list(webvtt.from_buffer(io.StringIO(answer.text), format=form))
    texts = [html.unescape(cue.raw_text) if form == "vtt" else cue.raw_text for cue in cues]
    # SubRip has no escape for an arrow of times, so it becomes one character there, unless a line ends within it.
    assert with_one_arrow("".join(map(text_of, sentences))) == with_one_arrow(without_spaces("".join(texts)))
    require_order([(seconds(cue.start), seconds(cue.end)) for cue in cues], end_s)


def seconds(clock):
    hours, minutes, within = clock.split(":")
    return round(3600 * int(hours) + 60 * int(minutes) + float(within), 3)  # 118.716, not 118.71600000000001


def with_one_arrow(text):
    return text.replace("-->", "→")


def letters(text, body):
    """Return the letters and digits that the voice reads; a letter with a combining mark is another letter."""
    read = READ if body["voice"] in PHONEMES else LETTERS
    return [character for character in unicodedata.normalize("NFC", without_spaces(text)) if character in read]


def require_captions(application, body):
    """Request captions, and check that they match this text, or that the error says why there are none."""
    answer = application.test_client().post("/v1/audio/captions", json=body)
    assert answer.status_code < 500, answer.text
    if "cannot be read" in answer.text and answer.status_code == 400:
        return  # a part of the text crashes espeak-ng; other tests cover that
    if answer.status_code != 200:
        assert "is blank" in answer.text
        return
    if "X-Unspeakable" in answer.headers:
        assert not letters(ENTITY.sub("", body["input"]), body)
        return
    if body.get("normalize", True):
        require_written(answer, body)
        return
    sentences = spoken_sentences(application, body)
    assert letters(body["input"], body) == letters("".join(map(text_of, sentences)), body)
    written = iter(without_spaces(body["input"]))
    assert all(character in written for character in "".join(map(text_of, sentences))), "out of order, or more than once"
    if body["caption_format"] == "json":
        require_document(answer, body, sentences)
    else:
        require_subtitles(answer, body, sentences, audio_s(application, body) if body["seed"] == 1 else math.inf)


def require_written(answer, body):
    """Check that the captions of normalized text show what was written, once and in order, in ranges that do not overlap."""
    if body["caption_format"] == "json":
        shown = answer.json["sentences"]
        texts = [sentence["text"] for sentence in shown]
        require_order([(each["start_s"], each["end_s"]) for each in shown], answer.json["duration_s"])
        for sentence in shown:
            place = 0
            for word in sentence.get("words", ()):
                place = sentence["text"].index(word["text"], place) + len(word["text"])
            times = [sentence["start_s"], *(word[edge] for word in sentence.get("words", ()) for edge in ("start_s", "end_s"))]
            assert times == sorted(times)
    else:
        cues = list(webvtt.from_buffer(io.StringIO(answer.text), format=body["caption_format"]))
        texts = [html.unescape(cue.raw_text) if body["caption_format"] == "vtt" else cue.raw_text for cue in cues]
        require_order([(seconds(cue.start), seconds(cue.end)) for cue in cues], math.inf)
    joined = with_one_arrow(without_spaces("".join(texts)))
    written = iter(with_one_arrow(without_spaces(body["input"])))
    assert letters(ENTITY.sub("", body["input"]), body) == letters(ENTITY.sub("", joined), body)
    assert all(character in written for character in joined), "out of order, or more than once"


def audio_s(application, body):
    """Return the duration of the audio. This is a further request, so not made for every case."""
    caption_requests = {**body, "caption_format": "json", "timestamp_granularities": []}
    return application.test_client().post("/v1/audio/captions", json=caption_requests).json["duration_s"]


@pytest.mark.timeout(0)
@settings(
    max_examples=ASKED, derandomize=ASKED == CASES, database=None, deadline=None, print_blob=True,
    suppress_health_check=list(HealthCheck), phases=[Phase.generate, Phase.shrink],
)  # fmt: skip
@given(body=caption_requests())
def test_captions_of_any_text_contain_its_words_once_and_in_order(application, body):
    require_captions(application, body)


@pytest.mark.parametrize("caption_format", ["json", "srt", "vtt"])
@pytest.mark.parametrize("text", ["9" * 84, "中" * 34, "www." * 17, "Привет" * 60], ids=["digits", "Chinese", "www", "Russian"])
@pytest.mark.parametrize("voice", PHONEMES)
def test_a_word_that_is_spoken_in_several_parts_is_written_once(application, voice, text, caption_format):
    require_captions(application, {"input": text, "caption_format": caption_format, "voice": voice, "seed": 1})
