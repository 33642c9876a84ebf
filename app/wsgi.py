"""The composition root: from the environment's CHORUS_CONFIG to the application that gunicorn serves."""

import os
from collections.abc import Callable
from functools import partial

from flask import Flask

from app.api.app import create_app
from app.context import Context
from app.lexicons import report_lexicons
from app.rollout.revision import reusable, revision_of
from app.startup import one_clear_message, settings_from
from app.warmup import WarmUp, report_missing
from loader.config.settings import Settings
from loader.retry import Backoff
from loader.voices.catalog import Catalog, open_catalog


def open_voices(settings: Settings) -> Catalog:
    """Read the lexicons, find or bake the artifacts, and open every voice that is configured to be open from the start.

    A voice that cannot be located or opened is reported, and the others are served.

    Raises:
        LoaderError: any of its children; no voice can be opened.
    """
    revision = revision_of(settings)
    catalog = open_catalog(
        settings, revision.artifacts, lexicons=revision.lexicons, serve_others=True, beside=reusable()
    )
    report_missing(catalog)
    report_lexicons(revision.lexicons, catalog)
    return catalog


def create(open_voices: Callable[[Settings], Catalog] = open_voices, backoff: Backoff = Backoff()) -> Flask:
    """Return the application, its voices open if `preload` is on.

    Runs in the master if `preload` is on, once for each revision, else once in every worker. `serving.hooks.post_worker_init`
    then completes it in each worker with `Context.enter_worker`.
    """
    settings = settings_from(os.environ)
    warm_up = WarmUp(partial(open_voices, settings), backoff)
    with one_clear_message():
        revision = revision_of(settings)
        if settings.preload:
            warm_up.open()
    return create_app(Context(settings, warm_up, revision.id))
