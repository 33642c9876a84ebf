"""The native way: `python -m ops.benchmarks.native RELEASE` speaks every line of its standard input.

Answers each with a line, the seconds of audio. Holds no measurement: whoever starts it
looks at the clock and at its memory.
"""

import os
import sys
from pathlib import Path

from .coqui import make_importable


def main(release: Path) -> None:
    """Load the voice as Coqui's documentation says, then speak until the input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    # Coqui prints as it speaks.
    os.dup2(2, 1)
    make_importable()
    from TTS.api import TTS

    tts = TTS(model_path=str(release / "model_file.pth"), config_path=str(release / "config.json"))
    for line in sys.stdin:
        samples = tts.tts(line.strip())
        print(len(samples) / tts.synthesizer.output_sample_rate, file=answers)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
