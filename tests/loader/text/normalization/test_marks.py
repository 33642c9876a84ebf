"""loader.text.normalization.marks: dashes, ellipses and brackets are pauses."""

import pytest

from loader.text.normalization.aligned import AlignedText
from loader.text.normalization.marks import speak_marks


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("The shop is open – come in.", "The shop is open, come in."), ("He stopped—then ran.", "He stopped, then ran."),
        ("Wait…what?", "Wait, what?"), ("Wait... what?", "Wait, what?"), ("The end…", "The end…"),
        ("Any system (Windows, or Linux) works.", "Any system, Windows, or Linux, works."),
        ("He left (early).", "He left, early."), ("(Softly) Come.", "Softly, Come."),
        ("see [[Main Page]] now", "see Main Page now"),
        ("well-known", "well-known"), ("— Hello", "Hello"), ("Paris–London", "Paris, London"),
        ("yes -- no", "yes, no"), ("a - b", "a, b"),
        ("f(x)", "f, x"), ("plain", "plain"),
    ],
)  # fmt: skip
def test_marks_are_pauses_and_never_glue(written, spoken):
    assert spoken == speak_marks(AlignedText.of(written, 0, len(written))).text
