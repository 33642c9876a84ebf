"""Model directories as people have them: what is there, which files speaking reads, and what is missing.

Needs no torch, no Coqui and no ONNX; trusts nothing in the folder and runs no code from it.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from loader.errors import ModelNotFoundError, UnsupportedModelError
from loader.releases.configuration import parse_document
from loader.releases.content import foreign_content
from loader.releases.model_facts import ModelFacts, licence_files, read_facts
from loader.releases.model_files import (
    CONFIG_FILE,
    FAMILIES,
    ChoiceError,
    Kind,
    ModelFiles,
    choose_files,
    is_checkpoint_name,
    piper_voices,
)

HASH_FILE = "hash.sha256"
VERSION_FILE = "version.txt"
_ARTIFACT_FILE = "manifest.json"
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".7z")
#: Names in one message.
_MAX_NAMES = 12
_WANTED = "a model is config.json with a checkpoint (such as model_file.pth) of Coqui, or NAME.onnx with NAME.onnx.json of Piper"


@dataclass(frozen=True)
class ModelDirectory:
    """A folder with a model, by its names and its configuration alone."""

    directory: Path
    files: ModelFiles
    #: The content of its configuration.
    config: Mapping[str, Any] = field(repr=False)
    #: Licences and model cards, which are kept with the model.
    licences: tuple[str, ...]
    #: Files and folders that nothing reads.
    ignored: tuple[str, ...]

    @cached_property
    def facts(self) -> ModelFacts:
        """What the files say. Reads them at the first use: tables of speakers may have some 50 MB."""
        return read_facts(self.directory, self.files, self.config, self.licences)

    @property
    def kept(self) -> tuple[str, ...]:
        """The files of a release of this model."""
        return tuple(dict.fromkeys([*self.files.roles, *self.licences]))


def split_model_path(path: Path) -> tuple[Path, str | None]:
    """Return the model directory that `path` names, and the checkpoint if `path` is one.

    Raises:
        ModelNotFoundError: there is neither a folder nor a file.
    """
    if path.is_dir():
        return path, None
    if not path.is_file():
        raise ModelNotFoundError(f"{path}: no such model directory; check model_path")
    if path.name.lower().endswith(".onnx.json"):
        return path.parent, path.name[: -len(".json")]
    if is_checkpoint_name(path.name) or path.name.lower().endswith((".onnx", ".bin")):
        return path.parent, path.name
    if path.name in (CONFIG_FILE, HASH_FILE, VERSION_FILE):
        return path.parent, None
    if path.name.lower().endswith(_ARCHIVES):
        raise ModelNotFoundError(f"{path}: an archive; unpack it, and name the folder")
    raise ModelNotFoundError(f"{path}: not a checkpoint (.pth, .pth.tar, .pt, .safetensors, .onnx); name the model's folder")


def inspect_directory(path: Path, checkpoint: str | None = None) -> ModelDirectory:
    """Return what model `path` holds.

    Args:
        path: a folder, or the checkpoint in it.
        checkpoint: the name of the checkpoint to take; default: the one that `path` names, or the conventional choice.

    Raises:
        ModelNotFoundError: there is no model, or several and none is named; says what is there and what is missing.
    """
    directory, named = split_model_path(path)
    names, folders = _list(directory)
    config = _read_config(directory, names)
    try:
        files = choose_files(names, config, checkpoint or named)
    except ChoiceError as error:
        raise ModelNotFoundError(_explain(directory, names, folders, error)) from error
    if files.config != CONFIG_FILE:
        config = _parse_config(directory / files.config)
    licences = licence_files(names)
    kept = {*files.roles, *licences}
    ignored = [name for name in names if name not in kept] + [f"{name}/" for name in folders]
    return ModelDirectory(directory, files, config or {}, tuple(licences), tuple(ignored))


def inspect_each(path: Path, checkpoint: str | None = None) -> list[ModelDirectory]:
    """Return the model of `path`; all of them if it is a folder of several Piper voices, each of which `model_path` may name.

    Raises:
        ModelNotFoundError: see `inspect_directory`.
    """
    names = _list(path)[0] if path.is_dir() else []
    graphs = piper_voices(names)
    if checkpoint is None and CONFIG_FILE not in names and len(graphs) > 1:
        return [inspect_directory(path, graph) for graph in graphs]
    return [inspect_directory(path, checkpoint)]


def find_model(path: Path, checkpoint: str | None = None) -> ModelDirectory:
    """Return the model of `path`, or that of its only subfolder with one, as a trainer or an archive leaves it.

    Raises:
        ModelNotFoundError: see `inspect_directory`; or several subfolders hold one.
    """
    try:
        return inspect_directory(path, checkpoint)
    except ModelNotFoundError:
        inner = models_within(path)
        if len(inner) != 1 or not path.is_dir() or (path / CONFIG_FILE).is_file():
            raise
        return inspect_directory(inner[0], checkpoint)


def models_within(directory: Path) -> list[Path]:
    """Return the subfolders, one level deep, that hold a configuration of a model."""
    found = []
    with suppress(OSError):
        for folder in sorted(each for each in directory.iterdir() if each.is_dir() and not each.name.startswith(".")):
            names, _ = _list(folder)
            if (CONFIG_FILE in names and any(map(is_checkpoint_name, names))) or piper_voices(names):
                found.append(folder)
    return found


def require_supported(files: ModelFiles, path: Path) -> None:
    """Refuse a layout or a family that this version does not speak.

    Args:
        files: the chosen files.
        path: the configuration, for the message.

    Raises:
        UnsupportedModelError: with the way round, if there is one.
    """
    if files.kind is Kind.TRANSFORMERS and files.family != "vits":
        raise UnsupportedModelError(
            f"{path}: a {files.family!r} of Hugging Face's transformers; of its models this version speaks VITS only, "
            "such as facebook/mms-tts-eng"
        )
    if files.kind is Kind.COQUI and files.family and files.family not in FAMILIES:
        raise UnsupportedModelError(f"{path}: model {files.family!r}; this version speaks {', '.join(FAMILIES)}")


def require_weights(found: ModelDirectory) -> None:
    """Refuse a checkpoint that certainly is none, before it is copied or sealed.

    Raises:
        ModelNotFoundError: says what it is, such as a Git LFS pointer.
    """
    path = found.directory / found.files.checkpoint
    try:
        content = foreign_content(path)
    except OSError as error:
        raise ModelNotFoundError(f"{path}: cannot be read ({error.strerror}); check its owner and mode") from error
    if content:
        raise ModelNotFoundError(f"{path}: expected weights, found {content}")


def _list(directory: Path) -> tuple[list[str], list[str]]:
    """Return the names of files and of folders, without hidden ones and the seal.

    Raises:
        ModelNotFoundError: the folder cannot be read.
    """
    try:
        entries = sorted(each for each in directory.iterdir() if not each.name.startswith("."))
        files = [each.name for each in entries if each.is_file() and each.name not in (HASH_FILE, VERSION_FILE)]
        return files, [each.name for each in entries if each.is_dir()]
    except OSError as error:
        raise ModelNotFoundError(f"{directory}: cannot be read ({error.strerror}); check its owner and mode") from error


def _read_config(directory: Path, names: Collection[str]) -> Mapping[str, Any] | None:
    return _parse_config(directory / CONFIG_FILE) if CONFIG_FILE in names else None


def _parse_config(path: Path) -> Mapping[str, Any]:
    """Return the object in a configuration.

    Raises:
        ModelNotFoundError: it is something else; says what.
    """
    try:
        if found := foreign_content(path):
            raise ModelNotFoundError(f"{path}: expected a configuration, found {found}")
        return parse_document(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ModelNotFoundError(f"{path}: not a configuration ({error}); take the one that belongs to the checkpoint") from error


def _explain(directory: Path, names: list[str], folders: list[str], error: ChoiceError) -> str:
    """Return what is missing and what to do, with what is in the folder."""
    if error.candidates:
        example = directory / error.candidates[0]
        choice = f"name one: model_path: {example}, or chorus import {directory} --checkpoint {error.candidates[0]}"
        return f"{directory}: {error}: {_some(error.candidates)}; {choice}"
    if _ARTIFACT_FILE in names:
        return f"{directory}: a baked artifact, not a model directory; set model_path to it as it is"
    inner = models_within(directory)
    if inner and CONFIG_FILE not in names:
        return f"{directory}: no model, but {_some([each.name for each in inner])} holds one; name {inner[0]}"
    return f"{directory}: {'; '.join([*_missing(names, error), _contents(names, folders)])}"


def _missing(names: list[str], error: ChoiceError) -> Iterator[str]:
    checkpoints = [name for name in names if is_checkpoint_name(name)]
    if CONFIG_FILE in names:
        yield f"{CONFIG_FILE} without a checkpoint beside it (.pth, .pth.tar, .pt, .safetensors)"
        if checkpoints:
            yield f"{_some(checkpoints)} looks like another part of it: --checkpoint NAME takes it nevertheless"
    elif checkpoints:
        yield f"{_some(checkpoints)} without {CONFIG_FILE} beside it; copy the one that was written with the checkpoint"
    elif ".onnx" in str(error):
        yield str(error)
    else:
        yield f"no model; {_WANTED}"


def _contents(names: list[str], folders: list[str]) -> str:
    found = [*names, *(f"{name}/" for name in folders)]
    return f"the folder has {_some(found)}" if found else "the folder is empty"


def _some(names: Collection[str]) -> str:
    # A name may have the control characters of a terminal, or bytes that are no text.
    shown = ", ".join(name if name.isprintable() else repr(name) for name in list(names)[:_MAX_NAMES])
    return shown if len(names) <= _MAX_NAMES else f"{shown} and {len(names) - _MAX_NAMES} more"
