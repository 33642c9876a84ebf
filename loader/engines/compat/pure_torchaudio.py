"""torchaudio without its native library, for the little of it that XTTS calls, which is all Python."""

import sys
import types
from importlib.machinery import PathFinder
from typing import Any

_NAME = "torchaudio"


def load_torchaudio() -> None:
    """Load torchaudio, but for its library, which is linked to CUDA and does not load beside a CPU build of torch.

    `loader.engines.compat.coqui_package` defers loading it to the first touch, which may have failed already;
    Coqui's modules hold the module object, so it is that one which is filled.
    """
    module = sys.modules.get(_NAME)
    spec = PathFinder.find_spec(_NAME)
    if spec is None or spec.loader is None:
        return
    if module is None:
        module = types.ModuleType(_NAME)
    # Its dictionary by itself: asking the module for it would load it.
    if "transforms" in object.__getattribute__(module, "__dict__"):
        return
    module.__class__ = types.ModuleType  # no longer the kind that loads when touched
    module.__spec__, module.__path__ = spec, list(spec.submodule_search_locations or ())
    sys.modules[_NAME] = module
    sys.modules[f"{_NAME}._extension"] = _without_library()
    spec.loader.exec_module(module)


def _without_library() -> types.ModuleType:
    extension: Any = types.ModuleType(f"{_NAME}._extension")
    extension._IS_TORCHAUDIO_EXT_AVAILABLE = extension._IS_ALIGN_AVAILABLE = False
    extension.fail_if_no_align = lambda function: function
    extension._check_cuda_version = lambda: None
    return extension  # type: ignore[no-any-return]
