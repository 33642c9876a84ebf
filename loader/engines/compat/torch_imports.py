"""Imports of torch and torchaudio without the parts that speaking never uses.

A quarter of `import torch` is the registration of how every operator behaves on tensors
without data: 0.95 s with it, 0.72 s without (2026-11-23, 2 cores of a Zen 4, torch 2.13.0).
The module is left out, not replaced: a later import gets it.
"""

import importlib
import os
import sys
import types
from importlib.machinery import PathFinder
from typing import Any

_LEFT_OUT = "torch._meta_registrations"
_TORCHAUDIO = "torchaudio"


def import_torch() -> None:
    """Import torch without `_meta_registrations`, unless it is imported already. Runs in the master."""
    if "torch" in sys.modules:
        return
    # oneDNN keeps a compiled kernel with its scratch memory for every shape it met, 1024 of them. Of texts of all
    # lengths that was 513 MB a worker, 200 with 64; 4 workers of the embedded voice took 562 MB with 64, 519 with
    # 16, 469 with none, and began to speak after 0.15, 0.16 and 0.20 s (2026-11-23).
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "16")
    sys.modules[_LEFT_OUT] = types.ModuleType(_LEFT_OUT)
    try:
        importlib.import_module("torch")
    finally:
        del sys.modules[_LEFT_OUT]


def complete_torch() -> None:
    """Import the part that `import_torch` left out, for libraries that may use it."""
    importlib.import_module(_LEFT_OUT)


def load_torchaudio() -> None:
    """Load torchaudio without its native library, for the pure Python that XTTS calls.

    The library is linked to CUDA and does not load beside a CPU build of torch.
    `coqui_package` defers loading to the first use, which may have failed already; Coqui's
    modules hold the module object, so this fills that object.
    """
    module = sys.modules.get(_TORCHAUDIO)
    spec = PathFinder.find_spec(_TORCHAUDIO)
    if spec is None or spec.loader is None:
        return
    if module is None:
        module = types.ModuleType(_TORCHAUDIO)
    # Through its dictionary: reading the attribute would load it.
    if "transforms" in object.__getattribute__(module, "__dict__"):
        return
    module.__class__ = types.ModuleType  # ends the lazy loading
    module.__spec__, module.__path__ = spec, list(spec.submodule_search_locations or ())
    sys.modules[_TORCHAUDIO] = module
    extension: Any = types.ModuleType(f"{_TORCHAUDIO}._extension")
    extension._IS_TORCHAUDIO_EXT_AVAILABLE = extension._IS_ALIGN_AVAILABLE = False
    extension.fail_if_no_align = lambda function: function
    extension._check_cuda_version = lambda: None
    sys.modules[extension.__name__] = extension
    spec.loader.exec_module(module)
