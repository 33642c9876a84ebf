"""Work that seems to leak and does not; `ops.benchmarks.faults` has the leaks."""

import random
from collections import OrderedDict

import numpy as np

from ops.benchmarks.faults import Leak

KIB = 1024
MIB = 1024 * KIB


class LongerTexts(Leak):
    """Every request allocates more than the one before, and frees it."""

    def serve(self, number):
        samples = np.ones(1000 + 200 * number, np.float32)
        assert samples.sum() > 0


class FillingCache(Leak):
    """A bounded cache with some hits."""

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
    """Blocks of all sizes, freed in another order than they were allocated, so that the heap has holes."""

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
    """Garbage that only the collector can free, 100 objects per request."""

    def serve(self, number):
        for _ in range(100):
            cycle = []
            cycle.append(cycle)


class Steps(Leak):
    """A buffer that grows to the size of the largest request so far: less and less often, by more and more."""

    def serve(self, number):
        self.held[:] = [bytes(1 << (10 + number.bit_length()))]
