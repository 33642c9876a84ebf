"""The texts are what the names of the figures say."""

import pytest

from loader.text.sentences import split_sentences
from ops.benchmarks.voices import BY_WORDS, SENTENCES


@pytest.mark.parametrize(("words", "sentences"), [(5, 1), (30, 1), (120, 7)])
def test_a_text_has_the_words_and_sentences_that_it_is_filed_under(words, sentences):
    assert words == len(BY_WORDS[words].split())
    assert sentences == len(list(split_sentences(BY_WORDS[words], "en")))


def test_every_sentence_is_one():
    assert all([text] == list(split_sentences(text, "en")) for text in SENTENCES)
