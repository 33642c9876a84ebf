"""loader.text.markup.markdown: Markdown as a person reads it aloud."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from loader.text.markup.markdown import parse_markdown
from tests.loader.text.markup.checks import any_text, assert_each_once, assert_in_order, texts, written

PIECES = [
    "# ", "\n\n", "- ", "1. ", "> ", "*", "**", "_", "`", "```\n", "    ", "[", "](u)", "![", "](u 'a b')", "<b>", "</b>", "<br>",
    "<div>\n", "\\", "\\\n", "  \n", "|",
    "\n|-|-|\n", "a | b", "\\|", "~~", "<http://x.y/%20>", "[a]: /u\n", "***", "===\n", "<script>",
]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "spoken"),
    [
        ("# Chapter *One* #\n\nIt began.\nAnd went on.", ["|Chapter One", "|It began. And went on."]),
        ("Title\n=====\ntext", ["|Title", "|text"]),
        ("Buy:\n- milk\n- eggs and\n  flour\n\nDone.", ["|Buy:", "|milk", "|eggs and flour", "|Done."]),
        ("1. One\n2. Two\n   - deep", ["|1. One", "|2. Two", "|deep"]),
        ("1.\n\n2. ```\n   x\n   ```\n   y\n3)\n   z", ["|1.", "|2. x", "|y", "|3) z"]),
        ("> a\n> b\n\nc", ["|a b", "|c"]),
        ("***very* much** ~~not~~ 2 * 3 * 4", ["|very much not 2 * 3 * 4"]),
        ("snake_case_name", ["|snake_case_name"]),
        ("See [the *docs*](http://x.y 'title') [now][1].\n\n[1]: /url", ["|See the docs now."]),
        ("Write <https://x.y/a> or <a@b.c>.", ["|Write https://x.y/a or a@b.c."]),
        ("![A *red* fox](fox.png 'x') runs", ["|A red fox runs"]),
        ("Run `ls  -l` and `` a`b ``.", ["|Run ls -l and a`b."]),
        ("```py\nx = 1\n\ny = 2\n```\nend", ["|x = 1", "|y = 2", "|end"]),
        ("    code\n\ntext", ["|code", "|text"]),
        ("line one\\\nline two  \nline three!\\\nfour", ["|line one, line two, line three! four"]),
        ("| Name | Age |\n|---|---|\n| Ann | **5** |\n| a\\|b | |\n", ["|Name, Age", "|Ann, 5", "|a|b"]),
        ("a | b\n-|-\n| c | | d | e f |\n", ["|a, b", "|c, d, e f"]),
        ("<div>Hi <b>you</b><p>there</div>", ["|Hi you", "|there"]),
        ("a <b>bold</b> word<br>next<!-- no -->", ["|a bold word, next"]),
        ("<!-- no -->\n\n<script>no()</script>\n\n<style\n>no", []), ("AT&amp;T &copy; 1 &lt; 2 \\*", ["|AT&T © 1 < 2 *"]),
        ("---\n\n***", []), ("", []), ("one\r\n\r\ntwo\rthree", ["|one", "|two three"]), ("[ ] open", ["|[ ] open"]),
    ],
)  # fmt: skip
def test_it_is_read_as_a_person_would(source, spoken):
    assert spoken == texts(parse_markdown(source))


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ("> \tx *y*\n> &lt;", ["x", " ", "y", "\n", "&lt;"]), ("# a #", ["a"]), ("a\\\nb", ["a", "", "", "b"]),
        ("[b](u ' a') a", ["b", " ", "a"]), ("`` `a ``", ["`", "a"]), ("![x *y*](y y)", [*"![x", " ", "y", *"](y", " ", *"y)"]),
        ("![x *y* &gt;](y) y", ["x", " ", "y", " ", "&gt;", " ", "y"]), ("\\* \\a", ["\\*", " ", "\\a", "\\a"]),
        ("1. 1", ["1", ".", "", "1"]), ("a|b\n-|-\na|b", ["a", "", "", "b"]), ("|a\\|b|\n|-|", ["a", "|", "b"]),
        ("<http://x/%20>", ["http://x/%20"] * 9), ("\ta\n\n  b", ["a"]),
    ],
)  # fmt: skip
def test_each_character_knows_its_place_in_the_source(source, parts):
    assert parts == written(parse_markdown(source), source)


@pytest.mark.parametrize(
    "piece",
    [
        "[", "[a](", "![", "*", "*a **b ", "`a", "> ", "- ", "1. ", "<", "<!--", "<div\n", "&amp;", "\\", "|", "|\n", "a\\\n",
        "é", "|a" * 99 + "\n" + "|-" * 99 + "\n" + "|b\n" * 99 + "\n",
    ],
)  # fmt: skip
def test_attacks_of_20_000_characters_end(piece):
    source = (piece * 20_000)[:20_000]

    assert_in_order(parse_markdown(source), source)


def test_a_table_of_more_cells_than_written_goes_on_as_text():
    source = "|a" * 99 + "\n" + "|-" * 99 + "\n" + "|b\n" * 99
    spoken = texts(parse_markdown(source))

    assert "|" + ", ".join("a" * 99) == spoken[0]
    assert 99 == "".join(spoken).count("b")
    assert any("|b |b" in text for text in spoken)


def test_a_long_table_is_one():
    assert ["|a, b", *["|c, d"] * 2_000] == texts(parse_markdown("a|b\n-|-\n" + "c|d\n" * 2_000))


@settings(max_examples=300, deadline=None)
@given(any_text(PIECES))
@example("\f\n0")
@example("> \xa0\n> 0")
@example(" ```\n\t0")
@example("> " * 300 + "a")
@example("![" * 50 + "a" + "](b)" * 50)
def test_any_text_gives_a_script(source):
    script = parse_markdown(source)

    assert_in_order(script, source)
    assert_each_once(script, source)


WORDS = [
    "w", "w ", "*w* ", "**w w** ", "# w\n\n", "\n\n- w\n", "\n\n1. w\n", "\n\n> w\n> w\n\n", "`w` ", "[w](u) ",
    "\n\n|w|w|\n|-|-|\n|w|\n\n",
]  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(WORDS)))
def test_every_word_comes_out_once(parts):
    source = "".join(parts)
    script = parse_markdown(source)

    assert source.count("w") == sum(text.count("w") for text in texts(script))
