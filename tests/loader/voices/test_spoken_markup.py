"""loader.voices.voice: the embedded voice does what the markup of a script asks for."""

import itertools
import re
from dataclasses import replace

import numpy as np
import pytest

from loader.artifacts.artifact import open_artifact
from loader.config.settings import SpeechSettings, VoiceSettings
from loader.errors import UnknownLanguageError, UnknownSpeakerError, UnknownSymbolsError, UnspeakableTextError
from loader.text.espeak import Espeak
from loader.text.markup.markdown import parse_markdown
from loader.text.markup.script import parse_plain
from loader.text.markup.ssml import SsmlLimits, parse_ssml
from loader.voices.chunks import time_segments
from loader.voices.opening import open_parts
from loader.voices.parts import VoiceParts
from loader.voices.voice import SpeechOptions, Voice

OPTIONS = SpeechOptions(1)
RATE_HZ = 22050
#: What the embedded voice's sounds may add to the silence before and after them.
NEAR_S = 0.15


@pytest.fixture(scope="module")
def voice(catalogue) -> Voice:
    return catalogue.default


@pytest.fixture(scope="module")
def choir(artifact_of) -> Voice:
    """A voice of three speakers and three languages."""
    artifact = open_artifact(artifact_of("languages"))
    settings = VoiceSettings("choir", "languages", aliases=("chorus",), speaker="Ada", language="en")
    speech = SpeechSettings(0.45, None, None, None)
    return Voice(settings, speech, artifact.manifest, VoiceParts(lambda: open_parts(artifact, Espeak())))


def ssml(content, **bounds):
    return parse_ssml(f"<speak>{content}</speak>", SsmlLimits(**bounds))


def speak(voice, content, **options):
    return np.concatenate(list(voice.speak(content, replace(OPTIONS, **options))))


def timings(voice, content, **options):
    return [voice.timing(chunk) for chunk in time_segments(voice.segments(content, replace(OPTIONS, **options)))]


def phonemes(voice, content, **options):
    return [segment.reading.phonemes for segment in voice.segments(content, replace(OPTIONS, **options))]


def longest_silence(samples):
    """Return the length of the longest run of zeros."""
    sounds = np.flatnonzero(np.concatenate([[1.0], samples, [1.0]]))
    return int(np.diff(sounds).max()) - 1


@pytest.mark.parametrize(
    ("content", "pause_s"),
    [
        (ssml("Yes<break time='700ms'/> and no."), 0.7),
        (ssml("Yes<break strength='strong'/> and no."), 1.0),
        (ssml("Yes<break time='500ms'/><break time='700ms'/> and no."), 1.2),
        (ssml("<s>Yes.</s><break time='2s'/><s>No.</s>"), 2.0),
        (parse_plain("Yes [pause:800ms] and no.", pauses=True), 0.8),
    ],
)
def test_a_pause_has_its_length_in_samples(voice, content, pause_s):
    assert round(RATE_HZ * pause_s) == longest_silence(speak(voice, content))


def test_the_longer_one_of_two_pauses_is_made_between_sentences(voice):
    content = ssml("<s>Yes.</s><break time='200ms'/><s>No.</s>")

    assert round(RATE_HZ * 0.45) == longest_silence(speak(voice, content))
    assert round(RATE_HZ * 0.2) == longest_silence(speak(voice, content, sentence_pause_s=0.0))


@pytest.mark.parametrize("source", ["<break time='1.5s'/>", "<break time='1s'/>…<break time='500ms'/>", "[pause:1.5s]"])
def test_a_script_of_a_pause_only_is_that_silence(voice, source):
    content = ssml(source) if "<" in source else parse_plain(source, pauses=True)
    samples = speak(voice, content)

    assert round(RATE_HZ * 1.5) == samples.size
    assert not samples.any()


