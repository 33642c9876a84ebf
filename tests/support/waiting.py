"""Wait for a condition with a deadline."""

import threading
import time
from collections.abc import Callable


def until(condition: Callable[[], object], within_s: float = 60.0) -> None:
    """Return once `condition` holds; fail if it does not in time."""
    ends_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < ends_s, f"not within {within_s:g} s: {condition}"
        threading.Event().wait(0.001)
