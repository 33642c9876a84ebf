"""loader.text.sentences: only white space is dropped, and every piece is within its limit."""

import random
import re

import pytest
import sentencex

from loader.text.sentences import (
    BLOCK_CHARACTERS,
    MARKS_TIMES_CHARACTERS,
    PIECE_CHARACTERS,
    UTTERANCE_PHONEMES,
    WIDE_PIECE_CHARACTERS,
    _segments,
    is_marks,
    piece_characters,
    split_at_breaks,
    split_first_clause,
    split_sentences,
)
from tests.loader.text.corpus import CORPUS

HARD_TEXTS = {
    "digits": "1234567890" * 2000,
    "dots": "." * 20_000,
    "dots and spaces": ". " * 10_000,
    "open brackets": "(" * 20_000,
    "quotes": "\"'" * 10_000,
    "opening quotes": "“" * 20_000,
    "exclamations": "!?" * 10_000,
    "spaces": " " * 20_000,
    "new lines": "\n" * 20_000,
    "one word": "a" * 20_000,
    "titles": "Mr. " * 5_000,
    "list items": "1." * 10_000,
    "initials": "A.B. " * 4_000,
    "combining marks": "\u0301" * 20_000,
    "emoji": "👨‍👩‍👧" * 4_000,
    "CJK": "你好。世界！" * 3_000,
    "CJK without stops": "語" * 20_000,
    "brackets and stops": "(a. " * 5_000,
    "quoted sentences": '"A. ' * 5_000,
    "sentences": "This is one. " * 1_500,
}


def without_spaces(text):
    return "".join(text.split())


def random_texts(count, length):
    random_of = random.Random(20)
    alphabet = [*"abXY  \n\t.,;:!?()\"'«»-–12", ". ", "; ", ": ", ", ", "Mr. ", "e.g. ", "。", "你", "é", "\u0301", "😀"]
    for _ in range(count):
        yield "".join(random_of.choices(alphabet, k=random_of.randrange(length)))


@pytest.mark.parametrize("text", HARD_TEXTS.values(), ids=HARD_TEXTS.keys())
def test_sentences_of_hard_text_lose_only_white_space(text):
    assert without_spaces(text) == without_spaces("".join(split_sentences(text, "en")))


@pytest.mark.parametrize("text", HARD_TEXTS.values(), ids=HARD_TEXTS.keys())
def test_pieces_of_hard_text_are_within_the_limit_and_lose_only_white_space(text):
    pieces = list(split_at_breaks(text, PIECE_CHARACTERS))

    assert all(0 < len(piece) <= PIECE_CHARACTERS for piece in pieces)
    assert without_spaces(text) == without_spaces("".join(pieces))


@pytest.mark.parametrize("language", ["en", "de", "fr", "zh", "ja", "ru", "xx", ""])
def test_sentences_lose_only_white_space_in_every_language(language):
    for text in [*CORPUS, *random_texts(100, 200)]:
        sentences = list(split_sentences(text, language))

        assert without_spaces(text) == without_spaces("".join(sentences))
        assert all(sentence and sentence == sentence.strip() for sentence in sentences)


@pytest.mark.parametrize("limit", [2, 3, 10, 40, PIECE_CHARACTERS])
def test_pieces_are_within_any_limit_and_lose_only_white_space(limit):
    for text in random_texts(500, 1000):
        pieces = list(split_at_breaks(text, limit))

        assert all(len(piece) <= limit for piece in pieces)
        assert without_spaces(text) == without_spaces("".join(pieces))


def test_sentences_end_at_stops():
    assert ["One is here.", "Two?", "Three!"] == list(split_sentences("One is here. Two? Three!", "en"))


def test_a_title_does_not_end_a_sentence():
    assert ["Mr. Smith came.", "He sat."] == list(split_sentences("Mr. Smith came. He sat.", "en"))


def test_chinese_sentences_need_no_space():
    assert ["你好。", "世界！"] == list(split_sentences("你好。世界！", "zh"))


