"""Downloads: a model by its Coqui name, through Coqui's own model manager, sealed as a release."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from loader.errors import FetchError, ModelNotFoundError
from loader.releases.release import VERSION_FILE, VOCODER_CONFIG_FILE, seal_release

MODEL_FILE, VOCODER_FILE = "model_file.pth", "vocoder.pth"
#: Files to copy: configurations, weights, vocabularies, and statistics of spectrograms.
_SUFFIXES = (".json", ".npy", ".pth", ".txt")


def fetch_model(name: str, directory: Path) -> None:
    """Download `name` and put its files into `directory`.

    Raises:
        ModelNotFoundError: Coqui's list has no such model.
        FetchError: the download failed; usually there is no network.
    """
    from TTS.utils.manage import ModelManager

    with tempfile.TemporaryDirectory(dir=directory) as aside:
        # Not Coqui's own folder: there, partial downloads count as complete.
        manager = ModelManager(output_prefix=aside, progress_bar=True)
        if name not in manager.list_tts_models():
            raise ModelNotFoundError(f"model_path {name!r}: Coqui lists no such model")
        try:
            checkpoint, config, about = manager.download_model(name)
            vocoder = manager.download_model(about["default_vocoder"]) if about.get("default_vocoder") else None
        except Exception as error:  # a broken connection, archive or agreement: they share no base class
            raise FetchError(
                f"model_path {name!r} cannot be downloaded ({_reason(error)}); "
                "check the network, or put the model's files into a folder and name that"
            ) from error
        copied = _copy_model(Path(checkpoint), Path(config).parent, directory)
        if vocoder is not None:
            copied += _copy_vocoder(Path(vocoder[0]), Path(vocoder[1]), directory)
    seal_release(directory, name, copied)


def _copy_model(checkpoint: Path, folder: Path, directory: Path) -> list[str]:
    names = {path.name for path in folder.iterdir() if path.suffix in _SUFFIXES} - {VERSION_FILE}
    for name in names:
        shutil.copyfile(folder / name, directory / name)
    if names.isdisjoint({MODEL_FILE, "model.pth"}):
        shutil.copyfile(checkpoint, directory / MODEL_FILE)
        names.add(MODEL_FILE)
    return sorted(names)


def _copy_vocoder(checkpoint: Path, config: Path, directory: Path) -> list[str]:
    """Copy a vocoder beside its model, under names of its own."""
    files = {VOCODER_FILE: checkpoint, VOCODER_CONFIG_FILE: config}
    files |= {f"vocoder_{path.name}": path for path in config.parent.glob("*.npy")}
    for name, path in files.items():
        shutil.copyfile(path, directory / name)
    return sorted(files)


def _reason(error: BaseException) -> str:
    root: Any = error
    while root.__cause__ or root.__context__:
        root = root.__cause__ or root.__context__
    return f"{type(error).__name__}: {root}"[:160]
