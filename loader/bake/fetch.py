"""A model by its Coqui name, through Coqui's own model manager, sealed as a release."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from loader.errors import FetchError, ModelNotFoundError
from loader.release import VERSION_FILE, seal_release

MODEL_FILE = "model_file.pth"


def fetch_model(name: str, directory: Path) -> None:
    """Download `name` and put its files into `directory`.

    Raises:
        ModelNotFoundError: Coqui's list has no such model.
        FetchError: the download failed; usually there is no network.
    """
    from TTS.utils.manage import ModelManager

    with tempfile.TemporaryDirectory(dir=directory) as aside:
        # Not Coqui's own folder: there, what is left of a broken download counts as downloaded.
        manager = ModelManager(output_prefix=aside, progress_bar=True)
        if name not in manager.list_tts_models():
            raise ModelNotFoundError(f"model_path {name!r}: Coqui lists no such model")
        try:
            checkpoint, config, _ = manager.download_model(name)
        except Exception as error:  # a broken connection, archive or agreement: they share no base class
            raise FetchError(
                f"model_path {name!r} cannot be downloaded ({_reason(error)}); "
                "check the network, or put the model's files into a folder and name that"
            ) from error
        copied = _copy_model(Path(checkpoint), Path(config).parent, directory)
    seal_release(directory, name, copied)


def _copy_model(checkpoint: Path, folder: Path, directory: Path) -> list[str]:
    names = {path.name for path in folder.iterdir() if path.suffix in (".json", ".pth", ".txt")} - {VERSION_FILE}
    for name in names:
        shutil.copyfile(folder / name, directory / name)
    if MODEL_FILE not in names:
        shutil.copyfile(checkpoint, directory / MODEL_FILE)
    return sorted({*names, MODEL_FILE})


def _reason(error: BaseException) -> str:
    root: Any = error
    while root.__cause__ or root.__context__:
        root = root.__cause__ or root.__context__
    return f"{type(error).__name__}: {root}"[:160]