@pytest.mark.parametrize(
    ("language", "text", "sentences"),
    [
        ("zh", "他说：“你好。”然后走了。今天天气很好！你呢？", ["他说：“你好。”", "然后走了。", "今天天气很好！", "你呢？"]),
        ("ja", "「はい。」と言った。今日は3.5度です。いいえ？", ["「はい。」", "と言った。", "今日は3.5度です。", "いいえ？"]),
        ("ja", "すごい！！本当に？！うん…そう。", ["すごい！！", "本当に？！", "うん…そう。"]),
        ("ko", "안녕하세요. 오늘은 3.5도입니다! 정말요?", ["안녕하세요.", "오늘은 3.5도입니다!", "정말요?"]),
        ("bn", "আমি ভাত খাই। তুমি কেমন আছো?", ["আমি ভাত খাই।", "তুমি কেমন আছো?"]),
    ],
)
def test_sentences_of_other_scripts_end_at_their_own_stops(language, text, sentences):
    assert sentences == list(split_sentences(text, language))


@pytest.mark.parametrize("text", ["", " ", "\n\n", "\t \u2028"])
def test_white_space_has_no_sentences(text):
    assert [] == list(split_sentences(text, "en"))


def test_surrogate_pairs_are_joined_and_single_surrogates_dropped():
    assert ["a😀b.", "c"] == list(split_sentences("a\ud83d\ude00b\ud83d. \udc00c", "en"))


def test_a_short_text_is_one_piece():
    assert ["as it is"] == list(split_at_breaks("as it is", 20))


def test_a_text_of_exactly_the_limit_is_one_piece():
    assert ["x" * 20] == list(split_at_breaks("x" * 20, 20))


def test_a_split_after_a_clause_is_preferred_to_a_split_after_a_word():
    assert ["one two three,", "four five"] == list(split_at_breaks("one two three, four five", 20))


def test_a_split_between_words_is_preferred_to_a_split_within_one():
    assert ["one two three", "four five six"] == list(split_at_breaks("one two three four five six", 17))


def test_a_long_word_is_split_at_the_limit():
    assert ["abcde", "fgh"] == list(split_at_breaks("abcdefgh", 5))


def test_an_early_break_makes_no_tiny_piece():
    first = next(split_at_breaks("a, " + "b" * 30, 20))

    assert 20 == len(first)


def test_phonemes_are_split_between_words():
    phonemes = "həlˈoʊ wˈɜːld " * 60

    assert all(part.endswith(("oʊ", "ld")) for part in split_at_breaks(phonemes.strip(), UTTERANCE_PHONEMES))


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("一二三四五，六七八九十、一二", ["一二三四五，", "六七八九十、一二"]),
        ("一二三四五、六七；八九十一二", ["一二三四五、六七；", "八九十一二"]),
        ("あいうえおか。」とさしすせそ、", ["あいうえおか。」", "とさしすせそ、"]),
        ("一二三四五六。七八，九十一二", ["一二三四五六。", "七八，九十一二"]),
        ("가나다라마 바사아 차카타파", ["가나다라마 바사아", "차카타파"]),
    ],
)
def test_wide_punctuation_needs_no_space(text, pieces):
    assert pieces == list(split_at_breaks(text, 10))


def test_punctuation_without_a_space_is_preferred_to_a_split_within_a_word():
    assert ["korewa,", "soredesuka"] == list(split_at_breaks("korewa,soredesuka", 10))


def test_a_number_is_not_split_if_there_is_a_space():
    assert ["it costs", "1,234,567"] == list(split_at_breaks("it costs 1,234,567", 14))


@pytest.mark.parametrize("text", ["语" * 400, "今日は" * 100, "한국어 문장 " * 50, "你好世界，hello。" * 40])
def test_pieces_are_shorter_if_a_character_is_a_syllable(text):
    assert WIDE_PIECE_CHARACTERS == piece_characters(text)