def test_a_silence_at_the_end_is_part_of_the_audio(voice):
    alone, followed = speak(voice, "Yes."), speak(voice, ssml("Yes.<break time='1s'/>"))

    assert np.array_equal(alone, followed[: alone.size])
    assert RATE_HZ == followed.size - alone.size
    first, last = timings(voice, ssml("Yes.<break time='1s'/>"))
    assert (False, True) == (first.is_silence, last.is_silence)
    assert ("", (), followed.size) == (last.text, last.words, last.end_samples)


def test_no_chunk_of_a_long_pause_is_large(voice):
    content = ssml("Yes<break time='60s'/> no.<break time='60s'/>", silence_s=120)
    sizes = [chunk.samples.size for chunk in voice.chunks(content, OPTIONS)]

    assert 300_000 > max(sizes)
    assert 120 * RATE_HZ < sum(sizes) < 122 * RATE_HZ


@pytest.mark.parametrize("content", [ssml(""), ssml("…"), ssml("<mark name='m'/>"), parse_markdown("---"), parse_markdown("")])
def test_a_script_without_sound_or_pause_is_unspeakable(voice, content):
    with pytest.raises(UnspeakableTextError):
        list(voice.segments(content, OPTIONS))


@pytest.mark.parametrize(("rate", "least", "most"), [("200%", 0.45, 0.6), ("50%", 1.7, 2.1), ("x-fast", 0.5, 0.7)])
def test_the_rate_changes_the_length(voice, rate, least, most):
    text = "The birch canoe slid on the smooth planks."
    ratio = speak(voice, ssml(f"<prosody rate='{rate}'>{text}</prosody>")).size / speak(voice, text).size

    assert least < ratio < most


def test_the_rate_is_relative_to_that_of_the_request_and_bounded(voice):
    text = "The birch canoe slid on the smooth planks."
    content = ssml(f"<prosody rate='200%'>{text}</prosody>")

    assert speak(voice, text, speed=2.0).size == speak(voice, content).size
    assert speak(voice, text, speed=4.0).size == speak(voice, content, speed=4.0).size


@pytest.mark.parametrize(("volume", "factor"), [("-6dB", 10 ** (-6 / 20)), ("50%", 0.5), ("silent", 0.0), ("soft", 0.5)])
def test_the_volume_scales_the_amplitude(voice, volume, factor):
    text = "The birch canoe slid on the smooth planks."
    scaled = speak(voice, ssml(f"<prosody volume='{volume}'>{text}</prosody>"))

    assert np.allclose(factor * speak(voice, text), scaled, atol=1e-6)


def test_a_loud_text_is_within_bounds(voice):
    samples = speak(voice, ssml("<prosody volume='+12dB'>The birch canoe slid.</prosody>"))

    assert 0.9 < np.abs(samples).max() <= 1.0


@pytest.mark.parametrize(
    ("content", "plain"),
    [
        ("<sub alias='World Wide Web'>W3C</sub> says so.", "World Wide Web says so."),
        ("<say-as interpret-as='characters'>AB1</say-as>.", "A, B, one."),
        ("<say-as interpret-as='date' format='dmy'>5/3/2024</say-as>.", "March fifth, twenty twenty-four."),
        ("<say-as interpret-as='ordinal'>3</say-as>.", "Third."),
        ("<p>It is</p> <s>fine.</s>", "It is\n\nfine."),
        ("It <emphasis level='strong'>is</emphasis> fine.", "It is fine."),
        ("5 &lt; 6 &amp; 7", "5 less than 6 and 7"),
    ],
)
def test_what_is_said_is_that_of_the_text(voice, content, plain):
    assert phonemes(voice, plain) == phonemes(voice, ssml(content))


def test_given_phonemes_are_spoken_as_they_are(voice):
    (said,) = phonemes(voice, ssml("Say <phoneme alphabet='ipa' ph='təˈmɑːtoʊ'>tomato</phoneme> to me."))
    (usual,) = phonemes(voice, "Say tomato to me.")

    assert "təˈmɑːtoʊ" in said
    assert "təˈmɑːtoʊ" not in usual
    assert speak(voice, ssml("<phoneme ph='təˈmɑːtoʊ'>tomato</phoneme>")).any()


