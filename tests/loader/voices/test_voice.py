"""loader.voices.voice: the embedded voice speaks any text in bounded pieces, or raises."""

import contextlib
import dataclasses
import itertools
import string
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from loader.artifacts.artifact import open_artifact
from loader.config.settings import SpeechSettings, VoiceSettings
from loader.engines.vits import FIRST_WINDOWS_FRAMES, WINDOW_FRAMES
from loader.errors import UnknownLanguageError, UnknownSpeakerError, UnspeakableTextError
from loader.text.espeak import Espeak
from loader.text.normalization.normalizer import MAX_WRITTEN_CHARACTERS
from loader.text.sentences import PIECE_CHARACTERS, UTTERANCE_PHONEMES, split_sentences
from loader.voices.opening import open_parts
from loader.voices.parts import VoiceParts
from loader.voices.voice import MAX_SPEED, MIN_SPEED, SpeechOptions, Voice, random_seed
from tests.support.checkpoints import LANGUAGES, SPEAKERS

SPEECH = SpeechSettings(0.45, None, None, None)
LONG = "When the rain had stopped at last, the river went back, and everybody who had left came home again by and by."
SENTENCE = "The birch canoe slid on the smooth planks."

UNSPEAKABLE = {
    "nothing": "",
    "spaces": " \n\t\u2028",
    "dots": "." * 20_000,
    "open brackets": "(" * 20_000,
    "quotes": "\"'" * 10_000,
    "dashes": "-—–" * 5_000,
    "combining marks": "\u0301" * 50_000,
    "private use": "\ue000\uf8ff\U000f0000" * 2_000,
    "tags": "\U000e0041" * 5_000,
    "zero width": "\ufeff\u200b\u200d\u00ad" * 2_000,
    "controls": "\x00\x01\x02\x07\x08\x1b" * 2_000,
    "halves of characters": "\ud83d" * 100,
}

HARD_TEXTS = {
    "digits": "1234567890" * 2_000,
    "one word": "a" * 100_000,
    "no vowels": "xzqk" * 2_000,
    "thousands": "1," * 5_000 + "000",
    "decimals": "1.5" * 5_000,
    "money": "$1,000,000.50 " * 500,
    "ordinals": ("1" * 40 + "th ") * 300,
    "joined ordinals": "1th" * 3_000,
    "times": "1:" * 5_000 + "30",
    "ampersands": "&" * 5_000,
    "nested quotes": "“‘«\"'" * 4_000 + "a" + "'\"»’”" * 4_000,
    "a letter with marks": "e" + "\u0301" * 50_000,
    "a letter after dots": "." * 20_000 + "a",
    "a letter after spaces": " " * 100_000 + "a",
    "emoji": "😀" * 5_000,
    "families": "👨‍👩‍👧‍👦" * 1_000,
    "ASCII punctuation": string.punctuation * 100 + "a",
    "right to left": "\u202eשלום مرحبا\u202c " * 500,
    "CJK": "語" * 3_000,
    "Thai": "กขค" * 1_000,
    "soft hyphens": "soft\u00adhyphen" * 500,
    "byte order marks": "\ufeff" * 5_000 + "hello",
    "titles": "Mr. " * 5_000,
    "list items": "1." * 5_000,
    "initials": "A.B. " * 3_000,
    "phonemes in brackets": "[[h@l'oU]] " * 500,
    "unclosed phonemes": "[[" * 5_000 + "a",
    "SSML": "<speak><break time='1s'/>hi &amp; bye</speak>" * 200,
    "templates": "${HOME} %s %d {0} {{x}} $(id) `ls` " * 200,
    "commands for espeak": "\x01Vfr a\x01B1. \x0117Y b " * 500,
    "null": "before\x00after",
    "every Latin letter": "".join(map(chr, range(0xA1, 0x250))),
}


@pytest.fixture(scope="module")
def voice(catalogue) -> Voice:
    return catalogue.default


def spoken(voice, text, speaker=None, language=None, **options):
    rows = {"speaker": voice.speaker(speaker), "language": voice.language_row(language)}
    return np.concatenate(list(voice.speak(text, SpeechOptions(**{"seed": 1, **rows, **options}))))


def test_a_sentence_has_the_duration_of_human_speech(voice):
    samples = spoken(voice, SENTENCE)

    assert np.float32 == samples.dtype
    assert 1.5 < samples.size / voice.sample_rate_hz < 5
    assert 0.05 < np.abs(samples).max() <= 1


def test_the_same_seed_gives_the_same_samples(voice):
    assert np.array_equal(spoken(voice, SENTENCE, seed=7), spoken(voice, SENTENCE, seed=7))