@pytest.mark.parametrize("text", ["", "words " * 80, "Москва " * 60, "হ্যাঁ " * 60, "Tokyo is 東京 " * 30])
def test_pieces_of_other_texts_are_long(text):
    assert PIECE_CHARACTERS == piece_characters(text)


def test_a_long_first_sentence_is_split_after_its_first_clause():
    clause = "When the rain had stopped at last,"
    rest = "the river went back, and everybody who had left came home again by and by."

    assert (clause, rest) == split_first_clause(f"{clause} {rest}")


@pytest.mark.parametrize("sentence", [
    "A short one, with a comma.",
    "Well, " + "the river went back and everybody who had left came home again by and by as they had said they would.",
    "The river went back and everybody who had left came home again by and by as they had said they would, all",
    "The river went back and everybody who had left came home again by and by as they had all said they would.",
])  # fmt: skip
def test_a_first_sentence_without_a_long_enough_clause_stays_whole(sentence):
    assert (sentence,) == split_first_clause(sentence)


def test_clauses_end_in_every_script():
    first, second = split_first_clause("雨" * 40 + "、" + "川" * 60 + "。")

    assert ("雨" * 40 + "、", "川" * 60 + "。") == (first, second)


@pytest.mark.parametrize("text, language", [
    ("The birch canoe slid on the smooth planks. Glue the sheet! Dr. Smith did. 'Why?' he asked. " * 300, "en"),
    ("雨が降った。川は戻った！みんな帰った？" * 800, "ja"),
    ("word " * 5000, "en"),
    ("a." * 6000, "en"),
    ("abc" * 6000, "en"),
    ("It was so \n" * 1500 + "then. And it was not. " * 10, "en"),
])  # fmt: skip
def test_a_text_read_in_blocks_has_the_same_sentences(text, language):
    assert len(text) > 2 * BLOCK_CHARACTERS
    assert list(sentencex.segment(language, text)) == list(_segments(text, language))


def test_the_first_sentence_of_a_long_text_is_returned_before_the_rest_is_read():
    text = "雨が降った。" * 150_000
    reading = split_sentences(text, "ja")

    assert ["雨が降った。"] * 3 == [next(reading) for _ in range(3)]


@pytest.fixture
def call_lengths(monkeypatch):
    """The number of characters of each call of the library."""
    return LibraryCalls(monkeypatch, len)


@pytest.fixture
def call_texts(monkeypatch):
    """The text of each call of the library."""
    return LibraryCalls(monkeypatch, str)


class LibraryCalls(list):
    def __init__(self, monkeypatch, record):
        segment = sentencex.segment

        def recorded(language, text):
            self.append(record(text))
            return segment(language, text)

        monkeypatch.setattr(sentencex, "segment", recorded)


DENSE = ["“", "'", "`", "„«", "(", "a.", "‚‚„_「‘‹）", "`é。‚。‚", "‹»`" + "語" * 30 + "‚1‚", "aa.a.a.", "「」", "«a", "‛! ", "a؟"]


@pytest.mark.parametrize("text", [*DENSE, "語", "word ", "“Yes. ", "雨が降った。", "a " + "b" * 3070, "A. " + "a " * 1600 + ". "])
def test_a_text_is_read_in_blocks_of_bounded_size_and_less_than_twice(call_lengths, text):
    """The time of the library grows with the square of its text."""
    length = 40_000
    list(split_sentences((text * length)[:length], "en"))

    assert max(call_lengths) <= BLOCK_CHARACTERS
    assert sum(call_lengths) < 2 * length


