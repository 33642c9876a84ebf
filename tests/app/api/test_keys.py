"""app.api.keys: what a request brings, and whether it is known."""

import hashlib

import pytest

from app.api.keys import drawn_key, hashed, is_known, presented

KNOWN = [hashed("first"), hashed("second"), hashed("third")]


@pytest.mark.parametrize(
    "authorization, x_api_key, key",
    [
        ("Bearer abc", "", "abc"),
        ("bearer  abc ", "", "abc"),
        ("BEARER abc", "other", "abc"),
        ("Bearer ", "", ""),
        ("Bearer", "", ""),
        ("Bearer ", "abc", "abc"),
        ("", " abc ", "abc"),
        ("Basic YWJj", "", ""),
        ("abc", "", ""),
        ("", "", ""),
    ],
)
def test_a_key_is_read_from_either_header_and_an_empty_bearer_is_none(authorization, x_api_key, key):
    assert key == presented(authorization, x_api_key)


@pytest.mark.parametrize("key", ["first", "second", "third"])
def test_every_key_is_known_by_its_hash(key):
    assert is_known(key, KNOWN)
    assert hashlib.sha256(key.encode()).hexdigest() in KNOWN


@pytest.mark.parametrize("key", ["", "fourth", "First", "first ", KNOWN[0], "\xff" * 8000])
def test_no_other_is_and_a_hash_is_no_key(key):
    assert not is_known(key, KNOWN)
    assert not is_known(key, [])


def test_every_known_key_is_looked_at_whichever_it_is():
    """What takes as long for the first as for the last says nothing of which it was."""
    seen = []

    def noted():
        for each in KNOWN:
            seen.append(each)
            yield each

    assert is_known("first", noted())
    assert KNOWN == seen


def test_a_drawn_key_fits_into_a_header():
    assert drawn_key().isascii() and presented(f"Bearer {drawn_key()}", "").startswith("chorus-")
