"""The small public face of the package: one loader a process, awaited once, then spoken with."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Self

from loader.config.settings import load_settings
from loader.errors import LoaderError, NotReadyError
from loader.retry import Backoff, described, with_retries
from loader.voices.catalog import Catalogue, locate_all, open_catalogue
from loader.voices.voice import Delivery, random_seed
from loader.wav import wav_file

log = logging.getLogger("chorus.loader")


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
    #: How often warming up has failed for good, and with what.
    _failures: int
    _failure: LoaderError | None

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
                    made._failures, made._failure = 0, None
                    cls._instance = made
        found = cls._instance
        if found._config_path != Path(config_path).absolute():
            raise ValueError(f"this process already has a TTSLoader for {found._config_path}; one a process")
        return found  # type: ignore[return-value]

    async def warm_up(self, backoff: Backoff = Backoff(), pause: Callable[[float], None] = time.sleep) -> None:
        """Open the voices in a thread while the event loop serves on; at once if they are open.

        Where a device is configured, enters it and speaks on it. What goes wrong is tried
        again, with `pause` in between, unless nothing but a change of files or options helps.

        Raises:
            WarmUpError: the last try failed too. Calling again tries again.
            LoaderError: one of its children whose `permanent` is set.
        """
        await asyncio.get_running_loop().run_in_executor(None, self._open, backoff, pause)

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

    def _open(self, backoff: Backoff, pause: Callable[[float], None]) -> None:
        failures = self._failures
        if not self.is_ready():
            with self._opening:
                if self._failure is not None and self._failures > failures:
                    # Whoever waited for the tries of another does not begin with the first again.
                    raise self._failure
                if not self.is_ready():
                    self._catalogue = self._tried(backoff, pause)

    def _tried(self, backoff: Backoff, pause: Callable[[float], None]) -> Catalogue:
        try:
            return with_retries(self._opened, backoff, pause, _note)
        except LoaderError as error:
            self._failures, self._failure = self._failures + 1, error
            raise

    def _opened(self) -> Catalogue:
        settings = load_settings(self._config_path)
        catalogue = open_catalogue(settings, locate_all(settings, anew=not settings.use_cache))
        catalogue.enter_device()
        return catalogue


def _note(tried: int, error: BaseException) -> None:
    log.warning("warming up failed at try %d: %s", tried, described(error))