@pytest.mark.parametrize("filler", ["", "word " * 200, "語" * 3000, "“" * 1000 + "a" * 3000])
@pytest.mark.parametrize("text", DENSE)
def test_blocks_with_many_quotes_and_stops_are_shorter(call_texts, text, filler):
    """The library searches from each mark to the end of its text."""
    text = text * 300 + filler
    list(split_sentences(text * (12_000 // len(text) + 1), "en"))

    searches = [len(re.findall("[`'\"«»‘‚“„‛‟‹《「.!?。؟]", read)) * len(read) for read in call_texts]
    # One block more: of several apostrophes after a letter the first is not counted.
    assert max(searches) <= MARKS_TIMES_CHARACTERS + BLOCK_CHARACTERS
    # No block is so short that there would be very many.
    assert min(map(len, call_texts[:-1])) > 1000


def test_prose_is_read_in_blocks_of_full_size(call_lengths):
    """Apostrophes, commas and quotes in every other line do not shorten the blocks."""
    line = "“I don't know,” said the boy's father, “whether it's theirs, or ours; we've none.” The rain hadn't stopped. "
    list(split_sentences(line * 200, "en"))

    assert {BLOCK_CHARACTERS} == set(call_lengths[:-3])


def test_the_pieces_of_a_long_text_do_not_copy_its_rest():
    """Otherwise each piece of a million characters would copy for a millisecond."""

    class Counted(str):
        copied = 0

        def __getitem__(self, key):
            part = str(self)[key]
            Counted.copied += len(part)
            return part

    text = Counted("word " * 20_000)
    pieces = list(split_at_breaks(text, PIECE_CHARACTERS))

    assert without_spaces(text) == without_spaces("".join(pieces))
    assert Counted.copied < 4 * len(text)


@pytest.mark.parametrize("space", "\x85\xa0\u1680\u2000\u2007\u200a\u2028\u2029\u202f\u205f\u3000")
@pytest.mark.parametrize("language", ["en", "fr", "ja"])
def test_a_capital_a_wide_space_and_a_stop_are_read(space, language):
    """sentencex 1.0.32 panics on this text."""
    text = f"Vitamine B{space}. Voil{space}{space}. A{space}{space}."

    assert without_spaces(text) == without_spaces("".join(split_sentences(text, language)))


def test_the_spaces_of_a_sentence_are_unchanged():
    assert ["10\xa0km,\u2028she said."] == list(split_sentences("10\xa0km,\u2028she said.\xa0", "en"))


@pytest.mark.parametrize("seed", range(30))
def test_no_block_loses_or_repeats_a_character_though_the_library_drops_some(seed):
    """The library drops line breaks between parts of about 10,000 bytes."""
    chance = random.Random(seed)
    text = "".join(chance.choice(["𠀀𠀁𠀂。", "「𠃃", "\n", "\n\n", "“𠀄"]) for _ in range(6000))

    assert len(text) > 2 * BLOCK_CHARACTERS
    assert without_spaces(text) == without_spaces("".join(split_sentences(text, "en")))


@pytest.mark.parametrize("seed", range(30))
def test_no_block_loses_or_repeats_a_character(seed):
    chance = random.Random(seed)
    marks = ["(No! ", ") ", "\n", "\r\n", "\u2028", "\n\n", "。", "... ", "1.2. "]
    parts = [*marks, "Hello world. ", '"Yes." ', "日本語です。", "abc " * 200]
    text = "".join(chance.choice(parts) for _ in range(600))

    assert len(text) > 2 * BLOCK_CHARACTERS
    assert without_spaces(text) == without_spaces("".join(split_sentences(text, "en")))


@pytest.mark.parametrize("language", ["it", "fr", "pt"])
def test_a_sentence_that_takes_most_of_a_block_is_not_read_again_for_a_few_characters(language, monkeypatch):
    """`A.B.` is a sentence in Italian, and what follows it is another one, as long as the block."""
    blocks, segment = [], sentencex.segment
    monkeypatch.setattr(sentencex, "segment", lambda name, block: blocks.append(block) or segment(name, block))
    text = "A.B." * 2000

    assert text == "".join(split_sentences(text, language))
    assert sum(map(len, blocks)) < 2 * len(text)


@pytest.mark.parametrize(
    "text, expected",
    [("!!!", True), ("... — “”", True), ("", True), ("%", False), ("&", False), ("!a", False), ("€", False), ("😀", False)],
)
def test_marks_are_told_from_signs_that_are_words(text, expected):
    assert is_marks(text) is expected
