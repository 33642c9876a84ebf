"""Coqui's own `tts-server` with espeak-ng in its process, so that no `espeak-ng` program has to be installed.

A program: `python -m tests.support.coqui_server --model_path ...`.
"""

import runpy

from loader.engines.compat.coqui_package import import_coqui

if __name__ == "__main__":
    import_coqui()
    runpy.run_module("TTS.server.server", run_name="__main__", alter_sys=True)
