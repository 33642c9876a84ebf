"""Models by their Coqui names: taken from Coqui's own folder if they are whole there, else downloaded; sealed as releases."""

import difflib
import os
import shutil
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

from loader.bake.weights_file import read_weights_file
from loader.bake.wording import note
from loader.errors import FetchError, LoaderError, ModelNotFoundError
from loader.releases.configuration import parse_document
from loader.releases.release import VERSION_FILE, VOCODER_CONFIG_FILE
from loader.releases.sealing import seal_release

MODEL_FILE, VOCODER_FILE = "model_file.pth", "vocoder.pth"
#: Checkpoints that keep their names; any other one is stored as `model_file.pth`.
_USUAL_NAMES = (MODEL_FILE, "model.pth")
#: Files to copy: configurations, weights, vocabularies, and statistics of spectrograms.
_SUFFIXES = (".json", ".npy", ".pth", ".txt")
#: Files that take part in the check of a folder that Coqui's downloader has left.
_WEIGHTS = (".pth", ".pt", ".tar")
#: Coqui's manager takes a checkpoint of these names; else there must be one alone.
_FOUND_BY_NAME = {"model_file.pth", "model_file.pth.tar", "model.pth", "checkpoint.pth"}
_ARCHIVES = (".zip", ".gz")
_AGREED = "COQUI_TOS_AGREED"


class _Found(NamedTuple):
    """A model or vocoder on this machine."""

    checkpoint: Path
    config: Path


def fetch_model(name: str, directory: Path) -> None:
    """Put the files of `name` into `directory`, downloaded if this machine does not have them.

    Raises:
        ModelNotFoundError: neither Coqui's list nor fairseq has such a model.
        FetchError: the download failed, usually because there is no network; or its terms are not agreed to.
    """
    from TTS.utils.manage import ModelManager

    with tempfile.TemporaryDirectory(dir=directory) as aside:
        # Not Coqui's own folder: there, partial downloads count as complete.
        manager = ModelManager(output_prefix=aside, progress_bar=True)
        _require_listed(manager, name)
        model = _obtain(manager, name)
        vocoder_name = _about(manager, name).get("default_vocoder")
        vocoder = _obtain(manager, vocoder_name, of=name) if vocoder_name else None
        copied = _copy_model(model, directory)
        if vocoder is not None:
            copied += _copy_vocoder(vocoder, directory)
    seal_release(directory, name, copied)


def _require_listed(manager: Any, name: str) -> None:
    # Coqui's manager takes any such name: fairseq has voices of 1100 languages.
    if "fairseq" in name:
        return
    if name not in (listed := manager.list_tts_models()):
        close = difflib.get_close_matches(name, listed, n=3)
        hint = f"; similar: {', '.join(close)}" if close else ""
        raise ModelNotFoundError(f"model_path {name!r}: Coqui lists no such model{hint}")


def _about(manager: Any, name: str) -> dict[str, Any]:
    """Return Coqui's facts of a model; nothing for fairseq's."""
    kind, language, data, model = name.split("/")
    about: dict[str, Any] = manager.models_dict.get(kind, {}).get(language, {}).get(data, {}).get(model, {})
    return about


def _obtain(manager: Any, name: str, of: str | None = None) -> _Found:
    """Return a model from Coqui's folder, else downloaded."""
    about = _about(manager, name)
    folder = _coquis_folder(name, about)
    lacking = None
    if folder:
        lacking = _lacking(folder, about)
        if not lacking:
            note(f"taken from {folder}")
            return _Found(*manager._find_files(folder))
        note(f"{folder} is not whole: {lacking}; downloading")
    _require_agreement(name, about)
    try:
        checkpoint, config, _ = manager.download_model(name)
    except Exception as error:  # a broken connection or archive: they share no base class
        if "fairseq" in name and isinstance(error, tarfile.TarError):
            language = name.split("/")[1]
            raise ModelNotFoundError(
                f"model_path {name!r}: fairseq has no voice of the language {language!r}; "
                "the names of languages are in https://dl.fbaipublicfiles.com/mms/tts/all-tts-languages.html"
            ) from error
        partial = f"; {folder} is not whole: {lacking}" if folder else ""
        raise FetchError(
            f"model_path {of or name!r} cannot be downloaded ({_reason(error)}{partial}); "
            "check the network, or put the model's files into a folder and name that"
        ) from error
    return _Found(Path(checkpoint), Path(config))


