"""loader.text.alignment: words of a text with their phonemes."""

import itertools
import random
import unicodedata
from pathlib import Path

import pytest

from loader.text.alignment import sounds, word_spans
from tests.loader.text.corpus import ABBREVIATIONS, CORPUS, MONEY, QUOTES
from tests.loader.text.text_voices import voices

VOICES = voices()
#: Sentences, each followed by its words with their phonemes, checked by a person.
IN_PLACE = [
    block.splitlines()
    for block in Path(__file__).with_name("words_in_place.txt").read_text(encoding="utf-8").strip().split("\n\n")
]


@pytest.fixture
def read(front_end):
    return lambda text: front_end.read(text, "en-us")


def format_words(text, phonemes, read):
    """Return each word with its phonemes in the format of `words_in_place.txt`."""
    spans = word_spans(text, phonemes, read)
    return [f"{span.text}|{phonemes[span.first_phoneme : span.last_phoneme].replace(' ', '_')}" for span in spans]


def words(text, read):
    return [span.text for span in word_spans(text, read(text), read)]


def check(text, phonemes, spans):
    """Check what holds for any text with any phonemes."""
    for span in spans:
        assert text[span.start_character : span.end_character] == span.text != ""
        assert span.first_phoneme < span.last_phoneme
    for one, next_one in itertools.pairwise(spans):
        assert one.end_character <= next_one.start_character
        assert one.last_phoneme <= next_one.first_phoneme
    if spans:
        covered = set().union(*(range(span.first_phoneme, span.last_phoneme) for span in spans))
        heard = {place for sound in sounds(phonemes) for place in range(sound.start, sound.stop)}
        assert heard <= covered
        assert {spans[0].first_phoneme, spans[-1].last_phoneme - 1} <= heard


def test_the_words_of_a_hundred_sentences_are_where_a_person_finds_them(read):
    found = [format_words(text, read(text), read) for text, _ in IN_PLACE]
    wanted = [line.split(" ") for _, line in IN_PLACE]
    differing = [(ours, theirs) for ours, theirs in zip(found, wanted, strict=True) if ours != theirs]

    assert 1100 < sum(map(len, wanted))
    assert [] == differing


def test_words_that_espeak_joins_are_separated(read):
    assert "əvə wˈɛl" in read("the depth of a well")
    assert ["of|əv", "a|ə", "well|wˈɛl"] == format_words("of a well", "əvə wˈɛl", read)


def test_words_with_a_very_different_reading_are_separated_at_a_gap():
    read = {"ab": "xx", "cd": "yy", "ef": "zz"}.__getitem__

    assert ["ab|pppp", "cd|q"] == format_words("ab cd", "pppp q", read)
    assert ["ab|pp", "cd|qq"] == format_words("ab cd", "ppqq", read)
    assert ["ab|ppp", "cd|q", "ef|zz"] == format_words("ab cd ef", "ppp q zz", read)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("He paid $3.50 (not €4) for 2.5 kg.", ["He", "paid", "$3.50", "not", "€4", "for", "2.5", "kg"]),
        ("Dr. Who, don't go at 7 a.m. to the U.S.", ["Dr.", "Who", "don't", "go", "at", "7", "a.m.", "to", "the", "U.S."]),
        ("“I can’t,” she said — “not now.”", ["I", "can’t", "she", "said", "not", "now"]),
        ("A well-known word—word; so... what?", ["A", "well-known", "word", "word", "so", "what"]),
        ("-5 °C, 50% off @home: a < b & C++", ["-5", "°C", "50%", "off", "@home", "a", "b", "&", "C++"]),
        ("Hello 😀, I ❤ XMLHttpRequest!", ["Hello", "😀", "I", "❤", "XMLHttpRequest"]),
        ("See https://example.com/a?b=1, (e.g. now).", ["See", "https://example.com/a?b=1", "e.g.", "now"]),
        ("Привет hello 你好", ["Привет", "hello", "你好"]),
        ("...and then, \"Yes.\"", ["and", "then", "Yes"]),
        ("‘Curly’ «guillemets» 'n' `code`", ["Curly", "guillemets", "n", "code"]),
        ("?! — ... \"\" ( )", []),
        ("", []),
    ],
)  # fmt: skip
def test_words_are_as_written_without_the_punctuation_around_them(read, text, written):
    assert written == words(text, read)


@pytest.mark.parametrize(("text", "written"), [(".9", [".9"]), ("It is .5 kg of .9", ["It", "is", ".5", "kg", "of", ".9"])])
def test_a_word_that_coqui_drops_by_itself_has_a_span(front_end, read, text, written):
    (reading,) = front_end.utterances(text, "en-us")

    assert written == [span.text for span in word_spans(text, reading.phonemes, read)]


