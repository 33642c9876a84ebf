"""Things that a request leaves behind, and things that it only seems to."""

import ctypes
import os
import random
import threading
from collections import OrderedDict

import numpy as np

KIB = 1024
MIB = 1024 * KIB

_libc = ctypes.CDLL(None)
_libc.malloc.restype = ctypes.c_void_p
_libc.malloc.argtypes = [ctypes.c_size_t]
_libc.free.argtypes = [ctypes.c_void_p]


class Leak:
    """Holds on to something of every request; `close` lets go of all of it."""

    def __init__(self):
        self.held = []

    def serve(self, number):
        """Be request number `number`, from 0."""

    def close(self):
        self.held.clear()


class PythonLeak(Leak):
    """Small objects, as a list that nobody empties."""

    def __init__(self, size_bytes):
        super().__init__()
        self.size_bytes = size_bytes

    def serve(self, number):
        # 240 bytes each, and 8 for its place in the list.
        self.held.append([bytes(200) for _ in range(self.size_bytes // 248)])


class BytesLeak(PythonLeak):
    def serve(self, number):
        self.held.append(bytes(self.size_bytes))


class NumpyLeak(PythonLeak):
    def serve(self, number):
        self.held.append(np.ones(self.size_bytes // 4, np.float32))


class TensorLeak(PythonLeak):
    def serve(self, number):
        import torch

        self.held.append(torch.zeros(1, self.size_bytes // 4))


class HeapLeak(PythonLeak):
    """Memory of the C library that no Python object knows."""

    def serve(self, number):
        self.held.append(_libc.malloc(self.size_bytes))

    def close(self):
        for address in self.held:
            _libc.free(address)
        super().close()


class DescriptorLeak(Leak):
    def serve(self, number):
        self.held.append(os.open(__file__, os.O_RDONLY))

    def close(self):
        for descriptor in self.held:
            os.close(descriptor)
        super().close()


class ThreadLeak(Leak):
    def __init__(self):
        super().__init__()
        self.over = threading.Event()

    def serve(self, number):
        thread = threading.Thread(target=self.forgotten)
        thread.start()
        self.held.append(thread)

    def forgotten(self):
        self.over.wait()

    def close(self):
        self.over.set()
        for thread in self.held:
            thread.join()
        super().close()


class LongerTexts(Leak):
    """Every request takes more than the one before, and gives it back."""

    def serve(self, number):
        samples = np.ones(1000 + 200 * number, np.float32)
        assert samples.sum() > 0


class FillingCache(Leak):
    """A cache of a bounded number of entries, some of them hit."""

    ENTRIES = 200

    def __init__(self):
        super().__init__()
        self.cache = OrderedDict()
        self.random = random.Random(1)

    def serve(self, number):
        key = self.random.randrange(10_000)
        self.cache[key] = bytes(2000)
        self.cache.move_to_end(key)
        if len(self.cache) > self.ENTRIES:
            self.cache.popitem(last=False)

    def close(self):
        self.cache.clear()


class Fragmentation(Leak):
    """Blocks of all sizes, freed in another order than they were taken, so that the heap has holes."""

    def __init__(self):
        super().__init__()
        self.random = random.Random(1)

    def serve(self, number):
        self.held.append(bytes(self.random.randrange(600, 200_000)))
        if len(self.held) > 40:
            self.held.pop(self.random.randrange(len(self.held)))


class OneHugeRequest(Leak):
    """One request leaves 200 MiB behind, the others nothing."""

    def __init__(self, at):
        super().__init__()
        self.at = at

    def serve(self, number):
        if number == self.at:
            self.held.append(bytes(200 * MIB))


class Cycles(Leak):
    """Garbage that only the collector can free, 100 objects a request."""

    def serve(self, number):
        for _ in range(100):
            cycle = []
            cycle.append(cycle)


class Steps(Leak):
    """A buffer that grows to the largest request so far: ever more seldom, by ever more."""

    def serve(self, number):
        self.held[:] = [bytes(1 << (10 + number.bit_length()))]
