"""The texts are what the figures' names say."""

import pytest

from loader.text.sentences import split_sentences
from ops.benchmarks.texts import BY_WORDS, SENTENCES


@pytest.mark.parametrize("words", BY_WORDS)
def test_a_text_has_as_many_words_as_it_is_filed_under(words):
    assert words == len(BY_WORDS[words].split())


@pytest.mark.parametrize(("words", "sentences"), [(5, 1), (30, 1), (120, 7)])
def test_a_text_has_so_many_sentences(words, sentences):
    assert sentences == len(list(split_sentences(BY_WORDS[words], "en")))


def test_every_sentence_is_one():
    assert all([text] == list(split_sentences(text, "en")) for text in SENTENCES)
