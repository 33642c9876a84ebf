"""Coqui as its own users run it: the API in one process, or its server.

`python -m ops.benchmarks.native speak RELEASE [--untrimmed]` speaks every line of its standard input and answers with the
seconds of speech. `--untrimmed` keeps the quiet end that Coqui trims, which was work to make. `python -m
ops.benchmarks.native serve ARGUMENTS` is Coqui's own `tts-server`. Imports nothing of ours: its memory is measured.
"""

import importlib.util
import os
import runpy
import sys
from pathlib import Path

#: Zero samples that Coqui appends to every sentence; no network computes them.
_PADDING = 10_000


def speak(release: Path, untrimmed: bool) -> None:
    """Load the voice as Coqui's documentation says, then speak until the input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    # Coqui prints as it speaks.
    os.dup2(2, 1)
    _make_importable()
    from TTS.api import TTS

    tts = TTS(model_path=str(release / "model_file.pth"), config_path=str(release / "config.json"))
    if untrimmed:
        tts.synthesizer.tts_config.audio["do_trim_silence"] = False
    for line in sys.stdin:
        samples = tts.tts(line.strip())
        print((len(samples) - _PADDING) / tts.synthesizer.output_sample_rate, file=answers)


def _make_importable() -> None:
    """Let `TTS.api` be imported beside a CPU build of torch.

    PyPI's torchaudio is linked to CUDA and fails to load beside a CPU torch. Speaking never uses it, so it is loaded at first
    use, that is never. That spares the native side an import.
    """
    import TTS  # noqa: F401  must come first: it looks for torchaudio's metadata

    spec = importlib.util.find_spec("torchaudio")
    if spec is None or spec.loader is None:
        return
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules["torchaudio"] = module
    spec.loader.exec_module(module)


if __name__ == "__main__":
    if sys.argv[1] == "speak":
        speak(Path(sys.argv[2]), "--untrimmed" in sys.argv[3:])
    else:
        _make_importable()
        sys.argv = sys.argv[:1] + sys.argv[2:]
        runpy.run_module("TTS.server.server", run_name="__main__", alter_sys=True)