def test_another_seed_gives_other_samples(voice):
    one, other = spoken(voice, SENTENCE, seed=7), spoken(voice, SENTENCE, seed=8)

    assert one.size != other.size or not np.array_equal(one, other)


def test_concurrent_threads_have_the_same_samples_as_one(voice):
    texts = [SENTENCE, "Glue the sheet to the dark blue background.", "Yes. No.", "12 o'clock"]
    alone = [spoken(voice, text) for text in texts]

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda text: spoken(voice, text), texts * 2))

    assert all(np.array_equal(one, other) for one, other in zip(alone * 2, together, strict=True))


def test_each_random_seed_is_another():
    seeds = {random_seed() for _ in range(100)}

    assert 100 == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)


@pytest.mark.parametrize("seed", [0, 2**63 - 1])
def test_the_smallest_and_the_largest_seed_work(voice, seed):
    assert spoken(voice, "Yes.", seed=seed).size


def test_short_first_windows_change_no_sample(voice):
    soon, later = spoken(voice, SENTENCE, soon=True), spoken(voice, SENTENCE, soon=False)

    assert soon.size == later.size
    assert np.abs(soon - later).max() < 1e-4


def test_the_first_window_is_short_if_a_client_waits(voice):
    samples_per_frame = voice.manifest.network["vits"]["samples_per_frame"]

    first, second, *_ = voice.speak(f"{SENTENCE} {SENTENCE}", SpeechOptions(1, soon=True))

    assert FIRST_WINDOWS_FRAMES[0] * samples_per_frame == first.size
    assert first.size < second.size


def test_no_window_is_longer_than_the_maximum(voice):
    longest = WINDOW_FRAMES * voice.manifest.network["vits"]["samples_per_frame"]

    assert all(0 < window.size <= longest for window in voice.speak("one two three " * 60, SpeechOptions(1)))


def test_only_the_first_utterance_has_a_short_window(voice):
    windows = [window.size for window in voice.speak(f"{SENTENCE} {SENTENCE}", SpeechOptions(1, soon=True))]

    assert 1 == windows.count(FIRST_WINDOWS_FRAMES[0] * voice.manifest.network["vits"]["samples_per_frame"])


def silences(voice, text):
    windows = list(voice.speak(text, SpeechOptions(1)))
    return [index for index, window in enumerate(windows) if not window.any()], windows


def test_there_is_a_pause_between_sentences(voice):
    pauses, windows = silences(voice, "Yes. No. Yes.")

    assert 2 == len(pauses)
    assert 1 == len({windows[index].size for index in pauses})
    assert 0 not in pauses and len(windows) - 1 not in pauses


def test_one_sentence_has_no_pause(voice):
    assert [] == silences(voice, "Yes, no, yes")[0]


