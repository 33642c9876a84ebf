"""loader.timing.timings: each sound and word has a range; white space and punctuation have none."""

import pytest

from loader.text.alignment import WordSpan, word_spans
from loader.text.reading import Reading
from loader.text.sentences import UTTERANCE_PHONEMES, split_at_breaks
from loader.timing.timings import Mark, timing_of
from loader.voices.chunks import time_segments
from loader.voices.voice import SpeechOptions
from ops.benchmarks.readings import readings

#: Start, "a", space, "ˈ", "b", full stop and end, with blanks between; each has another duration.
POSITIONS = (None, None, 0, None, 1, None, 2, None, 3, None, 4, None, None)
SAMPLES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
WORDS = (WordSpan("A", 0, 1, 0, 1), WordSpan("B", 2, 3, 2, 4))


def read_as(text="A B.", phonemes="a ˈb.", positions=POSITIONS, start=0):
    return Reading([0] * len(positions), text, phonemes, positions, start)


def test_a_blank_belongs_to_the_sound_before_it():
    timing = timing_of(read_as(), WORDS, SAMPLES, sentence=3, start_samples=100)

    assert (3, "A B.", 100, 100 + sum(SAMPLES)) == (
        timing.sentence, timing.text, timing.start_samples, timing.end_samples,
    )  # fmt: skip
    assert (Mark("A", 103, 115), Mark("B", 163, 1123)) == timing.words
    assert (Mark("a", 103, 115), Mark("ˈb", 163, 1123)) == timing.phonemes


def test_the_marks_of_a_voice_without_blanks_touch():
    timing = timing_of(read_as(positions=(0, 1, 2, 3, 4)), WORDS, (10, 20, 30, 40, 50), 0, 0)

    assert (Mark("A", 0, 10), Mark("B", 30, 100)) == timing.words


def test_a_phoneme_of_several_ids_has_the_time_of_all_of_them():
    reading = read_as("AB", "ab", (None, None, 0, None, 1, 1, 1, None, None))
    timing = timing_of(reading, WORDS[:1], SAMPLES[:9], 0, 0)

    assert (Mark("a", 3, 15), Mark("b", 15, 255)) == timing.phonemes


def test_the_end_symbol_is_not_part_of_the_last_sound():
    timing = timing_of(read_as("A", "a", (None, None, 0, None, None)), WORDS[:1], (1, 2, 4, 8, 16), 0, 0)

    assert (Mark("A", 3, 15),) == timing.words
    assert 31 == timing.end_samples


def test_a_symbol_that_the_voice_does_not_have_has_no_mark():
    timing = timing_of(read_as(positions=(None, 0, None)), WORDS, (1, 2, 4), 0, 0)

    assert (Mark("A", 1, 7),) == timing.words
    assert (Mark("a", 1, 7),) == timing.phonemes
    assert "A B." == timing.text


def test_without_words_there_are_no_word_marks():
    assert () == timing_of(read_as(), (), SAMPLES, 0, 0).words


def text_of_parts(text, phonemes, words, *ranges):
    """Return the text and the words of each part, if every symbol lasts one sample, except "?", which has no id."""

    def part(first, last):
        places = tuple(place for place in range(first, last) if phonemes[place] != "?")
        timing = timing_of(read_as(text, phonemes, places, first), words, [1] * len(places), 0, 0)
        return timing.text, [mark.text for mark in timing.words]

    return [part(*each) for each in ranges]


def test_a_part_of_a_long_text_has_the_text_of_its_own_words():
    words = [WordSpan("Aa", 1, 3, 0, 300), WordSpan("Bb", 6, 8, 301, 601), WordSpan("C", 9, 10, 602, 603)]
    parts = text_of_parts("“Aa, “Bb C.", "a" * 300 + " " + "b" * 300 + " c", words, (0, 300), (301, 603))

    assert [("“Aa, “", ["Aa"]), ("Bb C.", ["Bb", "C"])] == parts


def test_a_word_without_sound_is_written_at_either_end_of_a_part():
    phonemes = "? " + "a" * 298 + " ? " + "? " + "b" * 298 + " ?"
    words = [
        WordSpan("Q", 0, 1, 0, 1), WordSpan("Aa", 2, 4, 2, 300), WordSpan("R", 5, 6, 301, 302),
        WordSpan("S", 7, 8, 303, 304), WordSpan("Bb", 9, 11, 305, 603), WordSpan("T", 12, 13, 604, 605),
    ]  # fmt: skip
    first, second = list(split_at_breaks(phonemes, UTTERANCE_PHONEMES))
    cut = phonemes.index(second, len(first))
    parts = text_of_parts("Q Aa R S Bb T", phonemes, words, (0, len(first)), (cut, len(phonemes)))

    assert "Q Aa R S Bb T" == " ".join(text for text, _ in parts)
    assert [["Aa"], ["Bb"]] == [heard for _, heard in parts]


