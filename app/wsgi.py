"""From the environment's CHORUS_CONFIG to the application gunicorn serves."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from flask import Flask

from app.memory import IdleHeap
from app.server import create_app
from app.service import Service
from app.warm_up import WarmUp
from loader.config import Settings, load_settings
from loader.errors import LoaderError
from loader.retry import Backoff
from loader.voices import Catalogue, locate_all, open_catalogue

DEFAULT_CONFIG = "tts_config.yaml"


def settings_from(environment: Mapping[str, str]) -> Settings:
    """Read the configuration file that CHORUS_CONFIG names, or end the process with one clear message."""
    with one_clear_message():
        return load_settings(environment.get("CHORUS_CONFIG") or DEFAULT_CONFIG)


def open_voices(settings: Settings) -> Catalogue:
    """Find or bake the artifacts and open every voice that is to be open from the start.

    Raises:
        LoaderError: any of its children.
    """
    return open_catalogue(settings, locate_all(settings, anew=settings.preload and not settings.use_cache))


def create(
    open_voices: Callable[[Settings], Catalogue] = open_voices, backoff: Backoff = Backoff()
) -> Flask:
    """Return the application, its voices open where `preload` is on.

    Runs once in the master where `preload` is on, else once in every worker. What is left
    to do after the fork is begun by `process.begin_warm_up`.
    """
    settings = settings_from(os.environ)
    warm_up = WarmUp(partial(open_voices, settings), backoff)
    if settings.preload:
        with one_clear_message():
            warm_up.open()
    return create_app(Service(settings, warm_up, opened_at_s=int(time.time()), heap=IdleHeap()))


@contextmanager
def one_clear_message() -> Iterator[None]:
    """End the process on a reported error with its line and its documented status, on Ctrl-C quietly with 130."""
    try:
        yield
    except LoaderError as error:
        print(f"chorus: {error}", file=sys.stderr, flush=True)
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        print("\nchorus: interrupted", file=sys.stderr, flush=True)
        sys.exit(130)
