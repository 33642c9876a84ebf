"""app.api.auth: the key in a request, and whether it is known."""

import hashlib
import subprocess
import sys

import pytest

from app.api.auth import generate_key, hash_key, is_known, parse_key
from tests.conftest import ROOT

KNOWN = [hash_key("first"), hash_key("second"), hash_key("third")]


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
    assert key == parse_key(authorization, x_api_key)


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


def test_a_generate_key_fits_into_a_header():
    assert generate_key().isascii() and parse_key(f"Bearer {generate_key()}", "").startswith("chorus-")


def test_the_command_that_generates_keys_imports_no_flask():
    program = "import sys, app.api.auth; print('flask' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)

    assert "False\n" == result.stdout
