"""Sentences of a text that is still being written: each is given out as soon as it is complete, and none is lost."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.gateway.errors import TooMuchTextError
from app.gateway.written_text import MAX_WAITING_CHARACTERS, WrittenText, split_complete

TEXTS = [
    "Dr. Smith paid 3.50 dollars. He left! Nobody saw him, e.g. at St. Mary's. It was 5 p.m. and dark",
    "你好。我是学生。谢谢",
    "Wait... what? \"Really.\" (Yes.)\nA new line",
    "x" * 5_000 + ". And the end.",
    "word " * 1_000 + "end. Another.",
]


def sentences_of(pieces, language="en", **options):
    async def run():
        written = WrittenText(language, **options)
        for piece in pieces:
            written.add(piece)
        written.finish()
        return [sentence async for sentence in written]

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("text", "complete", "rest"),
    [
        ("A sentence. ", ["A sentence."], ""),
        ("A sentence.", [], "A sentence."),
        ("A sentence. B", ["A sentence."], "B"),
        ("It costs 3.", [], "It costs 3."),
        ("Dr. ", [], "Dr. "),
        ("Really? Yes, e.g. ", ["Really?"], "Yes, e.g. "),
        ("你好。我", ["你好。"], "我"),
        ("No end ", [], "No end "),
        (" ", [], " "),
    ],
)
def test_a_sentence_is_complete_if_what_follows_cannot_change_it(text, complete, rest):
    assert (complete, rest) == split_complete(text, "en")


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("size", [1, 3, 7, 100_000])
def test_no_character_is_lost_or_changes_its_place(text, size):
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    sentences = sentences_of(pieces)

    assert "".join(text.split()) == "".join("".join(sentences).split())
    assert all(sentences)


@given(st.lists(st.text(alphabet="ab .!?\n,。\u00a0\"'3D r", max_size=12), max_size=20))
def test_any_pieces_of_any_text_keep_its_characters(pieces):
    assert "".join("".join(pieces).split()) == "".join("".join(sentences_of(pieces)).split())


def test_a_text_without_an_end_is_cut_so_that_a_word_costs_the_same():
    sentences = sentences_of(["word "] * 2_000)

    assert 4 < len(sentences) and max(map(len, sentences)) <= 2_000
    assert 2_000 == "".join(sentences).count("word")


@pytest.mark.parametrize(
    ("pieces", "options"), [(["<spe", "ak>One. ", "Two. </speak>"], {}), (["One. ", "Two."], {"is_whole": True})]
)
def test_markup_is_one_piece(pieces, options):
    assert ["".join(pieces)] == sentences_of(pieces, **options)


def test_too_much_text_is_refused_with_the_bound():
    async def run():
        written = WrittenText()
        written.add("word " * (MAX_WAITING_CHARACTERS // 5 - 1))
        with pytest.raises(TooMuchTextError, match="100000 characters"):
            written.add("too much " * 1_000)
        # What was spoken makes room.
        for _ in range(100):
            await anext(written)
        written.add("another word")

    asyncio.run(run())
