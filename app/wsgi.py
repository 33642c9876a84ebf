"""The composition root: from the environment's CHORUS_CONFIG to the application that gunicorn serves."""

import os
from collections.abc import Callable
from functools import partial

from flask import Flask

from app.api.app import create_app
from app.context import Context
from app.lexicons import lexicons_of, report_lexicons
from app.startup import one_clear_message, settings_from
from app.warmup import WarmUp
from loader.config.settings import Settings
from loader.retry import Backoff
from loader.voices.catalog import Catalog, locate_all, open_catalog


def open_voices(settings: Settings) -> Catalog:
    """Read the lexicons, find or bake the artifacts, and open every voice that is configured to be open from the start.

    Raises:
        LoaderError: any of its children.
    """
    lexicons = lexicons_of(settings)  # before a bake, which takes longer than to find a mistake in a file
    artifacts = locate_all(settings, anew=settings.preload and not settings.use_cache)
    catalog = open_catalog(settings, artifacts, lexicons=lexicons)
    report_lexicons(lexicons, catalog)
    return catalog


def create(open_voices: Callable[[Settings], Catalog] = open_voices, backoff: Backoff = Backoff()) -> Flask:
    """Return the application, its voices open if `preload` is on.

    Runs once in the master if `preload` is on, else once in every worker. `serving.hooks.post_worker_init` then completes it in
    each worker with `Context.enter_worker`.
    """
    settings = settings_from(os.environ)
    warm_up = WarmUp(partial(open_voices, settings), backoff)
    if settings.preload:
        with one_clear_message():
            warm_up.open()
    return create_app(Context(settings, warm_up))
