"""Pipecat speaks by its service for OpenAI, in a pipeline; prints its frames, bytes of audio and rates as JSON."""

import asyncio
import json
import sys

from pipecat.frames.frames import (
    EndFrame,
    ErrorFrame,
    Frame,
    InterruptionFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.runner import PipelineRunner
from pipecat.pipeline.task import PipelineParams, PipelineTask
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.openai.tts import OpenAITTSService


class Listener(FrameProcessor):
    """The end of the pipeline, which counts."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.audio_bytes = 0
        self.rates_hz: set[int] = set()
        self.hears = asyncio.Event()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Count audio; note where it starts, stops, fails or is interrupted."""
        await super().process_frame(frame, direction)
        if isinstance(frame, TTSAudioRawFrame):
            self.audio_bytes += len(frame.audio)
            self.rates_hz.add(frame.sample_rate)
            self.hears.set()
        elif isinstance(frame, (TTSStartedFrame, TTSStoppedFrame, ErrorFrame, InterruptionFrame)):
            self.names.append(type(frame).__name__)
        await self.push_frame(frame, direction)


async def main(base_url: str, text: str, is_interrupted: bool) -> None:
    """Speak once, and interrupt it at its first audio if wanted."""
    listener = Listener()
    service = OpenAITTSService(api_key="none", base_url=base_url, voice="alloy", model="gpt-4o-mini-tts")
    task = PipelineTask(Pipeline([service, listener]), params=PipelineParams(audio_out_sample_rate=24000))

    async def drive() -> None:
        await task.queue_frames([TTSSpeakFrame(text=text)])
        if is_interrupted:
            await listener.hears.wait()
            await task.queue_frames([InterruptionFrame()])
        await task.queue_frames([EndFrame()])

    await asyncio.gather(PipelineRunner(handle_sigint=False).run(task), drive())
    print(json.dumps([listener.names, listener.audio_bytes, sorted(listener.rates_hz)]))


asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3] == "True"))
