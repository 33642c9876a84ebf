"""Coqui's cleaners: where they are, and which of them need a package that not everybody has."""

from collections.abc import Mapping

from loader.text.optional import Needs, require

CLEANERS = "TTS.tts.utils.text.cleaners"

_NEEDS: Mapping[str, Needs] = {"uroman_cleaners": Needs("uroman", {"uroman": "uroman"})}


def require_cleaner(name: str) -> None:
    """Check that the cleaner of that name can be used here.

    Raises:
        MissingPackageError: it needs a package that is not installed.
    """
    if name in _NEEDS:
        require(_NEEDS[name], f"the text cleaner {name!r} of the voice")
