"""From the environment's CHORUS_CONFIG to the application gunicorn serves."""

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from flask import Flask

from app.memory import IdleHeap
from app.server import create_app
from app.service import Service
from loader.config import Settings, load_settings
from loader.errors import LoaderError
from loader.voices import locate_all, open_catalogue

DEFAULT_CONFIG = "tts_config.yaml"


def settings_from(environment: Mapping[str, str]) -> Settings:
    """Read the configuration file that CHORUS_CONFIG names, or end the process with one clear message."""
    with one_clear_message():
        return load_settings(environment.get("CHORUS_CONFIG") or DEFAULT_CONFIG)


def create() -> Flask:
    """Open every voice and return the application.

    Runs once in the master where `preload` is on, else once in every worker.
    """
    settings = settings_from(os.environ)
    with one_clear_message():
        artifacts = locate_all(settings, anew=settings.preload and not settings.use_cache)
        catalogue = open_catalogue(settings, artifacts)
    return create_app(Service(settings, catalogue, opened_at_s=int(time.time()), heap=IdleHeap()))


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
