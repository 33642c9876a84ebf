"""The native way: `python -m ops.benchmarks.native RELEASE` speaks every line of its standard input.

Answers each with a line, the seconds of speech. Holds no measurement: whoever starts it
looks at the clock and at its memory. `--untrimmed` keeps what Coqui would cut off the end
for being too quiet, which was work to make.
"""

import os
import sys
from pathlib import Path

from .coqui import make_importable

#: Zero samples that Coqui appends to every sentence; no work of any network.
_PADDING = 10_000


def main(release: Path, untrimmed: bool) -> None:
    """Load the voice as Coqui's documentation says, then speak until the input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    # Coqui prints as it speaks.
    os.dup2(2, 1)
    make_importable()
    from TTS.api import TTS

    tts = TTS(model_path=str(release / "model_file.pth"), config_path=str(release / "config.json"))
    if untrimmed:
        tts.synthesizer.tts_config.audio["do_trim_silence"] = False
    for line in sys.stdin:
        samples = tts.tts(line.strip())
        print((len(samples) - _PADDING) / tts.synthesizer.output_sample_rate, file=answers)


if __name__ == "__main__":
    main(Path(sys.argv[1]), "--untrimmed" in sys.argv[2:])
