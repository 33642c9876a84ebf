"""Coqui's text handling for an artifact: settings, ids, and the sources of cleaners and phonemizers."""

import importlib.metadata
import io
from collections.abc import Iterator
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

from loader.artifacts.artifact import TextFacts
from loader.errors import BakeError, FetchError
from loader.text.front_end import import_sources, require_cleaner
from loader.text.languages import FEATURES_FILE, WEIGHTS_FILE
from loader.text.phonemizers import require_phonemizer

#: The default of spacy-pkuseg, and so of Coqui.
_MODEL = "spacy_ontonotes"
_FEATURES, _WEIGHTS = "features.msgpack", "weights.npz"


def text_facts(model: Any) -> TextFacts:
    """Return the settings of the tokenizer that Coqui built for `model`.

    Raises:
        UnsupportedModelError: this version does not support its phonemizer.
        MissingPackageError: its cleaner or phonemizer needs a package that is not installed.
        BakeError: one of its languages has no phonemizer.
    """
    tokenizer = model.tokenizer
    symbols = tokenizer.characters
    cleaner = tokenizer.text_cleaner
    if cleaner:
        require_cleaner(cleaner.__name__)
    return TextFacts(
        cleaner=cleaner.__name__ if cleaner else None,
        phonemizers=dict(_phonemizers(tokenizer.phonemizer, _languages(model))),
        ids={symbol: row for row, symbol in enumerate(symbols.vocab)},
        add_blank=tokenizer.add_blank,
        blank_id=symbols.blank_id,
        add_bos_eos=tokenizer.use_eos_bos,
        bos_id=symbols.bos_id,
        eos_id=symbols.eos_id,
    )


def _languages(model: Any) -> list[str]:
    """Return the voice's languages; "" if its maker named none."""
    return list(model.language_manager.name_to_id) or [""]


def _phonemizers(phonemizer: Any, languages: list[str]) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield each language with its phonemizer's name and that one's name of the language."""
    if phonemizer is None:
        return
    for language in languages:
        own = _phonemizer_of(phonemizer, language)
        require_phonemizer(own.name())
        yield language, (own.name(), own.language)


def _phonemizer_of(phonemizer: Any, language: str) -> Any:
    by_language = getattr(phonemizer, "lang_to_phonemizer", None)
    if by_language is None:
        return phonemizer
    if language not in by_language:
        raise BakeError(
            f"config.json: language {language!r} has no phonemizer; name it in one of `datasets`, "
            f"which have {', '.join(sorted(by_language)) or 'none'}"
        )
    return by_language[language]


def copy_text_sources(directory: Path, model: Any) -> None:
    """Copy Coqui's sources of this voice's text side, and those they import, into `directory`.

    Raises:
        LoaderError: see `text_facts`; or the Chinese phonemizer's model cannot be fetched.
    """
    facts = text_facts(model)
    installed = Path(str(importlib.metadata.distribution("coqui-tts").locate_file("")))
    used: dict[str, bytes] = {}

    def read_source(name: str) -> bytes | None:
        path = installed.joinpath(*name.split(".")).with_suffix(".py")
        if not path.is_file():
            return None
        used[name] = path.read_bytes()
        return used[name]

    import_sources(facts, read_source)
    for name, source in used.items():
        (directory / f"{name}.py").write_bytes(source)
    if any(name == "zh_cn_phonemizer" for name, _language in facts.phonemizers.values()):
        copy_segmenter(directory)


def copy_segmenter(directory: Path) -> None:
    """Copy the Chinese segmenter's model into `directory`, fetched first if this machine has none.

    Raises:
        FetchError: it cannot be downloaded, or is not a model.
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
        # It prints a progress bar.
        with redirect_stderr(io.StringIO()):
            download_model(url, str(home), config.model_hash[_MODEL])
    except Exception as error:  # the network's errors share no base class with a wrong hash's
        raise FetchError(
            f"the Chinese word segmenter's model is not in {home} and cannot be downloaded ({type(error).__name__}); "
            f"unpack {url} into {home / _MODEL} and bake the voice again"
        ) from error
