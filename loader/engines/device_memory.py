"""How much of a device's memory this process has, for whoever watches it. Imports no library of any device."""

import sys


def allocated_bytes() -> int | None:
    """Return what torch's allocator has handed out on all devices; None where this process uses none.

    What it keeps for later is not counted: that grows with the longest text, and is no leak.
    """
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    return sum(int(torch.cuda.memory_allocated(device)) for device in range(torch.cuda.device_count()))
