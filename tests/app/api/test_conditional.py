"""app.api.conditional: which part of an answer a client gets, and whether it has the answer already."""

from types import SimpleNamespace

import pytest
from flask import Flask

from app.api.conditional import Tag, is_about_a_file, resolve_range, tag_of
from app.errors import PreconditionFailedError, RangeNotSatisfiableError
from app.synthesis.request import SpeechRequest
from loader.engines.base import Capabilities
from loader.voices.voice import SpeechOptions

STRONG, WEAK = Tag("abc", is_weak=False), Tag("abc", is_weak=True)


@pytest.fixture
def asking():
    """Return a function that opens the context of a request with the given headers."""
    return lambda method="GET", **headers: Flask("test").test_request_context(
        method=method, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


@pytest.mark.parametrize(
    "header, part",
    [
        ("bytes=0-", (0, 100)), ("bytes=0-0", (0, 1)), ("bytes=10-19", (10, 20)), ("bytes=99-", (99, 100)),
        ("bytes=90-1000", (90, 100)), ("bytes=-1", (99, 100)), ("bytes=-100", (0, 100)), ("bytes=-1000", (0, 100)),
        ("BYTES = 5-9", (5, 10)), ("bytes=0-0,5-6", None), ("bytes=-1,-2", None), ("items=0-1", None), ("bytes=5-4", None),
        ("bytes=", None), ("bytes=-", None), ("bytes=a-b", None), ("bytes", None), ("", None), ("bytes=-0", None),
        ("bytes=" + "9" * 5000 + "-", None), ("bytes=1-²", None),
    ],
)  # fmt: skip
def test_one_range_is_cut_and_everything_else_is_ignored(asking, header, part):
    with asking(Range=header):
        assert part == resolve_range(STRONG, 100)
        assert (part is not None) is is_about_a_file()


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=99999999999999999999-"])
def test_a_range_behind_the_end_is_refused_with_the_size(asking, header):
    with asking(Range=header), pytest.raises(RangeNotSatisfiableError, match="the audio has 100 bytes") as refused:
        resolve_range(STRONG, 100)

    assert (416, "bytes */100") == (refused.value.status, refused.value.headers()["Content-Range"])


@pytest.mark.parametrize("method, is_file", [("GET", True), ("HEAD", True), ("POST", False)])
def test_only_a_get_has_a_range(asking, method, is_file):
    with asking(method, Range="bytes=0-1"):
        assert is_file is is_about_a_file()
        assert ((0, 2) if method == "GET" else None) == resolve_range(STRONG, 100)


@pytest.mark.parametrize(
    "tag, if_range, part",
    [
        (STRONG, '"abc"', (5, 10)), (STRONG, '"xyz"', None), (STRONG, 'W/"abc"', None), (STRONG, "abc", None), (STRONG, "", None),
        (STRONG, "Mon, 30 Nov 2026 00:00:00 GMT", None), (WEAK, 'W/"abc"', None), (WEAK, '"abc"', None),
    ],
)  # fmt: skip
def test_the_rest_of_another_answer_is_not_sent(asking, tag, if_range, part):
    with asking(Range="bytes=5-9", If_Range=if_range):
        assert part == resolve_range(tag, 100)


@pytest.mark.parametrize(
    "header, is_kept",
    [
        ('"abc"', True), ('W/"abc"', True), ('"x", W/"abc"', True), ("*", True), ('"ab"', False), ("abc", True), ("", False),
        ('"abc', False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("tag", [STRONG, WEAK])
def test_a_client_that_names_the_answer_has_it(asking, tag, header, is_kept):
    with asking(If_None_Match=header):
        assert is_kept is tag.is_kept()


@pytest.mark.parametrize(
    "tag, header, is_met",
    [(STRONG, '"abc"', True), (STRONG, "*", True), (STRONG, '"x"', False), (STRONG, 'W/"abc"', False), (WEAK, 'W/"abc"', False)],
)
def test_a_client_that_wants_another_answer_is_refused(asking, tag, header, is_met):
    with asking(If_Match=header):
        if is_met:
            assert not tag.is_kept()
        else:
            with pytest.raises(PreconditionFailedError):
                tag.is_kept()


@pytest.mark.parametrize("uses_device, device, is_weak", [
    (True, "cuda", True), (True, "cuda:1", True), (True, "cpu", False), (False, "cuda", False),
])  # fmt: skip
def test_the_bits_of_an_accelerator_are_not_promised(catalogue, monkeypatch, uses_device, device, is_weak):
    monkeypatch.setattr(catalogue.default, "capabilities", Capabilities(uses_device=uses_device))
    context = SimpleNamespace(revision="0123456789ab", settings=SimpleNamespace(device=device))

    assert is_weak is tag_of(SpeechRequest("Hi.", catalogue.default, SpeechOptions(7), "wav", "id-1"), context).is_weak


def test_tags_are_written_as_the_protocol_wants():
    assert ('"abc"', 'W/"abc"') == (str(STRONG), str(WEAK))
