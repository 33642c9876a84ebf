"""A device that behaves like one, and fails at chosen calls: memory of its own, one process, a context that can be lost."""

import os
import threading
import weakref
from collections import Counter


class FullError(RuntimeError):
    """The memory is full, as torch.OutOfMemoryError says it."""


class LostError(RuntimeError):
    """A kernel went wrong, as torch.AcceleratorError says it."""


#: A plan's word for "at every call".
ALWAYS = "always"


class FakeDevice:
    """Implements `loader.devices.accelerator.Device`.

    Its name is one that torch takes for the CPU, so that what is copied to it is a copy that works.
    """

    name = "cpu:0"

    def __init__(self, plan=None, capacity_bytes=1000):
        """Fail by `plan`: the name of a call to the numbers it fails at, from 1, or ALWAYS, and the error."""
        self.plan = plan or {}
        self.capacity_bytes = capacity_bytes
        self.calls = Counter()
        self.used_bytes = 0
        self.cached_bytes = 0
        self._process = None
        self._is_lost = False
        self._lock = threading.RLock()

    def require_library(self):
        """The library of this device is always there."""

    def open(self):
        self.call("open", opening=True)
        self._process = os.getpid()

    def free_bytes(self):
        self.call("free_bytes")
        return self.capacity_bytes - self.used_bytes - self.cached_bytes

    def held_bytes(self):
        self.call("held_bytes")
        return self.used_bytes

    def release(self):
        self.call("release")
        self.cached_bytes = 0

    def is_out_of_memory(self, error):
        return isinstance(error, FullError)

    def is_poisoned(self, error):
        return isinstance(error, LostError)

    def call(self, what, opening=False):
        """Do something that the plan may let fail. A lost device fails at everything, in this process."""
        assert opening or self._process == os.getpid(), f"{what} in a process that has not opened the device"
        with self._lock:
            self.calls[what] += 1
            numbers, error = self.plan.get(what, ((), None))
            if self._is_lost:
                raise LostError("an illegal memory access was encountered")
            if numbers == ALWAYS or self.calls[what] in numbers:
                self._is_lost = error is LostError
                raise error(f"{what} number {self.calls[what]} fails by plan")

    def take(self, owner, size_bytes):
        """Give `owner` that much memory until it is gone."""
        self.call("take")
        with self._lock:
            if self.used_bytes + size_bytes > self.capacity_bytes:
                raise FullError(f"{size_bytes} bytes wanted, {self.capacity_bytes - self.used_bytes} left")
            self.used_bytes += size_bytes
            weakref.finalize(owner, self._freed, size_bytes)

    def _freed(self, size_bytes):
        # As torch's allocator does, for the next one who asks.
        with self._lock:
            self.used_bytes -= size_bytes
            self.cached_bytes += size_bytes


class Block:
    """Memory of a device."""

    def __init__(self, device, size_bytes):
        device.take(self, size_bytes)
