"""A WSGI application over the real voice that hangs once when it is told to.

gunicorn serves `tests.support.hanging_voice:create()`; while the file CHORUS_HANG_NOW is there, the next window takes it
away and hangs in the way that is written in it.
"""

import ctypes
import hashlib
import os
import re
from functools import partial

from flask import Flask

from app import wsgi
from loader.engines.onnx import OnnxNetworks
from tests.support.other_networks import open_with


def hang_in_python() -> None:
    while True:
        pass


def hang_in_a_library() -> None:
    """Nothing holds Python's lock: every other thread goes on."""
    hashlib.pbkdf2_hmac("sha256", b"for", b"ever", 2**31 - 1)


def hang_in_a_library_with_the_lock() -> None:
    """Python's lock is held: no other thread of this process goes on."""
    re.match(r"(a+)+$", "a" * 200 + "b")


def hang_asleep_with_the_lock() -> None:
    ctypes.PyDLL(None).sleep(3600)


class HangingNetworks(OnnxNetworks):
    """The real networks, but for a decoder that hangs when it is told to."""

    def decode(self, window, condition, keep=None):
        try:
            with open(os.environ["CHORUS_HANG_NOW"]) as file:
                how = file.read()
            os.unlink(os.environ["CHORUS_HANG_NOW"])
        except FileNotFoundError:
            return super().decode(window, condition, keep)
        globals()[how]()


def create() -> Flask:
    return wsgi.create(partial(open_with, HangingNetworks))
