"""loader.voices.speakers: a name is a speaker or a mix of some, and all else is refused."""

import pytest

from loader.engines.base import SpeakerMix
from loader.errors import SpeakerMixError, UnknownSpeakerError
from loader.voices.speakers import format_speaker, parse_mix, resolve_speaker

SPEAKERS = ("Ada", "Bob", "C++", "Dee (old)")


def resolved(name, can_mix=True):
    return resolve_speaker(name, "choir", SPEAKERS, can_mix)


@pytest.mark.parametrize(
    ("name", "row"), [("Ada", 0), ("C++", 2), ("Dee (old)", 3), ("Bob(2)", 1), ("Ada+Ada", 0), ("Ada(1)+Bob(0)", 0)]
)
def test_a_name_of_one_speaker_is_its_row(name, row):
    assert row == resolved(name)


@pytest.mark.parametrize(
    ("name", "shares"),
    [
        ("Ada+Bob", ((0, 0.5), (1, 0.5))),
        ("Ada(2)+Bob(1)", ((0, 2 / 3), (1, 1 / 3))),
        (" Ada (1.5) + Bob (0.5) ", ((0, 0.75), (1, 0.25))),
        ("Ada+Bob+Ada(2)", ((0, 0.75), (1, 0.25))),
    ],
)
def test_a_mix_has_the_shares_of_its_weights(name, shares):
    assert SpeakerMix(shares) == resolved(name)


def test_a_mix_has_a_name():
    assert "Ada(0.667)+Bob(0.333)" == format_speaker(resolved("Ada(2)+Bob"), SPEAKERS)
    assert "Bob" == format_speaker(1, SPEAKERS)


@pytest.mark.parametrize(
    ("name", "unknown"),
    [
        ("Eve", "Eve"), ("Ada+Eve(2)", "Eve"), ("Ada(x)", "Ada(x)"), ("Ada(-1)+Bob", "Ada(-1)"), ("+", "+"), ("Ada+", "Ada+"),
    ],
)  # fmt: skip
def test_an_unknown_speaker_of_a_mix_is_named(name, unknown):
    with pytest.raises(UnknownSpeakerError) as caught:
        resolved(name)

    assert unknown == caught.value.name


@pytest.mark.parametrize("name", ["Ada(0)+Bob(0)", "Ada(0)"])
def test_weights_that_are_all_zero_are_no_mix(name):
    with pytest.raises(SpeakerMixError, match="of weight 0"):
        resolved(name)


def test_a_voice_that_cannot_mix_says_so():
    with pytest.raises(SpeakerMixError, match="voice 'choir' cannot mix speakers"):
        resolved("Ada+Bob", can_mix=False)
    assert 1 == resolved("Bob(2)", can_mix=False)


def test_a_name_without_a_plus_or_a_weight_is_no_mix():
    assert parse_mix("Ada") is None
