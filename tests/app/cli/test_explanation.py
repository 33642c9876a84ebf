"""The table of `chorus say --explain`: columns are aligned in any script, and invisible characters are shown."""

import re

from rich.cells import cell_len

from app.cli.explanation import COLUMNS, explanation_lines
from loader.voices.explanation import ExplainedSentence, ExplainedWord, explain
from loader.voices.voice import SpeechOptions
from tests.conftest import ROOT


def table(*words):
    rows = tuple(ExplainedWord(written, 0, 0, spoken, phonemes, ids, "voice") for written, spoken, phonemes, ids in words)
    return list(explanation_lines([ExplainedSentence("a b", "a c", rows)]))


def test_columns_are_aligned_with_wide_and_combining_characters():
    lines = table(("中文", "中文", "ʈʂˈo", (1, 2)), ("e\u0301té", "ete", "e\u0303", (3,)), ("x", "", "", ()))

    assert ["a b", "-> a c", ""] == lines[:3]
    assert list(COLUMNS) == lines[3].split()
    starts = {cell_len(line[: line.index("voice")]) for line in lines[4:]}
    assert {cell_len(lines[3][: lines[3].index("from")])} == starts
    assert 1 == len({cell_len(line[: line.rindex(ids)]) for line, ids in zip(lines[4:6], ("1 2", "3"), strict=True)})
    assert lines[6].endswith("voice")


def test_a_long_cell_does_not_widen_its_column():
    lines = table(("a", "b " * 100, "c", (1,)), ("d", "e", "f", (2,)))

    assert len(lines[5]) < 80 < len(lines[4])


def test_invisible_characters_and_line_ends_are_shown():
    assert table(("a\u202e\n\U000e0041b", "x", "y", ()))[4].startswith("a\\u202e \\U000e0041b  x")


def test_a_sentence_that_is_read_as_written_is_shown_once():
    sentence = ExplainedSentence("a", "a", (ExplainedWord("a", 0, 1, "a", "b", (1,), "voice"),))

    assert ["a", "", "written", "a"] == [line.split("  ")[0] for line in explanation_lines([sentence])]
    assert 9 == len(list(explanation_lines([sentence, sentence])))


def test_the_table_of_the_documents_is_that_of_the_embedded_voice(catalogue):
    document = (ROOT / "docs" / "text.md").read_text(encoding="utf-8")
    text, documented = re.search(r'^\$ chorus say --explain "(.*)"\n(.*?)```$', document, re.MULTILINE | re.DOTALL).groups()
    lines = explanation_lines(explain(catalogue.default, text, SpeechOptions(seed=1)))

    assert documented == "".join(f"{line}\n" for line in lines)