def test_unknown_phonemes_are_named_before_anything_is_spoken(voice):
    with pytest.raises(UnknownSymbolsError, match="phonemes of 'b' have symbols that voice 'joe' does not have: ☃"):
        next(voice.segments(ssml("A sentence first. <phoneme ph='a☃'>b</phoneme>"), OPTIONS))


def test_marks_are_at_the_beginning_of_the_next_word(voice):
    content = ssml(
        "<mark name='start'/>One <mark name='two'/>two, <mark name='comma'/><break time='1s'/>three."
        "<mark name='next'/> <s>Four <mark name='five'/>five.</s><mark name='end'/>"
    )
    measured = timings(voice, content)
    words = {word.text: word.start_samples for each in measured for word in each.words}
    marks = {mark.text: mark.start_samples for each in measured for mark in each.marks}

    expected = {"start": "One", "two": "two", "comma": "three", "next": "Four", "five": "five"}
    assert {name: words[word] for name, word in expected.items()} == {name: marks[name] for name in expected}
    assert measured[-1].end_samples - 1 == marks["end"]
    assert list(marks) == ["start", "two", "comma", "next", "five", "end"]


@pytest.mark.parametrize(
    "content",
    [
        "The first clause of a long sentence is spoken by itself, so that <mark name='a'/>audio starts early, and the "
        "<mark name='b'/>rest of this sentence comes <mark name='c'/>later.",
        " ".join(f"word{'' if number % 40 else ' <mark name=' + repr(str(number)) + '/>'} here" for number in range(200)),
        " ".join(f"88{'' if number % 10 else ' <mark name=' + repr(str(number)) + '/>'} 77" for number in range(40)),
        "<sub alias='" + "a long text in one piece " * 60 + "'>x</sub> <mark name='a'/>and <mark name='b'/>then.",
        "<mark name='a'/>Say " + "7" * 100 + " <mark name='b'/>and <mark name='c'/>then.",
    ],
)
def test_marks_in_a_sentence_of_several_utterances_are_at_their_words(voice, content):
    segments = list(time_segments(voice.segments(ssml(content), OPTIONS)))
    measured = [voice.timing(chunk) for chunk in segments]
    words = [(word.text, word.start_samples) for each in measured for word in each.words]
    marks = [(mark.text, mark.start_samples) for each in measured for mark in each.marks]

    assert len(segments) > 1
    assert [name for name, _ in marks] == re.findall(r"<mark name='(\w+)'/>", content)
    # How many words stand before each mark.
    plain = re.sub(r"<(?!mark)[^>]*>", "", content)
    before = [len(re.sub(r"<[^>]*>", "", plain[: each.start()]).split()) for each in re.finditer("<mark", plain)]
    assert [words[count][1] for count in before] == [moment for _name, moment in marks]


def test_times_of_a_script_are_those_of_its_audio(voice):
    content = ssml("<break time='1s'/>One <break time='700ms'/><prosody rate='150%'>two</prosody>.<break time='500ms'/>")
    measured, samples = timings(voice, content), speak(voice, content)

    assert samples.size == measured[-1].end_samples
    for each in measured:
        inside = samples[each.start_samples : each.end_samples]
        assert bool(inside.any()) != each.is_silence
    assert RATE_HZ == measured[0].start_samples
    assert not samples[:RATE_HZ].any()


