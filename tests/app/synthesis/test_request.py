"""app.synthesis.request: which requests are refused before synthesis starts."""

import pytest

from app.errors import BadRequestError, InvalidLexiconError, SilenceTooLongError, TextTooLongError
from app.synthesis.request import MAX_MESSAGE_CHARACTERS, SpeechRequest, require_silence, require_text, resolve_lexicon
from loader.config.settings import Limits
from loader.text.lexicon.entries import Entry
from loader.voices.voice import SpeechOptions

LIMITS = Limits(text_characters=20, body_bytes=1024)


@pytest.mark.parametrize("text", ["a", " a ", "two\nlines\tand\r\ntabs", "Straße", "日本語", "👩‍👩‍👧", "\ufeffBOM", "x" * 20])
def test_valid_text_is_accepted_unchanged(text):
    assert text == require_text(text, LIMITS, "input")


def test_text_at_the_limit_is_accepted_and_one_character_more_is_refused():
    with pytest.raises(TextTooLongError, match="input is 21 characters, limit 20"):
        require_text("x" * 21, LIMITS, "input")


@pytest.mark.parametrize("character", ["\0", "\x07", "\x1b", "\x7f", "\x86", "\ud800", "\udfff"])
def test_an_invalid_character_is_named_with_its_position(character):
    with pytest.raises(BadRequestError, match=rf"U\+{ord(character):04X} at position 2"):
        require_text(f"ab{character}", LIMITS, "input")


@pytest.mark.parametrize(
    "sentence_pause_s, sentences, is_refused", [(10, 361, False), (10, 362, True), (0.45, 3000, False), (0, 5000, False)]
)
def test_the_silence_between_sentences_is_bounded_before_synthesis(catalogue, sentence_pause_s, sentences, is_refused):
    options = SpeechOptions(9, sentence_pause_s=sentence_pause_s)
    request = SpeechRequest("A! " * sentences, catalogue.default, options, "wav", "id-1")
    if is_refused:
        with pytest.raises(SilenceTooLongError, match="362 sentences with pauses of 10 s are 3610 s of silence, limit 3600"):
            require_silence(request, LIMITS)
    else:
        require_silence(request, LIMITS)


def test_the_lexicon_of_a_request_is_a_tuple_of_entries():
    assert (Entry("SQL", "sequel", is_exact=True), Entry("nguyen", phonemes="wɪn")) == resolve_lexicon(
        {"SQL": "sequel", "nguyen": "/wɪn/"}, LIMITS, "lexicon"
    )


def test_a_lexicon_with_mistakes_is_refused_with_all_of_them_in_bounds():
    with pytest.raises(InvalidLexiconError, match="'a': '/x' has one slash.*; 'b': no respelling") as refused:
        resolve_lexicon({"a": "/x", "b": ""}, LIMITS, "words")
    assert "words" == refused.value.parameter
    with pytest.raises(InvalidLexiconError) as refused:
        resolve_lexicon({"x" * number: "" for number in range(100, 300)}, LIMITS, "lexicon")
    assert MAX_MESSAGE_CHARACTERS == len(refused.value.message)
    with pytest.raises(InvalidLexiconError, match="2 entries; at most 1"):
        resolve_lexicon({"a": "b", "c": "d"}, Limits(lexicon_entries=1), "lexicon")
