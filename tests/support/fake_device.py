"""A device with its own memory that fails at chosen calls, belongs to one process, and can be lost."""

import os
import threading
import weakref
from collections import Counter


class FullError(RuntimeError):
    """Out of memory, like torch.OutOfMemoryError."""


class LostError(RuntimeError):
    """The context is lost, like torch.AcceleratorError."""


#: In a plan: at every call.
ALWAYS = "always"


class FakeDevice:
    """Implements `loader.devices.accelerator.Device`.

    Its name means the CPU to torch, so that copies to it work.
    """

    name = "cpu:0"

    def __init__(self, plan=None, capacity_bytes=1000):
        """Fail by `plan`: the name of a call to the numbers of failing calls, from 1, or ALWAYS, and the error."""
        self.plan = plan or {}
        self.capacity_bytes = capacity_bytes
        self.calls = Counter()
        self.used_bytes = 0
        self.cached_bytes = 0
        self._process = None
        self._is_lost = False
        self._lock = threading.RLock()

    def require_library(self):
        """Do nothing: this device needs no library."""

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
        """Count a call, and raise the planned error. A lost device fails at every call in this process."""
        assert opening or self._process == os.getpid(), f"{what} in a process that has not opened the device"
        with self._lock:
            self.calls[what] += 1
            numbers, error = self.plan.get(what, ((), None))
            if self._is_lost:
                raise LostError("an illegal memory access was encountered")
            if numbers == ALWAYS or self.calls[what] in numbers:
                self._is_lost = error is LostError
                raise error(f"{what} number {self.calls[what]} fails by plan")

    def allocate(self, owner, size_bytes):
        """Allocate this much memory until `owner` is deleted."""
        self.call("allocate")
        with self._lock:
            if self.used_bytes + size_bytes > self.capacity_bytes:
                raise FullError(f"{size_bytes} bytes wanted, {self.capacity_bytes - self.used_bytes} left")
            self.used_bytes += size_bytes
            weakref.finalize(owner, self._freed, size_bytes)

    def _freed(self, size_bytes):
        # Freed memory stays in the cache, as with torch's allocator.
        with self._lock:
            self.used_bytes -= size_bytes
            self.cached_bytes += size_bytes


class Block:
    """Memory of a device, allocated until it is deleted."""

    def __init__(self, device, size_bytes):
        device.allocate(self, size_bytes)
