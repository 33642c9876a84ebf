"""The examples of the lexicon in docs/text.md: its files are read, and texts are said as its table shows."""

import re

import pytest

from loader.text.lexicon.entries import Entry
from loader.text.lexicon.files import read_lexicon
from loader.text.lexicon.lexicon import Lexicon
from loader.text.normalization.normalizer import normalizer_of
from loader.text.passages import Passage
from tests.conftest import ROOT

SECTION = (ROOT / "docs" / "text.md").read_text(encoding="utf-8").partition("## Lexicon\n")[2].partition("\n## ")[0]
ROWS = [line.strip("|").split(" | ") for line in SECTION.splitlines() if line.startswith("| ")][1:]


def read(block, ending, folder):
    """Return the entries of the file in a code block."""
    (content,) = re.findall(rf"^```{block}\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)
    path = folder / f"terms.{ending}"
    path.write_text(content, encoding="utf-8")
    return read_lexicon(path, "en")


@pytest.mark.parametrize(("rule", "written", "said"), ROWS, ids=[row[0].strip() for row in ROWS])
@pytest.mark.parametrize("rewrites", [True, False], ids=["normalized", "as written"])
def test_an_example_is_read_as_documented(rule, written, said, rewrites, tmp_path):
    lexicon = Lexicon("en").extended(read("tsv", "tsv", tmp_path))
    (spoken,) = normalizer_of("en").spoken(Passage(written.strip()), lexicon=lexicon, rewrites=rewrites)
    text = spoken.text.text
    for given in reversed(spoken.given):
        text = f"{text[:given.start]}/{given.phonemes}/{text[given.stop:]}"

    assert said.strip() == text


def test_the_pls_file_has_the_documented_entries(tmp_path):
    names = [Entry(name, phonemes="wɪn", is_exact=True) for name in ("Nguyen", "Nguyễn")]

    assert [*names, Entry("nginx", "engine X")] == read("xml", "pls", tmp_path)
