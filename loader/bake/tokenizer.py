"""What of Coqui's text handling goes into an artifact: settings, ids, and sources of cleaners and phonemizers."""

import importlib.metadata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from loader.artifacts.artifact import TextFacts
from loader.bake.chinese import copy_segmenter
from loader.errors import BakeError
from loader.text.cleaners import require_cleaner
from loader.text.front_end import import_sources
from loader.text.phonemizers import require_phonemizer


def text_facts(model: Any) -> TextFacts:
    """Read the tokenizer that Coqui itself built for `model`.

    Raises:
        UnsupportedModelError: its phonemizer is not one this version can call.
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
    """Return the voice's languages; "" where its maker named none."""
    return list(model.language_manager.name_to_id) or [""]


def _phonemizers(phonemizer: Any, languages: list[str]) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield each language with its phonemizer's name, and with the language that one reads."""
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
    """Copy into `directory` the sources of Coqui's that this voice's text takes, and of what they import.

    Raises:
        LoaderError: as `text_facts`; or the Chinese phonemizer's model cannot be had.
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
