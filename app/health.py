"""Liveness probe: `python -m app.health` loads the voices and speaks; the same as a coroutine."""

import asyncio
import io
import os
import sys
import wave
from pathlib import Path

from app.startup import DEFAULT_CONFIG, one_clear_message
from loader.errors import SynthesisError
from loader.standard_streams import reopen_closed_streams
from loader.tts_loader import TTSLoader


async def health_check(config_path: str | Path = DEFAULT_CONFIG) -> float:
    """Load the voices, speak "Hello world", and return the seconds of audio.

    Raises:
        LoaderError: loading failed, or the audio is silence.
    """
    loader = TTSLoader(config_path)
    await loader.warm_up()
    speech = await asyncio.to_thread(loader.synthesize, "Hello world")
    with wave.open(io.BytesIO(speech)) as audio:
        frames = audio.readframes(audio.getnframes())
        duration_s: float = audio.getnframes() / audio.getframerate()
    if not any(frames):
        raise SynthesisError(f"the speech is {duration_s:.2f} s of silence")
    return duration_s


def main() -> None:
    """Exit with 0 if it spoke, else with the documented status of the error."""
    reopen_closed_streams()
    with one_clear_message():
        duration_s = asyncio.run(health_check(os.environ.get("CHORUS_CONFIG") or DEFAULT_CONFIG))
    print(f"healthy: spoke {duration_s:.2f} s", file=sys.stdout)


if __name__ == "__main__":
    main()
