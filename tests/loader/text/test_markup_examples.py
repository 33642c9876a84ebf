"""The section on markup in docs/text.md: its examples are read as they say, and every tag is in it."""

import html
import re

import pytest

from app.errors import AudioTooLongError, InvalidMarkupError, SilenceTooLongError, TextTooLongError
from loader.config.settings import Limits
from loader.text.markup.ssml import _TAGS, parse_ssml
from loader.text.markup.values import INTERPRETATIONS
from loader.voices.pieces import Reader
from ops.benchmarks.readings import words
from tests.conftest import ROOT

SECTION = (ROOT / "docs" / "text.md").read_text(encoding="utf-8").partition("## Markup\n")[2].partition("\n## ")[0]
ROWS = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in SECTION.splitlines() if line.startswith("| ")]
EXAMPLES = [row for row in ROWS if len(row) == 4 and row[0] in INTERPRETATIONS]


@pytest.mark.parametrize(("kind", "order", "written", "said"), EXAMPLES, ids=["-".join(row[:3]) for row in EXAMPLES])
def test_an_example_of_say_as_is_read_as_documented(kind, order, written, said):
    source = f'<speak><say-as interpret-as="{kind}" format="{order}">{html.escape(written)}</say-as></speak>'
    (piece,) = Reader("en", True).pieces(parse_ssml(source))

    assert words(said) == words(piece.spoken.text.text)


def test_every_interpretation_has_an_example():
    assert set(INTERPRETATIONS) == {kind for kind, *_ in EXAMPLES}


def test_every_tag_is_documented():
    documented = set(re.findall(r"<([a-z-]+)[ />]", " ".join(row[0] for row in ROWS if row[0].startswith("<"))))

    assert set(_TAGS) == documented


def test_the_bounds_are_those_of_the_configuration():
    limits = Limits()
    for name in ("text_characters", "markup_bytes", "markup_depth", "markup_tags", "silence_s"):
        (found,) = set(re.findall(rf"`limits\.{name}`, (\d+)", SECTION))
        assert float(found) == getattr(limits, name)
    for error in (TextTooLongError, InvalidMarkupError, SilenceTooLongError):
        assert f"`{error.code}`" in SECTION
    assert AudioTooLongError.status == SilenceTooLongError.status == TextTooLongError.status == 413
