"""What every major version of OpenAI's client can do; prints what happened as JSON."""

import json
import sys

import openai

TEXT = "Good morning to all of you."


def main(base_url: str) -> None:
    """Speak, stream, list, and be refused."""
    with openai.OpenAI(base_url=base_url, api_key="sk-none", max_retries=0) as client:
        whole = client.audio.speech.create(model="tts-1", voice="alloy", input=TEXT)
        with client.audio.speech.with_streaming_response.create(
            model="tts-1", voice="alloy", input=TEXT, response_format="pcm"
        ) as response:
            streamed = b"".join(response.iter_bytes(4096))
        refused = None
        try:
            client.audio.speech.create(model="tts-1", voice="alloy", input=" ")
        except openai.BadRequestError as error:
            refused = [error.code, error.param]
        models = [model.id for model in client.models.list()]
        print(json.dumps([openai.__version__, len(whole.content), len(streamed), refused, models]))


main(sys.argv[1])
