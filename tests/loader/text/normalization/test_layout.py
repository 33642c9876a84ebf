"""loader.text.normalization.layout: headings, list items and hard-wrapped lines."""

import pytest

from loader.text.normalization.layout import split_blocks

LONG = "This line was cut where the page ended, after many words"


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("Chapter One\nFive riders came.", ["Chapter One", "Five riders came."]),
        ("a hard\nwrapped line", ["a hard\nwrapped line"]),
        (f"{LONG}\nAnd went on.", [f"{LONG}\nAnd went on."]),
        ("Page one.\fPage two.", ["Page one.", "Page two."]),
        ("one\r\n\r\ntwo\u2029three", ["one", "two", "three"]),
        ("Buy:\n- milk\n- eggs and\n  flour\n\nThat is all.", ["Buy:", "milk", "eggs and\n  flour", "That is all."]),
        ("1. First\n2) Second\n(3) Third", ["1. First", "2) Second", "(3) Third"]),
        ("• one\n• two", ["one", "two"]), ("x", ["x"]), ("", []), ("\n\n \n", []), ("- \n- ", []),
        ("Dear Anna,\nThank you.", ["Dear Anna,\nThank you."]),
    ],
)  # fmt: skip
def test_blocks_are_sentences_of_their_own(text, blocks):
    assert blocks == list(split_blocks(text))
