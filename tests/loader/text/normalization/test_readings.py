"""What is written is said as it is meant: the cases of `readings.tsv`, and values read back from the spoken words."""

from collections import defaultdict

import pytest

from loader.text.normalization.normalizer import normalizer_of
from loader.text.passages import Passage
from ops.benchmarks.readings import Reading, readings

#: Right readings of all, in percent, by language.
TARGETS = {"en": 90, "de": 80, "fr": 80, "es": 80, "it": 80, "pt": 80, "zh": 80}
ALL = list(readings())


def say(text, language):
    normalizer = normalizer_of(language)
    sentences = map(Passage, normalizer.sentences(text))
    return " ".join("".join(piece.text.text for piece in normalizer.spoken(sentence)) for sentence in sentences)


@pytest.mark.parametrize("language", TARGETS)
def test_the_readings_of_a_language_meet_the_target(language):
    own = [each for each in ALL if each.language == language]
    wrong = [(each.written, say(each.written, language)) for each in own if not each.accepts(say(each.written, language))]

    assert 100 * (len(own) - len(wrong)) >= TARGETS[language] * len(own), wrong


def test_every_kind_is_read_right_in_some_language():
    right = defaultdict(int)
    for each in ALL:
        right[each.kind] += each.accepts(say(each.written, each.language))

    assert all(right[each.kind] for each in ALL)


def test_a_wrong_reading_is_not_accepted():
    assert not Reading("en", "0.05", ("zero point zero five",), "decimal").accepts("zero point five")