@pytest.mark.parametrize(
    ("content", "written"),
    [
        (ssml("Say <phoneme ph='təˈmɑːtoʊ'>tomato</phoneme> to <sub alias='World Wide Web'>W3C</sub>."), "Say tomato to W3C."),
        (ssml("On <say-as interpret-as='date' format='mdy'>5/3/2024</say-as> at 5:30."), "On 5/3/2024 at 5:30."),
        (ssml("<say-as interpret-as='characters'>ABC1</say-as> is <prosody rate='50%'>a code</prosody>."), "ABC1 is a code."),
        (ssml("Tom &amp; Anna paid $3.50."), "Tom & Anna paid $3.50."),
        (parse_markdown("# A title\n\nSome *text*, `code` and [a link](http://x.y)."), "A title Some text, code and a link."),
        (parse_plain("Hello [pause:1s] world.", pauses=True), "Hello world."),
        (ssml("Hy<break time='100ms'/>phen <emphasis>wor</emphasis>ld."), "Hy phen world."),
    ],
)
def test_captions_show_each_written_word_once(voice, content, written):
    measured = timings(voice, content)
    shown = [word.text for each in measured for word in each.words]

    assert written.split() == " ".join(each.text for each in measured).split()
    bare = [word.strip(".,") for word in written.split() if any(map(str.isalnum, word))]
    assert bare == [word.strip(".,") for word in shown if any(map(str.isalnum, word))]
    times = [(word.start_samples, word.end_samples) for each in measured for word in each.words]
    assert all(start < end for start, end in times)
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(times))


def test_a_voice_of_the_markup_is_a_speaker_or_the_voice_itself(choir):
    other = next(each for each in choir.speakers if each != "Ada")
    usual = speak(choir, ssml("One two."))
    assert np.array_equal(usual, speak(choir, ssml("<voice name='choir'>One two.</voice>")))
    assert np.array_equal(usual, speak(choir, ssml("<voice name='chorus'>One two.</voice>")))
    assert np.array_equal(usual, speak(choir, ssml("<voice name='Ada'>One two.</voice>")))
    assert np.array_equal(
        speak(choir, "One two.", speaker=choir.speaker(other)), speak(choir, ssml(f"<voice name='{other}'>One two.</voice>"))
    )


def test_an_unknown_speaker_is_refused_with_the_known_ones(choir):
    with pytest.raises(UnknownSpeakerError, match="voice 'choir' has no speaker named 'Nobody'; known speakers: "):
        next(choir.segments(ssml("First. <voice name='Nobody'>Two.</voice>"), OPTIONS))


def test_a_language_of_the_markup_is_spoken(choir):
    other = next(each for each in choir.languages if each != "en")
    content = ssml(f"<lang xml:lang='{other}'>One two.</lang>")

    assert [other] == [segment.language for segment in choir.segments(content, OPTIONS)]
    assert np.array_equal(speak(choir, "One two.", language=choir.language_row(other)), speak(choir, content))


@pytest.mark.parametrize("language", ["en", "en-US", "en_GB"])
def test_a_language_may_have_another_region(voice, language):
    assert phonemes(voice, "Fine.") == phonemes(voice, ssml(f"<lang xml:lang='{language}'>Fine.</lang>"))


def test_an_unknown_language_is_refused_with_the_known_ones(voice):
    with pytest.raises(UnknownLanguageError, match="voice 'joe' does not speak 'fr'; known languages: en-us"):
        next(voice.segments(ssml("First. <lang xml:lang='fr'>Bonjour.</lang>"), OPTIONS))


def test_sentences_of_a_script_are_counted(voice):
    assert 3 == voice.count_sentences(ssml("<p>One. Two.</p><p>Three</p>"), OPTIONS)
    assert 2 == voice.count_sentences(parse_markdown("- one\n- two"), OPTIONS)
    assert 1 == voice.count_sentences(ssml("One.<break time='1s'/>"), OPTIONS)


def test_a_script_of_plain_text_is_spoken_as_the_text(voice):
    text = "It costs $3.50. Tom &amp; Anna – really?\n\nYes."

    assert np.array_equal(speak(voice, text), speak(voice, parse_plain(text)))
