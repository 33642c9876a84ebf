"""A WSGI application with the real voice, whose espeak-ng crashes on one word.

gunicorn serves `tests.support.unreadable_voice:create()`; texts with `xyzzy` crash the process that reads them, as
some texts in languages other than English do.
"""

import os
import signal

from flask import Flask

from app import wsgi
from loader.text.espeak_library import EspeakLibrary

WORD = b"xyzzy"
_trace = EspeakLibrary.trace


def _crashing_trace(self: EspeakLibrary, text: bytes) -> bytes:
    if WORD in text:
        os.kill(os.getpid(), signal.SIGSEGV)
    return _trace(self, text)


def create() -> Flask:
    EspeakLibrary.trace = _crashing_trace  # type: ignore[method-assign]
    return wsgi.create()
