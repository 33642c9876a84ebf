"""From the environment's CHORUS_CONFIG to the application gunicorn serves."""

import os
import sys
import time
from collections.abc import Mapping
from typing import NoReturn

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
    try:
        return load_settings(environment.get("CHORUS_CONFIG") or DEFAULT_CONFIG)
    except LoaderError as error:
        leave(error)


def create() -> Flask:
    """Open every voice and return the application.

    Runs once in the master where `preload` is on, else once in every worker.
    """
    settings = settings_from(os.environ)
    try:
        artifacts = locate_all(settings, anew=settings.preload and not settings.use_cache)
        catalogue = open_catalogue(settings, artifacts)
    except LoaderError as error:
        leave(error)
    return create_app(Service(settings, catalogue, opened_at_s=int(time.time()), heap=IdleHeap()))


def leave(error: LoaderError) -> NoReturn:
    """Say why on standard error and exit with the error's documented status."""
    print(f"chorus: {error}", file=sys.stderr, flush=True)
    sys.exit(error.exit_status)
