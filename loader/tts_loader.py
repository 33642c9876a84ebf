"""The small public face of the package: one loader a process, awaited once, then spoken with."""

import asyncio
import threading
from pathlib import Path
from typing import ClassVar, Self

from loader.config import load_settings
from loader.errors import NotReadyError
from loader.voice import Delivery, random_seed
from loader.voices import Catalogue, locate_all, open_catalogue
from loader.wav import wav_file


class TTSLoader:
    """Loads the configured voices in the background and speaks with the first of them.

    One instance a process: `TTSLoader(path)` returns the same object every time, so that
    weights are opened once however many callers there are.

        loader = TTSLoader("tts_config.yaml")
        await loader.warm_up()
        wav = loader.synthesize("Hello world.")
    """

    _instance: ClassVar["TTSLoader | None"] = None
    _instance_lock: ClassVar[threading.Lock] = threading.Lock()

    _config_path: Path
    _catalogue: Catalogue | None
    _opening: threading.Lock

    def __new__(cls, config_path: str | Path = "tts_config.yaml") -> Self:
        """Return the process's loader.

        Raises:
            ValueError: it was made for another configuration file.
        """
        if cls._instance is None:
            with cls._instance_lock:
                if cls._instance is None:
                    made = super().__new__(cls)
                    made._config_path = Path(config_path).absolute()
                    made._catalogue = None
                    made._opening = threading.Lock()
                    cls._instance = made
        found = cls._instance
        if found._config_path != Path(config_path).absolute():
            raise ValueError(f"this process already has a TTSLoader for {found._config_path}; one a process")
        return found  # type: ignore[return-value]

    async def warm_up(self) -> None:
        """Open the voices in a thread while the event loop serves on; at once if they are open.

        Raises:
            LoaderError: any of its children; calling again tries again.
        """
        await asyncio.get_running_loop().run_in_executor(None, self._open)

    def is_ready(self) -> bool:
        """Whether `synthesize` may be called."""
        return self._catalogue is not None

    def synthesize(self, text: str) -> bytes:
        """Speak `text` with the first voice and return a whole WAV file (16 bit, mono).

        Raises:
            NotReadyError: `warm_up` has not finished.
            UnspeakableTextError: nothing in `text` makes a sound.
        """
        if self._catalogue is None:
            raise NotReadyError("the voices are not open yet; await warm_up() first")
        voice = self._catalogue.default
        return wav_file(voice.speak(text, Delivery(seed=random_seed())), voice.sample_rate_hz)

    def _open(self) -> None:
        if self._catalogue is None:
            with self._opening:
                if self._catalogue is None:
                    settings = load_settings(self._config_path)
                    self._catalogue = open_catalogue(settings, locate_all(settings, anew=not settings.use_cache))
