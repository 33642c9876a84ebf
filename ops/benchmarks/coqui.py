"""Coqui as its own users run it, made importable beside a CPU build of torch."""

import importlib.util
import sys


def make_importable() -> None:
    """Let `TTS.api` be imported.

    PyPI's torchaudio is linked to CUDA and fails to load beside a CPU torch. Speaking never
    touches it, so it is loaded at first use, that is never. That spares the native side an import.
    """
    import TTS  # noqa: F401  must come first: it looks for torchaudio's metadata

    spec = importlib.util.find_spec("torchaudio")
    if spec is None or spec.loader is None:
        return
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules["torchaudio"] = module
    spec.loader.exec_module(module)
