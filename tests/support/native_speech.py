"""Speech by Coqui's own voice: `python -m tests.support.native_speech RELEASE TARGET` reads sentences from standard input.

It writes one WAV file for each line, named by the line number. A program, so that the test process
imports neither torch nor TTS.
"""

import sys
from pathlib import Path


def speak_lines(release: Path, target: Path, lines: list[str]) -> None:
    """Speak with `TTS.tts.models.vits.Vits`, loaded and driven as Coqui does it."""
    from loader.engines.compat.coqui_package import import_coqui

    import_coqui()
    import torch
    from TTS.config import load_config
    from TTS.tts.models.vits import Vits

    from loader.wav import wav_file

    config = load_config(release / "config.json")
    vits = Vits(config)
    vits.load_checkpoint(config, release / "model_file.pth", eval=True)
    torch.manual_seed(0)
    for number, line in enumerate(lines):
        samples = vits.synthesize(line)["wav"]
        (target / f"{number}.wav").write_bytes(wav_file([samples], config.audio.sample_rate))


if __name__ == "__main__":
    speak_lines(Path(sys.argv[1]), Path(sys.argv[2]), sys.stdin.read().splitlines())
