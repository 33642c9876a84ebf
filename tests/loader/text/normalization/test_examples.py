"""The examples of docs/text.md are read as they say."""

import html

import pytest

from ops.benchmarks.readings import words
from tests.conftest import ROOT
from tests.loader.text.normalization.test_readings import say

LANGUAGES = {"German": "de", "French": "fr", "Spanish": "es", "Italian": "it", "Portuguese": "pt"}
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in (ROOT / "docs" / "text.md").read_text(encoding="utf-8").partition("## Lexicon")[0].splitlines()
    if line.startswith("| ") and not line.startswith("| kind")
]


def test_there_are_examples_of_every_language_with_rules():
    assert 15 < len(ROWS)
    assert LANGUAGES.keys() <= {kind for kind, _, _ in ROWS}


@pytest.mark.parametrize(("kind", "written", "said"), ROWS, ids=[f"{row[0]} {row[1]}" for row in ROWS])
def test_an_example_is_read_as_documented(kind, written, said):
    # Markdown would turn `&amp;` into a sign.
    written = html.unescape(written) if kind == "entity" else written

    assert words(said) == words(say(written, LANGUAGES.get(kind, "en")))
