"""OpenAI's client for JavaScript, and Vercel's AI SDK."""

import pytest

CREATE = """
import OpenAI from "openai";
const client = new OpenAI({ baseURL: process.env.BASE_URL, apiKey: "sk-none", maxRetries: 0 });
const text = "Good morning to all of you.";
const answer = await client.audio.speech.create({ model: "tts-1", voice: "alloy", input: text, response_format: FORMAT });
const bytes = Buffer.from(await answer.arrayBuffer());
console.log(JSON.stringify([answer.headers.get("content-type"), bytes.subarray(0, 4).toString("latin1"), bytes.length]));
"""

REFUSED = """
import OpenAI from "openai";
const client = new OpenAI({ baseURL: process.env.BASE_URL, apiKey: "sk-none", maxRetries: 0 });
try {
  await client.audio.speech.create({ model: "tts-1", voice: "nobody", input: "Hi." });
} catch (error) {
  console.log(JSON.stringify([error.constructor.name, error.status, error.code, error.param]));
}
"""

VERCEL = """
import { experimental_generateSpeech as generateSpeech } from "ai";
import { createOpenAI } from "@ai-sdk/openai";
const openai = createOpenAI({ baseURL: process.env.BASE_URL, apiKey: "sk-none" });
const { audio } = await generateSpeech({ model: openai.speech("tts-1"), voice: "alloy", text: "Good morning to all of you." });
console.log(JSON.stringify([audio.mediaType, audio.uint8Array.length]));
"""


@pytest.fixture
def base_url(server):
    return f"http://127.0.0.1:{server.port}/v1"


@pytest.mark.parametrize(
    ("audio_format", "content_type", "start"),
    [("wav", "audio/wav", "RIFF"), ("opus", "audio/ogg", "OggS"), ("flac", "audio/flac", "fLaC"), ("mp3", "audio/mpeg", "\xff")],
)
def test_the_npm_client_receives_every_kind_of_file(run_node, base_url, audio_format, content_type, start):
    found = run_node("openai-npm", CREATE.replace("FORMAT", f'"{audio_format}"'), BASE_URL=base_url)

    assert content_type == found[0]
    assert found[1].startswith(start) and found[2] > 2_000


def test_the_npm_client_understands_errors(run_node, base_url):
    assert ["BadRequestError", 400, "voice_not_found", "voice"] == run_node("openai-npm", REFUSED, BASE_URL=base_url)


def test_vercels_sdk_speaks(run_node, base_url):
    media_type, size_bytes = run_node("vercel", VERCEL, BASE_URL=base_url)

    assert "audio/mpeg" == media_type and size_bytes > 2_000
