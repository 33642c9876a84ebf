"""The model of the Chinese word segmenter, taken into the artifact so that no server ever fetches it."""

import io
from contextlib import redirect_stderr
from pathlib import Path

from loader.errors import FetchError
from loader.text.chinese import MODEL_FILES, PREFIX

#: The one that spacy-pkuseg, and with it Coqui, uses unless told otherwise.
_MODEL = "spacy_ontonotes"


def copy_segmenter(directory: Path) -> None:
    """Copy the segmenter's model into `directory`, fetched first where this machine has none.

    Raises:
        FetchError: it is not here and cannot be downloaded.
    """
    from spacy_pkuseg.config import config

    home = Path(config.pkuseg_home)
    if not all((home / _MODEL / name).is_file() for name in MODEL_FILES):
        _download(home)
    try:
        for name in MODEL_FILES:
            (directory / (PREFIX + name)).write_bytes((home / _MODEL / name).read_bytes())
    except OSError as error:
        raise FetchError(f"{home / _MODEL}: {error.strerror}; remove {home} and bake the voice again") from error


def _download(home: Path) -> None:
    from spacy_pkuseg.config import config
    from spacy_pkuseg.download import download_model

    url = config.model_urls[_MODEL]
    try:
        # It draws a bar of its own.
        with redirect_stderr(io.StringIO()):
            download_model(url, str(home), config.model_hash[_MODEL])
    except Exception as error:  # the network's errors share no base class with a wrong hash's
        raise FetchError(
            f"the Chinese word segmenter's model is not in {home} and cannot be downloaded ({type(error).__name__}); "
            f"unpack {url} into {home / _MODEL} and bake the voice again"
        ) from error
