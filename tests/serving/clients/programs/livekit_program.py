"""LiveKit's agents speak by their plugin for OpenAI; prints frames, rates and seconds as JSON."""

import asyncio
import json
import sys

from livekit.plugins import openai


async def spoken(tts: openai.TTS, text: str) -> list[object]:
    """Return the number of frames, their rates, and the seconds of audio."""
    async with tts.synthesize(text) as stream:
        frames = [event.frame async for event in stream]
    samples = sum(frame.samples_per_channel for frame in frames)
    return [len(frames), sorted({frame.sample_rate for frame in frames}), samples / frames[0].sample_rate]


async def interrupt(tts: openai.TTS, text: str) -> None:
    """Stop listening after the first frame, as an agent does whose user speaks."""
    async with tts.synthesize(text) as stream:
        async for _event in stream:
            break


async def main(base_url: str, model: str, audio_format: str, text: str, is_interrupted: bool) -> None:
    """Speak once with those options."""
    tts = openai.TTS(model=model, voice="alloy", base_url=base_url, api_key="none", response_format=audio_format)
    result = await interrupt(tts, text) if is_interrupted else await spoken(tts, text)
    await tts.aclose()
    print(json.dumps(result))


asyncio.run(main(*sys.argv[1:5], is_interrupted=sys.argv[5] == "True"))