def test_a_part_that_continues_a_word_has_no_text():
    words = [WordSpan("Aa", 0, 2, 0, 900), WordSpan("B", 3, 4, 901, 902)]
    parts = text_of_parts("Aa B.", "a" * 900 + " b.", words, (0, 500), (500, 903))

    assert [("Aa", ["Aa"]), ("B.", ["B"])] == parts
    assert ["Aa", ""] == [text for text, _ in text_of_parts("Aa", "a" * 900, words[:1], (0, 500), (500, 900))]


def test_marks_before_the_first_part_with_a_sound_are_written_with_that_part():
    words = [WordSpan("A", 600, 601, 600, 601)]

    assert ["." * 600 + "A"] == [text for text, _ in text_of_parts("." * 600 + "A", "." * 600 + "a", words, (500, 601))]


def test_a_text_of_parts_without_words_is_written_once():
    assert ["a b", ""] == [text for text, _ in text_of_parts("a b", "a" * 900, [], (0, 500), (500, 900))]


@pytest.mark.parametrize("seed", range(3))
def test_the_marks_of_a_real_voice_are_in_order_and_within_their_utterances(catalogue, seed):
    voice = catalogue.default
    front_end = voice.parts.open().front_end
    text = "Dr. Smith, of the U.S., paid $3.50. " + "It was the 21st of May; " * 40 + "and 1234567890 more."
    heard = 0
    for segment in voice.segments(text, SpeechOptions(seed=seed)):
        reading = segment.reading
        words = word_spans(reading.text, reading.phonemes, lambda each: front_end.read(each, "en-us"))
        timing = timing_of(reading, words, segment.plan.samples_per_id, segment.sentence, heard)
        for marks in (timing.words, timing.phonemes):
            times = [timing.start_samples]
            times += [edge for mark in marks for edge in (mark.start_samples, mark.end_samples)]
            times.append(timing.end_samples)
            assert sorted(times) == times
            assert all(mark.start_samples < mark.end_samples for mark in marks)
        assert [word.text for word in timing.words] == [word.text for word in words if word.text in timing.text]
        heard = timing.end_samples
    assert heard > 10 * voice.sample_rate_hz


def test_a_word_that_is_split_has_one_mark(catalogue):
    """An utterance may end within a long number."""
    text = "Call " + " ".join(f"55512345{number:02}" for number in range(15)) + " now."
    voice = catalogue.default
    timings = [voice.timing(chunk) for chunk in time_segments(voice.segments(text, SpeechOptions(1)))]

    assert len(timings) > 1
    assert text.rstrip(".").split() == [word.text for timing in timings for word in timing.words]
    assert "".join(text.split()) == "".join("".join(timing.text.split()) for timing in timings)


def test_a_word_of_many_parts_has_one_mark(catalogue):
    voice, text = catalogue.default, "1234567890" * 20
    timings = [voice.timing(chunk) for chunk in time_segments(voice.segments(text, SpeechOptions(1)))]

    assert len(timings) > 1
    assert text == "".join(timing.text for timing in timings)
    assert [text] == [word.text for timing in timings for word in timing.words]


def test_a_mark_is_at_the_beginning_of_the_next_word_or_at_the_end():
    marks = [(0, "a"), (1, "between"), (2, "b"), (3, "after"), (4, "end")]
    timing = timing_of(read_as(), WORDS, SAMPLES, 0, 100, marks)

    moments = [("a", 103), ("between", 163), ("b", 163), ("after", timing.end_samples), ("end", timing.end_samples)]
    assert [Mark(name, moment, moment) for name, moment in moments] == list(timing.marks)
    assert [moment + 5 for _, moment in moments] == [mark.start_samples for mark in timing.later(5).marks]


def test_each_part_of_a_long_text_has_its_own_marks():
    words = [WordSpan("Aa", 0, 2, 0, 300), WordSpan("Bb", 3, 5, 301, 601), WordSpan("?", 6, 7, 602, 603)]
    phonemes, marks = "a" * 300 + " " + "b" * 300 + " ?", [(0, "a"), (2, "b"), (5, "none"), (7, "end")]

    def names(first, last):
        places = range(first, last)
        timing = timing_of(read_as("Aa Bb ?", phonemes, tuple(places), first), words, [1] * len(places), 0, 0, marks)
        return [mark.text for mark in timing.marks]

    assert [["a"], ["b", "none", "end"]] == [names(0, 300), names(301, 602)]


def test_the_words_of_every_english_case_are_written_ones_each_once_and_in_order(catalogue):
    voice = catalogue.default
    cases = [each.written for each in readings() if each.language == "en"]
    for written in cases:
        timings = [voice.timing(chunk) for chunk in time_segments(voice.segments(written, SpeechOptions(1)))]
        words = [word for timing in timings for word in timing.words]
        place = 0
        for word in words:
            assert word.text in written[place:], (written, [each.text for each in words])
            place = written.index(word.text, place) + len(word.text)
        assert words == sorted(words, key=lambda word: word.start_samples), written
    assert len(cases) > 900
