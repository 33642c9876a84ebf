"""The model of the Chinese word segmenter, taken into the artifact so that no server ever fetches it."""

import io
from contextlib import redirect_stderr
from pathlib import Path

from loader.errors import FetchError
from loader.text.languages.chinese import FEATURES_FILE, WEIGHTS_FILE

#: The one that spacy-pkuseg, and with it Coqui, uses unless told otherwise.
_MODEL = "spacy_ontonotes"
_FEATURES, _WEIGHTS = "features.msgpack", "weights.npz"


def copy_segmenter(directory: Path) -> None:
    """Copy the segmenter's model into `directory`, fetched first where this machine has none.

    Raises:
        FetchError: it is not here and cannot be downloaded, or is not a model.
    """
    import numpy as np
    from spacy_pkuseg.config import config

    home = Path(config.pkuseg_home)
    model = home / _MODEL
    if not (model / _FEATURES).is_file() or not (model / _WEIGHTS).is_file():
        _download(home)
    try:
        (directory / FEATURES_FILE).write_bytes((model / _FEATURES).read_bytes())
        with np.load(model / _WEIGHTS) as weights:
            weights["w"].astype("<f8").tofile(directory / WEIGHTS_FILE)
    except (OSError, ValueError, KeyError) as error:
        raise FetchError(f"{model}: cannot be read ({error}); remove {home} and bake the voice again") from error


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