def test_there_is_no_pause_between_pieces_of_a_long_sentence(voice):
    text = "yes no " * (PIECE_CHARACTERS // 7 + 5)

    assert [] == silences(voice, text)[0]


def test_sentences_without_sound_add_no_pause(voice):
    assert 1 == len(silences(voice, "?!\n\nYes.\n\n...\n\n«»\n\nNo.\n\n…")[0])


def test_twice_the_speed_takes_half_the_time(voice):
    normal, fast = spoken(voice, SENTENCE, speed=1.0), spoken(voice, SENTENCE, speed=2.0)

    assert 0.45 < fast.size / normal.size < 0.62


@pytest.mark.parametrize("speed", [MIN_SPEED, MAX_SPEED])
def test_the_slowest_and_the_fastest_speed_work(voice, speed):
    ratio = spoken(voice, "Good morning", speed=speed).size / spoken(voice, "Good morning").size

    assert (ratio > 3) if speed == MIN_SPEED else (ratio < 0.6)


def test_text_is_read_while_samples_are_taken(voice):
    endless = voice.speak(f"{SENTENCE} " * 50_000, SpeechOptions(1, soon=True))

    assert all(window.size for window in itertools.islice(endless, 3))


def test_closing_stops_the_work(voice):
    speech = voice.speak(f"{SENTENCE} " * 100, SpeechOptions(1, soon=True))
    next(speech)

    speech.close()

    assert [] == list(speech)


@pytest.mark.parametrize("text", UNSPEAKABLE.values(), ids=UNSPEAKABLE.keys())
def test_unspeakable_text_is_refused_before_the_first_window(voice, text):
    speech = voice.speak(text, SpeechOptions(1))

    with pytest.raises(UnspeakableTextError, match="letters or numbers"):
        next(speech)


@pytest.mark.parametrize("text", HARD_TEXTS.values(), ids=HARD_TEXTS.keys())
def test_hard_text_is_spoken_in_bounded_utterances(voice, text):
    # Each phoneme with a blank, one more blank, and both ends.
    most_ids, front_end = 2 * UTTERANCE_PHONEMES + 3, voice.parts.open().front_end
    readings = [reading for sentence in split_sentences(text, "en") for reading in front_end.utterances(sentence, "en-us")]

    assert 0 < max(len(reading.ids) for reading in readings if reading) <= most_ids


def test_every_piece_of_text_is_a_checkpoint_even_without_sound(voice):
    passed = []
    texts = ["\u200b! " * 500, "\u200b" * 20_000, "One. Two. " * 2]
    for text in texts:
        count = 0

        def checkpoint():
            nonlocal count
            count += 1

        with contextlib.suppress(UnspeakableTextError):
            list(voice.segments(text, SpeechOptions(1), checkpoint))
        passed.append(count)

    assert [500, -(-20_000 // MAX_WRITTEN_CHARACTERS), 4] == passed


def test_a_checkpoint_can_end_the_speech(voice):
    class EnoughError(Exception):
        pass

    def checkpoint():
        raise EnoughError

    for most in (1, 2):
        with pytest.raises(EnoughError):
            list(voice.chunks("\u200b! " * 500, SpeechOptions(1), itertools.repeat(most).__next__, checkpoint))


def test_pauses_and_sentences_are_known_before_synthesis(voice):
    assert (0.45, 2.0) == (voice.pause_s(SpeechOptions(1)), voice.pause_s(SpeechOptions(1, sentence_pause_s=2.0)))
    assert [1, 3, 650] == [voice.count_sentences(text, SpeechOptions(1)) for text in ("One", "One. Two. Three", "A! " * 650)]


@pytest.mark.parametrize("text", HARD_TEXTS.values(), ids=HARD_TEXTS.keys())
def test_hard_text_has_a_first_window(voice, text):
    # The first utterance of some texts lasts half a minute, hence the cut.
    window = next(voice.speak(text[:40] + "a" + text[-40:], SpeechOptions(1, speed=MAX_SPEED, soon=True)))

    assert window.size
    assert np.isfinite(window).all()


def test_the_longest_possible_utterance_is_spoken(voice):
    window = next(voice.speak("1234567890" * 2_000, SpeechOptions(1, speed=MAX_SPEED, soon=True)))

    assert window.any()


@pytest.fixture(scope="module")
def choir(artifact_of) -> Voice:
    """A voice of three speakers and three languages, with random weights."""
    artifact = open_artifact(artifact_of("languages"))
    settings = VoiceSettings("choir", "anywhere", speaker="Ada", language="fr-fr")
    return Voice(settings, SPEECH, artifact.manifest, VoiceParts(lambda: open_parts(artifact, Espeak())))


def test_a_speaker_has_the_row_of_the_manifest(choir):
    assert {name: row for row, name in enumerate(choir.manifest.voice.speakers)} == {
        name: choir.speaker(name) for name in SPEAKERS
    }
    assert choir.speaker("Ada") == choir.speaker(None) == choir.speaker("")


def test_letter_case_of_a_speaker_is_ignored_if_one_speaker_is_left(choir):
    assert choir.speaker("Ada") == choir.speaker("ada") == choir.speaker("ADA")
    manifest = replace(choir.manifest, voice=replace(choir.manifest.voice, speakers=("ada", "Ada", "walter")))
    twins = Voice(choir.settings, SPEECH, manifest, choir.parts)
    assert [0, 1, 2] == [twins.speaker(name) for name in ("ada", "Ada", "WALTER")]
    with pytest.raises(UnknownSpeakerError):
        twins.speaker("ADA")


@pytest.mark.parametrize("name", ["Bob", " ", "0"])
def test_an_unknown_speaker_is_refused_with_the_known_names(choir, name):
    with pytest.raises(UnknownSpeakerError) as caught:
        choir.speaker(name)

    assert set(SPEAKERS) == set(caught.value.known)
    assert f"voice 'choir' has no speaker named {name!r}; known speakers: {', '.join(choir.speakers)}" == str(caught.value)


def test_a_mix_of_speakers_sounds_like_none_of_them(choir):
    ada, walter, mixed = (spoken(choir, SENTENCE, name) for name in ("Ada", "walter", "Ada(2)+walter(1)"))

    assert mixed.any() and not np.array_equal(mixed, ada) and not np.array_equal(mixed, walter)
    assert np.array_equal(mixed, spoken(choir, SENTENCE, "walter+Ada(2)+walter(0)"))
    assert not np.array_equal(mixed, spoken(choir, SENTENCE, "Ada+walter"))


def test_a_voice_of_one_speaker_has_no_speaker_names(voice):
    assert () == voice.speakers
    with pytest.raises(UnknownSpeakerError, match="it has one speaker without a name; omit the speaker"):
        voice.speaker("joe")


@pytest.mark.parametrize(
    "requested, found",
    [("fr-fr", "fr-fr"), ("fr", "fr-fr"), ("FR_fr", "fr-fr"), ("PT", "pt-br"), ("en", "en"), (None, "fr-fr"), ("", "fr-fr")],
)
def test_a_language_is_known_with_and_without_its_region(choir, requested, found):
    assert choir.manifest.voice.languages[choir.language_row(requested)] == found


@pytest.mark.parametrize("name", ["de", "en-us", "fr-ca", "klingon" * 50])
def test_an_unknown_language_is_refused_with_the_known_names(choir, name):
    with pytest.raises(UnknownLanguageError) as caught:
        choir.language_row(name)

    assert set(LANGUAGES) == set(caught.value.known)
    assert f"known languages: {', '.join(choir.languages)}" in str(caught.value) and len(str(caught.value)) < 300


def test_the_defaults_are_those_of_the_configuration(choir):
    said = np.concatenate(list(choir.speak(SENTENCE, SpeechOptions(1))))

    assert np.array_equal(said, spoken(choir, SENTENCE, speaker="Ada", language="fr"))


def test_every_speaker_and_every_language_sounds_different(choir):
    said = {
        (speaker, language): spoken(choir, "Good morning", speaker=speaker, language=language).tobytes()
        for speaker in SPEAKERS for language in LANGUAGES
    }  # fmt: skip

    assert 9 == len(said) == len(set(said.values()))


def test_a_voice_uses_its_configured_scales(choir):
    slower = replace(choir.settings, length_scale=2.0, noise_scale=0.0)
    voice = Voice(slower, SPEECH, choir.manifest, choir.parts)

    assert 1.5 < spoken(voice, SENTENCE).size / spoken(choir, SENTENCE).size < 2.5


def test_joins_have_no_clicks(voice):
    """At joins of pieces, and beside silence, the step between samples is no larger than in speech itself."""
    text = f"{LONG} So it was."
    spoken = list(voice.chunks(text, SpeechOptions(3, sentence_pause_s=0.1)))
    samples = np.concatenate([chunk.samples for chunk in spoken])
    starts = np.cumsum([0, *(chunk.samples.size for chunk in spoken)])[1:-1]
    steps = np.abs(np.diff(samples))

    assert 3 <= sum(chunk.begins is not None for chunk in spoken)
    assert max(steps[start - 1] for start in starts) < np.percentile(steps, 99)


def test_a_first_clause_is_split_off_only_from_a_long_sentence_if_configured(catalogue, settings):
    texts = [segment.reading.text for segment in catalogue.default.segments(LONG, SpeechOptions(1))]
    speech = dataclasses.replace(settings.speech, first_clause=False)
    plain = Voice(catalogue.default.settings, speech, catalogue.default.manifest, catalogue.default.parts)

    assert ["When the rain had stopped at last,", LONG[35:]] == texts
    assert [LONG] == [segment.reading.text for segment in plain.segments(LONG, SpeechOptions(1))]
    later = [segment.reading.text for segment in catalogue.default.segments(f"{SENTENCE} {LONG}", SpeechOptions(1))]
    assert [SENTENCE, LONG] == later


@pytest.mark.parametrize(
    ("of_all", "of_voice", "of_request", "is_normalized"),
    [(True, None, None, True), (False, None, None, False), (True, False, None, False), (False, True, None, True),
     (True, False, True, True), (False, True, False, False)],
)  # fmt: skip
def test_a_request_says_before_its_voice_and_the_voice_before_all_whether_text_is_normalized(
    embedded_artifact, of_all, of_voice, of_request, is_normalized
):
    artifact, espeak = open_artifact(embedded_artifact), Espeak()
    settings = VoiceSettings("joe", "embedded/joe", normalize=of_voice)
    voice = Voice(settings, SpeechSettings(normalize=of_all), artifact.manifest, VoiceParts(lambda: open_parts(artifact, espeak)))
    pieces = [piece for piece, *_ in voice.readings("$1.50", SpeechOptions(1, normalize=of_request))]

    assert ("one dollar fifty" if is_normalized else "$1.50") == pieces[0].spoken.text.text
