"""A WSGI application over the real voice, whose espeak-ng is ended by a word that the real one reads.

gunicorn serves `tests.support.unreadable_voice:create()`; texts with `xyzzy` end the process that reads them, as some
texts in other languages than English do.
"""

import os
import signal

from flask import Flask

from app import wsgi
from loader.text.espeak_library import EspeakLibrary

WORD = b"xyzzy"
_trace = EspeakLibrary.trace


def _ending_trace(self: EspeakLibrary, text: bytes) -> bytes:
    if WORD in text:
        os.kill(os.getpid(), signal.SIGSEGV)
    return _trace(self, text)


def create() -> Flask:
    EspeakLibrary.trace = _ending_trace  # type: ignore[method-assign]
    return wsgi.create()
