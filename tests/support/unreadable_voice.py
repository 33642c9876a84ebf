"""A WSGI application with the real voice, whose espeak-ng crashes on one word.

gunicorn serves `tests.support.unreadable_voice:create()`; texts with `xyzzy` crash the process that reads them, as
some texts in languages other than English do.
"""

import os
import signal
from collections.abc import Callable

from flask import Flask

from app import wsgi
from loader.text.espeak_library import EspeakLibrary

WORD = b"xyzzy"


def _crashing(read: Callable[[EspeakLibrary, bytes], bytes]) -> Callable[[EspeakLibrary, bytes], bytes]:
    def crash_or_read(self: EspeakLibrary, text: bytes) -> bytes:
        if WORD in text:
            os.kill(os.getpid(), signal.SIGSEGV)
        return read(self, text)

    return crash_or_read


def create() -> Flask:
    EspeakLibrary.trace = _crashing(EspeakLibrary.trace)  # type: ignore[method-assign]
    EspeakLibrary.clauses = _crashing(EspeakLibrary.clauses)  # type: ignore[method-assign]
    return wsgi.create()