def _require_agreement(name: str, about: dict[str, Any]) -> None:
    """Refuse a model whose terms have not been agreed to: Coqui would ask, and this process has no terminal."""
    from TTS.utils.manage import LICENSE_URLS

    if not about.get("tos_required") or os.environ.get(_AGREED) == "1":
        return
    folder = _user_folder(name)
    if folder is not None and (folder / "tos_agreed.txt").exists():
        return
    terms = str(about.get("license", "its own"))
    address = LICENSE_URLS.get(terms.lower(), "")
    raise FetchError(
        f"model_path {name!r} has terms that you have to agree to ({terms}{' ' if address else ''}{address}); "
        f"read them, and set {_AGREED}=1 in the environment"
    )


def _user_folder(name: str) -> Path | None:
    """Return where Coqui's downloader keeps a model; None without a home folder."""
    from trainer.io import get_user_data_dir

    try:
        return Path(get_user_data_dir("tts")) / name.replace("/", "--")
    except (OSError, RuntimeError):
        return None


def _coquis_folder(name: str, about: dict[str, Any]) -> Path | None:
    """Return the folder in which Coqui's downloader has left a model: its own, or the cache of Hugging Face."""
    if "repo_id" not in about:
        folder = _user_folder(name)
        return folder if folder is not None and folder.is_dir() else None
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(
                about["repo_id"], allow_patterns=about.get("allow"), ignore_patterns=about.get("ignore"), local_files_only=True
            )
        )
    except Exception:  # not there, or a cache of another version: its errors share no base class
        return None


def _lacking(folder: Path, about: dict[str, Any]) -> str | None:
    """Return what is missing or damaged in a folder of Coqui's downloader; None if it is whole."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    if archive := next((path.name for path in folder.rglob("*") if path.name.endswith(_ARCHIVES)), None):
        return f"{archive} was not unpacked to the end"
    inner = next((path.parent.name for path in folder.rglob("config.json") if path.parent != folder), None)
    if inner and "repo_id" not in about:
        return f"files were not moved out of {inner}"
    urls = about.get("github_rls_url")
    listed = [url.rpartition("/")[2] for url in urls] if isinstance(urls, list) else ["config.json"]
    if missing := set(listed) - {path.name for path in files}:
        return f"it has no {sorted(missing)[0]}"
    checkpoints = [path.name for path in files if path.suffix in _WEIGHTS]
    if len(checkpoints) != 1 and not set(checkpoints) & _FOUND_BY_NAME:
        return f"it has {len(checkpoints)} checkpoints of no usual name" if checkpoints else "it has no checkpoint"
    return next((damage for path in files if (damage := _damage(path))), None)


def _damage(path: Path) -> str | None:
    try:
        if path.name == "config.json":
            parse_document(path.read_bytes())
        elif zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                damaged = archive.testzip()
            return f"{path.name} is damaged in {damaged}" if damaged else None
        elif path.suffix in _WEIGHTS:
            read_weights_file(path)
    except (OSError, ValueError, RecursionError, zipfile.BadZipFile, LoaderError) as error:
        return f"{path.name} cannot be read ({_reason(error)})"
    return None


def _copy_model(model: _Found, directory: Path) -> list[str]:
    files = {path.name: path for path in model.config.parent.iterdir() if path.suffix in _SUFFIXES and path.name != VERSION_FILE}
    if files.keys().isdisjoint(_USUAL_NAMES):
        files.pop(model.checkpoint.name, None)
        files[MODEL_FILE] = model.checkpoint
    for name, path in files.items():
        shutil.copyfile(path, directory / name)
    return sorted(files)


def _copy_vocoder(vocoder: _Found, directory: Path) -> list[str]:
    """Copy a vocoder beside its model, under names of its own."""
    files = {VOCODER_FILE: vocoder.checkpoint, VOCODER_CONFIG_FILE: vocoder.config}
    files |= {f"vocoder_{path.name}": path for path in vocoder.config.parent.glob("*.npy")}
    for name, path in files.items():
        shutil.copyfile(path, directory / name)
    return sorted(files)


def _reason(error: BaseException) -> str:
    root: Any = error
    while root.__cause__ or root.__context__:
        root = root.__cause__ or root.__context__
    return f"{type(error).__name__}: {root}"[:160]