def test_a_point_that_the_cleaner_spells_out_is_part_of_the_word(read):
    abbreviated = ["Dr. Who met Mrs. Jones on Baker St. in the morning.", "Acme Co. and Gen. Grant went home."]

    assert ["Dr.", "Mrs.", "St.", "Co.", "Gen."] == [
        word for text in abbreviated for word in words(text, read) if word.endswith(".")
    ]


def test_scripts_without_spaces_have_a_span_between_marks(open_front_end):
    front_end = open_front_end("ja-jp, no cleaner")
    text = "今日は、学校へ行きます。「はい」と言った。"
    spans = word_spans(text, front_end.read(text, "ja-jp"), lambda each: front_end.read(each, "ja-jp"))

    assert ["今日は", "学校へ行きます", "はい", "と言った"] == [span.text for span in spans]


@pytest.mark.parametrize("name", VOICES)
def test_every_language_has_its_words_in_order(open_front_end, name):
    front_end = open_front_end(name)
    for language, texts in VOICES[name]["texts"].items():
        for text in texts:
            phonemes = front_end.read(text, language)
            spans = word_spans(text, phonemes, lambda each, language=language: front_end.read(each, language))
            check(text, phonemes, spans)
            assert spans or not any(sounds(phonemes))


@pytest.mark.parametrize(
    ("name", "language", "text", "found"),
    [
        ("de, own cleaner", "de", "Das kostet 3,50 €.", "Das|das kostet|kˈɔstət 3,50|dɾˈaɪ,fˈʏnftsɪç €|ˈɔøroː"),
        ("fr-fr, own cleaner", "fr-fr", "Je ne sais pas.", "Je|ʒə ne|nə sais|sˈɛ pas|pˈa"),
        ("ko-kr, no cleaner", "ko-kr", "할 것을 갈 데가", "할|할 것을|꺼슬 갈|갈 데가|떼가"),
    ],
)
def test_other_languages_are_aligned_as_english_is(open_front_end, name, language, text, found):
    front_end = open_front_end(name)

    def composed(each):
        return unicodedata.normalize("NFC", front_end.read(each, language))

    assert found.split(" ") == format_words(text, composed(text), composed)


def test_words_of_the_corpus_keep_their_order(read):
    for text in CORPUS:
        phonemes = read(text)
        check(text, phonemes, word_spans(text, phonemes, read))


def test_phonemes_of_another_text_still_get_spans_in_order(read):
    texts = [*ABBREVIATIONS, *MONEY, *QUOTES]
    random.Random(4).shuffle(texts)
    for text, other in itertools.pairwise(texts):
        phonemes = read(other)
        check(text, phonemes, word_spans(text, phonemes, read))


def test_random_characters_with_random_phonemes_get_spans_in_order():
    chance = random.Random(7)
    alphabet = "ab. ,'\"-—ˈˌːəʊ\u0301你。ー \n$5😀\u200d"

    def drawn(most):
        return "".join(chance.choices(alphabet, k=chance.randrange(most)))

    for _ in range(2000):
        readings = {}
        text, phonemes = drawn(30), drawn(30)
        spans = word_spans(text, phonemes, lambda each, readings=readings: readings.setdefault(each, drawn(8)))
        check(text, phonemes, spans)


def test_the_words_of_a_voice_that_reads_letters_are_aligned_too():
    def read(text):
        return text.lower().replace("3", "three")

    assert ["We", "have", "3", "cats"] == words("We have 3 cats.", read)


@pytest.mark.parametrize(
    ("phonemes", "heard"),
    [
        ("həlˈoʊ, wˈɜːld!", ["h", "ə", "l", "ˈo", "ʊ", "w", "ˈɜː", "l", "d"]),
        ("ˌɑː ˈ ɛ̃ː", ["ˌɑː", "ɛ̃ː"]),
        ("tʲˈeː5 ma˥˩", ["tʲ", "ˈeː", "5", "m", "a˥˩"]),
        ("café 42", ["c", "a", "f", "é", "4", "2"]),
        ("コーヒー、ア", ["コー", "ヒー", "ア"]),
        ("ː ...?! — “”", []),
        ("", []),
    ],
)
def test_a_letter_and_its_marks_are_one_sound(phonemes, heard):
    found = list(sounds(phonemes))

    assert heard == [phonemes[sound.start : sound.stop] for sound in found]
    assert all(sound.start <= sound.letter < sound.stop for sound in found)
