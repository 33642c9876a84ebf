"""loader.text.markup.script: plain text with pauses, and the parts that all markup shares."""

import pytest
from hypothesis import given

from loader.errors import MarkupError
from loader.text.markup.script import MAX_IGNORED_NAMES, Mark, Pause, ScriptBuilder, TextRun, in_place, parse_plain
from tests.loader.text.markup.checks import any_text, assert_in_order, texts


def test_plain_text_is_one_run_as_written():
    script = parse_plain("Two  spaces,\n\nand lines. ")

    assert ["|Two  spaces,\n\nand lines. "] == texts(script)
    assert [*in_place(0, 25)] == [*script.items[0].origins]


def test_pauses_are_text_unless_asked_for():
    assert ["|Wait[pause:0.8s]."] == texts(parse_plain("Wait[pause:0.8s]."))


@pytest.mark.parametrize(("tag", "duration_s"), [("[pause:0.8s]", 0.8), ("[pause: 250ms]", 0.25), ("[PAUSE:2 s]", 2)])
def test_a_pause_stands_between_the_texts_of_one_sentence(tag, duration_s):
    script = parse_plain(f"Wait {tag} now.", pauses=True)

    assert ["|Wait ", " now."] == texts(script)
    assert Pause(duration_s, 5) == script.items[1]
    assert (len(tag) + 5, len(tag) + 6) == script.items[2].origins[0]


@pytest.mark.parametrize("text", ["[pause]", "[pause:]", "[pause:-1s]", "[pause:1m]", "[pause:1e9s]", "[pause:٣s]"])
def test_what_is_no_pause_stays_text(text):
    assert [f"|{text}"] == texts(parse_plain(text, pauses=True))


def test_pauses_together_are_bounded():
    text = "[pause:3s] a\nb [pause:3s]"

    assert 3 == len(parse_plain(text, pauses=True, max_silence_s=6).items)
    with pytest.raises(MarkupError, match="line 2, column 3: pauses of 6 s together exceed 5 s") as caught:
        parse_plain(text, pauses=True, max_silence_s=5)
    assert (2, 3) == (caught.value.line, caught.value.column)


def test_nothing_gives_no_items():
    assert () == parse_plain("").items


@pytest.mark.parametrize(("line_end", "line"), [("\n", 2), ("\r\n", 2), ("\r", 2), ("\n\n", 3)])
def test_lines_and_columns_count_from_one(line_end, line):
    source = f"ab{line_end}cd"
    error = ScriptBuilder(source).error(source.index("d"), "wrong")

    assert (line, 2) == (error.line, error.column)


def test_a_mark_does_not_end_the_sentence():
    builder = ScriptBuilder("ab")
    builder.text("a", in_place(0, 1))
    builder.mark("here", 1)
    builder.text("b", in_place(1, 2))
    first, mark, second = builder.build().items

    assert (True, Mark("here", 1), False) == (first.begins_sentence, mark, second.begins_sentence)


def test_a_clause_that_ends_with_a_mark_gets_no_comma():
    builder = ScriptBuilder("a!b")
    builder.text("a!", in_place(0, 2))
    builder.end_clause()
    builder.text("b", in_place(2, 3))

    assert ["|a! b"] == texts(builder.build())


def test_names_of_ignored_tags_are_bounded():
    builder = ScriptBuilder("")
    for number in range(1000):
        builder.ignore(f"{number}" * 100)

    ignored = builder.build().ignored
    assert MAX_IGNORED_NAMES == len(ignored) and max(map(len, ignored)) <= 80


@given(any_text(["[pause:1s]", "[pause:", "ms]"]))
def test_any_plain_text_comes_out_but_for_its_pauses(text):
    script = parse_plain(text, pauses=True)

    assert_in_order(script, text)
    for item in script.items:
        if isinstance(item, TextRun):
            assert item.text == text[item.origins[0][0] : item.origins[-1][1]]
