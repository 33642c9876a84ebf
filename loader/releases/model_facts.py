"""What a model's own files say about it: speakers, languages, sample rate, licence. Reads without torch and runs no code."""

import pickle
import re
import zipfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loader.releases.configuration import parse_document
from loader.releases.model_files import Kind, ModelFiles

#: Files of names and vectors above this are not opened: 64 MB hold the vectors of 10,000 recordings.
_MAX_BYTES = 64 * 1024 * 1024
_MAX_TEXT_BYTES = 65_536
#: Files that say who made a model and on what terms, in any case.
_LICENCE_FILE = re.compile(r"(licen[sc]e|copying|notice|model_?card|readme)([._-].*)?", re.IGNORECASE)
_LICENCE_LINE = re.compile(r"^[\W_]*licen[sc]e[\W_]*[:=][\W_]*(.+?)\s*$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class ModelFacts:
    """Facts of a model, as far as its files say."""

    speakers: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    sample_rate_hz: int | None = None
    licence: str | None = None


def licence_files(names: Collection[str]) -> list[str]:
    """Return the names of licences and model cards."""
    return sorted(name for name in names if _LICENCE_FILE.fullmatch(name))


def read_facts(directory: Path, files: ModelFiles, config: Mapping[str, Any], licences: Collection[str]) -> ModelFacts:
    """Return what the files in `directory` say; what cannot be read is left out."""
    read = _piper_facts if files.kind is Kind.PIPER else _coqui_facts
    speakers, languages, rate = read(directory, files, config)
    return ModelFacts(
        tuple(dict.fromkeys(speakers)),
        tuple(dict.fromkeys(each for each in languages if isinstance(each, str) and each)),
        rate if isinstance(rate, int) and rate > 0 else None,
        _licence(directory, config, licences),
    )


def _piper_facts(directory: Path, files: ModelFiles, config: Mapping[str, Any]) -> tuple[list[str], list[Any], Any]:
    speakers = config.get("speaker_id_map")
    languages = [_at(config, "espeak", "voice") or _at(config, "language", "code")]
    return list(speakers) if isinstance(speakers, dict) else [], languages, _at(config, "audio", "sample_rate")


def _coqui_facts(directory: Path, files: ModelFiles, config: Mapping[str, Any]) -> tuple[list[str], list[Any], Any]:
    if files.kind is Kind.FAIRSEQ:
        return [], [], _at(config, "data", "sampling_rate")
    if files.kind is Kind.TRANSFORMERS:
        language = _read_table(directory / "tokenizer_config.json").get("language")
        return [], [language], config.get("sampling_rate")
    rate = (
        _at(config, "model_args", "output_sample_rate") or _at(config, "audio", "output_sample_rate")
        or _at(config, "audio", "sample_rate")
    )  # fmt: skip
    return _speakers(directory, files, config), _languages(directory, files, config), rate


def _speakers(directory: Path, files: ModelFiles, config: Mapping[str, Any]) -> list[str]:
    names = [name for name, role in files.others.items() if role == "recording of a speaker"]
    recorded = [name.removeprefix("speaker_").removesuffix(".wav") for name in names]
    for name, role in files.others.items():
        if role in ("speakers", "speakers' vectors"):
            table = _read_table(directory / name)
            named = [each["name"] for each in table.values() if isinstance(each, dict) and isinstance(each.get("name"), str)]
            recorded += named or list(filter(lambda key: isinstance(key, str), table))
    return recorded


def _languages(directory: Path, files: ModelFiles, config: Mapping[str, Any]) -> list[Any]:
    for name, role in files.others.items():
        if role == "languages" and (table := _read_table(directory / name)):
            return list(table)
    if isinstance(listed := config.get("languages"), list):
        return listed
    datasets = config.get("datasets")
    of_datasets = [each.get("language") for each in datasets if isinstance(each, dict)] if isinstance(datasets, list) else []
    return [config.get("phoneme_language")] if config.get("phoneme_language") else of_datasets


def _read_table(path: Path) -> Mapping[Any, Any]:
    """Return the dictionary of a `.json` or `.pth` file of plain values; an empty one if it has none, or tensors."""
    document: Any = None
    # A foreign file: unpickling fails in many ways.
    with suppress(Exception):
        if path.stat().st_size <= _MAX_BYTES:
            document = _unpickle(path) if path.suffix == ".pth" else parse_document(path.read_bytes())
    return document if isinstance(document, dict) else {}


def _unpickle(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        name = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
        if archive.getinfo(name).file_size > _MAX_BYTES:
            return None
        with archive.open(name) as file:
            return _PlainValues(file).load()


class _PlainValues(pickle.Unpickler):
    """Unpickler of dictionaries, lists, texts and numbers only."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"it names {module}.{name}")


def _licence(directory: Path, config: Mapping[str, Any], licences: Collection[str]) -> str | None:
    for key in ("license", "licence"):
        if isinstance(named := config.get(key), str) and named.strip():
            return named.strip()
    found = [line for name in licences for line in _licence_lines(directory / name)]
    return found[0] if found else None


def _licence_lines(path: Path) -> Iterator[str]:
    with suppress(OSError):
        with path.open("rb") as file:
            text = file.read(_MAX_TEXT_BYTES).decode("utf-8", "replace")
        if match := _LICENCE_LINE.search(text):
            yield match[1][:100]
        elif re.match(r"licen[sc]e|copying", path.name, re.IGNORECASE):
            yield from (line.strip()[:100] for line in text.splitlines()[:5] if line.strip())


def _at(config: Mapping[str, Any], part: str, key: str) -> Any:
    inner = config.get(part)
    return inner.get(key) if isinstance(inner, dict) else None
