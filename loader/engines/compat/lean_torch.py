"""torch, imported without what only a compiler needs.

A quarter of `import torch` is the registration of how every operator behaves on tensors
without data: 0.95 s with it, 0.72 s without (2026-11-23, 2 cores of a Zen 4, torch 2.13.0).
Speaking never asks. The module is left out, not replaced: whoever imports it later gets it.
"""

import importlib
import os
import sys
from types import ModuleType

_LEFT_OUT = "torch._meta_registrations"


def import_torch() -> None:
    """Import torch as little as speaking needs, unless it is there already. Runs in the master."""
    if "torch" in sys.modules:
        return
    # oneDNN keeps a compiled kernel with its scratch memory for every shape it met, 1024 of them. Of texts of all
    # lengths that was 513 MB a worker, 200 with 64; 4 workers of the embedded voice took 562 MB with 64, 519 with
    # 16, 469 with none, and began to speak after 0.15, 0.16 and 0.20 s (2026-11-23).
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "16")
    sys.modules[_LEFT_OUT] = ModuleType(_LEFT_OUT)
    try:
        importlib.import_module("torch")
    finally:
        del sys.modules[_LEFT_OUT]


def complete_torch() -> None:
    """Import what `import_torch` left out, for libraries that may ask for it."""
    importlib.import_module(_LEFT_OUT)
