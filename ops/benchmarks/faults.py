"""Fault injection: requests that leak, and a WSGI application whose decoder hangs on demand. For benchmarks and tests.

gunicorn serves `ops.benchmarks.faults:hanging_voice()`. While the file that CHORUS_HANG_NOW names exists, the next window
removes it and hangs in the way whose name is its content.
"""

import ctypes
import dataclasses
import hashlib
import os
import re
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from flask import Flask

from app import wsgi
from loader.config.settings import Settings
from loader.engines.onnx import OnnxNetworks
from loader.voices.catalog import Catalog

_libc = ctypes.CDLL(None)
_libc.malloc.restype = ctypes.c_void_p
_libc.malloc.argtypes = [ctypes.c_size_t]
_libc.free.argtypes = [ctypes.c_void_p]


class Leak:
    """Keeps something of every request until `close`; this base keeps nothing."""

    def __init__(self, size_bytes: int = 0) -> None:
        """Leak about that many bytes per request, if the kind has a size."""
        self.size_bytes = size_bytes
        self.held: list[Any] = []

    def serve(self, number: int) -> None:
        """Leave behind what request `number`, from 0, leaks."""

    def close(self) -> None:
        """Release everything."""
        self.held.clear()


class PythonLeak(Leak):
    """Small Python objects of 240 bytes each, and 8 for their place in a list."""

    def serve(self, number: int) -> None:
        self.held.append([bytes(200) for _ in range(self.size_bytes // 248)])


class BytesLeak(Leak):
    """One `bytes` object per request."""

    def serve(self, number: int) -> None:
        self.held.append(bytes(self.size_bytes))


class NumpyLeak(Leak):
    """One numpy array per request."""

    def serve(self, number: int) -> None:
        self.held.append(np.ones(self.size_bytes // 4, np.float32))


class TensorLeak(Leak):
    """One torch tensor per request."""

    def serve(self, number: int) -> None:
        import torch

        self.held.append(torch.zeros(1, self.size_bytes // 4))


class HeapLeak(Leak):
    """One block of the C heap per request, which no Python object owns."""

    def serve(self, number: int) -> None:
        self.held.append(_libc.malloc(self.size_bytes))

    def close(self) -> None:
        for address in self.held:
            _libc.free(address)
        super().close()


class DescriptorLeak(Leak):
    """One open file per request: this module's."""

    def serve(self, number: int) -> None:
        self.held.append(os.open(__file__, os.O_RDONLY))

    def close(self) -> None:
        for descriptor in self.held:
            os.close(descriptor)
        super().close()


class ThreadLeak(Leak):
    """One thread per request, waiting until `close`."""

    def __init__(self) -> None:
        super().__init__()
        self._over = threading.Event()

    def serve(self, number: int) -> None:
        thread = threading.Thread(target=self.forgotten)
        thread.start()
        self.held.append(thread)

    def forgotten(self) -> None:
        """Wait; the name shows in the alert."""
        self._over.wait()

    def close(self) -> None:
        self._over.set()
        for thread in self.held:
            thread.join()
        super().close()


def hang_in_python() -> None:
    """Loop in the interpreter."""
    while True:
        pass


def hang_in_a_library() -> None:
    """Compute in C with Python's lock released: all other threads continue."""
    hashlib.pbkdf2_hmac("sha256", b"for", b"ever", 2**31 - 1)


def hang_in_a_library_with_the_lock() -> None:
    """Compute in C with Python's lock held: no other thread of this process continues."""
    re.match(r"(a+)+$", "a" * 200 + "b")


def hang_asleep_with_the_lock() -> None:
    """Sleep in C with Python's lock held."""
    ctypes.PyDLL(None).sleep(3600)


#: Each way to hang, by the name of its function, and its description.
HANGS = {
    "hang_in_python": "in Python",
    "hang_in_a_library": "in a library",
    "hang_in_a_library_with_the_lock": "in a library, with the lock",
    "hang_asleep_with_the_lock": "asleep, with the lock",
}


class HangingNetworks(OnnxNetworks):
    """The real networks, with a decoder that hangs on demand."""

    def decode(self, window: Any, condition: Any, keep: Any = None) -> Any:
        """Hang once if the trigger file exists, else decode."""
        try:
            with open(os.environ["CHORUS_HANG_NOW"], encoding="utf-8") as file:
                how = file.read()
            os.unlink(os.environ["CHORUS_HANG_NOW"])
        except FileNotFoundError:
            return super().decode(window, condition, keep)
        hang: Callable[[], None] = globals()[how]
        return hang()


def hanging_voice() -> Flask:
    """Create the application over the real voice with a decoder that hangs on demand."""
    return wsgi.create(partial(open_with, HangingNetworks))


def open_with(networks: type[OnnxNetworks], settings: Settings) -> Catalog:
    """Open the configured voices, each with its own graphs in `networks` instead of the real class."""
    catalogue = wsgi.open_voices(settings)
    for voice in catalogue.voices:
        parts: Any = voice.parts.open()
        other = networks.__new__(networks)
        other.__dict__.update(parts.engine.networks.__dict__)
        voice.parts._parts = dataclasses.replace(parts, engine=dataclasses.replace(parts.engine, networks=other))
    return catalogue
