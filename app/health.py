"""Does it speak? `python -m app.health` as a liveness probe, and the same as a coroutine."""

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
    """Load the voices, speak "Hello world", and return how many seconds of audio came.

    Raises:
        LoaderError: loading failed, or what came is silence.
    """
    loader = TTSLoader(config_path)
    await loader.warm_up()
    speech = await asyncio.to_thread(loader.synthesize, "Hello world")
    with wave.open(io.BytesIO(speech)) as audio:
        frames = audio.readframes(audio.getnframes())
        duration_s: float = audio.getnframes() / audio.getframerate()
    if not any(frames):
        raise SynthesisError(f"{duration_s:.2f} s of silence came instead of speech")
    return duration_s


def main() -> None:
    """Exit with 0 when it spoke, else with the error's documented status."""
    reopen_closed_streams()
    with one_clear_message():
        duration_s = asyncio.run(health_check(os.environ.get("CHORUS_CONFIG") or DEFAULT_CONFIG))
    print(f"healthy: spoke {duration_s:.2f} s", file=sys.stdout)


if __name__ == "__main__":
    main()
