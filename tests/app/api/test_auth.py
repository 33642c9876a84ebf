"""app.api.auth: parsing the key of a request and comparing it with the known hashes."""

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
        ("Basic YW55OmFiYw==", "", "abc"),
        ("basic  OmFiYw== ", "other", "abc"),
        ("Basic YTpiOmM=", "", "b:c"),
        ("Basic YTrDpA==", "", "Ã¤"),
        ("Basic YWJjOg==", "", ""),
        ("Basic YWJjOg==", "other", "other"),
        ("Basic", "", ""),
        ("Basic YW55OmFiYw", "", ""),
        ("Basic YW55-mFiYw==", "", ""),
        ("Basic \xff\xfe", "", ""),
        ("abc", "", ""),
        ("", "", ""),
    ],
)
def test_a_key_is_a_bearer_a_password_or_a_header_and_an_empty_one_is_none(authorization, x_api_key, key):
    assert key == parse_key(authorization, x_api_key)


@pytest.mark.parametrize("key", ["first", "second", "third"])
def test_each_configured_key_is_accepted_by_its_hash(key):
    assert is_known(key, KNOWN)
    assert hashlib.sha256(key.encode()).hexdigest() in KNOWN


@pytest.mark.parametrize("key", ["", "fourth", "First", "first ", KNOWN[0], "\xff" * 8000])
def test_unknown_keys_and_hashes_are_refused(key):
    assert not is_known(key, KNOWN)
    assert not is_known(key, [])


def test_all_known_hashes_are_compared_whichever_matches():
    """Constant time: the duration does not say which hash matched."""
    seen = []

    def recording_hashes():
        for each in KNOWN:
            seen.append(each)
            yield each

    assert is_known("first", recording_hashes())
    assert KNOWN == seen


def test_a_generated_key_is_valid_in_a_header():
    assert generate_key().isascii() and parse_key(f"Bearer {generate_key()}", "").startswith("chorus-")


def test_generating_keys_does_not_import_flask():
    program = "import sys, app.api.auth; print('flask' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)

    assert "False\n" == result.stdout
