"""What of Coqui's text handling goes into an artifact: settings, ids and cleaner sources."""

import importlib.metadata
from pathlib import Path
from typing import Any

from loader.artifact import TextFacts
from loader.errors import UnsupportedModelError
from loader.text.front_end import CLEANERS, PUNCTUATION
from loader.text.private_import import import_privately


def text_facts(model: Any) -> TextFacts:
    """Read the tokenizer that Coqui itself built for `model`.

    Raises:
        UnsupportedModelError: its phonemizer is not one this version can call.
    """
    tokenizer = model.tokenizer
    symbols = tokenizer.characters
    cleaner = tokenizer.text_cleaner
    return TextFacts(
        cleaner=cleaner.__name__ if cleaner else None,
        phonemizers=_phonemizers(model),
        ids={symbol: row for row, symbol in enumerate(symbols.vocab)},
        add_blank=tokenizer.add_blank,
        blank_id=symbols.blank_id,
        add_bos_eos=tokenizer.use_eos_bos,
        bos_id=symbols.bos_id,
        eos_id=symbols.eos_id,
    )


def _phonemizers(model: Any) -> dict[str, tuple[str, str]]:
    phonemizer = model.tokenizer.phonemizer
    if phonemizer is None:
        return {}
    if phonemizer.name() != "espeak":
        raise UnsupportedModelError(f"phonemizer {phonemizer.name()!r}: this version speaks espeak voices and character voices")
    return {name: ("espeak", phonemizer.language) for name in model.language_manager.language_names}


def copy_text_sources(directory: Path) -> None:
    """Copy into `directory` the sources of Coqui's cleaners and of what they import."""
    installed = Path(str(importlib.metadata.distribution("coqui-tts").locate_file("")))
    used: dict[str, bytes] = {}

    def read_source(name: str) -> bytes | None:
        path = installed.joinpath(*name.split(".")).with_suffix(".py")
        if not path.is_file():
            return None
        used[name] = path.read_bytes()
        return used[name]

    import_privately("TTS", [CLEANERS, PUNCTUATION], read_source)
    for name, source in used.items():
        (directory / f"{name}.py").write_bytes(source)
