"""Coqui's own `tts-server`, arguments and all: `python -m ops.benchmarks.native_server --model_path ...`."""

import runpy

from .coqui import make_importable

if __name__ == "__main__":
    make_importable()
    runpy.run_module("TTS.server.server", run_name="__main__", alter_sys=True)
