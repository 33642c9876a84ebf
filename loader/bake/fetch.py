"""A model by its Coqui name, through Coqui's own model manager, sealed as a release."""

import shutil
from pathlib import Path
from typing import Any

from loader.errors import FetchError, ModelNotFoundError
from loader.release import seal_release


def fetch_model(name: str, directory: Path) -> None:
    """Download `name` and put its files into `directory`.

    Raises:
        ModelNotFoundError: Coqui's list has no such model.
        FetchError: the download failed; usually there is no network.
    """
    from TTS.utils.manage import ModelManager

    manager = ModelManager(progress_bar=True)
    if name not in manager.list_tts_models():
        raise ModelNotFoundError(f"model_path {name!r}: Coqui lists no such model")
    try:
        checkpoint, config, _ = manager.download_model(name)
    except (OSError, ValueError) as error:  # requests' errors are OSErrors
        raise FetchError(
            f"model_path {name!r} cannot be downloaded ({_reason(error)}); "
            "check the network, or put the model's files into a folder and name that"
        ) from error
    folder = Path(config).parent
    copied = sorted(path.name for path in folder.iterdir() if path.suffix in (".json", ".pth", ".txt"))
    for each in copied:
        shutil.copyfile(folder / each, directory / each)
    if not (directory / "model_file.pth").exists() and Path(checkpoint).exists():
        shutil.copyfile(checkpoint, directory / "model_file.pth")
    seal_release(directory, name, [each for each in copied if each != "version.txt"])


def _reason(error: BaseException) -> str:
    root: Any = error
    while root.__cause__ or root.__context__:
        root = root.__cause__ or root.__context__
    return f"{type(error).__name__}: {root}"[:160]
