"""The public interface of the package: one loader per process, awaited once, then used to speak."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Self

from loader.artifacts.resolve import locate_available
from loader.config.settings import load_settings
from loader.errors import LoaderError, NotReadyError
from loader.retry import Backoff, format_error, with_retries
from loader.voices.catalog import Catalog, open_catalog
from loader.voices.voice import SpeechOptions, random_seed
from loader.wav import wav_file

log = logging.getLogger("chorus.loader")


class TTSLoader:
    """Loads the configured voices in the background and speaks with the first of them.

    A singleton: `TTSLoader(path)` returns the same object every time, so that the weights
    are opened once.

        loader = TTSLoader("tts_config.yaml")
        await loader.warm_up()
        wav = loader.synthesize("Hello world.")
    """

    _instance: ClassVar["TTSLoader | None"] = None
    _instance_lock: ClassVar[threading.Lock] = threading.Lock()

    _config_path: Path
    _catalog: Catalog | None
    _opening: threading.Lock
    #: Number of warm-ups that failed in every attempt, and the last one's error.
    _failures: int
    _failure: LoaderError | None

    def __new__(cls, config_path: str | Path = "tts_config.yaml") -> Self:
        """Return the process's loader.

        Raises:
            ValueError: it has another configuration file.
        """
        if cls._instance is None:
            with cls._instance_lock:
                if cls._instance is None:
                    made = super().__new__(cls)
                    made._config_path = Path(config_path).absolute()
                    made._catalog = None
                    made._opening = threading.Lock()
                    made._failures, made._failure = 0, None
                    cls._instance = made
        found = cls._instance
        if found._config_path != Path(config_path).absolute():
            raise ValueError(f"this process already has a TTSLoader for {found._config_path}; a process can have one")
        return found  # type: ignore[return-value]

    async def warm_up(self, backoff: Backoff = Backoff(), pause: Callable[[float], None] = time.sleep) -> None:
        """Open the voices in a thread while the event loop runs; returns at once if they are open.

        If a device is configured, enters it and speaks on it. Errors that are not permanent are
        retried, with `pause` in between.

        Raises:
            WarmUpError: the last attempt failed too. A further call tries again.
            LoaderError: a permanent one.
        """
        await asyncio.get_running_loop().run_in_executor(None, self._open, backoff, pause)

    def is_ready(self) -> bool:
        """Whether `synthesize` may be called."""
        return self._catalog is not None

    def synthesize(self, text: str) -> bytes:
        """Speak `text` with the first voice and return a WAV file (16 bit, mono).

        Raises:
            NotReadyError: `warm_up` has not finished.
            UnspeakableTextError: nothing in `text` has a sound.
        """
        if self._catalog is None:
            raise NotReadyError("the voices are not open yet; await warm_up() first")
        voice = self._catalog.default
        return wav_file(voice.speak(text, SpeechOptions(seed=random_seed())), voice.sample_rate_hz)

    def _open(self, backoff: Backoff, pause: Callable[[float], None]) -> None:
        failures = self._failures
        if not self.is_ready():
            with self._opening:
                if self._failure is not None and self._failures > failures:
                    # A caller that waited for another's tries does not start over.
                    raise self._failure
                if not self.is_ready():
                    try:
                        self._catalog = with_retries(self._open_catalog, backoff, pause, _log_failure)
                    except LoaderError as error:
                        self._failures, self._failure = self._failures + 1, error
                        raise

    def _open_catalog(self) -> Catalog:
        settings = load_settings(self._config_path)
        catalog = open_catalog(settings, locate_available(settings, anew=not settings.use_cache), serve_others=True)
        for name, error in catalog.missing.items():
            log.error("voice %s is not served: %s", name, format_error(error))
        catalog.enter_device()
        return catalog


def _log_failure(attempt: int, error: BaseException) -> None:
    log.warning("warm-up attempt %d failed: %s", attempt, format_error(error))
