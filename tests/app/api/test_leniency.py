"""app.api.leniency: which values mean what their field declares, for every type of a field."""

import math

import pytest

from app.api.leniency import loosen
from app.api.openai import CaptionsBody

NAN = float("nan")


@pytest.mark.parametrize(
    "field, value, expected",
    [
        ("speed", "1.0", 1.0),
        ("speed", " 1.5 ", 1.5),
        ("speed", ".5", 0.5),
        ("speed", "2", 2),
        ("speed", "1e0", 1.0),
        ("seed", "7", 7),
        ("seed", 7.0, 7),
        ("seed", "7.0", 7),
        ("seed", str(2**63 - 1), 2**63 - 1),
        ("sample_rate", "16000", 16000),
        ("sample_rate", 16000.0, 16000),
        ("stream", "true", True),
        ("stream", "False", False),
        ("stream", "on", True),
        ("stream", "0", False),
        ("stream", 1, True),
        ("normalize", "NO", False),
        ("stream_format", "SSE", "sse"),
        ("text_format", "Markdown", "markdown"),
        ("ssml", "LENIENT", "lenient"),
        ("caption_format", "VTT", "vtt"),
        ("timestamp_granularities", "word", ["word"]),
        ("timestamp_granularities", "Word, PHONEME", ["word", "phoneme"]),
        ("timestamp_granularities", ["Sentence"], ["sentence"]),
        ("seed", -1, None),
        ("seed", "-1", None),
        ("seed", -1.0, None),
        ("language", "auto", None),
        ("language", "Auto", None),
        ("speed", "", None),
        ("seed", " ", None),
        ("voice", "", None),
        ("stream", "", None),
    ],
)
def test_a_clear_value_has_the_declared_type(field, value, expected):
    loose = loosen(CaptionsBody, {field: value})[field]

    assert (type(expected), expected) == (type(loose), loose)


@pytest.mark.parametrize(
    "field, value",
    [
        ("speed", "fast"),
        ("speed", "1,5"),
        ("speed", "nan"),
        ("speed", "Infinity"),
        ("speed", "1_000"),
        ("speed", "٣"),
        ("speed", "9" * 5000),
        ("speed", True),
        ("speed", [1]),
        ("seed", 1.5),
        ("seed", "1.5"),
        ("seed", "0x7"),
        ("seed", "1" * 41),
        ("seed", math.inf),
        ("seed", True),
        ("stream", "maybe"),
        ("stream", 2),
        ("stream", 1.0),
        ("stream", None),
        ("stream_format", "telepathy"),
        ("stream_format", 7),
        ("timestamp_granularities", 7),
        ("timestamp_granularities", [1] * 50_000),
        ("input", ""),
        ("input", 7),
        ("input", " Auto "),
        ("response_format", 1),
        ("voice", 7),
        ("voice", {"id": "joe"}),
        ("lexicon", {"a": "b"}),
        ("unknown", "7"),
    ],
)
def test_any_other_value_stays(field, value):
    assert value == loosen(CaptionsBody, {field: value})[field]


@pytest.mark.parametrize("document", [None, [], "text", 7])
def test_what_is_no_object_stays(document):
    assert document == loosen(CaptionsBody, document)
