"""A WSGI application whose workers cannot become ready while the file CHORUS_UNREADY exists."""

import os

from flask import Flask

from app import wsgi
from loader.config.settings import Settings
from loader.errors import WarmUpError
from loader.retry import Backoff
from loader.voices.catalog import Catalog


def open_unless_unready(settings: Settings) -> Catalog:
    if os.path.exists(os.environ["CHORUS_UNREADY"]):
        raise WarmUpError("told not to be ready")
    return wsgi.open_voices(settings)


def create() -> Flask:
    return wsgi.create(open_unless_unready, Backoff(tries=2, first_pause_s=0.05))
